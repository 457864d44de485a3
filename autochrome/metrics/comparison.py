"""A prediction beside its reference: what several metrics need of the two is computed once."""

from collections.abc import Callable, Iterator
from typing import TypeVar

import torch
import torch.nn.functional as F
from torch import Tensor

from autochrome.color import rgb_to_lab
from autochrome.metrics.checks import require_rgb_pair
from autochrome.metrics.strips import strips

_MAX_KEPT_PIXELS = 1 << 22
_NEUTRAL = 1e-4  # Lab units, far below what can be seen; float32 rounding gives greys up to 6e-5

Value = TypeVar("Value")


class Comparison:
    """One or more predictions and their references, of one size.

    Attributes:
        prediction, reference: gamma-coded sRGB `(B, 3, H, W)` in 0..1.
    """

    def __init__(self, prediction: Tensor, reference: Tensor) -> None:
        """Raises `InputError` when the shapes differ or are not `(B, 3, H, W)`."""
        require_rgb_pair(prediction, reference)
        self.prediction = prediction
        self.reference = reference
        self._of_reference: dict[str, object] = {}
        self._of_both: dict[str, object] = {}

    def against_same_reference(self, prediction: Tensor) -> "Comparison":
        """Another prediction with this reference, of which nothing is computed a second time."""
        other = Comparison(prediction, self.reference)
        other._of_reference = self._of_reference
        return other

    def once(self, key: str, make: Callable[[], Value]) -> Value:
        """What `make` gives, called at the first call with this key only."""
        return _once(self._of_both, key, make)

    def once_of_reference(self, key: str, make: Callable[[], Value]) -> Value:
        """The same for what depends on the reference alone."""
        return _once(self._of_reference, key, make)

    def labs(self, overlap: int = 0) -> Iterator[tuple[Tensor, Tensor]]:
        """CIELAB of prediction and reference, `(B, 3, h, W)` each, in strips of rows as those of `strips`.

        Greys are exactly neutral. Both are kept for the next metric, but for large pictures: memory stays flat.
        """
        if self.prediction[:, 0].numel() <= _MAX_KEPT_PIXELS:
            prediction = self.once("lab", lambda: _to_lab(self.prediction))
            reference = self.once_of_reference("lab", lambda: _to_lab(self.reference))
            for first, second in strips(prediction, reference, overlap=overlap):
                yield first, second
        else:
            for first, second in strips(self.prediction, self.reference, overlap=overlap):
                yield rgb_to_neutral_lab(first), rgb_to_neutral_lab(second)


def rgb_to_neutral_lab(rgb: Tensor) -> Tensor:
    """Lab in which greys are exactly neutral: float rounding would give them a hue, which CIEDE2000 makes much of."""
    return F.hardshrink(rgb_to_lab(rgb), _NEUTRAL)


def _to_lab(rgb: Tensor) -> Tensor:
    return torch.cat([rgb_to_neutral_lab(strip) for (strip,) in strips(rgb)], dim=-2)


def _once(store: dict[str, object], key: str, make: Callable[[], Value]) -> Value:
    if key not in store:
        store[key] = make()
    found: Value = store[key]  # type: ignore[assignment]
    return found
