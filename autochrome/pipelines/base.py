"""What all pipelines share: how a picture comes in, and the result, which can be rendered again without the model."""

import json
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, ClassVar

import PIL.Image
from torch import Tensor

from autochrome import __version__
from autochrome.color import lab_to_gamut, merge_lab
from autochrome.errors import SettingError
from autochrome.image import merge_picture, resize, tensor_to_picture
from autochrome.pipelines.candidates import Pictures
from autochrome.pipelines.pictures import Picture, open_picture
from autochrome.pipelines.settings import Setting, check_settings, settings_to_json

Progress = Callable[[float, str], None]
"""Called with the share that is done (0..1) and the name of the step that begins; `gr.Progress` fits."""

Preview = Callable[[int, int, PIL.Image.Image], None]
"""Called after each step of a model that works in steps (after some, where showing one costs as much as a step): its
number from 1, how many there are, and a small picture as it is by then, sRGB."""


@dataclass(frozen=True)
class Prediction:
    """What the model said, once.

    Attributes:
        ab: predicted a*b* in Lab units, `(1, 2, h, w)` float32 on the CPU.
        lightness: the L* (0..100) that the model saw, or, where it paints a whole picture, that of this; float32 on
            the CPU, `(1, 1, H, W)`.
        settings: those in which it differs from the run's first candidate.
    """

    ab: Tensor
    lightness: Tensor
    settings: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class ColorizationOutput:
    """One prediction, and the pictures that were made of it; with `candidates` several predictions.

    Attributes:
        images: the results, sRGB, of the source's size and mode; as many as candidates were asked for. The first is
            the plain result; each other is rendered whenever it is asked for.
        ab: predicted a*b* in Lab units, `(1, 2, h, w)` float32 on the CPU, at the model's output size.
        lightness: the L* (0..100) that the model saw, or, where it paints a whole picture, that of this; float32 on
            the CPU, `(1, 1, H, W)`, at the working size.
        source: the picture as read: RGB or RGBA, upright, full size.
        model: id of the model.
        settings: every setting of the run, the defaults written out.
        taken: the settings that the model takes, with their ranges.
        seconds: wall time of the run.
        timings: seconds of its steps.
        others: the predictions of the further candidates; `ab` and `lightness` are the first's.
        notes: sentences for the person: what was taken, but not as they may think.
        expected_error: where a model says how far from the truth it expects to be: `(1, 1, h, w)`, Lab units.
    """

    images: Sequence[PIL.Image.Image]
    ab: Tensor
    lightness: Tensor
    source: PIL.Image.Image
    model: str
    settings: dict[str, Any]
    taken: Mapping[str, Setting]
    seconds: float
    timings: dict[str, float]
    others: tuple[Prediction, ...] = ()
    notes: tuple[str, ...] = ()
    expected_error: Tensor | None = None

    def render(
        self, *, merge_lightness: bool | None = None, saturation: float | None = None, candidate: int = 0
    ) -> PIL.Image.Image:
        """Another picture from the same prediction; the model does not run. `None` keeps the run's setting.

        Args:
            merge_lightness: take L* from the source at its full size (True), or from the model's working size,
                enlarged: the soft light of a colorizer without the merge.
            saturation: factor on a*b*; 0 is grey.
            candidate: which of the run's predictions, from 0.

        Raises:
            SettingError: a setting is out of range, or there is no such candidate.
        """
        prediction = self._prediction(candidate)
        settings = self._rendered(merge_lightness, saturation, candidate)
        return render(
            self.source,
            prediction.lightness,
            prediction.ab,
            merge_lightness=settings["merge_lightness"],
            saturation=settings["saturation"],
        )

    def metadata(
        self, *, merge_lightness: bool | None = None, saturation: float | None = None, candidate: int = 0
    ) -> dict[str, str]:
        """PNG text chunks for a picture that `render` made with the same arguments.

        Those of a further candidate name the settings that make it by itself.
        """
        return metadata(self.model, self._rendered(merge_lightness, saturation, candidate))

    def _prediction(self, candidate: int) -> Prediction:
        if not 0 <= candidate <= len(self.others):
            raise SettingError(f"candidate must be from 0 to {len(self.others)}, as many as this run gave: {candidate}")
        return self.others[candidate - 1] if candidate else Prediction(self.ab, self.lightness)

    def _rendered(self, merge_lightness: bool | None, saturation: float | None, candidate: int) -> dict[str, Any]:
        changed = {"merge_lightness": merge_lightness, "saturation": saturation}
        given = {name: value for name, value in changed.items() if value is not None}
        of_candidate = self._prediction(candidate).settings
        return check_settings(self.model, self.taken, {**self.settings, **of_candidate, **given})


class Pipeline(ABC):
    """A loaded model that turns a picture into a `ColorizationOutput`; may be called from several threads at once.

    Attributes:
        model_id: id of the catalog row, or the name of the model's folder.
        settings: the settings that this model takes, with their defaults and ranges; any other one is refused.
        needs_directions: settings of which at least one must be given, for a way that colors nothing by itself.
        gives_previews: whether it works in steps and takes `preview`, a `Preview`, beside `progress`.
    """

    model_id: str
    settings: Mapping[str, Setting]
    needs_directions: ClassVar[tuple[str, ...]] = ()
    gives_previews: ClassVar[bool] = False

    @abstractmethod
    def __call__(self, picture: Picture, *, progress: Progress | None = None, **settings: Any) -> ColorizationOutput:
        """Color one picture. A setting that is `None` has the model's default."""

    def check_inputs(self, **given: object) -> dict[str, Any]:
        """All settings of a run with these given; costs nothing, so a batch can ask before it starts.

        Raises:
            SettingError: a setting that this model has no use for, or out of range; the text says what it takes. Or
                nothing was given to a way that needs something.
        """
        checked = check_settings(self.model_id, self.settings, given)
        if self.needs_directions and not any(checked[name] for name in self.needs_directions):
            raise SettingError(f"{self.model_id} colors nothing by itself: {needs_sentence(self.needs_directions)}")
        return checked

    def read(self, picture: Picture) -> PIL.Image.Image:
        """The picture as RGB or RGBA, 8 bit, sRGB, upright.

        Raises:
            PictureError: it is not a picture, damaged, or too large.
        """
        return open_picture(picture)


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


def pictures_of(
    source: PIL.Image.Image, predictions: Sequence[Prediction], *, merge_lightness: bool, saturation: float
) -> Pictures:
    """The pictures of a run's predictions: the first rendered now, the others when they are asked for."""
    ready = [
        partial(
            render,
            source,
            prediction.lightness,
            prediction.ab,
            merge_lightness=merge_lightness,
            saturation=saturation,
        )
        for prediction in predictions
    ]
    return Pictures(ready[0](), ready[1:])


def needs_sentence(needs: Sequence[str]) -> str:
    """What must be given to a way with these `needs_directions`, to stand after a colon."""
    *others, last = needs
    return f"give at least one of {', '.join(others)} and {last}" if others else f"give {last}"


def metadata(model_id: str, settings: Mapping[str, Any]) -> dict[str, str]:
    """PNG text chunks that say honestly what a picture is and how it can be made again."""
    return {
        "Software": f"Autochrome {__version__}",
        "Comment": "AI-colorized",
        "Model": model_id,
        "Settings": json.dumps(settings_to_json(settings), sort_keys=True),
    }


class Clock:
    """Seconds between laps, by name, in `laps`."""

    def __init__(self) -> None:
        self.laps: dict[str, float] = {}
        self._last = time.perf_counter()

    def lap(self, name: str) -> None:
        """Add the seconds since the last lap, or since the beginning, to those of `name`."""
        now = time.perf_counter()
        self.laps[name] = self.laps.get(name, 0.0) + now - self._last
        self._last = now


def silent(share: float, step: str) -> None:
    """The progress of somebody who did not ask."""
