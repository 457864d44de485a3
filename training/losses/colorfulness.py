"""Losses that ask for vividness, which every pointwise difference takes away where colours are uncertain.

Colorfulness: Hasler and Süsstrunk 2003, as in autochrome/metrics/colorfulness.py, but with a gradient everywhere: the
measure has none for a picture of one flat colour, and one such picture in a batch would turn all weights to NaN.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

from autochrome.color import lab_to_rgb
from training.losses.base import LossInput

_SMOOTHING = 1e-10
"""Added under the square roots of variances on the scale 0..1: at most 0.005 of colorfulness."""


def colorfulness_floor(data: LossInput) -> Tensor:
    """How far the batch's mean colourfulness stays under its aim, a share of the truth's; 0 once it is reached.

    Every pointwise difference is smallest for dull colours where the colour is uncertain. With a large weight this
    makes training look for the colours nearest to the truth AMONG those that are vivid enough, instead of scaling dull
    ones afterwards. On sRGB 0..255.
    """
    predicted = _of_each(*_opponents(data, data.prediction)).mean()
    aim = data.colorfulness_share * _of_each(*_opponents(data, data.target)).mean()
    return 255 * F.relu(aim - predicted)


def colorfulness(data: LossInput) -> Tensor:
    """DDColor's colorfulness loss (Kang et al. 2023, arXiv:2212.11613, section 3.4): 1 - colorfulness, without a truth.

    As in their code: absolute opponent channels on sRGB 0..1, so that grey costs 1. It has no floor: too large a weight
    gives blocks of red.
    """
    red_green, yellow_blue = _opponents(data, data.prediction)
    return 1 - _of_each(red_green.abs(), yellow_blue.abs()).mean()


def _opponents(data: LossInput, ab_normalized: Tensor) -> tuple[Tensor, Tensor]:
    """R - G and (R + G) / 2 - B of sRGB in 0..1 under the true L*, `(B, h, w)` both."""
    red, green, blue = lab_to_rgb(data.lab(ab_normalized)).clamp(0, 1).unbind(1)
    return red - green, (red + green) / 2 - blue


def _of_each(red_green: Tensor, yellow_blue: Tensor) -> Tensor:
    """Colorfulness of each picture `(B,)`, in the units of its channels."""
    channels = torch.stack((red_green, yellow_blue)).flatten(2)
    spread = channels.var(dim=2, unbiased=False).sum(dim=0)
    mean = channels.mean(dim=2).square().sum(dim=0)
    return (spread + _SMOOTHING).sqrt() + 0.3 * (mean + _SMOOTHING).sqrt()
