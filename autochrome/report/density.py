"""Where the colors of all pictures lie in the a*b* plane, results beside truth."""

import random
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import numpy.typing as npt
import PIL.Image
import torch

from autochrome.color import lab_to_gamut, merge_lab, rgb_to_lab
from autochrome.evaluation.matching import Pair
from autochrome.image import picture_to_tensor
from autochrome.report.pictures import SEED, Pairs, read

Array = npt.NDArray[np.float64]

MAX_PICTURES = 400
"""Of more pictures than this, a random sample is taken."""

AB_LIMIT = 111
"""The density reaches from minus this to this, in Lab units; colors outside are counted at its edge."""

_BINS = 111  # odd: the middle one holds all greys, whatever their rounding
_SIDE_PX = 96
_MAX_WORKERS = 4


def ab_density(pairs: Pairs) -> tuple[Array, int]:
    """Where colors lie: shares of pixels `(2, b*, a*)` of the results and of the truth, and of how many pictures.

    Every picture counts the same whatever its size. One at a time (a few, with threads) is in memory.
    """
    names = sorted(pairs)
    if len(names) > MAX_PICTURES:
        names = random.Random(SEED).sample(names, MAX_PICTURES)
    total = np.zeros((2, _BINS, _BINS))
    with ThreadPoolExecutor(_MAX_WORKERS) as pool:
        try:
            for counts in pool.map(lambda name: _ab_histograms(pairs[name]), names):
                total += counts
        finally:
            pool.shutdown(cancel_futures=True)
    return total / max(len(names), 1), len(names)


def _ab_histograms(pair: Pair) -> npt.NDArray[np.float32]:
    return np.stack([_ab_histogram(read(item)) for item in (pair.prediction, pair.reference)])


def _ab_histogram(picture: PIL.Image.Image) -> npt.NDArray[np.float32]:
    size = min(picture.width, _SIDE_PX), min(picture.height, _SIDE_PX)
    # Nearest neighbor picks pixels; averaging would make colors that are not there.
    picked = picture_to_tensor(picture.resize(size, PIL.Image.Resampling.NEAREST))
    _, a, b = rgb_to_lab(picked)[0].flatten(1).numpy()
    cells = [((axis / AB_LIMIT + 1) / 2 * _BINS).clip(0, _BINS - 1).astype(np.intp) for axis in (b, a)]
    counts = np.bincount(cells[0] * _BINS + cells[1], minlength=_BINS**2)
    shares: npt.NDArray[np.float32] = (counts / a.size).reshape(_BINS, _BINS).astype(np.float32)
    return shares


def plane_colors(size: int) -> Array:
    """The sRGB color of each cell of the a*b* plane at L* 65, `(size, size, 3)`, brought into gamut."""
    axis = (torch.arange(size) + 0.5) / size * 2 * AB_LIMIT - AB_LIMIT
    b, a = torch.meshgrid(axis, axis, indexing="ij")
    plane = lab_to_gamut(merge_lab(torch.full((1, size, size), 65.0), torch.stack((a, b))))
    colors: Array = plane.permute(1, 2, 0).double().numpy()
    return colors


def blurred(cells: Array) -> Array:
    """The density averaged over 3 x 3 cells, twice, so that lines around it are calm."""
    for _ in range(2):
        padded = np.pad(cells, 1, mode="edge")
        cells = np.lib.stride_tricks.sliding_window_view(padded, (3, 3)).mean(axis=(2, 3))
    return cells


def level_around(cells: Array, share: float) -> float:
    """The density above which `share` of all pixels lie."""
    ordered = np.sort(cells, axis=None)[::-1]
    return float(ordered[np.searchsorted(np.cumsum(ordered), share * ordered.sum()).clip(0, ordered.size - 1)])
