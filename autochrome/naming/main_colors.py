"""Naming the main colors of a picture: clusters in Lab, named by the nearest basic color term."""

import functools
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import torch

from autochrome import color
from autochrome.naming.terms import ANCHORS

_NUM_CLUSTERS = 10
_NUM_ROUNDS = 8
_NEUTRAL = ("black", "white", "grey")
Floats = npt.NDArray[np.float64]


def name_main_colors(lab: Floats, *, min_share: float, max_colors: int) -> list[str]:
    """Names of the colors that cover at least `min_share` (0..1) of the pixels, at most `max_colors`.

    Names are Berlin and Kay's eleven basic color terms, light and dark: "red", "light blue", "dark grey". The pixels,
    Lab (D65) `(N, 3)`, are clustered (`cluster_colors`) and each cluster takes the name of its center's nearest anchor
    (terms.ANCHORS, Euclidean in Lab). Shades of one term count together, under the name of the largest. Colors come
    first, black, white and grey after them, the larger share first.
    """
    centers, shares = cluster_colors(lab)
    shades: dict[str, dict[str, float]] = {}
    for name, share in zip(name_colors(centers), shares, strict=True):
        of_term = shades.setdefault(name.split()[-1], {})
        of_term[name] = of_term.get(name, 0.0) + float(share)
    totals = {
        max(of_term, key=lambda name: (of_term[name], name)): sum(of_term.values()) for of_term in shades.values()
    }
    large = [name for name, share in totals.items() if share >= min_share]
    return sorted(large, key=lambda name: (name.split()[-1] in _NEUTRAL, -totals[name], name))[:max_colors]


def name_colors(lab: Floats) -> list[str]:
    """The basic color term for each color, Lab (D65) of shape `(N, 3)`."""
    from scipy.cluster.vq import vq  # here: most never need it

    names, anchors = _anchors()
    nearest, _ = vq(lab, anchors)
    return [names[index] for index in nearest]


def anchor_of(term: str) -> tuple[float, float, float]:
    """The mean Lab of a basic color term, over its anchors, light and dark ones included.

    Raises KeyError where it is none.
    """
    names, anchors = _anchors()
    of_term = anchors[[name.split()[-1] == term for name in names]]
    if not len(of_term):
        raise KeyError(term)
    lightness, a, b = of_term.mean(axis=0).tolist()
    return lightness, a, b


def list_in_words(names: Sequence[str]) -> str:
    """ "red", "red and blue", "red, blue and white"."""
    return " and ".join([", ".join(names[:-1]), names[-1]]) if len(names) > 1 else "".join(names)


def cluster_colors(pixels: Floats, num_clusters: int = _NUM_CLUSTERS) -> tuple[Floats, Floats]:
    """Centers `(K, 3)` and shares `(K,)` of Lab pixels `(N, 3)`: k-means, at most `num_clusters`, the same every time.

    Lloyd's algorithm from the mean and then each time the farthest pixel; fewer clusters where there are fewer colors.
    """
    chosen = [pixels.mean(axis=0)]
    columns = np.ascontiguousarray(pixels.T)
    distances = np.square(columns - chosen[0][:, None]).sum(axis=0)
    while len(chosen) < num_clusters and distances.max() > 1:
        chosen.append(pixels[distances.argmax()])
        distances = np.minimum(distances, np.square(columns - chosen[-1][:, None]).sum(axis=0))
    centers, counts = np.stack(chosen), np.ones(len(chosen))
    for _ in range(_NUM_ROUNDS):
        # Squared distances less the pixel's own square, which is the same for all centers; as products they are fast.
        distances = np.square(centers).sum(axis=1, keepdims=True) - 2 * (centers @ columns)
        nearest = (distances == distances.min(axis=0)).astype(np.float64)
        counts = nearest.sum(axis=1)
        moved = np.where(counts[:, None] > 0, nearest @ pixels / np.maximum(counts, 1)[:, None], centers)
        if np.abs(moved - centers).max() < 0.1:
            break
        centers = moved
    there = counts > 0
    return centers[there], counts[there] / counts.sum()


@functools.cache
def _anchors() -> tuple[list[str], Floats]:
    named = [(name, code) for name, codes in ANCHORS.items() for code in codes.split()]
    levels = torch.tensor([list(bytes.fromhex(code)) for _, code in named], dtype=torch.float64) / 255
    lab = color.rgb_to_lab(levels.T[:, :, None])[:, :, 0].T
    return [name for name, _ in named], lab.numpy()
