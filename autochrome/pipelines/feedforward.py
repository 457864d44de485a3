"""The pipeline of the networks that give their answer in one pass: L* in, a*b* out."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import PIL.Image
import torch
from torch import Tensor

from autochrome.color import AB_SCALE
from autochrome.errors import ModelError, UnavailableError
from autochrome.image import picture_to_lightness, resize, working_size
from autochrome.models import Colorizer, load_colorizer
from autochrome.pipelines.base import Clock, ColorizationOutput, Picture, Pipeline, Progress, render, silent
from autochrome.pipelines.settings import Setting

PX_PER_RENDER_FACTOR = 16
"""DeOldify's knob: the working side is 16 times the render factor."""


class FeedforwardPipeline(Pipeline):
    """A `Colorizer` with everything around it."""

    SETTINGS: Mapping[str, Setting] = {
        "merge_lightness": Setting("merge_lightness", True),
        "render_factor": Setting("render_factor", 16, 7, 45),
        "saturation": Setting("saturation", 1.0, 0.0, 4.0),
        "seed": Setting("seed", 0, 0, 2**32 - 1),
    }
    """What every model of this kind takes; a row of the catalog gives its own defaults and ranges."""

    def __init__(
        self,
        model: Colorizer,
        *,
        model_id: str = "colorizer",
        settings: Mapping[str, Setting] | None = None,
        device: str | torch.device | None = None,
        flip_average: bool = False,
    ) -> None:
        """Put a model on its device, once.

        Args:
            model: the network.
            model_id: what errors and the metadata of results call it.
            settings: defaults and ranges that differ from `SETTINGS`.
            device: by default "cuda" where there is one, else "cpu".
            flip_average: predict the picture and its mirror image and take the mean: twice the time, calmer color.

        Raises:
            UnavailableError: there is no such device here.
        """
        self.model_id = model_id
        self.settings = {**self.SETTINGS, **(settings or {})}
        self.flip_average = flip_average
        try:
            self.device = torch.device(device or ("cuda" if torch.cuda.is_available() else "cpu"))
            on_device = model.eval().requires_grad_(False).to(self.device)
        except (RuntimeError, AssertionError) as error:
            raise UnavailableError(f"the device {device!r} cannot be used here; leave it out, or try 'cpu'") from error
        self.model = on_device.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    @classmethod
    def from_folder(
        cls,
        folder: Path,
        *,
        model_id: str | None = None,
        settings: Mapping[str, Setting] | None = None,
        device: str | torch.device | None = None,
        flip_average: bool = False,
    ) -> "FeedforwardPipeline":
        """Load `config.json` and `model.safetensors`; the other arguments are those of the constructor.

        Raises:
            ModelError: a file is missing or damaged, or the weights belong to another architecture.
        """
        model_id = model_id or folder.resolve().name
        return cls(
            load_colorizer(folder), model_id=model_id, settings=settings, device=device, flip_average=flip_average
        )

    def __call__(
        self,
        picture: Picture,
        *,
        merge_lightness: bool | None = None,
        render_factor: int | None = None,
        saturation: float | None = None,
        seed: int | None = None,
        progress: Progress | None = None,
        **others: object,
    ) -> ColorizationOutput:
        """Color one picture. A setting that is `None` has the model's default.

        Args:
            picture: a picture, a path, the bytes of a file, or uint8 RGB `(H, W, 3)`.
            merge_lightness: take L* from the picture itself, at its full size.
            render_factor: working side in units of 16 px.
            saturation: factor on a*b*; 0 is grey.
            seed: for the sake of models that draw random numbers; this one gives the same picture for every seed.
            progress: called with the share that is done and the step that begins.
            others: settings that other models take; refused here unless empty.

        Raises:
            SettingError: a setting is out of range, or of no use to this model.
            PictureError: the picture cannot be read.
            ModelError: the model gave something that is not a number.
        """
        report = progress or silent
        clock = Clock()
        settings = self.check_inputs(
            merge_lightness=merge_lightness, render_factor=render_factor, saturation=saturation, seed=seed, **others
        )
        report(0.0, "read")
        source = self.read(picture)
        clock.lap("read")
        report(0.2, "prepare")
        lightness = self.prepare_lightness(source, settings["render_factor"])
        clock.lap("prepare")
        report(0.3, "predict")
        ab = self.predict(lightness)
        clock.lap("predict")
        report(0.6, "render")
        image = self.render(source, lightness, ab, settings)
        clock.lap("render")
        report(1.0, "done")
        return ColorizationOutput(
            images=[image],
            ab=ab,
            lightness=lightness,
            source=source,
            model=self.model_id,
            settings=settings,
            taken=self.settings,
            seconds=sum(clock.laps.values()),
            timings=clock.laps,
        )

    def prepare_lightness(self, source: PIL.Image.Image, render_factor: int) -> Tensor:
        """L* (0..100) at the working size, `(1, 1, H, W)` float32: aspect ratio kept, sides as the model needs them."""
        side_px = PX_PER_RENDER_FACTOR * render_factor
        size = working_size(source.width, source.height, side_px, self.model.size_multiple)
        return resize(picture_to_lightness(source), size).clamp(0, 100)

    def predict(self, lightness: Tensor) -> Tensor:
        """Run the model: L* `(1, 1, H, W)` to a*b* `(1, 2, H / s, W / s)` in Lab units, float32 on the CPU.

        Raises:
            ModelError: the output is not finite.
        """
        with torch.inference_mode():
            batch = lightness.to(self.device)
            ab_normalized = self.model(batch)
            if self.flip_average:
                ab_normalized = (ab_normalized + self.model(batch.flip(-1)).flip(-1)) / 2
            if not torch.isfinite(ab_normalized).all():
                raise ModelError(f"{self.model_id} gave colors that are not numbers; its weights may be damaged")
            # Network units beyond 1 are outside sRGB for any L*.
            ab: Tensor = ab_normalized.float().clamp(-1, 1).cpu() * AB_SCALE
        return ab.clone()  # outside inference mode: an ordinary tensor, which a caller may change

    def render(
        self, source: PIL.Image.Image, lightness: Tensor, ab: Tensor, settings: Mapping[str, Any]
    ) -> PIL.Image.Image:
        """The picture: predicted color under the source's own light, or under the model's."""
        return render(
            source,
            lightness,
            ab,
            merge_lightness=settings["merge_lightness"],
            saturation=settings["saturation"],
        )
