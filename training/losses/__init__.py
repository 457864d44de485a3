"""Losses: small functions, each with its source. Recipes name them (`LOSSES`, `GAN_LOSSES`) and give their weights."""

from collections.abc import Callable

from torch import Tensor

from training.losses.adversarial import GAN_LOSSES, GanLoss, feature_matching
from training.losses.base import LossInput
from training.losses.classification import classification
from training.losses.colorfulness import colorfulness, colorfulness_floor
from training.losses.expected_error import expected_error
from training.losses.features import feature
from training.losses.pointwise import cie94_ab, ciede2000_ab, l1_ab, mse_ab, smooth_l1_ab, worse_than_grey

LOSSES: dict[str, Callable[[LossInput], Tensor]] = {
    "mse_ab": mse_ab,
    "l1_ab": l1_ab,
    "smooth_l1_ab": smooth_l1_ab,
    "cie94_ab": cie94_ab,
    "ciede2000_ab": ciede2000_ab,
    "worse_than_grey": worse_than_grey,
    "colorfulness_floor": colorfulness_floor,
    "colorfulness": colorfulness,
    "feature": feature,
    "classification": classification,
    "expected_error": expected_error,
}
"""What a phase's `losses` may name; each takes a `LossInput` and gives a scalar, smaller being better."""

CLASSIFICATION_LOSSES = frozenset({"classification"})
"""Those that need the head `bins`."""

DIRECTED_LOSSES = frozenset({"expected_error"})
"""Those that need a decoder that takes directions."""

__all__ = [
    "CLASSIFICATION_LOSSES",
    "DIRECTED_LOSSES",
    "GAN_LOSSES",
    "LOSSES",
    "GanLoss",
    "LossInput",
    "feature_matching",
]
