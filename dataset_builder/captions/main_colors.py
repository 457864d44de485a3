"""Naming the main colors of a picture: clusters in Lab, named by the nearest basic color term."""

import functools
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image
from scipy.cluster.vq import vq

from autochrome import color
from autochrome.image import picture_to_tensor
from dataset_builder.captions.color_terms import ANCHORS
from dataset_builder.filters import small_copy

_SIDE_PX = 32
_NUM_CLUSTERS = 10
_NUM_ROUNDS = 8
_NEUTRAL = ("black", "white", "grey")
Floats = npt.NDArray[np.float64]


def main_colors(picture: Image.Image, *, min_share: float, max_colors: int) -> list[str]:
    """Names of the colors that cover at least `min_share` (0..1) of a picture (mode RGB), at most `max_colors`.

    Names are Berlin and Kay's eleven basic color terms, light and dark: "red", "light blue", "dark grey". Pixels of a
    small copy are clustered in Lab (k-means, 10 clusters, seeded by the farthest point: the same for the same picture)
    and each cluster takes the name of its center's nearest anchor (color_terms.ANCHORS, Euclidean in Lab). Shades of
    one term count together, under the name of the largest. Colors come first, black, white and grey after them, the
    larger share first.
    """
    lab = color.rgb_to_lab(picture_to_tensor(small_copy(picture, _SIDE_PX)))
    pixels = lab[0].flatten(1).T.numpy().astype(np.float64)
    centers, shares = _cluster(pixels)
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
    names, anchors = _anchors()
    nearest, _ = vq(lab, anchors)
    return [names[index] for index in nearest]


def list_in_words(names: Sequence[str]) -> str:
    """ "red", "red and blue", "red, blue and white"."""
    return " and ".join([", ".join(names[:-1]), names[-1]]) if len(names) > 1 else "".join(names)


def _cluster(pixels: Floats) -> tuple[Floats, Floats]:
    """Centers `(K, 3)` and shares `(K,)`: Lloyd's algorithm from the mean and then each time the farthest pixel."""
    centers = pixels.mean(axis=0, keepdims=True)
    distances = np.square(pixels - centers).sum(axis=1)
    while len(centers) < _NUM_CLUSTERS and distances.max() > 1:
        centers = np.vstack((centers, pixels[distances.argmax()]))
        distances = np.minimum(distances, np.square(pixels - centers[-1]).sum(axis=1))
    counts = np.ones(len(centers))
    for _ in range(_NUM_ROUNDS):
        nearest, _ = vq(pixels, centers)
        counts = np.bincount(nearest, minlength=len(centers)).astype(np.float64)
        sums = np.stack([np.bincount(nearest, channel, len(centers)) for channel in pixels.T], axis=1)
        moved = np.where(counts[:, None] > 0, sums / np.maximum(counts, 1)[:, None], centers)
        if np.abs(moved - centers).max() < 0.1:
            break
        centers = moved
    return centers, counts / len(pixels)


@functools.cache
def _anchors() -> tuple[list[str], Floats]:
    named = [(name, code) for name, codes in ANCHORS.items() for code in codes.split()]
    levels = torch.tensor([list(bytes.fromhex(code)) for _, code in named], dtype=torch.float64) / 255
    lab = color.rgb_to_lab(levels.T[:, :, None])[:, :, 0].T
    return [name for name, _ in named], lab.numpy()
