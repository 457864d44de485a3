"""Frechet distance between two sets of pictures, on the MobileNetV2 that comes with the package.

Source: M. Heusel et al., "GANs trained by a two time-scale update rule converge to a local Nash equilibrium" (2017,
arXiv:1706.08500), equation 6, with another network: NOT an FID, and comparable with none.
"""

from collections.abc import Iterable

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from autochrome.errors import InputError
from autochrome.image import resize
from autochrome.metrics.checks import require_rgb
from autochrome.models.features import SIDE_PX, PooledMobileNetV2, load_pooled_mobilenet_v2

FRECHET_NAME = "frechet_mobilenet_v2"

Array = npt.NDArray[np.float64]


class FeatureMoments:
    """Mean and covariance of features, added up batch by batch: memory stays flat however many pictures there are.

    Attributes:
        count: feature vectors so far.
    """

    def __init__(self, num_features: int = PooledMobileNetV2.num_features) -> None:
        self.count = 0
        self._mean = np.zeros(num_features)
        self._squares = np.zeros((num_features, num_features))

    def add(self, features: Tensor | Array) -> None:
        """Take in features `(B, D)`."""
        values = np.asarray(features, dtype=np.float64)
        centered = values - values.mean(axis=0)
        self._merge(len(values), values.mean(axis=0), centered.T @ centered)

    def merge(self, other: "FeatureMoments") -> None:
        """Take in all that another one has, for example from another process."""
        self._merge(other.count, other._mean, other._squares)

    def _merge(self, count: int, mean: Array, squares: Array) -> None:
        """Chan, Golub and LeVeque (1983): sums around the means of two parts to that around the mean of the whole."""
        total = self.count + count
        if total:
            step = mean - self._mean
            self._squares += squares + np.outer(step, step) * (self.count * count / total)
            self._mean = self._mean + step * (count / total)
            self.count = total

    @property
    def mean(self) -> Array:
        """`(D,)`."""
        return self._mean

    @property
    def covariance(self) -> Array:
        """Of the sample (divided by count - 1), `(D, D)`. Raises `InputError` below two pictures."""
        if self.count < 2:
            raise InputError(f"{FRECHET_NAME} needs at least 2 pictures in each set, got {self.count}")
        return self._squares / (self.count - 1)


class FrechetFeatures:
    """The network and what it does to a picture first; loaded once, used for both sets."""

    def __init__(self) -> None:
        """Raises `ModelError` when the package's weights are missing or damaged."""
        self._network = load_pooled_mobilenet_v2()

    @torch.inference_mode()
    def __call__(self, pictures: Tensor) -> Tensor:
        """Features `(B, 320)` of gamma-coded sRGB `(B, 3, H, W)` in 0..1 of any size.

        Each is resized to 224 x 224 (bilinear, antialiased, aspect ratio not kept).
        Raises `InputError` at another shape.
        """
        require_rgb(pictures)
        features: Tensor = self._network(resize(pictures.float(), (SIDE_PX, SIDE_PX)).clamp(0, 1))
        return features


def frechet_distance(moments1: FeatureMoments, moments2: FeatureMoments) -> float:
    """Squared Frechet distance of the two normal distributions with these means and covariances; 0 where equal.

    |m1 - m2|^2 + tr(C1 + C2 - 2 (C1 C2)^(1/2)); the trace of the root is the sum of the roots of the eigenvalues of
    C1^(1/2) C2 C1^(1/2), which is symmetric, so that singular covariances (fewer pictures than features) do no harm. It
    is biased upwards, the more so the fewer pictures: compare only sets of one size, and use hundreds.

    Raises `InputError` when a set has fewer than two pictures.
    """
    covariance1, covariance2 = moments1.covariance, moments2.covariance
    values, vectors = np.linalg.eigh(covariance1)
    root = (vectors * np.sqrt(values.clip(0))) @ vectors.T
    root_trace = np.sqrt(np.linalg.eigvalsh(root @ covariance2 @ root).clip(0)).sum()
    step = moments1.mean - moments2.mean
    distance = step @ step + np.trace(covariance1) + np.trace(covariance2) - 2 * root_trace
    return max(0.0, float(distance))


def frechet_mobilenet_v2(predictions: Iterable[Tensor], references: Iterable[Tensor]) -> float:
    """Frechet distance between two sets, given as batches of gamma-coded sRGB `(B, 3, H, W)` in 0..1, of any sizes.

    Pictures need no partner. See `frechet_distance` for what the number is, and `FrechetFeatures` for the features.
    Raises `InputError` when a set has fewer than two pictures, `ModelError` when the weights cannot be loaded.
    """
    features = FrechetFeatures()
    sets = []
    for batches in (predictions, references):
        moments = FeatureMoments()
        for batch in batches:
            moments.add(features(batch))
        sets.append(moments)
    return frechet_distance(*sets)
