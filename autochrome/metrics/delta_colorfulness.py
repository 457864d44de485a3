"""How much more or less colorful a picture is than the truth."""

from torch import Tensor

from autochrome.metrics.checks import require_rgb_pair
from autochrome.metrics.colorfulness import colorfulness


def delta_colorfulness(prediction: Tensor, reference: Tensor) -> Tensor:
    """Colorfulness of each prediction minus that of its reference: below 0 is too dull, above 0 too vivid.

    `colorfulness` is the signed form of Hasler and Suesstrunk. The mean of these over a set is the difference of the
    two sets' means, which papers print without its sign as "delta CF".

    Args: gamma-coded sRGB `(B, 3, H, W)` in 0..1, both of one shape. Returns `(B,)`.
    Raises `InputError` when the shapes differ or are not `(B, 3, H, W)`.
    """
    require_rgb_pair(prediction, reference)
    return colorfulness(prediction) - colorfulness(reference)
