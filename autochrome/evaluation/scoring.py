"""The scores of one picture: those of the prediction, of the baselines, and what the set's own measures need of it."""

import functools
import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from autochrome.evaluation.curve import CurvePoint, measure_curve
from autochrome.evaluation.matching import Pair, read
from autochrome.metrics import Comparison, score_comparison
from autochrome.metrics.baselines import BASELINES
from autochrome.metrics.hue_histogram import hue_histogram

if TYPE_CHECKING:
    from autochrome.metrics.frechet import FrechetFeatures

_SAMPLE_PIXELS = 1 << 16
_HUES = "hue_histogram_distance"

Array = npt.NDArray[np.float32]

Rows = dict[str, dict[str, float]]
"""Of one picture: row (`prediction` or the name of a baseline) to metric to value."""


@dataclass(frozen=True)
class PictureScore:
    """What is kept of one picture: some hundred numbers, so that a set of any size fits into memory.

    Attributes:
        name: as its pair's.
        rows: the metrics of the prediction and the baselines.
        curve: the prediction's curve, where asked for.
        hues: hue histograms of prediction and reference, where asked for. Arrays: between processes each tensor
            would take a file handle.
        features: the network's, of prediction, baselines and `reference`, where asked for; `(1, 320)` each.
    """

    name: str
    rows: Rows
    curve: CurvePoint | None = None
    hues: tuple[Array, ...] = ()
    features: dict[str, Array] = field(default_factory=dict)


@dataclass(frozen=True)
class Scorer:
    """Scores one pair; goes to other processes as it is.

    Attributes:
        names: metrics of single pictures.
        baselines: whether grey and tint are scored too.
        curve: whether the curve is measured.
        features: whether the features for a Frechet distance are computed.
    """

    names: tuple[str, ...]
    baselines: bool = True
    curve: bool = True
    features: bool = False

    @torch.no_grad()
    def __call__(self, pair: Pair) -> PictureScore:
        """Read both pictures and score them.

        Raises:
            PictureError: one of the two cannot be read; the text says which.
            InputError: the sizes differ, or a metric needs larger pictures.
        """
        reference = read(pair.reference, "reference")
        comparison = Comparison(read(pair.prediction, "prediction"), reference)
        compared = {"prediction": comparison}
        if self.baselines:
            made = {name: make(reference) for name, make in BASELINES.items()}
            compared |= {name: comparison.against_same_reference(picture) for name, picture in made.items()}
        rows = {row: score_comparison(one, self.names) if self.names else {} for row, one in compared.items()}
        features = {}
        if self.features:
            pictures = {row: one.prediction for row, one in compared.items()} | {"reference": reference}
            features = {row: _network()(picture).numpy() for row, picture in pictures.items()}
        sampled = sample(comparison.prediction), sample(reference)
        curve = measure_curve(*sampled) if self.curve else None
        hues = tuple(hue_histogram(picture)[0].numpy() for picture in sampled) if _HUES in self.names else ()
        return PictureScore(pair.name, rows, curve, hues, features)


@functools.cache
def _network() -> "FrechetFeatures":
    from autochrome.metrics.frechet import FrechetFeatures  # takes seconds, in every process

    return FrechetFeatures()


def sample(picture: Tensor) -> Tensor:
    """A regular grid of at most 65,536 of the pixels of `(B, 3, H, W)`: means over pixels are the same to about 1 %."""
    step = math.ceil(math.sqrt(picture[0, 0].numel() / _SAMPLE_PIXELS))
    return picture[..., ::step, ::step].contiguous()
