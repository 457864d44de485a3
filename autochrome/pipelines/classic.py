"""What the ways without a trained model share: L* and directions in, a*b* out, with everything around it."""

from abc import abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar

from torch import Tensor

from autochrome.image import picture_to_lightness
from autochrome.pipelines.base import Clock, ColorizationOutput, Pipeline, Prediction, Progress, pictures_of, silent
from autochrome.pipelines.feedforward import shrink_lightness
from autochrome.pipelines.pictures import Picture
from autochrome.pipelines.settings import Setting, settings_notes

_SIZE_MULTIPLE = 8

COMMON_SETTINGS: Mapping[str, Setting] = {
    "merge_lightness": Setting("merge_lightness", True),
    "render_factor": Setting("render_factor", 16, 7, 32),
    "saturation": Setting("saturation", 1.0, 0.0, 4.0),
}


class ClassicPipeline(Pipeline):
    """A way to color from directions alone. It works at a small size; a*b* is upsampled under the guidance of L*."""

    SETTINGS: ClassVar[Mapping[str, Setting]]
    """What it takes; a row of the catalog gives its own defaults and ranges."""

    def __init__(self, *, model_id: str, settings: Mapping[str, Setting] | None = None) -> None:
        """`model_id` is what errors and the metadata of results call it, `settings` replaces some of `SETTINGS`."""
        self.model_id = model_id
        self.settings = {**self.SETTINGS, **(settings or {})}

    def __call__(self, picture: Picture, *, progress: Progress | None = None, **settings: Any) -> ColorizationOutput:
        """Color one picture. A setting that is `None` has the default.

        Raises:
            SettingError: a setting is out of range, of no use here, or none of those is given that are needed.
            PictureError: the picture, or the exemplar, cannot be read.
        """
        report = progress or silent
        clock = Clock()
        checked = self.check_inputs(**settings)
        report(0.0, "read")
        source = self.read(picture)
        clock.lap("read")
        report(0.2, "prepare")
        lightness = shrink_lightness(picture_to_lightness(source), checked["render_factor"], _SIZE_MULTIPLE)
        clock.lap("prepare")
        report(0.3, "predict")
        ab = self.predict(lightness, checked)
        clock.lap("predict")
        report(0.8, "render")
        look = {name: checked[name] for name in ("merge_lightness", "saturation")}
        images = pictures_of(source, [Prediction(ab, lightness)], **look)
        clock.lap("render")
        report(1.0, "done")
        return ColorizationOutput(
            images=images,
            ab=ab,
            lightness=lightness,
            source=source,
            model=self.model_id,
            settings=checked,
            taken=self.settings,
            seconds=sum(clock.laps.values()),
            timings=clock.laps,
            notes=settings_notes(self.settings, checked),
        )

    @abstractmethod
    def predict(self, lightness: Tensor, settings: Mapping[str, Any]) -> Tensor:
        """L* `(1, 1, H, W)` in 0..100 and the checked settings to a*b* `(1, 2, H, W)` float32, Lab units."""
