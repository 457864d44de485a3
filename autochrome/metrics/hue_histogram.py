"""Which hues a picture has, and how far that is from those of the truth, wherever in the picture they are."""

import math

import torch
from torch import Tensor

from autochrome.color import lab_to_chroma
from autochrome.errors import InputError
from autochrome.metrics.checks import require_rgb
from autochrome.metrics.comparison import Comparison, rgb_to_neutral_lab
from autochrome.metrics.strips import strips

NUM_HUES = 72
MIN_CHROMA = 2.0
"""Lab units: colors below this look grey, and rounding to 8 bits alone gives greys as much."""


def hue_histogram_distance(prediction: Tensor, reference: Tensor) -> Tensor:
    """How far, in degrees of hue, the prediction's colors would have to be turned to be the reference's, in the mean.

    The earth mover's distance on the hue circle between two `hue_histogram`s, each divided by its sum: 0 where a
    picture has the same hues in the same proportions, at most 180. It sees neither places nor how vivid colors are. A
    picture without color counts as having all hues alike: two of them are 0 apart, and from one color it is 90.

    Args: gamma-coded sRGB `(B, 3, H, W)` in 0..1, both of one shape. Returns `(B,)`; lower is better.
    Raises `InputError` when the shapes differ or are not `(B, 3, H, W)`.
    """
    return hue_histogram_distance_of(Comparison(prediction, reference))


def hue_histogram_distance_of(comparison: Comparison) -> Tensor:
    """`hue_histogram_distance` of a comparison, `(B,)`."""
    prediction = sum(_hue_histogram(lab) for lab, _ in comparison.labs())
    reference = comparison.once_of_reference("hues", lambda: sum(_hue_histogram(lab) for _, lab in comparison.labs()))
    assert isinstance(prediction, Tensor)
    assert isinstance(reference, Tensor)
    return hue_distance(prediction, reference)


def hue_histogram(picture: Tensor) -> Tensor:
    """Sum of chroma by hue angle: gamma-coded sRGB `(B, 3, H, W)` in 0..1 to `(B, 72)`, 5 degrees each from 0 (a* > 0).

    CIELAB (D65); pixels with a chroma below 2 have no hue. Sums of several pictures' histograms are that of the set.
    Raises `InputError` when the shape is not `(B, 3, H, W)`.
    """
    require_rgb(picture)
    return torch.stack([_hue_histogram(rgb_to_neutral_lab(strip)) for (strip,) in strips(picture)]).sum(dim=0)


def hue_distance(histogram1: Tensor, histogram2: Tensor) -> Tensor:
    """Earth mover's distance of two hue histograms `(B, N)` around the circle, in degrees: `(B,)` in 0..180.

    They may have different sums; an empty one counts as even. Source: J. Rabin, J. Delon and Y. Gousseau, "Circular
    earth mover's distance for the comparison of local features" (ICPR 2008): the cost of the best place to cut the
    circle open is that of the median difference of the cumulated histograms.

    Raises `InputError` when the shapes differ or are not `(B, N)`.
    """
    if histogram1.ndim != 2 or histogram1.shape != histogram2.shape:
        raise InputError(
            f"hue histograms must both have one shape (B, N), got {tuple(histogram1.shape)} and "
            f"{tuple(histogram2.shape)}"
        )
    ahead = (_shares(histogram1) - _shares(histogram2)).cumsum(dim=1)
    moved = (ahead - ahead.median(dim=1, keepdim=True).values).abs().sum(dim=1)
    return moved * (360 / histogram1.shape[1])


def _shares(histogram: Tensor) -> Tensor:
    total = histogram.sum(dim=1, keepdim=True)
    even = torch.full_like(histogram, 1 / histogram.shape[1])
    return torch.where(total > 0, histogram / total.clamp_min(torch.finfo(histogram.dtype).tiny), even)


def _hue_histogram(lab: Tensor) -> Tensor:
    chroma = lab_to_chroma(lab)[:, 0].flatten(1)
    hue = torch.atan2(-lab[:, 2], -lab[:, 1]).flatten(1) + math.pi  # 0 to 2 pi, both ends included
    index = (hue * (NUM_HUES / (2 * math.pi))).long() % NUM_HUES
    histogram = chroma.new_zeros(len(lab), NUM_HUES)
    return histogram.scatter_add_(1, index, chroma * (chroma >= MIN_CHROMA))
