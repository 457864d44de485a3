"""Guidance away from the negative prompt, and what each step takes the finished latents for."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn


class Guidance:
    """Watches a U-Net during a run of a diffusers pipeline.

    Classifier-free guidance (Ho and Salimans 2022, arXiv:2207.12598) is the pipeline's own; here it is done beforehand,
    so that the guided prediction can be rescaled (Lin et al. 2023, arXiv:2305.08891, equations 14 to 16): guidance
    widens its spread, which a model with zero terminal SNR shows as colors that are too strong. The pipeline then gets
    two equal halves, whose difference no scale changes.

    Attributes:
        clean: what the latest step takes the finished latents for, `(n, C, h, w)`; None before the first.
    """

    def __init__(self, scheduler: Any, scale: float, rescale: float) -> None:
        """Args:
        scheduler: the pipeline's.
        scale: of the guidance; 1 where the U-Net is given no negative half.
        rescale: share of the rescaling, 0 to 1.
        """
        self._scheduler = scheduler
        self._scale = scale
        self._rescale = rescale
        self.clean: Tensor | None = None

    @contextmanager
    def watching(self, unet: nn.Module) -> Iterator[None]:
        """While inside, the U-Net gives guided predictions; one run at a time."""
        hook = unet.register_forward_hook(self._after)
        try:
            yield
        finally:
            hook.remove()

    def _after(self, unet: nn.Module, args: tuple[Any, ...], output: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        noisy, timestep = args[:2]
        if self._scale == 1:
            self.clean = self._clean(noisy, timestep, output[0])
            return output
        apart, toward = output[0].chunk(2)
        guided = guide(apart, toward, self._scale, self._rescale)
        self.clean = self._clean(noisy[: len(guided)], timestep, guided)
        return (torch.cat([guided, guided]), *output[1:])

    def _clean(self, noisy: Tensor, timestep: Any, predicted: Tensor) -> Tensor:
        """The finished latents by what the U-Net predicts of noisy ones: Salimans and Ho 2022, arXiv:2202.00512, D."""
        kind = self._scheduler.config.prediction_type
        if kind == "sample":
            return predicted
        signal: Tensor = self._scheduler.alphas_cumprod[round(float(timestep))].to(noisy.device, torch.float32)
        noise: Tensor = (1 - signal).sqrt()
        if kind == "v_prediction":
            return signal.sqrt() * noisy - noise * predicted
        return (noisy - noise * predicted) / signal.sqrt().clamp_min(1e-3)


def guide(apart: Tensor, toward: Tensor, scale: float, rescale: float) -> Tensor:
    """The prediction `(n, C, h, w)` led away from one and beyond the other; `rescale` is the share of the rescaling."""
    guided = apart + scale * (toward - apart)
    if rescale == 0:
        return guided
    dims = (1, 2, 3)
    spread = toward.float().std(dims, keepdim=True) / guided.float().std(dims, keepdim=True).clamp_min(1e-6)
    return guided * torch.lerp(torch.ones_like(spread), spread, rescale).to(guided.dtype)
