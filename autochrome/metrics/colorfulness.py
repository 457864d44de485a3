"""Colorfulness: how vivid a picture looks, without a reference. Two conventions, which are not comparable.

Source: D. Hasler and S. Suesstrunk, "Measuring colourfulness in natural images", Human Vision and Electronic Imaging
VIII, SPIE 5007 (2003), the metric M(3): sqrt(variance of rg + variance of yb) + 0.3 sqrt(mean(rg)^2 + mean(yb)^2) with
rg = R - G and yb = (R + G) / 2 - B, on gamma-coded sRGB in 0..255.
"""

import torch
from torch import Tensor

from autochrome.metrics.checks import require_rgb
from autochrome.metrics.strips import strips


def colorfulness(picture: Tensor) -> Tensor:
    """Colorfulness of each picture as Hasler and Suesstrunk define it: signed opponent channels, 0..255 scale.

    Grey is 0; photographs have about 20 (dull) to 80 (vivid); a single flat color is not 0. A rotation of all hues
    hardly changes it and noise raises it: read it beside a color difference.

    Args: gamma-coded sRGB `(B, 3, H, W)` in 0..1. Returns `(B,)`.
    Raises `InputError` when the shape is not `(B, 3, H, W)`.
    """
    return both_colorfulnesses(picture)[0]


def colorfulness_abs(picture: Tensor) -> Tensor:
    """Colorfulness with the absolute values of the opponent channels, as the tables of DDColor, CT2 and ColorFormer.

    For comparisons with those tables only: it is about 3 lower in the mean, and up to 44 apart on one photograph.

    Args: gamma-coded sRGB `(B, 3, H, W)` in 0..1. Returns `(B,)`.
    Raises `InputError` when the shape is not `(B, 3, H, W)`.
    """
    return both_colorfulnesses(picture)[1]


def both_colorfulnesses(picture: Tensor) -> tuple[Tensor, Tensor]:
    """`colorfulness` and `colorfulness_abs` of each picture, `(B,)` both, in one go.

    Raises `InputError` when the shape is not `(B, 3, H, W)`.
    """
    require_rgb(picture)
    sizes, means, variances = [], [], []
    for (strip,) in strips(picture):
        red, green, blue = strip.unbind(1)
        red_green, yellow_blue = red - green, (red + green) / 2 - blue
        maps = (red_green, yellow_blue, red_green.abs(), yellow_blue.abs())
        of_strip = [values.mean(dim=(1, 2), keepdim=True) for values in maps]
        squares = [(values - mean).square().mean(dim=(1, 2)) for values, mean in zip(maps, of_strip, strict=True)]
        sizes.append(red[0].numel())
        means.append(torch.stack(of_strip).flatten(1))
        variances.append(torch.stack(squares))
    # The variance of the whole: the mean variance within the strips, and the variance of their means.
    weights = torch.tensor(sizes).to(picture).view(-1, 1, 1) / sum(sizes)
    mean_of_strip = torch.stack(means)
    mean = (weights * mean_of_strip).sum(dim=0)
    variance = (weights * (torch.stack(variances) + (mean_of_strip - mean).square())).sum(dim=0)
    signed, absolute = (
        255 * (variance[part].sum(dim=0).sqrt() + 0.3 * torch.hypot(mean[part][0], mean[part][1]))
        for part in (slice(0, 2), slice(2, 4))
    )
    return signed, absolute
