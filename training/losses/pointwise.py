"""Differences at every output pixel, from the plain to the perceptual, and the promise to do no harm."""

import torch
import torch.nn.functional as F
from torch import Tensor

from autochrome.color import AB_SCALE
from autochrome.metrics.ciede2000 import ciede2000_lab
from training.losses.base import LossInput

_MAX_SLOPE = 2.0
"""CIEDE2000 a Lab unit; it is at most about 1 where colors are neither grey nor opposite."""
_TINY = 1e-12


def mse_ab(data: LossInput) -> Tensor:
    """Mean squared error of ab_normalized: the classic regression loss; its optimum is the mean colour, often brown."""
    return F.mse_loss(data.prediction, data.target)


def l1_ab(data: LossInput) -> Tensor:
    """Mean absolute error of ab_normalized (pix2pix: Isola et al. 2017, arXiv:1611.07004, equation 3)."""
    return F.l1_loss(data.prediction, data.target)


def smooth_l1_ab(data: LossInput) -> Tensor:
    """Smooth L1 (Girshick 2015, arXiv:1504.08083, equation 3) of ab in Lab units, with its corner at 10 units."""
    return F.smooth_l1_loss(data.prediction * AB_SCALE, data.target * AB_SCALE, beta=10.0)


def cie94_ab(data: LossInput) -> Tensor:
    """Mean CIE94 under the true L* (CIE 116-1995, kL = kC = kH = 1, the truth as the standard); about 1 is visible.

    A difference of vivid colours counts for less than the same one near grey: nearly CIEDE2000, but smooth.
    """
    predicted, true = data.prediction * AB_SCALE, data.target * AB_SCALE
    chroma, true_chroma = _chroma(predicted), _chroma(true)
    per_chroma, per_hue = 1 / (1 + 0.045 * true_chroma), 1 / (1 + 0.015 * true_chroma)
    whole = (predicted - true).square().sum(dim=1, keepdim=True)
    squared = whole * per_hue**2 - (chroma - true_chroma).square() * (per_hue**2 - per_chroma**2)
    return (squared.clamp_min(_TINY).sqrt() * (squared > _TINY)).mean()


def ciede2000_ab(data: LossInput) -> Tensor:
    """Mean CIEDE2000 under the true L*: the measure itself (Sharma, Wu and Dalal 2005).

    Near grey its slope towards a vivid blue has no bound; here a pixel pulls at most `_MAX_SLOPE` times its share.
    """
    return _ciede2000_of_each(data).mean()


def worse_than_grey(data: LossInput) -> Tensor:
    """By how much pictures are further from the truth than no colour at all: mean of relu(CIEDE2000 - that of grey).

    A safe model's own aim: it is 0 where every picture gains by its colours. Beside another loss, not alone: plain
    grey satisfies it.
    """
    with torch.no_grad():
        grey = ciede2000_lab(data.lab(torch.zeros_like(data.target)), data.lab(data.target)).mean(dim=(1, 2, 3))
    return F.relu(_ciede2000_of_each(data) - grey).mean()


def _ciede2000_of_each(data: LossInput) -> Tensor:
    """CIEDE2000 of each picture `(B,)`, its gradient bounded for a mean over the batch."""
    lab = data.lab(data.prediction)
    if lab.requires_grad:
        limit = _MAX_SLOPE * 3 / lab.numel()
        lab.register_hook(lambda gradient: gradient.clamp(-limit, limit))
    return ciede2000_lab(lab, data.lab(data.target)).mean(dim=(1, 2, 3))


def _chroma(ab: Tensor) -> Tensor:
    return (ab.square().sum(dim=1, keepdim=True) + _TINY).sqrt()
