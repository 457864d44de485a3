"""What all pipelines share: how a picture comes in, and the result, which can be rendered again without the model."""

import json
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
from torch import Tensor

from autochrome import __version__
from autochrome.color import lab_to_gamut, merge_lab
from autochrome.errors import PictureError
from autochrome.image import merge_picture, read_picture, resize, tensor_to_picture
from autochrome.pipelines.settings import Setting, check_settings

Picture = PIL.Image.Image | str | Path | bytes | np.ndarray[Any, np.dtype[np.uint8]]
"""A picture, a path, the bytes of a file, or uint8 RGB of shape `(H, W, 3)`."""

Progress = Callable[[float, str], None]
"""Called with the share that is done (0..1) and the name of the step that begins; `gr.Progress` fits."""


@dataclass(frozen=True)
class ColorizationOutput:
    """One prediction, and the pictures that were made of it.

    Attributes:
        images: the results, sRGB, of the source's size and mode; one for a model that gives one answer.
        ab: predicted a*b* in Lab units, `(1, 2, h, w)` float32 on the CPU, at the model's output size.
        lightness: the L* (0..100) that the model saw, `(1, 1, H, W)` float32 on the CPU, at the working size.
        source: the picture as read: RGB or RGBA, upright, full size.
        model: id of the model.
        settings: every setting of the run, the defaults written out.
        taken: the settings that the model takes, with their ranges.
        seconds: wall time of the run.
        timings: seconds of its steps.
    """

    images: list[PIL.Image.Image]
    ab: Tensor
    lightness: Tensor
    source: PIL.Image.Image
    model: str
    settings: dict[str, Any]
    taken: Mapping[str, Setting]
    seconds: float
    timings: dict[str, float]

    def render(self, *, merge_lightness: bool | None = None, saturation: float | None = None) -> PIL.Image.Image:
        """Another picture from the same prediction; the model does not run. `None` keeps the run's setting.

        Args:
            merge_lightness: take L* from the source at its full size (True), or from the model's working size,
                enlarged: the soft light of a colorizer without the merge.
            saturation: factor on a*b*; 0 is grey.

        Raises:
            SettingError: a setting is out of range.
        """
        settings = self._rendered(merge_lightness, saturation)
        return render(
            self.source,
            self.lightness,
            self.ab,
            merge_lightness=settings["merge_lightness"],
            saturation=settings["saturation"],
        )

    def metadata(self, *, merge_lightness: bool | None = None, saturation: float | None = None) -> dict[str, str]:
        """PNG text chunks for a picture that `render` made with the same arguments."""
        return metadata(self.model, self._rendered(merge_lightness, saturation))

    def _rendered(self, merge_lightness: bool | None, saturation: float | None) -> dict[str, Any]:
        changed = {"merge_lightness": merge_lightness, "saturation": saturation}
        given = {name: value for name, value in changed.items() if value is not None}
        return check_settings(self.model, self.taken, {**self.settings, **given})


class Pipeline(ABC):
    """A loaded model that turns a picture into a `ColorizationOutput`; may be called from several threads at once.

    Attributes:
        model_id: id of the catalog row, or the name of the model's folder.
        settings: the settings that this model takes, with their defaults and ranges; any other one is refused.
    """

    model_id: str
    settings: Mapping[str, Setting]

    @abstractmethod
    def __call__(self, picture: Picture, *, progress: Progress | None = None, **settings: Any) -> ColorizationOutput:
        """Color one picture. A setting that is `None` has the model's default."""

    def check_inputs(self, **given: object) -> dict[str, Any]:
        """All settings of a run with these given; costs nothing, so a batch can ask before it starts.

        Raises:
            SettingError: a setting that this model has no use for, or out of range; the text says what it takes.
        """
        return check_settings(self.model_id, self.settings, given)

    def read(self, picture: Picture) -> PIL.Image.Image:
        """The picture as RGB or RGBA, 8 bit, sRGB, upright.

        Raises:
            PictureError: it is not a picture, damaged, or too large.
        """
        if isinstance(picture, np.ndarray):
            if picture.dtype != np.uint8 or picture.ndim != 3 or picture.shape[2] != 3 or 0 in picture.shape:
                raise PictureError(
                    f"a picture given as an array must be uint8 RGB of shape (height, width, 3), "
                    f"got {picture.dtype} of shape {picture.shape}"
                )
            picture = PIL.Image.fromarray(picture)
        return read_picture(picture)


def render(
    source: PIL.Image.Image, lightness: Tensor, ab: Tensor, *, merge_lightness: bool, saturation: float
) -> PIL.Image.Image:
    """Put predicted color on a picture: a picture of the source's size and mode.

    Args:
        source: RGB or RGBA.
        lightness: the model's L* `(1, 1, H, W)`, 0..100; used without the merge only.
        ab: `(1, 2, h, w)` in Lab units, any size.
        merge_lightness: L* from the source at full size, or from `lightness`, enlarged.
        saturation: factor on a*b*.
    """
    if merge_lightness:
        return merge_picture(source, ab, saturation=saturation)
    height, width = lightness.shape[-2:]
    lab = merge_lab(lightness, resize(ab, (width, height)) * saturation)
    picture = tensor_to_picture(lab_to_gamut(lab)).resize(source.size, PIL.Image.Resampling.BICUBIC)
    if source.mode == "RGBA":
        picture.putalpha(source.getchannel("A"))
    return picture


def metadata(model_id: str, settings: Mapping[str, Any]) -> dict[str, str]:
    """PNG text chunks that say honestly what a picture is and how it can be made again."""
    return {
        "Software": f"Autochrome {__version__}",
        "Comment": "AI-colorized",
        "Model": model_id,
        "Settings": json.dumps(dict(settings), sort_keys=True),
    }


class Clock:
    """Seconds between laps, by name, in `laps`."""

    def __init__(self) -> None:
        self.laps: dict[str, float] = {}
        self._last = time.perf_counter()

    def lap(self, name: str) -> None:
        """Write down the seconds since the last lap, or since the beginning."""
        now = time.perf_counter()
        self.laps[name] = now - self._last
        self._last = now


def silent(share: float, step: str) -> None:
    """The progress of somebody who did not ask."""
