"""SSIM, the structural similarity of two pictures.

Source: Z. Wang, A. C. Bovik, H. R. Sheikh and E. P. Simoncelli, "Image quality assessment: from error visibility to
structural similarity", IEEE Transactions on Image Processing 13 (2004), equation 13, with the paper's constants.
"""

import math

import torch
from torch import Tensor

from autochrome.errors import InputError
from autochrome.metrics.checks import require_rgb_pair
from autochrome.metrics.strips import strips

WINDOW_PX = 11
_SIGMA_PX = 1.5
_C1 = 0.01**2
_C2 = 0.03**2


def ssim(prediction: Tensor, reference: Tensor) -> Tensor:
    """Mean SSIM of each picture, computed on each RGB channel and averaged; 1 is identical, higher is better.

    Gaussian window of 11 x 11 pixels, sigma 1.5, population variance, only where the window lies inside the picture:
    the value of `skimage.metrics.structural_similarity(..., channel_axis=-1, data_range=1, gaussian_weights=True,
    sigma=1.5, use_sample_covariance=False)`. It does not rank colorizers: with the true lightness plain grey scores
    0.92 on photographs, and SSIM on luma alone would not see color at all.

    Args: gamma-coded sRGB `(B, 3, H, W)` in 0..1, both of one shape, no side below 11. Returns `(B,)`.
    Raises `InputError` when the shapes differ, are not `(B, 3, H, W)` or are smaller than the window.
    """
    require_rgb_pair(prediction, reference)
    height, width = prediction.shape[-2:]
    if min(height, width) < WINDOW_PX:
        raise InputError(
            f"ssim needs pictures of at least {WINDOW_PX} x {WINDOW_PX} pixels (its window), got {width} x {height}; "
            "leave ssim out for pictures this small"
        )
    margin = WINDOW_PX - 1
    # One channel after the other: the maps of all three would not fit into the processor's cache.
    channels = zip(prediction.split(1, dim=1), reference.split(1, dim=1), strict=True)
    pieces = (piece for channel in channels for piece in strips(*channel, overlap=margin))
    sums = [_ssim_map(x, y).sum(dim=(1, 2, 3)) for x, y in pieces]
    return torch.stack(sums).sum(dim=0) / (3 * (height - margin) * (width - margin))


def _ssim_map(x: Tensor, y: Tensor) -> Tensor:
    """SSIM of each channel `(B, 3, H - 10, W - 10)`, at the centers of the windows that lie inside."""
    # Only the sum of the two variances is needed: four maps to blur instead of five.
    maps = torch.stack((x, y, x.square() + y.square(), x * y))
    mean_x, mean_y, mean_squares, mean_product = _blur(maps).unbind()
    product = mean_x * mean_y
    squares = mean_x.square() + mean_y.square()
    luminance = (2 * product + _C1) / (squares + _C1)
    structure = (2 * (mean_product - product) + _C2) / (mean_squares - squares + _C2)
    return luminance * structure


def _blur(maps: Tensor) -> Tensor:
    """Gaussian window over the last two dimensions, without padding.

    Shifted sums along one dimension after the other: on a CPU 10 times faster than a convolution with one channel.
    """
    radius = WINDOW_PX // 2
    weights = [math.exp(-0.5 * (offset / _SIGMA_PX) ** 2) for offset in range(-radius, radius + 1)]
    for dim in (-2, -1):
        length = maps.shape[dim] - WINDOW_PX + 1
        blurred = maps.narrow(dim, 0, length) * (weights[0] / sum(weights))
        for offset in range(1, WINDOW_PX):
            blurred.add_(maps.narrow(dim, offset, length), alpha=weights[offset] / sum(weights))
        maps = blurred
    return maps
