"""Color bleeding: how much of a picture's change of color happens where nothing in the picture ends.

Our own measure. In photographs color changes mostly at edges, which L* shows too; a colorizer that works at a small
size, or is unsure, lets color run across outlines and fade within one surface.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

from autochrome.errors import InputError
from autochrome.metrics.comparison import Comparison

WINDOW_PX = 5
EDGE = 4.0
"""L* a pixel: where L* rises or falls less than this, one pixel around included, there is no edge. Of several values
this one told true a*b*, blurred ever more under the true L*, best from the truth, whatever its saturation."""


def color_bleeding(prediction: Tensor, reference: Tensor) -> Tensor:
    """Share of the prediction's change of a*b* that lies where L* has no edge, minus the same share of the reference.

    Above 0, color changes within surfaces more than it truly does: it bleeds; identical pictures score 0, and -1 and 1
    are the ends. The true a*b* averaged over blocks of 4, 8, 16 and 32 pixels and interpolated scores 0.02, 0.06, 0.10
    and 0.12 on photographs of 400 pixels. The gradients are Sobel's, of a*b* (length over both channels and
    directions) and of the reference's L*; windows of 5 x 5 pixels, only where they lie inside the picture. Being a
    share it says nothing about how vivid colors are; a picture without changes of color, such as plain grey, has the
    share 0 and scores at most 0. Resolution matters: compare at one size. Noise in the reference's colors counts as
    change: a prediction that lacks it may score a little below 0.

    Args: gamma-coded sRGB `(B, 3, H, W)` in 0..1, both of one shape, no side below 5. Returns `(B,)`.
    Raises `InputError` when the shapes differ, are not `(B, 3, H, W)` or are smaller than the window.
    """
    return color_bleeding_of(Comparison(prediction, reference))


def color_bleeding_of(comparison: Comparison) -> Tensor:
    """`color_bleeding` of a comparison, `(B,)`."""
    height, width = comparison.reference.shape[-2:]
    if min(height, width) < WINDOW_PX:
        raise InputError(
            f"color_bleeding needs pictures of at least {WINDOW_PX} x {WINDOW_PX} pixels (its window), got {width} x "
            f"{height}; leave color_bleeding out for pictures this small"
        )
    sums = torch.zeros(2, 2, len(comparison.reference)).to(comparison.reference)
    for lab, true_lab in comparison.labs(overlap=WINDOW_PX - 1):
        flat = F.max_pool2d(_gradient(true_lab[:, :1]), kernel_size=WINDOW_PX - 2, stride=1) < EDGE
        for row, ab in enumerate((lab[:, 1:], true_lab[:, 1:])):
            change = _gradient(ab)[..., 1:-1, 1:-1]
            sums[row] += torch.stack([(change * flat).sum(dim=(1, 2, 3)), change.sum(dim=(1, 2, 3))])
    within, everywhere = sums.unbind(1)
    share = within / everywhere.clamp_min(torch.finfo(sums.dtype).tiny)
    return share[0] - share[1]


def _gradient(maps: Tensor) -> Tensor:
    """Length of Sobel's gradient over all channels, per pixel: `(B, C, H, W)` to `(B, 1, H - 2, W - 2)`."""
    across = maps[..., 2:] - maps[..., :-2]
    down = maps[..., 2:, :] - maps[..., :-2, :]
    across = across[..., :-2, :] + 2 * across[..., 1:-1, :] + across[..., 2:, :]
    down = down[..., :-2] + 2 * down[..., 1:-1] + down[..., 2:]
    return (across.square() + down.square()).sum(dim=1, keepdim=True).sqrt() / 8
