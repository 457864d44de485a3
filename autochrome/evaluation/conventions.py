"""What each number means, said in one line, and which way it is better."""

from typing import Literal, NamedTuple

from autochrome.metrics.conventions import CONVENTIONS as TEXTS

Better = Literal["higher", "lower", "nearer 0"] | None


class Convention(NamedTuple):
    """How a measure is computed, and which values are better; None where neither way is by itself."""

    text: str
    better: Better


_HIGHER = {"psnr", "ssim"}
_NEARER_0 = {"delta_colorfulness", "color_bleeding"}
_NEITHER = {"colorfulness", "colorfulness_abs"}
_OF_PAIRS = {
    "delta_colorfulness_mean_absolute": "mean over pictures of the absolute difference of colorfulness",
}


def _better(name: str) -> Better:
    if name in _NEITHER:
        return None
    if name in _NEARER_0:
        return "nearer 0"
    return "higher" if name in _HIGHER else "lower"


CONVENTIONS: dict[str, Convention] = {
    name: Convention(text, _better(name)) for name, text in {**TEXTS, **_OF_PAIRS}.items()
}
"""Of every number of pictures and sets by its name."""
