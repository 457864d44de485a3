"""The pipeline of Stable Diffusion with a ControlNet that is given L*: it listens to words, and draws by a seed."""

import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import PIL.Image
import PIL.ImageOps
import torch
from torch import Tensor

from autochrome.color import lightness_to_grey, rgb_to_lab, split_lab
from autochrome.errors import ModelError, UnavailableError
from autochrome.image import picture_to_lightness, resize, working_size
from autochrome.models.diffusion import count_parameters, load_diffusion, part_folders, vae_factor
from autochrome.pipelines.base import (
    Clock,
    ColorizationOutput,
    Pipeline,
    Prediction,
    Preview,
    Progress,
    pictures_of,
    render,
    silent,
)
from autochrome.pipelines.candidates import MAX_CANDIDATES
from autochrome.pipelines.guidance import Guidance
from autochrome.pipelines.pictures import Picture
from autochrome.pipelines.placing import LARGE, choose_device, choose_dtype
from autochrome.pipelines.settings import Setting, TextSetting, settings_notes

MAX_SEED = 2**32 - 1
LARGE_EVERY = 4
"""A large model shows so many steps in one: its decoder costs about as much as a step."""

PREVIEW_SIDE_PX = 384
RESCALE = 0.7
"""Share of Lin et al.'s rescaling for models with zero terminal SNR, as in their section 3.4."""


@dataclass(frozen=True)
class _Run:
    """One run: what was asked, and whom to tell."""

    source: PIL.Image.Image
    conditioning: Tensor
    settings: Mapping[str, Any]
    clock: Clock
    report: Progress
    preview: Preview | None

    @cached_property
    def small(self) -> PIL.Image.Image:
        """The source for previews: RGB, its longer side at most `PREVIEW_SIDE_PX`."""
        box = (PREVIEW_SIDE_PX, PREVIEW_SIDE_PX)
        fits = max(self.source.size) <= PREVIEW_SIDE_PX
        shrunk = self.source if fits else PIL.ImageOps.contain(self.source, box, PIL.Image.Resampling.BOX)
        return shrunk.convert("RGB")


class DiffusionPipeline(Pipeline):
    """A diffusers `StableDiffusionControlNetPipeline` with everything around it."""

    SETTINGS: ClassVar[Mapping[str, Setting]] = {
        "merge_lightness": Setting("merge_lightness", True),
        "saturation": Setting("saturation", 1.0, 0.0, 4.0),
        "prompt": TextSetting("prompt"),
        "negative_prompt": TextSetting("negative_prompt", "black and white photo, sepia"),
        "steps": Setting("steps", 8, 1, 100),
        "guidance_scale": Setting("guidance_scale", 2.0, 1.0, 20.0),
        "conditioning_scale": Setting("conditioning_scale", 1.0, 0.0, 2.0),
        "seed": Setting("seed", 0, 0, MAX_SEED),
        "candidates": Setting("candidates", 1, 1, MAX_CANDIDATES),
    }
    """What every model of this kind takes; a row of the catalog gives its own defaults and ranges."""

    gives_previews: ClassVar[bool] = True

    def __init__(
        self,
        pipe: Any,
        *,
        model_id: str = "diffusion",
        settings: Mapping[str, Setting] | None = None,
        device: str | torch.device | None = None,
    ) -> None:
        """Put a model on its device, once.

        Args:
            pipe: diffusers' pipeline, as `autochrome.models.diffusion.load_diffusion` gives it.
            model_id: what errors and the metadata of results call it.
            settings: defaults and ranges that differ from `SETTINGS`.
            device: by default "cuda" where there is one, else "cpu".

        Raises:
            UnavailableError: there is no such device here.
        """
        self.model_id = model_id
        self.settings = {**self.SETTINGS, **(settings or {})}
        self.device = choose_device(device)
        try:
            self.pipe = pipe.to(self.device)
            for network in (pipe.unet, pipe.controlnet, pipe.vae):
                network.to(memory_format=torch.channels_last)
        except torch.OutOfMemoryError as error:
            raise UnavailableError(self._no_memory()) from error
        except (RuntimeError, AssertionError) as error:
            raise UnavailableError(f"the device '{device}' cannot be used here; leave it out, or try 'cpu'") from error
        self.size_multiple = vae_factor(pipe.vae.config)
        self.side_px = int(np.max(pipe.unet.config.sample_size)) * self.size_multiple
        # One by one on the CPU: a batch of six takes 0.7 of the time, but then its candidates differ in the last bits
        # from what their seeds give alone, and previews come later.
        self.batch_size = MAX_CANDIDATES if self.device.type == "cuda" else 1
        self.preview_every = LARGE_EVERY if sum(weight.numel() for weight in pipe.unet.parameters()) > LARGE else 1
        self._lock = threading.Lock()

    @classmethod
    def from_folder(
        cls,
        folder: Path,
        *,
        model_id: str | None = None,
        settings: Mapping[str, Setting] | None = None,
        device: str | torch.device | None = None,
        controlnet: Path | None = None,
    ) -> "DiffusionPipeline":
        """Load a folder as diffusers writes it; `controlnet` is a folder too, by default the one inside.

        Raises:
            ModelError: a file is missing or damaged, or the parts do not fit together.
            UnavailableError: there is no such device here.
        """
        there = choose_device(device)
        unet = part_folders(folder, controlnet)["unet"]
        dtype = torch.float32
        if (unet / "config.json").is_file():  # whatever else is missing is told by what loads it
            dtype = choose_dtype(there, count_parameters(unet))
        pipe = load_diffusion(folder, controlnet, dtype)
        return cls(pipe, model_id=model_id or folder.resolve().name, settings=settings, device=there)

    def __call__(
        self, picture: Picture, *, progress: Progress | None = None, preview: Preview | None = None, **settings: Any
    ) -> ColorizationOutput:
        """Color one picture. A setting that is `None` or missing has the model's default.

        The prompt may be empty: then the model colors by itself. An empty negative prompt means none. Candidates are
        drawn with `seed`, `seed + 1` and so on; the same seed gives the same picture on one machine.

        Args:
            picture: a picture, a path, the bytes of a file, or uint8 RGB `(H, W, 3)`.
            progress: called with the share that is done and the step that begins.
            preview: called after each step (of a large model after every fourth, and the last) with its number from 1,
                how many there are over all candidates, and a small picture, RGB, made as the result will be.
            settings: those of `SETTINGS`.

        Whatever `progress` or `preview` raise comes out, and the run has ended between two steps.

        Raises:
            SettingError: a setting is out of range, or of no use to this model.
            PictureError: the picture cannot be read.
            ModelError: the model gave something that is not a number.
            UnavailableError: the graphics card's memory does not do.
        """
        report = progress or silent
        clock = Clock()
        checked = self.check_inputs(**settings)
        report(0.0, "read")
        source = self.read(picture)
        clock.lap("read")
        report(0.02, "prepare")
        conditioning = self.conditioning(source)
        clock.lap("prepare")
        with self._lock:  # the scheduler, and the pipeline itself, remember where they are
            report(0.04, "words")
            cut = {name: self.cut(checked[name]) for name in ("prompt", "negative_prompt")}
            run = _Run(source, conditioning, checked, clock, report, preview)
            predictions = self._predict(run, *(read for read, _ in cut.values()))
        report(0.95, "render")
        look = {name: checked[name] for name in ("merge_lightness", "saturation")}
        images = pictures_of(source, predictions, **look)
        clock.lap("render")
        report(1.0, "done")
        return ColorizationOutput(
            images=images,
            ab=predictions[0].ab,
            lightness=predictions[0].lightness,
            source=source,
            model=self.model_id,
            settings=checked,
            taken=self.settings,
            seconds=sum(clock.laps.values()),
            timings=clock.laps,
            others=tuple(predictions[1:]),
            notes=(*settings_notes(self.settings, checked), *_cut_notes(cut)),
        )

    def conditioning(self, source: PIL.Image.Image) -> Tensor:
        """The conditioning image at the working size, gamma-coded grey `(1, 3, h, w)` in 0..1, float32 on the CPU.

        It has about as many pixels as the pictures that the model was made for, in the picture's own aspect ratio.
        """
        lightness = picture_to_lightness(source)
        size = working_size(*source.size, self.side_px, self.size_multiple)
        return lightness_to_grey(resize(lightness, size).clamp(0, 100)).clamp(0, 1).expand(-1, 3, -1, -1)

    def cut(self, text: str) -> tuple[str, str]:
        """What of a text the text encoder reads, in whole words, and what is left out: empty for most."""
        tokenizer = self.pipe.tokenizer
        tokens = tokenizer(text, return_offsets_mapping=True, add_special_tokens=True, verbose=False)
        most = tokenizer.model_max_length
        if len(tokens["input_ids"]) <= most:
            return text, ""
        end = tokens["offset_mapping"][most - 1][0]
        if not text[end - 1].isspace():  # back to where the word begins, unless it is the only one
            words = text[:end].rsplit(maxsplit=1)
            end = end if len(words) < 2 else len(words[0])
        return text[:end].strip(), text[end:].strip()

    def _predict(self, run: _Run, prompt: str, negative: str) -> list[Prediction]:
        """One prediction a candidate, all at once where the device's memory does for that."""
        # Where both say the same, or nothing is led away from, a second pass would change nothing.
        guided = run.settings["guidance_scale"] > 1 and prompt != negative
        with torch.inference_mode():
            words = self.pipe.encode_prompt(prompt, self.device, 1, guided, negative)
        run.clock.lap("words")
        first, count = run.settings["seed"], run.settings["candidates"]
        seeds = [(first + number) % (MAX_SEED + 1) for number in range(count)]
        failed: torch.OutOfMemoryError | None = None
        for together in dict.fromkeys((min(self.batch_size, count), 1)):
            try:
                found = [one for batch in self._batches(run, words, seeds, together) for one in batch]
            except torch.OutOfMemoryError as error:
                failed = error
            else:
                names = [{"seed": seed, "candidates": 1} for seed in seeds]
                return [Prediction(ab, light, own) for (ab, light), own in zip(found, names, strict=True)]
        raise UnavailableError(self._no_memory()) from failed

    def _batches(
        self, run: _Run, words: tuple[Tensor, Tensor | None], seeds: Sequence[int], together: int
    ) -> Iterator[list[tuple[Tensor, Tensor]]]:
        """a*b* and L* of all seeds, some together at a time."""
        batches = [seeds[start : start + together] for start in range(0, len(seeds), together)]
        for number, batch in enumerate(batches):
            latents = self._denoise(run, words, batch, number, len(batches))
            yield [self._decode(one) for one in latents.split(1)]
            run.clock.lap("decode")

    def _denoise(
        self, run: _Run, words: tuple[Tensor, Tensor | None], seeds: Sequence[int], batch: int, num_batches: int
    ) -> Tensor:
        """Finished latents `(n, C, h, w)` of some seeds, which are one of the run's batches."""
        pipe, (height, width) = self.pipe, run.conditioning.shape[-2:]
        scale = 1.0 if words[1] is None else run.settings["guidance_scale"]
        zero_snr = pipe.scheduler.config.get("rescale_betas_zero_snr", False)
        guidance = Guidance(pipe.scheduler, scale, RESCALE if zero_snr else 0.0)

        def after_step(_: Any, index: int, timestep: Any, tensors: dict[str, Any]) -> dict[str, Any]:
            run.clock.lap("steps")
            steps = pipe.num_timesteps
            number, total = batch * steps + index + 1, num_batches * steps
            run.report(0.05 + 0.85 * number / total, f"step {number} of {total}")
            if run.preview is not None and ((index + 1) % self.preview_every == 0 or index + 1 == steps):
                assert guidance.clean is not None
                run.preview(number, total, self._preview(run, guidance.clean[:1]))
                run.clock.lap("previews")
            return tensors

        generators = [torch.Generator("cpu").manual_seed(seed) for seed in seeds]
        with guidance.watching(pipe.unet), torch.inference_mode():
            latents: Tensor = pipe(
                prompt_embeds=words[0],
                negative_prompt_embeds=words[1],
                image=run.conditioning,
                num_images_per_prompt=len(seeds),
                num_inference_steps=run.settings["steps"],
                guidance_scale=scale,
                controlnet_conditioning_scale=run.settings["conditioning_scale"],
                generator=generators,
                output_type="latent",
                callback_on_step_end=after_step,
            ).images
        assert latents.shape[-2:] == (height // self.size_multiple, width // self.size_multiple)
        return latents

    def _decode(self, latents: Tensor) -> tuple[Tensor, Tensor]:
        """Latents `(1, C, h, w)` to a*b* and L* of the picture that they are, float32 on the CPU.

        Raises:
            ModelError: the output is not finite.
        """
        vae = self.pipe.vae
        with torch.inference_mode():
            decoded = vae.decode(latents.to(vae.dtype) / vae.config.scaling_factor).sample.float().cpu()
        if not torch.isfinite(decoded).all():
            raise ModelError(f"{self.model_id} gave colors that are not numbers; its weights may be damaged")
        lightness, ab = split_lab(rgb_to_lab((decoded.clone() / 2 + 0.5).clamp(0, 1)))
        return ab.contiguous(), lightness.clamp(0, 100)

    def _no_memory(self) -> str:
        return (
            f"the graphics card has too little memory for {self.model_id}; end other programs that use it, or load the "
            "model with device='cpu'"
        )

    def _preview(self, run: _Run, latents: Tensor) -> PIL.Image.Image:
        """A small picture of what a step takes for the finished latents, made as the result will be."""
        ab, lightness = self._decode(latents)
        look = {name: run.settings[name] for name in ("merge_lightness", "saturation")}
        return render(run.small, lightness, ab, **look)


def _cut_notes(cut: Mapping[str, tuple[str, str]]) -> tuple[str, ...]:
    return tuple(
        f"The {name.replace('_', ' ')} is longer than what is read; this was left out: {rest}"
        for name, (_, rest) in cut.items()
        if rest
    )
