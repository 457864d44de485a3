"""Measures of colorized pictures, one a file. A picture is gamma-coded sRGB, float `(B, 3, H, W)` in 0..1."""

from collections.abc import Callable, Iterable

import torch
from torch import Tensor

from autochrome.errors import SettingError
from autochrome.metrics.ciede2000 import ciede2000, ciede2000_lab, ciede2000_map
from autochrome.metrics.colorfulness import colorfulness, colorfulness_abs
from autochrome.metrics.delta_colorfulness import delta_colorfulness
from autochrome.metrics.lightness_error import lightness_error
from autochrome.metrics.psnr import psnr
from autochrome.metrics.ssim import ssim

Metric = Callable[[Tensor, Tensor], Tensor]
"""`(prediction, reference)`, each `(B, 3, H, W)`, to one value a picture, `(B,)`."""

METRICS: dict[str, Metric] = {
    "psnr": psnr,
    "ssim": ssim,
    "ciede2000": ciede2000,
    "colorfulness": lambda prediction, reference: colorfulness(prediction),
    "colorfulness_abs": lambda prediction, reference: colorfulness_abs(prediction),
    "delta_colorfulness": delta_colorfulness,
    "lightness_error": lightness_error,
}
"""Every measure by its name, in the order in which tables show them."""

__all__ = [
    "METRICS",
    "Metric",
    "ciede2000",
    "ciede2000_lab",
    "ciede2000_map",
    "colorfulness",
    "colorfulness_abs",
    "delta_colorfulness",
    "lightness_error",
    "psnr",
    "require_metrics",
    "score",
    "ssim",
]


def require_metrics(names: Iterable[str]) -> list[str]:
    """The names as a list without repetitions; raises `SettingError` at one that is not in `METRICS`, or at none."""
    chosen = list(dict.fromkeys(names))
    unknown = [name for name in chosen if name not in METRICS]
    if unknown or not chosen:
        what = f"unknown metric {', '.join(map(repr, unknown))}" if unknown else "no metric given"
        raise SettingError(f"{what}; choose from {', '.join(METRICS)}")
    return chosen


@torch.no_grad()
def score(prediction: Tensor, reference: Tensor, names: Iterable[str] = tuple(METRICS)) -> dict[str, float]:
    """The named metrics of a prediction against its reference: name to value, the mean over a batch.

    Args: gamma-coded sRGB `(B, 3, H, W)` in 0..1, both of one shape; `names` from `METRICS`, by default all of them.
    Raises `SettingError` at an unknown name, `InputError` when the shapes differ or, for ssim, are too small.
    """
    return {name: METRICS[name](prediction, reference).mean().item() for name in require_metrics(names)}
