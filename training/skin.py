"""Skin-toned pixels: adversarial training past its best turns skin orange, long before any mean figure shows it."""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from autochrome.color import lab_to_chroma

LIGHTNESS = (25.0, 90.0)
CHROMA = (10.0, 40.0)
HUE_DEG = (30.0, 80.0)
MIN_PIXELS = 5000
"""Below so many the mean of a set says little."""


def skin_mask(lab: Tensor) -> Tensor:
    """Which pixels of Lab `(B, 3, H, W)` have a color that skin has: bool `(B, 1, H, W)`.

    A box in lightness, chroma and hue angle around measured skin of several origins (Weatherall and Coombs 1992,
    "Skin color measurements in terms of CIELAB color space values"; Xiao et al. 2017, "Characterising the variations in
    ethnic skin colours"), wider than theirs for the light and shade of photographs. Wood, sand and bread lie in it too:
    a share of it is skin, and colors drift there likewise.
    """
    lightness, chroma = lab[:, :1], lab_to_chroma(lab)
    hue = torch.rad2deg(torch.atan2(lab[:, 2:], lab[:, 1:2]))
    inside = torch.ones_like(hue, dtype=torch.bool)
    for values, (low, high) in ((lightness, LIGHTNESS), (chroma, CHROMA), (hue, HUE_DEG)):
        inside &= (values >= low) & (values <= high)
    return inside


@dataclass
class SkinTone:
    """Mean color over chosen pixels, added up batch by batch."""

    num_pixels: int = 0
    sum_a: float = 0.0
    sum_b: float = 0.0
    sum_chroma: float = 0.0

    def add(self, lab: Tensor, mask: Tensor) -> None:
        """Take in the pixels of Lab `(B, 3, H, W)` where the mask `(B, 1, H, W)` holds."""
        chosen = mask.double()
        self.num_pixels += int(mask.sum().item())
        self.sum_a += (lab[:, 1:2] * chosen).sum().item()
        self.sum_b += (lab[:, 2:] * chosen).sum().item()
        self.sum_chroma += (lab_to_chroma(lab) * chosen).sum().item()

    @property
    def hue_deg(self) -> float:
        """Hue angle of the mean a*b*, in degrees; 0 without pixels."""
        return math.degrees(math.atan2(self.sum_b, self.sum_a))

    @property
    def chroma(self) -> float:
        """Mean chroma, in Lab units; 0 without pixels."""
        return self.sum_chroma / max(1, self.num_pixels)


def hue_turn_deg(hue_deg: float, from_deg: float) -> float:
    """The shorter way from one hue angle to another, in -180..180 degrees; positive is towards yellow, for skin."""
    return (hue_deg - from_deg + 180) % 360 - 180
