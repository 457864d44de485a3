"""Colorization using optimization: points and strokes of color flow over the picture and stop at its edges.

Levin, Lischinski and Weiss, "Colorization using Optimization", SIGGRAPH 2004. Every cell's color is the weighted mean
of its eight neighbors' (their equation 1); neighbors of like lightness weigh more (equation 2). Cells under a hint keep
its color. So nothing is ever more vivid than the hints, and without edges color changes evenly from one to the next.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from autochrome.pipelines.classic import COMMON_SETTINGS, ClassicPipeline
from autochrome.pipelines.rasterizing import rasterize
from autochrome.pipelines.settings import HintsSetting, Setting

if TYPE_CHECKING:
    import scipy.sparse

Floats = npt.NDArray[np.float64]

_HELD_COVERAGE = 0.5
"""A cell is held at a hint's color where at least this share of it is covered."""

# The constants of the authors' program: share of the window's variance, and floors that keep flat windows even.
_VARIANCE_SHARE = 0.6
_LEAST_WEIGHT_OF_NEAREST = 0.01
_LEAST_VARIANCE = 2e-6

_OFFSETS = [(row, column) for row in (-1, 0, 1) for column in (-1, 0, 1) if (row, column) != (0, 0)]


class ScribblesPipeline(ClassicPipeline):
    """Levin, Lischinski and Weiss's propagation of hints."""

    SETTINGS: ClassVar[Mapping[str, Setting]] = {**COMMON_SETTINGS, "hints": HintsSetting()}
    needs_directions: ClassVar[tuple[str, ...]] = ("hints",)

    def predict(self, lightness: Tensor, settings: Mapping[str, Any]) -> Tensor:
        """Spread the hints over the picture: L* `(1, 1, H, W)` to a*b* `(1, 2, H, W)`, Lab units."""
        height, width = lightness.shape[-2:]
        ab, coverage = rasterize(settings["hints"], width, height)
        return propagate(lightness, ab, coverage >= _HELD_COVERAGE)


def propagate(lightness: Tensor, ab: Tensor, held: Tensor) -> Tensor:
    """Spread color from the held cells to all.

    The authors' program is followed: a sparse system with one equation for each free cell, solved directly.

    Args:
        lightness: L* `(1, 1, H, W)`, 0..100; both sides at least 2.
        ab: a*b* `(1, 2, H, W)`, Lab units; only the held cells count.
        held: where color is known, boolean `(1, 1, H, W)`; at least one cell.

    Returns:
        a*b* `(1, 2, H, W)` float32: exact where held, elsewhere within the range of the held.
    """
    height, width = lightness.shape[-2:]
    assert min(height, width) >= 2
    known = held[0, 0].numpy().ravel()
    assert known.any()
    colors = ab[0].reshape(2, -1).T.double().numpy().copy()
    free, fixed = np.flatnonzero(~known), np.flatnonzero(known)
    if free.size:
        weights = _weights(lightness[0, 0].double().numpy() / 100)[free]
        import scipy.sparse.linalg  # here: most never need it

        system = scipy.sparse.identity(free.size, format="csc") - weights[:, free].tocsc()
        # The matrix is an M-matrix (no pivoting is needed) with symmetric structure: 10 times the default's speed.
        factors = scipy.sparse.linalg.splu(
            system, permc_spec="MMD_AT_PLUS_A", diag_pivot_thresh=0.0, options={"SymmetricMode": True}
        )
        colors[free] = factors.solve(weights[:, fixed] @ colors[fixed])
    return torch.from_numpy(colors.T.reshape(1, 2, height, width).astype(np.float32))


def _weights(lightness: Floats) -> "scipy.sparse.csr_array":
    """Share of each neighbor (column) in the mean of a cell (row), for L* `(H, W)` in 0..1; rows sum to 1.

    Shares fall with the squared difference over the variance in the 3 x 3 window (paper, equation 2), which never makes
    one vanish: the difference itself is in the variance. So the system always has one solution.
    """
    height, width = lightness.shape
    padded = np.pad(lightness, 1, constant_values=np.nan)
    numbers = np.pad(np.arange(height * width).reshape(height, width), 1, constant_values=-1)

    def shifted(values: npt.NDArray[Any], row: int, column: int) -> npt.NDArray[Any]:
        return values[1 + row : 1 + row + height, 1 + column : 1 + column + width]

    around = np.stack([shifted(padded, *offset) for offset in _OFFSETS])
    variance = np.nanvar(np.concatenate((around, lightness[None])), axis=0)
    squares = (around - lightness) ** 2
    floor = np.nanmin(squares, axis=0) / -np.log(_LEAST_WEIGHT_OF_NEAREST)
    scale = np.maximum(np.maximum(_VARIANCE_SHARE * variance, floor), _LEAST_VARIANCE)
    weights = np.nan_to_num(np.exp(-squares / scale), nan=0.0)
    weights /= weights.sum(axis=0)
    columns = np.stack([shifted(numbers, *offset) for offset in _OFFSETS])
    inside = columns >= 0
    rows = np.broadcast_to(shifted(numbers, 0, 0), columns.shape)[inside]
    size = height * width
    import scipy.sparse

    return scipy.sparse.csr_array((weights[inside], (rows, columns[inside])), shape=(size, size))
