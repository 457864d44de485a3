"""From pictures to numbers: each result beside the truth, and sets of such numbers as means with their intervals."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import PIL.Image
from torch import Tensor

from autochrome.evaluation.statistics import bootstrap_intervals
from autochrome.image import picture_to_tensor
from autochrome.metrics import Comparison, psnr, ssim
from autochrome.metrics.baselines import BASELINES
from autochrome.metrics.ciede2000 import ciede2000_of
from autochrome.metrics.colorfulness import colorfulness
from training.benchmarks.photos import Photo

Numbers = dict[str, float]
Scored = dict[str, Numbers]
"""Of one photograph: way of coloring to its numbers."""


class Judge:
    """Scores results for one photograph; what depends on the photograph alone is computed once."""

    def __init__(self, photo: Photo) -> None:
        """Takes the photograph as the truth, at its full size."""
        self._reference = picture_to_tensor(photo.picture)
        self._comparison = Comparison(self._reference, self._reference)

    def score(self, result: PIL.Image.Image) -> Numbers:
        """PSNR (dB), SSIM, mean CIEDE2000 and colorfulness of a finished picture."""
        return self._score(picture_to_tensor(result.convert("RGB")))

    def baselines(self) -> Scored:
        """The same of no color at all and of one constant tint; of the truth its colorfulness."""
        scored = {name: self._score(make(self._reference)) for name, make in BASELINES.items()}
        return scored | {"truth": {"colorfulness": colorfulness(self._reference).item()}}

    def _score(self, result: Tensor) -> Numbers:
        return {
            "psnr": psnr(result, self._reference).item(),
            "ssim": ssim(result, self._reference).item(),
            "ciede2000": ciede2000_of(self._comparison.against_same_reference(result)).item(),
            "colorfulness": colorfulness(result).item(),
        }


def summarize(photos: Sequence[Scored]) -> dict[str, Any]:
    """Every way's means over the same photographs, and how it stands beside grey and beside no prompt ("none").

    `better_than_*` are shares of photographs with a lower CIEDE2000, `below_none` by how much of its units it is lower
    in the mean; the intervals are those of `autochrome.evaluation.statistics`: 95 %, photographs drawn anew.
    """
    columns = {way: {name: _column(photos, way, name) for name in photos[0][way]} for way in photos[0]}
    truth = columns.pop("truth")["colorfulness"].mean()
    grey, none = columns["grey"]["ciede2000"], columns["none"]["ciede2000"]
    found: dict[str, Any] = {}
    for way, values in columns.items():
        difference = values["ciede2000"]
        found[way] = {name: _rounded(values[name].mean()) for name in ("psnr", "ssim", "ciede2000")}
        found[way]["ciede2000_share"] = _rounded(difference.mean() / grey.mean())
        found[way]["colorfulness_share"] = _rounded(values["colorfulness"].mean() / truth)
        if way != "grey":
            found[way] |= mean_with_interval("better_than_grey", difference < grey)
        if way not in ("none", *BASELINES):
            found[way] |= mean_with_interval("better_than_none", difference < none)
            found[way] |= mean_with_interval("below_none", none - difference)
    return found


def mean_with_interval(name: str, values: Any, groups: Sequence[int] | None = None) -> dict[str, Any]:
    """`name`: the mean, and `name_interval`: [low, high] at 95 %, or None for fewer than two values.

    Values of one group (several swaps in one photograph) are drawn together, as they are no independent witnesses.
    """
    values = np.asarray(values, dtype=np.float64)
    mean = values.mean()
    if groups is not None:
        values = np.array([values[np.asarray(groups) == group].mean() for group in sorted(set(groups))])
    (interval,) = bootstrap_intervals(values[:, None])
    return {name: _rounded(mean), f"{name}_interval": interval and [_rounded(end) for end in interval]}


def _column(photos: Sequence[Scored], way: str, name: str) -> np.ndarray:
    return np.array([photo[way][name] for photo in photos])


def _rounded(value: Any) -> float:
    return round(float(value), 4)
