"""What every loss of a recipe is given."""

from dataclasses import dataclass

from torch import Tensor

from autochrome.color import AB_SCALE, merge_lab


@dataclass
class LossInput:
    """What a loss may look at, all float32; h and w are the size of the network's output, H and W of its input."""

    prediction: Tensor
    """ab_normalized as predicted, `(B, 2, h, w)`."""
    target: Tensor
    """True ab_normalized, averaged over each output pixel's area, `(B, 2, h, w)`."""
    lightness: Tensor
    """True L* (0..100), averaged likewise, `(B, 1, h, w)`."""
    colorfulness_share: float
    """Aim of `colorfulness_floor`."""
    raw: Tensor | None = None
    """The head's raw output where it is not `prediction` itself: logits `(B, Q, h, w)` of the head `bins`."""
    full_lightness: Tensor | None = None
    """True L* at the training size, `(B, 1, H, W)`."""
    class_weights: Tensor | None = None
    """Weight of each ab bin in `classification`, `(Q,)`; without them all count the same."""

    def lab(self, ab_normalized: Tensor) -> Tensor:
        """Lab `(B, 3, h, w)` of ab_normalized at the output's size, under the true L*."""
        return merge_lab(self.lightness, ab_normalized * AB_SCALE)
