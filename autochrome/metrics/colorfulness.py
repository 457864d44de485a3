"""Colorfulness: how vivid a picture looks, without a reference. Two conventions, which are not comparable.

Source: D. Hasler and S. Suesstrunk, "Measuring colourfulness in natural images", Human Vision and Electronic Imaging
VIII, SPIE 5007 (2003), the metric M(3): sqrt(variance of rg + variance of yb) + 0.3 sqrt(mean(rg)^2 + mean(yb)^2) with
rg = R - G and yb = (R + G) / 2 - B, on gamma-coded sRGB in 0..255.
"""

import torch
from torch import Tensor

from autochrome.metrics.checks import require_rgb


def colorfulness(picture: Tensor) -> Tensor:
    """Colorfulness of each picture as Hasler and Suesstrunk define it: signed opponent channels, 0..255 scale.

    Grey is 0; photographs have about 20 (dull) to 80 (vivid); a single flat color is not 0. A rotation of all hues
    hardly changes it and noise raises it: read it beside a color difference.

    Args: gamma-coded sRGB `(B, 3, H, W)` in 0..1. Returns `(B,)`.
    Raises `InputError` when the shape is not `(B, 3, H, W)`.
    """
    return _colorfulness(*_opponents(picture))


def colorfulness_abs(picture: Tensor) -> Tensor:
    """Colorfulness with the absolute values of the opponent channels, as the tables of DDColor, CT2 and ColorFormer.

    For comparisons with those tables only: it is about 3 lower in the mean, and up to 44 apart on one photograph.

    Args: gamma-coded sRGB `(B, 3, H, W)` in 0..1. Returns `(B,)`.
    Raises `InputError` when the shape is not `(B, 3, H, W)`.
    """
    red_green, yellow_blue = _opponents(picture)
    return _colorfulness(red_green.abs(), yellow_blue.abs())


def _opponents(picture: Tensor) -> tuple[Tensor, Tensor]:
    require_rgb(picture)
    red, green, blue = (255 * picture).unbind(1)
    return red - green, (red + green) / 2 - blue


def _colorfulness(red_green: Tensor, yellow_blue: Tensor) -> Tensor:
    variance1, mean1 = torch.var_mean(red_green, dim=(1, 2), correction=0)
    variance2, mean2 = torch.var_mean(yellow_blue, dim=(1, 2), correction=0)
    return torch.sqrt(variance1 + variance2) + 0.3 * torch.hypot(mean1, mean2)
