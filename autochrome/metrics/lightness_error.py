"""How far the lightness of a picture is from the reference's: what a colorizer should not touch."""

import torch
from torch import Tensor

from autochrome.metrics.comparison import Comparison


def lightness_error(prediction: Tensor, reference: Tensor) -> Tensor:
    """Mean absolute difference of L* (CIELAB, D65, 0..100) of each picture; 0 is best.

    About 0.1 is 8-bit rounding, which the lightness merge keeps to; lossy WebP costs 0.9.

    Args: gamma-coded sRGB `(B, 3, H, W)` in 0..1, both of one shape. Returns `(B,)`.
    Raises `InputError` when the shapes differ or are not `(B, 3, H, W)`.
    """
    return lightness_error_of(Comparison(prediction, reference))


def lightness_error_of(comparison: Comparison) -> Tensor:
    """`lightness_error` of a comparison, `(B,)`."""
    sums = [(lab1[:, 0] - lab2[:, 0]).abs().sum(dim=(1, 2)) for lab1, lab2 in comparison.labs()]
    return torch.stack(sums).sum(dim=0) / comparison.prediction[0, 0].numel()
