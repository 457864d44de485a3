"""CIEDE2000 against colorfulness as a prediction's saturation is scaled, over a set.

CIEDE2000 alone rewards dullness and colorfulness alone rewards noise: a system is a curve, and a better system has a
lower one. Systems are compared at equal colorfulness, half of the truth's and all of it.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from torch import Tensor

from autochrome.evaluation.statistics import Interval, Values, interval, resampled_means
from autochrome.metrics import ciede2000, colorfulness
from autochrome.metrics.baselines import grey_baseline
from autochrome.metrics.curve import saturation_curve

SATURATIONS = (0.0, 0.25, 0.5, 0.75, 1.0, 1.3, 1.6, 2.0, 2.5, 3.0, 4.0)
COLORFULNESS = {"at_half": 0.5, "at_one": 1.0}
"""Where the curve is read: shares of the truth's colorfulness."""

COLORLESS = 0.05
"""Mean CIEDE2000 of grey, or colorfulness, below which a set of references has no color to compare with."""


class CurvePoint(NamedTuple):
    """Of one picture: CIEDE2000 and colorfulness at each of `SATURATIONS`, of plain grey and of the truth."""

    ciede2000: tuple[float, ...]
    colorfulness: tuple[float, ...]
    grey_ciede2000: float
    true_colorfulness: float


def measure_curve(prediction: Tensor, reference: Tensor) -> CurvePoint:
    """The curve of one picture, gamma-coded sRGB `(1, 3, H, W)` in 0..1."""
    difference, vividness = saturation_curve(prediction, reference, SATURATIONS)
    return CurvePoint(
        tuple(difference[:, 0].tolist()),
        tuple(vividness[:, 0].tolist()),
        ciede2000(grey_baseline(reference), reference).item(),
        colorfulness(reference).item(),
    )


def summarize_curve(points: Sequence[CurvePoint]) -> dict[str, Any] | None:
    """The curve of a set: `saturation`, `ciede2000_share` (of grey's), `colorfulness_share` (of the truth's), and
    `at_half` and `at_one`, the first read off the curve where the second is 0.5 and 1; None where it is not reached.
    `intervals` has the bootstrap 95 % interval of both, None where it cannot be said.

    None where there are no pictures, or the references have no color.
    """
    if not points:
        return None
    table = curve_table(points)
    mean = table.mean(axis=0)
    if min(mean[-2:]) < COLORLESS:
        return None
    difference, vividness = shares(mean)
    resampled = resampled_means(table) if len(points) > 1 else None
    return {
        "saturation": list(SATURATIONS),
        "ciede2000_share": difference.tolist(),
        "colorfulness_share": vividness.tolist(),
        **{name: read_curve(mean, share) for name, share in COLORFULNESS.items()},
        "intervals": {name: curve_interval(resampled, share) for name, share in COLORFULNESS.items()},
    }


def curve_table(points: Sequence[CurvePoint]) -> Values:
    """A row a picture: its CIEDE2000 by saturation, its colorfulness by saturation, that of grey and of the truth."""
    return np.array([[*point[0], *point[1], *point[2:]] for point in points], dtype=np.float64)


def shares(row: Values) -> tuple[Values, Values]:
    """A mean row of `curve_table` as shares of grey's CIEDE2000 and of the truth's colorfulness, by saturation."""
    count = len(SATURATIONS)
    return row[:count] / row[-2], row[count:-2] / row[-1]


def read_curve(row: Values, share: float) -> float | None:
    """CIEDE2000, as a share of grey's, where colorfulness first reaches `share` of the truth's; None if it never does.

    Linear between two saturations.
    """
    if min(row[-2:]) < COLORLESS:
        return None
    difference, vividness = shares(row)
    reached = np.flatnonzero(vividness >= share)
    if len(reached) == 0:
        return None
    after = reached[0]
    if after == 0:
        return float(difference[0])
    weight = (share - vividness[after - 1]) / (vividness[after] - vividness[after - 1])
    return float((1 - weight) * difference[after - 1] + weight * difference[after])


def curve_interval(resampled: Values | None, share: float) -> Interval:
    """The 95 % interval of `read_curve` over resampled mean rows; None where one of them does not reach the share."""
    if resampled is None:
        return None
    found = [read_curve(row, share) for row in resampled]
    if None in found:
        return None
    ends: list[float] = interval(np.array(found, dtype=np.float64)).tolist()
    return ends
