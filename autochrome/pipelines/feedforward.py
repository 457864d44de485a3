"""The pipeline of the networks that give their answer in one pass: L* in, a*b* out."""

import json
from collections.abc import Mapping
from pathlib import Path

import PIL.Image
import torch
from torch import Tensor

from autochrome.color import AB_SCALE
from autochrome.errors import ModelError, SettingError, UnavailableError
from autochrome.image import picture_to_lightness, resize, working_size
from autochrome.models import Colorizer, load_colorizer
from autochrome.models.onnx import OnnxColorizer, export_onnx, is_installed
from autochrome.pipelines.base import (
    Clock,
    ColorizationOutput,
    Pipeline,
    Prediction,
    Progress,
    pictures_of,
    silent,
)
from autochrome.pipelines.candidates import MAX_CANDIDATES, candidate_factors
from autochrome.pipelines.pictures import Picture
from autochrome.pipelines.settings import Setting

PX_PER_RENDER_FACTOR = 16
"""DeOldify's knob: the working side is 16 times the render factor."""

RUNTIMES = ("torch", "onnx", "auto")
"""What runs a network: `auto` is ONNX Runtime where it is installed and there is no GPU, else torch."""


def shrink_lightness(lightness: Tensor, render_factor: int, size_multiple: int) -> Tensor:
    """L* `(1, 1, H, W)` at the working size of a render factor: aspect ratio kept, sides as multiples."""
    height, width = lightness.shape[-2:]
    side_px = PX_PER_RENDER_FACTOR * render_factor
    return resize(lightness, working_size(width, height, side_px, size_multiple)).clamp(0, 100)


def place_model(model: Colorizer, device: str | torch.device | None, default: str) -> tuple[Colorizer, torch.device]:
    """A network for inference on its device, `default` where None is given.

    Raises:
        UnavailableError: there is no such device here.
    """
    try:
        there = torch.device(device or default)
        placed = model.eval().requires_grad_(False).to(there)
    except (RuntimeError, AssertionError) as error:
        raise UnavailableError(f"the device {device!r} cannot be used here; leave it out, or try 'cpu'") from error
    return placed.to(memory_format=torch.channels_last), there  # type: ignore[call-overload]


class FeedforwardPipeline(Pipeline):
    """A `Colorizer` with everything around it."""

    SETTINGS: Mapping[str, Setting] = {
        "merge_lightness": Setting("merge_lightness", True),
        "render_factor": Setting("render_factor", 16, 7, 45),
        "saturation": Setting("saturation", 1.0, 0.0, 4.0),
        "seed": Setting("seed", 0, 0, 2**32 - 1),
        "candidates": Setting("candidates", 1, 1, MAX_CANDIDATES),
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
        runtime: str = "torch",
    ) -> None:
        """Put a model on its device, once.

        Args:
            model: the network.
            model_id: what errors and the metadata of results call it.
            settings: defaults and ranges that differ from `SETTINGS`.
            device: by default "cuda" where there is one, else "cpu".
            flip_average: predict the picture and its mirror image and take the mean: twice the time, calmer color.
            runtime: `torch`; `onnx`, ONNX Runtime on the CPU, faster there and the same to 0.0001 Lab units; or `auto`.

        Raises:
            SettingError: no such runtime, one that is not for this device, or not for this model.
            UnavailableError: there is no such device here, or ONNX Runtime is not installed.
        """
        self.model_id = model_id
        self.settings = {**self.SETTINGS, **(settings or {})}
        self.flip_average = flip_average
        if runtime not in RUNTIMES:
            raise SettingError(f"runtime must be one of {', '.join(RUNTIMES)}, got {runtime!r}")
        default = "cuda" if torch.cuda.is_available() and runtime != "onnx" else "cpu"
        self.model, self.device = place_model(model, device, default)
        if runtime == "auto":
            can = self.device.type == "cpu" and is_installed() and not model.takes_directions
            runtime = "onnx" if can else "torch"
        elif runtime == "onnx" and self.device.type != "cpu":
            raise SettingError(f"runtime 'onnx' runs on the CPU, not on {self.device}; leave the device out")
        self.runtime = runtime
        self._run = OnnxColorizer(self.model) if runtime == "onnx" else self.model

    @classmethod
    def from_folder(
        cls,
        folder: Path,
        *,
        model_id: str | None = None,
        settings: Mapping[str, Setting] | None = None,
        device: str | torch.device | None = None,
        flip_average: bool = False,
        runtime: str = "torch",
    ) -> "FeedforwardPipeline":
        """Load `config.json` and `model.safetensors`; the other arguments are those of the constructor.

        Raises:
            ModelError: a file is missing or damaged, or the weights belong to another architecture.
        """
        model_id = model_id or folder.resolve().name
        return cls(
            load_colorizer(folder),
            model_id=model_id,
            settings=settings,
            device=device,
            flip_average=flip_average,
            runtime=runtime,
        )

    def __call__(
        self,
        picture: Picture,
        *,
        merge_lightness: bool | None = None,
        render_factor: int | None = None,
        saturation: float | None = None,
        seed: int | None = None,
        candidates: int | None = None,
        progress: Progress | None = None,
        **others: object,
    ) -> ColorizationOutput:
        """Color one picture. A setting that is `None` has the model's default.

        Args:
            picture: a picture, a path, the bytes of a file, or uint8 RGB `(H, W, 3)`.
            merge_lightness: take L* from the picture itself, at its full size.
            render_factor: working side in units of 16 px.
            saturation: factor on a*b*; 0 is grey.
            seed: draws the render factors of the candidates after the first, which is the same for every seed.
            candidates: how many pictures; those after the first are this model's at other render factors.
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
            merge_lightness=merge_lightness,
            render_factor=render_factor,
            saturation=saturation,
            seed=seed,
            candidates=candidates,
            **others,
        )
        factors = candidate_factors(
            settings["render_factor"], settings["candidates"], settings["seed"], self.settings["render_factor"]
        )
        report(0.0, "read")
        source = self.read(picture)
        clock.lap("read")
        whole = picture_to_lightness(source)
        predictions = []
        for number, factor in enumerate(factors):
            report(0.2 + 0.5 * number / len(factors), "prepare")
            lightness = self.shrink_lightness(whole, factor)
            clock.lap("prepare")
            report(0.2 + 0.5 * (number + 0.2) / len(factors), "predict")
            ab = self.predict(lightness)
            clock.lap("predict")
            predictions.append(Prediction(ab, lightness, {"render_factor": factor, "candidates": 1}))
        del whole  # 4 bytes a pixel, which rendering can use
        report(0.8, "render")
        look = {name: settings[name] for name in ("merge_lightness", "saturation")}
        images = pictures_of(source, predictions, **look)
        clock.lap("render")
        report(1.0, "done")
        return ColorizationOutput(
            images=images,
            ab=predictions[0].ab,
            lightness=predictions[0].lightness,
            source=source,
            model=self.model_id,
            settings=settings,
            taken=self.settings,
            seconds=sum(clock.laps.values()),
            timings=clock.laps,
            others=tuple(predictions[1:]),
        )

    def prepare_lightness(self, source: PIL.Image.Image, render_factor: int) -> Tensor:
        """L* (0..100) at the working size, `(1, 1, H, W)` float32: aspect ratio kept, sides as the model needs them."""
        return self.shrink_lightness(picture_to_lightness(source), render_factor)

    def shrink_lightness(self, lightness: Tensor, render_factor: int) -> Tensor:
        """`prepare_lightness` of a picture whose L* at full size is at hand, `(1, 1, H, W)`."""
        return shrink_lightness(lightness, render_factor, self.model.size_multiple)

    def predict(self, lightness: Tensor) -> Tensor:
        """Run the model: L* `(1, 1, H, W)` to a*b* `(1, 2, H / s, W / s)` in Lab units, float32 on the CPU.

        Raises:
            ModelError: the output is not finite.
        """
        with torch.inference_mode():
            batch = lightness.to(self.device)
            ab_normalized = self._run(batch)
            if self.flip_average:
                ab_normalized = (ab_normalized + self._run(batch.flip(-1)).flip(-1)) / 2
            if not torch.isfinite(ab_normalized).all():
                raise ModelError(f"{self.model_id} gave colors that are not numbers; its weights may be damaged")
            # Network units beyond 1 are outside sRGB for any L*.
            ab: Tensor = ab_normalized.float().clamp(-1, 1).cpu() * AB_SCALE
        return ab.clone()  # outside inference mode: an ordinary tensor, which a caller may change

    def export_onnx(self) -> bytes:
        """The network as the content of an .onnx file, with what a program needs to know to use it; for the CPU.

        Raises:
            UnavailableError, SettingError, ModelError: as in `autochrome.models.onnx.export_onnx`.
        """
        notes = {
            "model": self.model_id,
            "settings": json.dumps({name: setting.to_dict() for name, setting in self.settings.items()}),
            "px_per_render_factor": str(PX_PER_RENDER_FACTOR),
            "flip_average": json.dumps(self.flip_average),
        }
        return export_onnx(self.model, notes)
