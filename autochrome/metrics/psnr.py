"""PSNR, the peak signal-to-noise ratio: how far apart two pictures are, pixel by pixel, on a logarithmic scale."""

import math

from torch import Tensor

from autochrome.metrics.checks import require_rgb_pair

MAX_PSNR_DB = 100.0
"""What identical pictures score: the formula says infinity, which JSON cannot hold and no mean survives."""


def psnr(prediction: Tensor, reference: Tensor) -> Tensor:
    """PSNR of each picture in dB, peak 1, the squared error averaged over its pixels and three RGB channels.

    Higher is better; `MAX_PSNR_DB` is the most, identical pictures included. It does not rank colorizers: plain grey
    scores 22 to 25 dB on photographs, above most of them. Average it over pictures; one PSNR of the pooled squared
    error of a whole set, as some libraries give, is some 4 dB lower.

    Args: gamma-coded sRGB `(B, 3, H, W)` in 0..1, both of one shape. Returns `(B,)`.
    Raises `InputError` when the shapes differ or are not `(B, 3, H, W)`.
    """
    require_rgb_pair(prediction, reference)
    mean_squared_error = (prediction - reference).square().mean(dim=(1, 2, 3))
    floor: float = math.pow(10, -MAX_PSNR_DB / 10)
    return -10 * mean_squared_error.clamp_min(floor).log10()
