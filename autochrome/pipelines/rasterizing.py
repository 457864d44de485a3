"""Hints drawn on a grid of cells, the form in which models see them."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from autochrome.pipelines.directions import Hint

_LEVELS = 255
_SUBCELLS = 4
"""Coverage is counted on so many by so many samples of each cell."""


def rasterize(hints: Sequence[Hint], width: int, height: int) -> tuple[Tensor, Tensor]:
    """Draw hints as discs on a grid of `width` x `height` cells over the whole picture.

    Each cell takes the hint that covers the largest share of it, of equals the later one. The cell that a hint's middle
    lies in is always covered whole, and a hint no wider than a cell covers that cell alone: none is lost, however
    coarse the grid.

    Returns:
        a*b* `(1, 2, height, width)` in Lab units, 0 where nothing is covered, and the share of each cell that is
        covered `(1, 1, height, width)`, 0..1; both float32.
    """
    assert min(width, height) >= 1
    # One number a cell, compared at once: coverage above, the hint's number below.
    keys = np.zeros((height, width), dtype=np.int64)
    for number in range(len(hints), 0, -1):
        _draw(hints[number - 1], number, keys)
    numbers = keys & 0xFFFFFFFF
    colors = np.zeros((len(hints) + 1, 2), dtype=np.float32)
    for index, hint in enumerate(hints):
        colors[index + 1] = hint.ab
    ab = torch.from_numpy(colors[numbers]).permute(2, 0, 1)[None].contiguous()
    coverage = torch.from_numpy(((keys >> 32) / _LEVELS).astype(np.float32))[None, None]
    return ab, coverage


def _draw(hint: Hint, number: int, keys: npt.NDArray[np.int64]) -> None:
    height, width = keys.shape
    radius = hint.radius * min(width, height)
    x, y = hint.x * width, hint.y * height
    column, row = min(int(x), width - 1), min(int(y), height - 1)
    keys[row, column] = max(keys[row, column], _LEVELS << 32 | number)
    if radius <= 0.5:
        return
    left, right = max(0, int(x - radius)), min(width, int(x + radius) + 1)
    top, bottom = max(0, int(y - radius)), min(height, int(y + radius) + 1)
    box = keys[top:bottom, left:right]
    if box.min() >= _LEVELS << 32:  # drawn from the last to the first: what is covered whole stays as it is
        return
    levels = np.round(_coverage(x - left, y - top, radius, box.shape) * _LEVELS).astype(np.int64)
    np.maximum(box, np.where(levels > 0, levels << 32 | number, 0), out=box)


def _coverage(x: float, y: float, radius: float, shape: tuple[int, ...]) -> npt.NDArray[np.float64]:
    """Share of each cell that a disc covers, 0..1."""
    height, width = shape
    columns = ((np.arange(width * _SUBCELLS) + 0.5) / _SUBCELLS - x) ** 2
    rows = ((np.arange(height * _SUBCELLS) + 0.5) / _SUBCELLS - y) ** 2
    inside = rows[:, None] + columns <= radius**2
    share: npt.NDArray[np.float64] = inside.reshape(height, _SUBCELLS, width, _SUBCELLS).mean(axis=(1, 3))
    return share
