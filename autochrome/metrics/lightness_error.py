"""How far the lightness of a picture is from the reference's: what a colorizer should not touch."""

import torch
from torch import Tensor

from autochrome.color import rgb_to_lightness
from autochrome.metrics.checks import require_rgb_pair
from autochrome.metrics.strips import strips


def lightness_error(prediction: Tensor, reference: Tensor) -> Tensor:
    """Mean absolute difference of L* (CIELAB, D65, 0..100) of each picture; 0 is best.

    About 0.1 is 8-bit rounding, which the lightness merge keeps to; lossy WebP costs 0.9.

    Args: gamma-coded sRGB `(B, 3, H, W)` in 0..1, both of one shape. Returns `(B,)`.
    Raises `InputError` when the shapes differ or are not `(B, 3, H, W)`.
    """
    require_rgb_pair(prediction, reference)
    differences = (rgb_to_lightness(x) - rgb_to_lightness(y) for x, y in strips(prediction, reference))
    total = torch.stack([difference.abs().sum(dim=(1, 2, 3)) for difference in differences]).sum(dim=0)
    return total / prediction[0, 0].numel()
