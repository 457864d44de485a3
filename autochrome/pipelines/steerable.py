"""The pipeline of the model that takes direction: words, hints, a palette, an exemplar, in any mixture or none."""

import hashlib
import threading
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar

import PIL.Image
import torch
from torch import Tensor

from autochrome.color import AB_SCALE
from autochrome.errors import ModelError
from autochrome.image import picture_to_lightness
from autochrome.models import Colorizer, load_colorizer
from autochrome.models.steering import Conditions
from autochrome.models.text_encoder import TextEncoder
from autochrome.pipelines.base import Clock, ColorizationOutput, Pipeline, Prediction, Progress, pictures_of, silent
from autochrome.pipelines.conditioning import (
    exemplar_ab,
    exemplar_to_palette,
    hints_to_tensor,
    palette_to_tensor,
)
from autochrome.pipelines.exemplar import Exemplar
from autochrome.pipelines.feedforward import PX_PER_RENDER_FACTOR, place_model, shrink_lightness
from autochrome.pipelines.matching import match_exemplar
from autochrome.pipelines.meeting import draw_to_palette, meet_hints, spread_hints
from autochrome.pipelines.pictures import Picture
from autochrome.pipelines.settings import (
    ExemplarSetting,
    HintsSetting,
    PaletteSetting,
    Setting,
    TextSetting,
    settings_notes,
)

TEXT_ENCODER_NAME = "text_encoder"
_MAX_KEPT = 8
_OWN_WORD = 0.1
"""So near a person's own hint, as a share of the sides, nothing is guessed."""
_MATCHED_STAGE = -2
"""The backbone's maps of stride 16 are compared: large enough to know a thing, small enough to say where."""


@dataclass(frozen=True)
class Seen:
    """What the backbone saw in a picture; kept, so that a further direction costs the decoder only.

    Attributes:
        lightness: L* at the working size, `(1, 1, H, W)`.
        features: its maps, fine to coarse.
    """

    lightness: Tensor
    features: list[Tensor]


class SteerablePipeline(Pipeline):
    """A `Colorizer` whose decoder takes directions, with its text encoder."""

    SETTINGS: ClassVar[Mapping[str, Setting]] = {
        "merge_lightness": Setting("merge_lightness", True),
        "render_factor": Setting("render_factor", 12, 7, 32),
        "saturation": Setting("saturation", 1.0, 0.0, 4.0),
        "guidance_scale": Setting("guidance_scale", 1.5, 0.0, 5.0),
        "prompt": TextSetting("prompt"),
        "hints": HintsSetting(),
        "palette": PaletteSetting(),
        "exemplar": ExemplarSetting(),
    }
    """What every model of this kind takes; a row of the catalog gives its own defaults and ranges."""

    def __init__(
        self,
        model: Colorizer,
        text_encoder_folder: Path | None = None,
        *,
        model_id: str = "steerable",
        settings: Mapping[str, Setting] | None = None,
        device: str | torch.device | None = None,
    ) -> None:
        """Put a model on its device, once; the text encoder is loaded with the first words.

        Raises:
            ModelError: the model takes no directions.
            UnavailableError: there is no such device here.
        """
        if not model.takes_directions:
            raise ModelError(f"{model_id} takes no directions: its decoder is {model.config.decoder}")
        self.model_id = model_id
        self.settings = {**self.SETTINGS, **(settings or {})}
        default = "cuda" if torch.cuda.is_available() else "cpu"
        self.model, self.device = place_model(model, device, default)
        self._text_encoder_folder = text_encoder_folder
        self._kept: OrderedDict[tuple[str, int], Seen] = OrderedDict()
        self._lock = threading.Lock()

    @classmethod
    def from_folder(
        cls,
        folder: Path,
        *,
        model_id: str | None = None,
        settings: Mapping[str, Setting] | None = None,
        device: str | None = None,
    ) -> "SteerablePipeline":
        """Load `config.json`, `model.safetensors` and, when words first come, `text_encoder/`.

        Raises:
            ModelError: a file is missing or damaged, or it is a model that takes no directions.
        """
        model_id = model_id or folder.resolve().name
        words = folder / TEXT_ENCODER_NAME
        return cls(load_colorizer(folder), words, model_id=model_id, settings=settings, device=device)

    def __call__(self, picture: Picture, *, progress: Progress | None = None, **settings: Any) -> ColorizationOutput:
        """Color one picture. A setting that is `None`, empty or missing has the model's default.

        What the backbone saw in the last pictures is kept: the same picture with other directions takes the decoder
        only. The guidance scale multiplies what words change. The result is led towards a palette, and hints are met
        exactly, whatever else is said.

        Raises:
            SettingError: a setting is out of range, or of no use to this model; an exemplar is grey.
            PictureError: the picture, or the exemplar, cannot be read.
            ModelError: the model gave something that is not a number, or its text encoder is damaged.
        """
        report = progress or silent
        clock = Clock()
        checked = self.check_inputs(**settings)
        report(0.0, "read")
        source = self.read(picture)
        clock.lap("read")
        report(0.2, "prepare")
        seen = self.look(source, checked["render_factor"])
        clock.lap("prepare")
        report(0.4, "predict")
        ab, expected_error = self.predict(seen, checked)
        clock.lap("predict")
        report(0.7, "render")
        look = {name: checked[name] for name in ("merge_lightness", "saturation")}
        images = pictures_of(source, [Prediction(ab, seen.lightness)], **look)
        clock.lap("render")
        report(1.0, "done")
        return ColorizationOutput(
            images=images,
            ab=ab,
            lightness=seen.lightness,
            source=source,
            model=self.model_id,
            settings=checked,
            taken=self.settings,
            seconds=sum(clock.laps.values()),
            timings=clock.laps,
            notes=(*settings_notes(self.settings, checked), *self._prompt_notes(checked["prompt"])),
            expected_error=expected_error,
        )

    def look(self, source: PIL.Image.Image, render_factor: int) -> Seen:
        """What the backbone sees in a picture (RGB or RGBA) at a working size; of the last pictures it is kept."""
        digest = hashlib.blake2b(source.tobytes(), key=repr(source.size).encode(), digest_size=16).hexdigest()
        key = (digest, render_factor)
        with self._lock:
            if key in self._kept:
                self._kept.move_to_end(key)
                return self._kept[key]
        lightness = shrink_lightness(picture_to_lightness(source), render_factor, self.model.size_multiple)
        with torch.inference_mode():
            seen = Seen(lightness, self.model.features(lightness.to(self.device)))
        with self._lock:
            self._kept[key] = seen
            while len(self._kept) > _MAX_KEPT:
                self._kept.popitem(last=False)
        return seen

    def forget(self) -> None:
        """Keep nothing of the pictures that were seen, as a fresh pipeline."""
        with self._lock:
            self._kept.clear()

    def predict(self, seen: Seen, settings: Mapping[str, Any]) -> tuple[Tensor, Tensor]:
        """Decode under the directions of checked settings.

        Returns:
            a*b* `(1, 2, h, w)` and the expected distance from the truth `(1, 1, h, w)`, Lab units, float32 on the CPU.

        Raises:
            ModelError: the output is not finite.
        """
        height, width = (side // self.model.output_stride for side in seen.lightness.shape[-2:])
        with torch.inference_mode():
            hints = hints_to_tensor(settings["hints"], height, width)
            whole = self._conditions(seen, settings, hints)
            raw = self.model.decode(seen.features, whole.to(self.device))
            if not torch.isfinite(raw).all():
                raise ModelError(f"{self.model_id} gave colors that are not numbers; its weights may be damaged")
            ab, scale = self.model.ab_from_raw(raw), settings["guidance_scale"]
            if scale != 1 and whole.words is not None:
                silent = replace(whole, words=None, word_mask=None)
                plain = self.model.decode(seen.features, silent.to(self.device))
                ab = torch.lerp(self.model.ab_from_raw(plain), ab, scale)
            lightness = seen.lightness.to(self.device)
            if whole.palette is not None and (settings["palette"] or _has_matches(whole.hints)):
                ab = draw_to_palette(ab, whole.palette.to(self.device), lightness)
            if hints is not None:
                hints = hints.to(self.device)
                ab = meet_hints(spread_hints(ab.clamp(-1, 1), hints, lightness), hints)
            expected = raw[:, 2:].exp().cpu() * AB_SCALE
            ab = ab.float().clamp(-1, 1).cpu() * AB_SCALE
        return ab.clone(), expected.clone()  # outside inference mode: ordinary tensors, which a caller may change

    @cached_property
    def text_encoder(self) -> TextEncoder:
        """Loaded with the first words. Raises ModelError where it is missing or damaged."""
        if self._text_encoder_folder is None:
            raise ModelError(f"{self.model_id} has no text encoder and cannot read a prompt")
        return TextEncoder(self._text_encoder_folder).to(self.device)

    def _conditions(self, seen: Seen, settings: Mapping[str, Any], hints: Tensor | None) -> Conditions:
        words = mask = None
        if settings["prompt"]:
            words, mask = self.text_encoder([settings["prompt"]])
        palette = palette_to_tensor(settings["palette"])
        exemplar: Exemplar | None = settings["exemplar"]
        if exemplar is not None:
            if palette is None:
                palette = exemplar_to_palette(exemplar)
            hints = self._with_matches(seen, exemplar, hints)
        return Conditions(hints, palette, words, mask)

    def _with_matches(self, seen: Seen, exemplar: Exemplar, hints: Tensor | None) -> Tensor | None:
        """A person's hints, and from an exemplar guesses for what is not near any of them."""
        theirs = self.look(exemplar.picture, PX_PER_RENDER_FACTOR)
        maps = theirs.features[_MATCHED_STAGE]
        small = exemplar_ab(exemplar, *maps.shape[-2:])
        matches = match_exemplar(seen.features[_MATCHED_STAGE].cpu(), maps.cpu(), small)
        if matches is None or hints is None:
            return hints if matches is None else matches
        apart = torch.cdist(matches[..., :2], hints[..., :2])[0].amin(dim=1)
        return torch.cat([matches[:, apart > _OWN_WORD], hints], dim=1)

    def _prompt_notes(self, prompt: str) -> tuple[str, ...]:
        rest = self.text_encoder.cut_off(prompt) if prompt else ""
        if not rest:
            return ()
        return (f"The prompt is longer than what is read; this was left out: {rest}",)


def _has_matches(hints: Tensor | None) -> bool:
    """Whether an exemplar has something in common with the picture: of another one nothing more is taken over."""
    return hints is not None and bool((hints[..., 5] < 1).any())
