"""How much more or less colorful a picture is than the truth."""

from collections.abc import Sequence

import numpy as np
from torch import Tensor

from autochrome.errors import InputError
from autochrome.metrics.colorfulness import both_colorfulnesses
from autochrome.metrics.comparison import Comparison


def delta_colorfulness(prediction: Tensor, reference: Tensor) -> Tensor:
    """Colorfulness of each prediction minus that of its reference: below 0 is too dull, above 0 too vivid.

    `colorfulness` is the signed form of Hasler and Suesstrunk. The mean of these over a set says whether the set is too
    dull or too vivid; the mean of their absolute values how far a picture is off either way, which is never less.

    Args: gamma-coded sRGB `(B, 3, H, W)` in 0..1, both of one shape. Returns `(B,)`.
    Raises `InputError` when the shapes differ or are not `(B, 3, H, W)`.
    """
    return delta_colorfulness_of(Comparison(prediction, reference))


def delta_colorfulness_of_means(predictions: Sequence[float], references: Sequence[float]) -> float:
    """Absolute difference of the mean colorfulness of two sets: what papers call "delta CF".

    Too dull and too vivid pictures cancel out in it. It is the absolute value of the mean of `delta_colorfulness`.

    Args: the `colorfulness` of each picture; the sets may differ in number.
    Raises `InputError` when one is empty.
    """
    if not len(predictions) or not len(references):
        raise InputError(
            f"delta colorfulness of means needs pictures in both sets, got {len(predictions)} predictions and "
            f"{len(references)} references"
        )
    return abs(float(np.mean(predictions)) - float(np.mean(references)))


def delta_colorfulness_of(comparison: Comparison) -> Tensor:
    """`delta_colorfulness` of a comparison, `(B,)`."""
    reference, _ = comparison.once_of_reference("colorfulness", lambda: both_colorfulnesses(comparison.reference))
    return colorfulnesses_of(comparison)[0] - reference


def colorfulnesses_of(comparison: Comparison) -> tuple[Tensor, Tensor]:
    """`colorfulness` and `colorfulness_abs` of a comparison's prediction, `(B,)` both."""
    return comparison.once("colorfulness", lambda: both_colorfulnesses(comparison.prediction))
