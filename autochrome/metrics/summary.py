"""From the scores of single pictures to what can be said of a whole set, baselines beside it."""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from torch import Tensor

from autochrome.metrics import METRICS, score
from autochrome.metrics.baselines import BASELINES

Rows = dict[str, dict[str, float]]
"""Of one picture: row (`prediction` or the name of a baseline) to metric to value."""

PERCENTILES = (5, 25, 75, 95)


def score_with_baselines(prediction: Tensor, reference: Tensor, names: Iterable[str] = tuple(METRICS)) -> Rows:
    """The named metrics of a prediction, and of every baseline made from its reference.

    Args: gamma-coded sRGB `(1, 3, H, W)` in 0..1, both of one shape; `names` from `METRICS`, by default all of them.
    Raises `SettingError` at an unknown name, `InputError` when the shapes differ or, for ssim, are too small.
    """
    names = list(names)
    rows = {"prediction": score(prediction, reference, names)}
    return rows | {name: score(baseline(reference), reference, names) for name, baseline in BASELINES.items()}


def summarize(scores: Sequence[tuple[str, Rows]]) -> dict[str, Any]:
    """Scores of pictures, (name, rows), to a report that can be written as JSON.

    Returns `{"num_pictures": n, "metrics": {NAME: {"mean", "median", "p5", "p25", "p75", "p95"}}, "baselines": {"grey":
    {NAME: {...}}, "tint": {...}}, "shares": {...}, "pictures": [{"name", NAME: value, ...}]}`. `shares` is what makes
    the numbers readable, where the metrics for it were chosen: `ciede2000_of_grey`, mean as a share of grey's;
    `better_than_grey`, the share of pictures whose ciede2000 is lower than grey's; `colorfulness_of_reference`, mean
    as a share of the references'.
    """
    rows: dict[str, list[dict[str, float]]] = {row: [] for row in ("prediction", *BASELINES)}
    for _, picture in scores:
        for row, values in picture.items():
            rows[row].append(values)
    return {
        "num_pictures": len(scores),
        "metrics": _statistics(rows["prediction"]),
        "baselines": {name: _statistics(rows[name]) for name in BASELINES},
        "shares": _shares(rows["prediction"], rows["grey"]),
        "pictures": [{"name": name, **picture["prediction"]} for name, picture in scores],
    }


def _statistics(pictures: Sequence[dict[str, float]]) -> dict[str, dict[str, float]]:
    statistics = {}
    for name in pictures[0] if pictures else ():
        values = [picture[name] for picture in pictures]
        median, *percentiles = np.percentile(values, (50, *PERCENTILES)).tolist()
        spread = {f"p{percent}": value for percent, value in zip(PERCENTILES, percentiles, strict=True)}
        statistics[name] = {"mean": float(np.mean(values)), "median": median, **spread}
    return statistics


def _shares(ours: Sequence[dict[str, float]], grey: Sequence[dict[str, float]]) -> dict[str, float]:
    shares: dict[str, float] = {}
    names = ours[0].keys() if ours else set()
    if "ciede2000" in names:
        difference, grey_difference = _column(ours, "ciede2000"), _column(grey, "ciede2000")
        if grey_difference.sum() > 0:  # not where all references are grey themselves
            shares["ciede2000_of_grey"] = float(difference.sum() / grey_difference.sum())
        shares["better_than_grey"] = float((difference < grey_difference).mean())
    if {"colorfulness", "delta_colorfulness"} <= names:
        colorful = _column(ours, "colorfulness").sum()
        reference = colorful - _column(ours, "delta_colorfulness").sum()
        if reference > 0:
            shares["colorfulness_of_reference"] = float(colorful / reference)
    return shares


def _column(pictures: Sequence[dict[str, float]], name: str) -> "np.ndarray[Any, np.dtype[np.float64]]":
    return np.array([picture[name] for picture in pictures])
