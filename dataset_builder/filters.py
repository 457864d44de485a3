"""Which pictures harm training: a handful of measures on a small copy, and a threshold for each."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from autochrome.errors import SettingError
from autochrome.metrics.colorfulness import colorfulness
from dataset_builder.small_copy import SmallCopy

MAX_DUPLICATE_DISTANCE = 16
_TINT_STEPS = 16


@dataclass
class FilterConfig:
    """Thresholds; a picture beyond one is left out and named in rejected.jsonl. `null` switches a filter off."""

    min_side: int | None = 64
    """Shortest side allowed, in pixels (reason `too_small`)."""
    max_aspect: float | None = 3.0
    """Largest ratio of the long to the short side (reason `extreme_aspect`)."""
    min_lightness: float | None = 5.0
    """Smallest mean L*, 0..100 (reason `too_dark`)."""
    max_lightness: float | None = 97.0
    """Largest mean L*, 0..100 (reason `too_bright`)."""
    min_chroma: float | None = 3.0
    """Smallest mean chroma C*, in Lab units (reason `near_grey`)."""
    min_tint_residual: float | None = 2.2
    """Smallest RMS distance of a*b* from a single tint, in Lab units; sepia has next to none (reason `single_tint`)."""
    min_colorfulness: float | None = 6.0
    """Smallest colorfulness of Hasler and Suesstrunk, 0..255 scale (reason `low_colorfulness`)."""
    duplicate_distance: int | None = 3
    """Pictures whose 64-bit perceptual hashes differ in at most so many bits, 0..16, are duplicates, and the first is
    kept; `null` looks for exact duplicates only."""

    def __post_init__(self) -> None:
        """Raises `SettingError` where no picture could pass, or a threshold means nothing."""
        for name in (
            "min_side",
            "min_lightness",
            "max_lightness",
            "min_chroma",
            "min_tint_residual",
            "min_colorfulness",
        ):
            value = getattr(self, name)
            if value is not None and value < 0:
                raise SettingError(f"filters.{name} must be at least 0, or null for no limit; got {value}")
        if self.max_aspect is not None and self.max_aspect < 1:
            raise SettingError(f"filters.max_aspect must be at least 1 (a square), or null; got {self.max_aspect}")
        low, high = self.min_lightness or 0.0, 100.0 if self.max_lightness is None else self.max_lightness
        if low >= high:
            raise SettingError(f"filters.min_lightness ({low:g}) must be below filters.max_lightness ({high:g})")
        if self.duplicate_distance is not None and not 0 <= self.duplicate_distance <= MAX_DUPLICATE_DISTANCE:
            raise SettingError(
                f"filters.duplicate_distance must be 0..{MAX_DUPLICATE_DISTANCE} bits, or null for exact duplicates "
                f"only; got {self.duplicate_distance}"
            )


def measure(small: SmallCopy) -> dict[str, float]:
    """What the filters look at, from a small copy of a picture: noise and JPEG blocks are averaged out.

    `lightness`: mean L*, 0..100. `chroma`: mean C*, Lab units. `tint_residual`: what is left
    of a*b*, root mean square in Lab units, when from each pixel the mean a*b* of its sixteenth of the pixels, sorted by
    L*, is taken away: small for grey, sepia and any toned picture, whose color follows its lightness. `colorfulness`:
    Hasler and Suesstrunk (2003), 0..255 scale, a little lower than at full size.
    """
    pixels = small.lab.reshape(-1, 3)
    lightness, ab = pixels[:, 0], pixels[:, 1:]
    return {
        "lightness": float(lightness.mean()),
        "chroma": float(np.hypot(ab[:, 0], ab[:, 1]).mean()),
        "tint_residual": _tint_residual(lightness, ab),
        "colorfulness": float(colorfulness(small.rgb)[0]),
    }


def reject(width: int, height: int, measures: dict[str, float], config: FilterConfig) -> tuple[str, str] | None:
    """The first filter that a picture of this size and `measure` fails, or None.

    Returns (reason, detail), e.g. ("near_grey", "mean chroma 1.21 < 2"); the reasons are named in `FilterConfig`.
    """
    short, long = sorted((width, height))
    low, high = "<", ">"
    checks: tuple[tuple[str, str, float, str, float | None], ...] = (
        ("too_small", "short side in pixels", short, low, config.min_side),
        ("extreme_aspect", "long to short side", long / short, high, config.max_aspect),
        ("too_dark", "mean L*", measures["lightness"], low, config.min_lightness),
        ("too_bright", "mean L*", measures["lightness"], high, config.max_lightness),
        ("near_grey", "mean chroma", measures["chroma"], low, config.min_chroma),
        ("single_tint", "distance from one tint", measures["tint_residual"], low, config.min_tint_residual),
        ("low_colorfulness", "colorfulness", measures["colorfulness"], low, config.min_colorfulness),
    )
    for reason, what, value, side, limit in checks:
        if limit is not None and (value < limit if side == low else value > limit):
            return reason, f"{what} {value:.4g} {side} {limit:g}"
    return None


def _tint_residual(lightness: npt.NDArray[np.float64], ab: npt.NDArray[np.float64]) -> float:
    order = (lightness * 600).astype(np.uint16).argsort(kind="stable")  # whole numbers are sorted ten times as fast
    steps = ab[order].reshape(_TINT_STEPS, -1, 2)
    left = steps - steps.mean(axis=1, keepdims=True)
    return float(np.sqrt(np.square(left).sum(axis=2).mean()))
