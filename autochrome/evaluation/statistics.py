"""From values of single pictures to statements about a set: mean, spread, and how sure the mean is."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

Values = npt.NDArray[np.float64]

Interval = list[float] | None
"""[low, high], or None where it cannot be said."""

PERCENTILES = (5, 25, 75, 95)
RESAMPLES = 2000
CONFIDENCE = 0.95
_SEED = 0
_DRAWS_AT_ONCE = 1 << 20


def describe(columns: Mapping[str, Sequence[float]]) -> dict[str, dict[str, Any]]:
    """Of every column of values, one a picture: `mean`, `median`, `p5`, `p25`, `p75`, `p95` and `interval` of the mean.

    `interval` is [low, high], or None for fewer than two pictures. Nothing is said of columns without values.
    """
    table = {name: np.asarray(values, dtype=np.float64) for name, values in columns.items() if len(values)}
    if not table:
        return {}
    intervals = bootstrap_intervals(np.stack(list(table.values()), axis=1))
    return {
        name: {**_spread(values), "interval": intervals[index]} for index, (name, values) in enumerate(table.items())
    }


def _spread(values: Values) -> dict[str, float]:
    median, *percentiles = np.percentile(values, (50, *PERCENTILES)).tolist()
    spread = {f"p{percent}": value for percent, value in zip(PERCENTILES, percentiles, strict=True)}
    return {"mean": float(values.mean()), "median": median, **spread}


def bootstrap_intervals(values: Values) -> list[Interval]:
    """The 95 % interval of the mean of each column of `(pictures, columns)`; None below two pictures.

    Percentile bootstrap (Efron and Tibshirani, "An introduction to the bootstrap", 1993, chapter 13): 2,000 times as
    many pictures are drawn with replacement, always the same ones for the same number of pictures.
    """
    if len(values) < 2:
        return [None] * values.shape[1]
    return [[float(low), float(high)] for low, high in interval(resampled_means(values)).T]


def resampled_means(values: Values) -> Values:
    """Means `(resamples, columns)` of sets drawn with replacement from the rows of `(pictures, columns)`."""
    rng = np.random.default_rng(_SEED)
    count = len(values)
    means = np.empty((RESAMPLES, values.shape[1]))
    step = max(1, _DRAWS_AT_ONCE // count)
    for begin in range(0, RESAMPLES, step):
        rows = min(step, RESAMPLES - begin)
        drawn = rng.integers(0, count, (rows, count)) + count * np.arange(rows)[:, None]
        how_often = np.bincount(drawn.ravel(), minlength=rows * count).reshape(rows, count)
        means[begin : begin + rows] = how_often @ values / count
    return means


def interval(resampled: Values) -> Values:
    """Low and high end `(2, ...)` of the middle 95 % along the first axis."""
    outside = (1 - CONFIDENCE) / 2
    ends: Values = np.quantile(resampled, (outside, 1 - outside), axis=0)
    return ends
