"""Segments colored whole: the picture is cut into superpixels, and each takes one color of what was given.

Superpixels: SLIC (Achanta et al. 2012, IEEE TPAMI 34(11)) of L* and place. An exemplar is cut in the same way, and each
segment takes the colors of those of the exemplar that have the most similar lightness and texture (Welsh, Ashikhmin and
Mueller, "Transferring Color to Greyscale Images", SIGGRAPH 2002; for superpixels Gupta et al., ACM Multimedia 2012). A
palette is dealt out by lightness: its dark colors to the dark segments, its light ones to the light.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from autochrome.color import rgb_to_lab, split_lab
from autochrome.image import picture_to_tensor, resize, working_size
from autochrome.pipelines.classic import COMMON_SETTINGS, ClassicPipeline
from autochrome.pipelines.directions import Hint, PaletteColor, color_to_lab
from autochrome.pipelines.exemplar import Exemplar
from autochrome.pipelines.rasterizing import rasterize
from autochrome.pipelines.settings import ExemplarSetting, HintsSetting, PaletteSetting, Setting

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]

NUM_SEGMENTS = 400
COMPACTNESS = 10.0
"""Of SLIC: L* units that weigh as much as the distance between neighboring segments."""

NUM_MATCHES = 5
"""Segments of the exemplar whose mean color one segment takes."""

_TEXTURE_WEIGHT = 0.5
_PLACE_WEIGHT = 2.0
"""Of a difference in L* of 1 standard deviation, one of the whole side counts so many."""

_EXEMPLAR_PX = 256
_HALF = 0.5


@dataclass(frozen=True)
class _Cut:
    """A picture cut into segments: `labels` `(H, W)`, and of each segment (N of them) mean L*, its deviation, its
    middle as shares of width and height `(N, 2)` and its number of cells."""

    labels: Integers
    lightness: Floats
    texture: Floats
    place: Floats
    size: Floats


class SegmentsPipeline(ClassicPipeline):
    """SLIC segments, colored from an exemplar or a palette, and from hints."""

    SETTINGS: ClassVar[Mapping[str, Setting]] = {
        **COMMON_SETTINGS,
        "hints": HintsSetting(),
        "palette": PaletteSetting(),
        "exemplar": ExemplarSetting(),
    }
    needs_directions: ClassVar[tuple[str, ...]] = ("hints", "palette", "exemplar")

    def predict(self, lightness: Tensor, settings: Mapping[str, Any]) -> Tensor:
        """Color the segments: L* `(1, 1, H, W)` to a*b* `(1, 2, H, W)`, Lab units.

        With an exemplar and a palette each color of the exemplar gives way to the nearest of the palette. Where a hint
        is, its segment takes its color; with hints alone every other segment takes that of the most similar one.
        """
        cut = _cut(lightness)
        exemplar, palette = settings["exemplar"], settings["palette"]
        colors = np.zeros((len(cut.size), 2))
        if exemplar is not None:
            colors = _from_exemplar(cut, exemplar)
            if palette:
                colors = _snap(colors, palette)
        elif palette:
            colors = _from_palette(cut, palette)
        if settings["hints"]:
            colors = _with_hints(cut, colors, settings["hints"], spread=exemplar is None and not palette)
        return torch.from_numpy(colors[cut.labels].astype(np.float32)).permute(2, 0, 1)[None].contiguous()


def _cut(lightness: Tensor) -> _Cut:
    """Cut L* `(1, 1, H, W)`, 0..100, into about `NUM_SEGMENTS` segments."""
    plane = lightness[0, 0].double().numpy()
    # skimage stretches what it is given to 0..1, so compactness is given in units of that.
    spread = max(float(plane.max() - plane.min()), 1e-6)
    from skimage.segmentation import slic  # here: most never need it

    found = slic(plane, n_segments=NUM_SEGMENTS, compactness=COMPACTNESS / spread, channel_axis=None, start_label=0)
    labels: Integers = np.unique(found, return_inverse=True)[1].reshape(plane.shape).astype(np.int64)
    rows, columns = np.indices(plane.shape)
    height, width = plane.shape
    mean = _means(labels, plane)
    deviation = np.sqrt(np.maximum(_means(labels, plane**2) - mean**2, 0))
    place = np.stack((_means(labels, (columns + 0.5) / width), _means(labels, (rows + 0.5) / height)), axis=1)
    return _Cut(labels, mean, deviation, place, np.bincount(labels.ravel()).astype(np.float64))


def _means(labels: Integers, values: Floats) -> Floats:
    """Means of `(H, W)` over the segments, `(N,)`."""
    flat = labels.ravel()
    means: Floats = np.bincount(flat, values.ravel()) / np.bincount(flat)
    return means


def _from_exemplar(cut: _Cut, exemplar: Exemplar) -> Floats:
    """The mean color of the exemplar's segments that are most similar, for each segment `(N, 2)`."""
    picture = exemplar.picture
    size = working_size(picture.width, picture.height, _EXEMPLAR_PX, 1)
    lightness, ab = split_lab(rgb_to_lab(resize(picture_to_tensor(picture), size).clamp(0, 1)))
    source = _cut(lightness)
    colors = np.stack([_means(source.labels, channel.double().numpy()) for channel in ab[0]], axis=1)
    distances = _distances(_features(cut), _features(source))
    nearest = np.argsort(distances, axis=1, kind="stable")[:, :NUM_MATCHES]
    mean: Floats = colors[nearest].mean(axis=1)
    return mean


def _features(cut: _Cut) -> Floats:
    """Lightness and texture of the segments `(N, 2)`, in the picture's own standard deviations: exposures differ."""
    share = cut.size / cut.size.sum()
    mean = share @ cut.lightness
    deviation = max(float(np.sqrt(share @ (cut.lightness - mean) ** 2)), 1.0)
    features: Floats = np.stack(((cut.lightness - mean) / deviation, _TEXTURE_WEIGHT * cut.texture / deviation), axis=1)
    return features


def _from_palette(cut: _Cut, palette: Sequence[PaletteColor]) -> Floats:
    """Colors dealt out by lightness `(N, 2)`, each to the share of the picture's area that its weight says."""
    dark_first = sorted(palette, key=lambda entry: (color_to_lab(entry.color)[0], entry.color))
    ends = np.cumsum([entry.weight for entry in dark_first])
    order = np.argsort(cut.lightness, kind="stable")
    area = np.empty_like(cut.size)
    area[order] = (np.cumsum(cut.size[order]) - cut.size[order] / 2) / cut.size.sum()
    chosen = np.minimum(np.searchsorted(ends, area), len(ends) - 1)
    dealt: Floats = np.array([entry.ab for entry in dark_first])[chosen]
    return dealt


def _snap(colors: Floats, palette: Sequence[PaletteColor]) -> Floats:
    """The nearest a*b* of the palette for each color `(N, 2)`."""
    choice = np.array([entry.ab for entry in palette])
    snapped: Floats = choice[_distances(colors, choice).argmin(axis=1)]
    return snapped


def _with_hints(cut: _Cut, colors: Floats, hints: Sequence[Hint], *, spread: bool) -> Floats:
    """The colors `(N, 2)` with those of hints: of the segments that hints cover by half, and where a hint's middle is.

    With `spread` every segment without a hint takes the color of the one with a hint that is most similar in
    lightness, texture and place.
    """
    height, width = cut.labels.shape
    ab, coverage = rasterize(hints, width, height)
    weights = coverage[0, 0].double().numpy()
    covered = _means(cut.labels, weights)
    given = covered >= _HALF
    result = colors.copy()
    for channel in range(2):
        sums = _means(cut.labels, ab[0, channel].double().numpy() * weights)
        result[given, channel] = sums[given] / covered[given]
    for hint in hints:  # in their order: of two in one segment the later wins
        label = cut.labels[min(int(hint.y * height), height - 1), min(int(hint.x * width), width - 1)]
        given[label] = True
        result[label] = hint.ab
    if spread:
        features = np.concatenate((_features(cut), _PLACE_WEIGHT * cut.place), axis=1)
        result = result[given][_distances(features, features[given]).argmin(axis=1)]
    return result


def _distances(ours: Floats, theirs: Floats) -> Floats:
    """Squared distances `(N, M)` between rows `(N, D)` and `(M, D)`."""
    distances: Floats = np.square(ours[:, None] - theirs[None]).sum(axis=2)
    return distances
