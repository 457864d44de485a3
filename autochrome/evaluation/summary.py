"""From the scores of single pictures to what can be said of a whole set, baselines beside it."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from autochrome.evaluation.curve import COLORLESS, summarize_curve
from autochrome.evaluation.metadata import Groups
from autochrome.evaluation.scoring import PictureScore
from autochrome.evaluation.statistics import Values, describe
from autochrome.metrics.baselines import BASELINES
from autochrome.metrics.hue_histogram import hue_distance


def summarize(scores: Sequence[PictureScore]) -> dict[str, Any]:
    """Scores of pictures to a report that can be written as JSON.

    Returns `{"num_pictures": n, "metrics": {NAME: {"mean", "median", "p5", "p25", "p75", "p95", "interval"}},
    "baselines": {"grey": {NAME: {...}}, "tint": {...}}, "shares": {...}, "set": {...}, "curve": {...}, "pictures":
    [{"name", NAME: value, ...}]}`. `shares` makes the numbers readable, where the metrics for it were chosen:
    `ciede2000_of_grey`, mean as a share of grey's; `better_than_grey`, the share of pictures whose ciede2000 is lower
    than grey's; `colorfulness_of_reference`, mean as a share of the references'; None where the references have no
    color. `set` has measures of all pictures together. `curve` is absent where it was not measured or says nothing.
    """
    curve = summarize_curve([score.curve for score in scores if score.curve is not None])
    return {
        "num_pictures": len(scores),
        "metrics": describe(_columns(scores, "prediction")),
        "baselines": {name: describe(_columns(scores, name)) for name in BASELINES},
        "shares": _shares(scores),
        "set": _set(scores),
        **({"curve": curve} if curve is not None else {}),
        "pictures": [{"name": score.name, **score.rows["prediction"]} for score in scores],
    }


def summarize_groups(scores: Sequence[PictureScore], groups: Groups, columns: Sequence[str]) -> dict[str, Any]:
    """`{COLUMN: {VALUE: {"num_pictures", "metrics", "shares"}}}`, values in the order of their names."""
    table: dict[str, dict[str, list[PictureScore]]] = {column: {} for column in columns}
    for score in scores:
        for column in columns:
            table[column].setdefault(groups[score.name][column], []).append(score)
    return {
        column: {
            value: {
                "num_pictures": len(members),
                "metrics": describe(_columns(members, "prediction")),
                "shares": _shares(members),
            }
            for value, members in sorted(values.items())
        }
        for column, values in table.items()
    }


def _columns(scores: Sequence[PictureScore], row: str) -> dict[str, list[float]]:
    names = scores[0].rows.get(row, {}) if scores else ()
    return {name: [score.rows[row][name] for score in scores] for name in names}


def _shares(scores: Sequence[PictureScore]) -> dict[str, float | None]:
    ours, grey = _arrays(scores, "prediction"), _arrays(scores, "grey")
    found: dict[str, float | None] = {}
    if "ciede2000" in ours and "ciede2000" in grey:
        difference, of_grey = ours["ciede2000"], grey["ciede2000"]
        found["ciede2000_of_grey"] = _share(difference.mean(), of_grey.mean())
        found["better_than_grey"] = float((difference < of_grey).mean())
    if {"colorfulness", "delta_colorfulness"} <= ours.keys():
        colorful = ours["colorfulness"].mean()
        found["colorfulness_of_reference"] = _share(colorful, colorful - ours["delta_colorfulness"].mean())
    return found


def _share(part: float, whole: float) -> float | None:
    return float(part / whole) if whole >= COLORLESS else None


def _set(scores: Sequence[PictureScore]) -> dict[str, float]:
    """Measures of the set as a whole, which are no means of what single pictures score."""
    found: dict[str, float] = {}
    ours = _arrays(scores, "prediction")
    if "delta_colorfulness" in ours:
        delta = ours["delta_colorfulness"]
        # The same pictures are in both sets, so the difference of the two means is the mean difference.
        found["delta_colorfulness_of_means"] = abs(float(delta.mean()))
        found["delta_colorfulness_mean_absolute"] = float(np.abs(delta).mean())
    hues = [score.hues for score in scores if score.hues]
    if hues:
        prediction, reference = torch.from_numpy(np.sum(hues, axis=0, dtype=np.float64))[:, None]
        found["hue_histogram_distance"] = hue_distance(prediction, reference).item()
    return found


def _arrays(scores: Sequence[PictureScore], row: str) -> dict[str, Values]:
    return {name: np.array(values, dtype=np.float64) for name, values in _columns(scores, row).items()}
