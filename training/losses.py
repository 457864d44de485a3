"""Losses: small functions, each with its source. Recipes name them (`LOSSES`) and give their weights."""

from collections.abc import Callable
from dataclasses import dataclass

import torch.nn.functional as F
from torch import Tensor

from autochrome.color import AB_SCALE, lab_to_rgb, merge_lab
from autochrome.metrics.ciede2000 import ciede2000_lab
from autochrome.metrics.colorfulness import colorfulness

_MAX_SLOPE = 2.0
"""CIEDE2000 a Lab unit; it is at most about 1 where colors are neither grey nor opposite."""


@dataclass
class LossInput:
    """What a loss may look at, all float32 at the output's size."""

    prediction: Tensor
    """ab_normalized as predicted, `(B, 2, h, w)`."""
    target: Tensor
    """True ab_normalized, averaged over each output pixel's area, `(B, 2, h, w)`."""
    lightness: Tensor
    """L* (0..100), averaged likewise, `(B, 1, h, w)`."""
    colorfulness_share: float
    """Aim of `colorfulness_floor`."""


def mse_ab(data: LossInput) -> Tensor:
    """Mean squared error of ab_normalized: the classic regression loss; its optimum is the mean colour, often brown."""
    return F.mse_loss(data.prediction, data.target)


def smooth_l1_ab(data: LossInput) -> Tensor:
    """Smooth L1 (Girshick 2015, arXiv:1504.08083, equation 3) of ab in Lab units, with its corner at 10 units."""
    return F.smooth_l1_loss(data.prediction * AB_SCALE, data.target * AB_SCALE, beta=10.0)


def ciede2000_ab(data: LossInput) -> Tensor:
    """Mean CIEDE2000 under the true L*: the measure itself (Sharma, Wu and Dalal 2005).

    Near grey its slope towards a vivid blue has no bound; here a pixel pulls at most `_MAX_SLOPE` times its share.
    """
    lab = _lab(data, data.prediction)
    if lab.requires_grad:
        limit = _MAX_SLOPE * 3 / lab.numel()
        lab.register_hook(lambda gradient: gradient.clamp(-limit, limit))
    return ciede2000_lab(lab, _lab(data, data.target)).mean()


def colorfulness_floor(data: LossInput) -> Tensor:
    """How far the batch's mean colourfulness stays under its aim, a share of the truth's; 0 once it is reached.

    Every pointwise difference is smallest for dull colours where the colour is uncertain. With a large weight this
    makes training look for the colours nearest to the truth AMONG those that are vivid enough, instead of scaling dull
    ones afterwards. Colourfulness: Hasler and Süsstrunk 2003, on sRGB 0..255.
    """
    predicted = colorfulness(lab_to_rgb(_lab(data, data.prediction)).clamp(0, 1)).mean()
    aim = data.colorfulness_share * colorfulness(lab_to_rgb(_lab(data, data.target)).clamp(0, 1)).mean()
    return F.relu(aim - predicted)


LOSSES: dict[str, Callable[[LossInput], Tensor]] = {
    "mse_ab": mse_ab,
    "smooth_l1_ab": smooth_l1_ab,
    "ciede2000_ab": ciede2000_ab,
    "colorfulness_floor": colorfulness_floor,
}


def _lab(data: LossInput, ab_normalized: Tensor) -> Tensor:
    return merge_lab(data.lightness, ab_normalized * AB_SCALE)
