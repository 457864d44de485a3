"""Measures of colorized pictures, one a file. A picture is gamma-coded sRGB, float `(B, 3, H, W)` in 0..1."""

from collections.abc import Callable, Iterable

import torch
from torch import Tensor

from autochrome.errors import SettingError
from autochrome.metrics.ciede2000 import (
    ciede2000,
    ciede2000_above_10,
    ciede2000_above_10_of,
    ciede2000_lab,
    ciede2000_map,
    ciede2000_of,
)
from autochrome.metrics.color_bleeding import color_bleeding, color_bleeding_of
from autochrome.metrics.colorfulness import colorfulness, colorfulness_abs
from autochrome.metrics.comparison import Comparison
from autochrome.metrics.conventions import CONVENTIONS
from autochrome.metrics.delta_colorfulness import (
    colorfulnesses_of,
    delta_colorfulness,
    delta_colorfulness_of,
    delta_colorfulness_of_means,
)
from autochrome.metrics.extras import require_extra
from autochrome.metrics.hue_histogram import hue_histogram_distance, hue_histogram_distance_of
from autochrome.metrics.lightness_error import lightness_error, lightness_error_of
from autochrome.metrics.lpips import lpips
from autochrome.metrics.psnr import psnr
from autochrome.metrics.ssim import ssim

Metric = Callable[[Tensor, Tensor], Tensor]
"""`(prediction, reference)`, each `(B, 3, H, W)`, to one value a picture, `(B,)`."""

METRICS: dict[str, Metric] = {
    "psnr": psnr,
    "ssim": ssim,
    "ciede2000": ciede2000,
    "ciede2000_above_10": ciede2000_above_10,
    "colorfulness": lambda prediction, reference: colorfulness(prediction),
    "colorfulness_abs": lambda prediction, reference: colorfulness_abs(prediction),
    "delta_colorfulness": delta_colorfulness,
    "lightness_error": lightness_error,
    "color_bleeding": color_bleeding,
    "hue_histogram_distance": hue_histogram_distance,
}
"""Every measure of a picture that is always there, by its name, in the order in which tables show them."""

EXTRA_METRICS: dict[str, Metric] = {"lpips": lpips}
"""Measures of a picture that need an extra; only scored where they are asked for by name."""

SET_METRICS = ("frechet_mobilenet_v2", "fid")
"""Measures of two whole sets, in `autochrome.metrics.frechet` and `.fid`: no picture has one of its own."""

_SHARING: dict[str, Callable[[Comparison], Tensor]] = {
    "ciede2000": ciede2000_of,
    "ciede2000_above_10": ciede2000_above_10_of,
    "colorfulness": lambda comparison: colorfulnesses_of(comparison)[0],
    "colorfulness_abs": lambda comparison: colorfulnesses_of(comparison)[1],
    "delta_colorfulness": delta_colorfulness_of,
    "lightness_error": lightness_error_of,
    "color_bleeding": color_bleeding_of,
    "hue_histogram_distance": hue_histogram_distance_of,
}
"""The same measures where several of them share what they need: Lab, the map of CIEDE2000, the colorfulness."""

__all__ = [
    "CONVENTIONS",
    "EXTRA_METRICS",
    "METRICS",
    "SET_METRICS",
    "Comparison",
    "Metric",
    "ciede2000",
    "ciede2000_above_10",
    "ciede2000_lab",
    "ciede2000_map",
    "color_bleeding",
    "colorfulness",
    "colorfulness_abs",
    "delta_colorfulness",
    "delta_colorfulness_of_means",
    "hue_histogram_distance",
    "lightness_error",
    "lpips",
    "psnr",
    "require_metrics",
    "score",
    "score_comparison",
    "ssim",
]


def require_metrics(names: Iterable[str]) -> list[str]:
    """The names of measures of a picture as a list without repetitions.

    Raises `SettingError` at one that is neither in `METRICS` nor in `EXTRA_METRICS`, or at none; `UnavailableError` at
    one whose extra is not installed.
    """
    chosen = list(dict.fromkeys(names))
    unknown = [name for name in chosen if name not in METRICS and name not in EXTRA_METRICS]
    if unknown or not chosen:
        what = f"unknown metric {', '.join(map(repr, unknown))}" if unknown else "no metric given"
        raise SettingError(f"{what}; choose from {', '.join((*METRICS, *EXTRA_METRICS))}")
    for name in chosen:
        if name in EXTRA_METRICS:
            require_extra(name)
    return chosen


def score(prediction: Tensor, reference: Tensor, names: Iterable[str] = tuple(METRICS)) -> dict[str, float]:
    """The named metrics of a prediction against its reference: name to value, the mean over a batch.

    Args: gamma-coded sRGB `(B, 3, H, W)` in 0..1, both of one shape; `names` from `METRICS` (by default all of them)
    and `EXTRA_METRICS`. What several of them need is computed once.
    Raises `SettingError` at an unknown name, `InputError` when the shapes differ or, for ssim and color_bleeding, are
    too small, `UnavailableError` where an extra is not installed.
    """
    return score_comparison(Comparison(prediction, reference), names)


@torch.no_grad()
def score_comparison(comparison: Comparison, names: Iterable[str] = tuple(METRICS)) -> dict[str, float]:
    """`score` of a comparison; several predictions with one reference: see `Comparison.against_same_reference`."""
    return {name: _values(comparison, name).mean().item() for name in require_metrics(names)}


def _values(comparison: Comparison, name: str) -> Tensor:
    if name in _SHARING:
        return _SHARING[name](comparison)
    return (METRICS | EXTRA_METRICS)[name](comparison.prediction, comparison.reference)
