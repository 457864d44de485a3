"""Color as classes: the in-gamut ab bins of Zhang, Isola and Efros 2016 (arXiv:1603.08511, section 2) and their maths.

Their 313 bins came as a list of points without a rule that gives exactly those. The rule here is theirs as far as it is
published, grid points 10 units apart around the gamut: a bin is a corner of a 10 x 10 square of ab in which some sRGB
color lies. Every color then lies between four bins, so a mixture of bins can be any of them. 309 points come out; the
row a* = -90, for one, is theirs: b* = 50 to 90.
"""

from functools import cache

import torch
from torch import Tensor

from autochrome.color import rgb_to_lab, split_lab

BIN_SIZE = 10
"""Distance of neighboring bins in Lab units."""
NUM_BINS = 309
"""How many bins `bin_centers` has."""
TEMPERATURE = 0.38
"""Of the annealed mean: Zhang et al.'s compromise between the mean (1) and the mode (0)."""
NUM_NEIGHBORS = 5
"""Bins over which a color is spread (Zhang et al., section 2.2)."""
SIGMA = 5.0
"""Standard deviation of that spread, in Lab units."""

_SHIFT = 100  # makes the squares' numbers positive, so that one number can name a square


def bin_centers(device: torch.device | str | None = None) -> Tensor:
    """All bins as a* and b* in Lab units, float32 `(309, 2)`, ordered by a*, then by b*."""
    return _bin_centers().to(device=device, copy=True)


@cache
def _bin_centers() -> Tensor:
    # A line of constant a* and b* leaves the gamut through a face of the sRGB cube, so the faces cover all its ab.
    values = torch.linspace(0, 1, 256, dtype=torch.float64)
    first, second = torch.meshgrid(values, values, indexing="ij")
    faces = []
    for channel in range(3):
        for value in (0.0, 1.0):
            planes = [first, second]
            planes.insert(channel, torch.full_like(first, value))
            faces.append(torch.stack(planes))
    _, ab = split_lab(rgb_to_lab(torch.cat(faces, dim=2)))
    # Greys have a* and b* of 0 but for rounding; without the shift they would be on either side of it.
    columns, rows = ((ab.flatten(1) + 1e-9) / BIN_SIZE).floor().long() + _SHIFT
    touched = torch.unique(columns * 2 * _SHIFT + rows)
    corners = torch.unique(torch.cat([touched, touched + 1, touched + 2 * _SHIFT, touched + 2 * _SHIFT + 1]))
    centers = torch.stack([corners // (2 * _SHIFT), corners % (2 * _SHIFT)], dim=1) - _SHIFT
    assert len(centers) == NUM_BINS, len(centers)
    return (centers * BIN_SIZE).float()


def soft_encode(ab: Tensor, num_neighbors: int = NUM_NEIGHBORS, sigma: float = SIGMA) -> tuple[Tensor, Tensor]:
    """Spread each color over its nearest bins, with Gaussian weights by distance (Zhang et al., section 2.2).

    The cross-entropy with these as the truth is `-(weights * log_softmax(logits, 1).gather(1, indices)).sum(1)`.

    Args:
        ab: `(B, 2, h, w)` in Lab units.
        num_neighbors: how many bins share a color.
        sigma: of the Gaussian, in Lab units.

    Returns:
        Indices of the bins, int64 `(B, num_neighbors, h, w)`, nearest first, and their weights, float32 of the same
        shape, with the sum 1 over the neighbors.
    """
    batch, _, height, width = ab.shape
    colors = ab.detach().float().permute(0, 2, 3, 1).reshape(batch, -1, 2)
    centers = bin_centers(ab.device)
    # Picture by picture: the distances of a whole batch to every bin would take gigabytes.
    found = [_nearest(picture, centers, num_neighbors) for picture in colors]
    squared = torch.stack([distances for distances, _ in found])
    indices = torch.stack([nearest for _, nearest in found])
    # softmax, not exp and a division: a color far outside the gamut would be 0 / 0.
    weights = torch.softmax(-squared / (2 * sigma**2), dim=-1)
    shape = (batch, height, width, num_neighbors)
    return indices.view(shape).permute(0, 3, 1, 2), weights.view(shape).permute(0, 3, 1, 2)


def _nearest(colors: Tensor, centers: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """Squared distances of colors `(N, 2)` to their nearest bins, and which those are: both `(N, count)`."""
    a = (colors[:, :1] - centers[:, 0]) ** 2
    b = (colors[:, 1:] - centers[:, 1]) ** 2
    squared, indices = (a + b).topk(count, dim=1, largest=False)
    return squared, indices


def annealed_mean(logits: Tensor, temperature: float = TEMPERATURE) -> Tensor:
    """The color that a distribution over bins stands for (Zhang et al., equation 5).

    Args:
        logits: `(B, 309, h, w)`.
        temperature: 1 gives the mean; the nearer to 0, the nearer to the most likely bin.

    Returns:
        a* and b* in Lab units, float32 `(B, 2, h, w)`.
    """
    # Not under autocast: 8 bits of mantissa are half a Lab unit.
    with torch.autocast(logits.device.type, enabled=False):
        shares = torch.softmax(logits.float() / temperature, dim=1)
        return torch.einsum("bqhw,qc->bchw", shares, bin_centers(logits.device))


def one_color_logits(ab: tuple[float, float], spread: float = 15.0) -> Tensor:
    """Logits `(309,)` of a Gaussian around one color (Lab units): where a fresh classifier may begin.

    `spread` is its standard deviation before annealing, in Lab units.
    """
    return -((bin_centers() - torch.tensor(ab)) ** 2).sum(dim=1) / (2 * spread**2)
