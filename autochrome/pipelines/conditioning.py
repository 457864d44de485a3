"""A person's directions as the tensors that a steered network reads."""

import functools
from collections.abc import Sequence

import numpy as np
import PIL.Image
import torch
import torch.nn.functional as F
from torch import Tensor

from autochrome.color import AB_SCALE, rgb_to_lab, split_lab
from autochrome.image import picture_to_tensor
from autochrome.models.steering import NUM_HINT_VALUES
from autochrome.naming import cluster_colors
from autochrome.pipelines.directions import MAX_PALETTE, Hint, PaletteColor, color_to_lab
from autochrome.pipelines.exemplar import Exemplar
from autochrome.pipelines.rasterizing import rasterize

MAX_POINTS = 400
"""More hints than this are drawn on the network's grid first, where many points of a stroke share a cell."""

MAX_CELLS = 48 * 48
"""Hints that cover more cells than this are drawn on a coarser grid: the network compares every hint with every cell.
"""

MAX_POINT_RADIUS = 0.035
"""The network has learnt points; a larger disc is given to it as all the cells that it covers."""

_COLORS_SIDE_PX = 32
"""Main colors are those of surfaces: of a larger copy, single bright pixels would be among them."""


def hints_to_tensor(hints: Sequence[Hint], height: int, width: int) -> Tensor | None:
    """Hints as `(1, N, 6)` (see `Conditions`), on a grid of `height` x `width` cells; None without any."""
    if not hints:
        return None
    if len(hints) <= MAX_POINTS and all(hint.radius <= MAX_POINT_RADIUS for hint in hints):
        last = {(round(hint.x, 4), round(hint.y, 4)): hint for hint in hints}  # at one place the later wins
        rows = [[hint.x, hint.y, *(v / AB_SCALE for v in hint.ab), hint.radius, 1.0] for hint in last.values()]
        return torch.tensor(rows, dtype=torch.float32)[None]
    ab, coverage = rasterize(hints, width, height)
    row, column = torch.nonzero(coverage[0, 0] >= 0.5, as_tuple=True)
    if len(row) > MAX_CELLS:
        return hints_to_tensor(hints, (height + 1) // 2, (width + 1) // 2)
    points = torch.zeros(len(row), NUM_HINT_VALUES)
    points[:, 0], points[:, 1] = (column + 0.5) / width, (row + 0.5) / height
    points[:, 2:4] = ab[0, :, row, column].T / AB_SCALE
    points[:, 4], points[:, 5] = 0.5 / min(height, width), 1.0
    return points[None]


def palette_to_tensor(palette: Sequence[PaletteColor]) -> Tensor | None:
    """A palette as `(1, P, 4)` (see `Conditions`); None without one."""
    if not palette:
        return None
    rows = []
    for color in palette:
        lightness, a, b = color_to_lab(color.color)
        rows.append([a / AB_SCALE, b / AB_SCALE, lightness / 100, color.weight])
    return torch.tensor(rows, dtype=torch.float32)[None]


@functools.lru_cache(maxsize=8)  # the same for every further point; two exemplars of the same pixels are equal
def exemplar_ab(exemplar: Exemplar, height: int, width: int) -> Tensor:
    """The mean a*b* of an exemplar in each cell of a grid, Lab units, `(1, 2, h, w)`."""
    _, ab = split_lab(rgb_to_lab(picture_to_tensor(exemplar.picture)))
    return F.interpolate(ab, size=(height, width), mode="area")


@functools.lru_cache(maxsize=8)
def exemplar_to_palette(exemplar: Exemplar) -> Tensor:
    """The main colors of an exemplar as a palette `(1, P, 4)`, weighted by the share that each covers."""
    small = exemplar.picture.resize((_COLORS_SIDE_PX, _COLORS_SIDE_PX), PIL.Image.Resampling.BOX)
    pixels = rgb_to_lab(picture_to_tensor(small))[0].flatten(1).T.numpy().astype(np.float64)
    centers, shares = cluster_colors(pixels, MAX_PALETTE)
    values = np.column_stack([centers[:, 1:] / AB_SCALE, centers[:, :1] / 100, shares])
    return torch.from_numpy(values[shares > 0].astype(np.float32))[None]
