"""What no model at all would score: the two rows that belong beside every result."""

from collections.abc import Callable

import torch
from torch import Tensor

from autochrome.color import lab_to_gamut, lightness_to_grey, merge_lab, rgb_to_lightness
from autochrome.metrics.checks import require_rgb
from autochrome.metrics.strips import strips

TINT_AB = (1.6, 7.7)
"""The constant tint, in Lab units: the mean a* and b* (1.55, 7.74; mean of each picture's mean) of 5,395 color
photographs, a random quarter of those that the embedded models are trained on (Flickr8k, ImageNet and COCO samples,
textbook figures, ...). Photographs are warm in the mean, hence the brown of a colorizer that plays safe."""


def grey_baseline(reference: Tensor) -> Tensor:
    """No color at all: the reference's own L* as a grey picture.

    Args: gamma-coded sRGB `(B, 3, H, W)` in 0..1. Returns the same; raises `InputError` at another shape.
    """
    require_rgb(reference, "reference")
    greys = [lightness_to_grey(rgb_to_lightness(strip)) for (strip,) in strips(reference)]
    return torch.cat(greys, dim=-2).repeat(1, 3, 1, 1)


def tint_baseline(reference: Tensor, ab: tuple[float, float] = TINT_AB) -> Tensor:
    """One constant tint: the reference's own L* with `ab` (Lab units) everywhere, brought into sRGB at that L*.

    Args: gamma-coded sRGB `(B, 3, H, W)` in 0..1. Returns the same; raises `InputError` at another shape.
    """
    require_rgb(reference, "reference")
    tinted = []
    for (strip,) in strips(reference):
        lightness = rgb_to_lightness(strip)
        tint = lightness.new_tensor(ab).view(1, 2, 1, 1) + torch.zeros_like(lightness)
        tinted.append(lab_to_gamut(merge_lab(lightness, tint)))
    return torch.cat(tinted, dim=-2)


BASELINES: dict[str, Callable[[Tensor], Tensor]] = {"grey": grey_baseline, "tint": tint_baseline}
"""Every baseline by its name, in the order in which tables show them."""
