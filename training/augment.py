"""Random changes of training pictures, each decided by the random generator it is given alone."""

import io
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from autochrome.color import lightness_to_grey, rgb_to_lightness
from autochrome.errors import SettingError

_MIDDLE_LIGHTNESS = 50.0


@dataclass
class Augmentation:
    """Changes of the grey picture that the network is given; the colours to be found stay those of the photograph.

    So a model learns that a faded, dark or much compressed scan shows the same things. The defaults change nothing.
    """

    exposure: float = 0.0
    """Up to so many units of L* darker or lighter."""
    contrast: float = 1.0
    """L* stretched or squeezed around 50 by up to this factor."""
    jpeg_share: float = 0.0
    """Share of the pictures that are saved as JPEG and read again, at the training size."""
    jpeg_quality: list[int] = field(default_factory=lambda: [30, 95])
    """Lowest and highest quality of those, 1..100."""

    @property
    def enabled(self) -> bool:
        """Whether anything is changed at all."""
        return (self.exposure, self.contrast, self.jpeg_share) != (0, 1, 0)

    def check(self) -> None:
        """Raises `SettingError` where a value is out of its range."""
        if not 0 <= self.exposure <= 100:
            raise SettingError(f"augmentation.exposure must lie in 0..100 units of L*, got {self.exposure}")
        if self.contrast < 1:
            raise SettingError(f"augmentation.contrast is a factor of at least 1, got {self.contrast}")
        if not 0 <= self.jpeg_share <= 1:
            raise SettingError(f"augmentation.jpeg_share must lie in 0..1, got {self.jpeg_share}")
        low, high = self.jpeg_quality if len(self.jpeg_quality) == 2 else (0, 0)
        if not 1 <= low <= high <= 100:
            raise SettingError(
                f"augmentation.jpeg_quality must be two rising qualities in 1..100, got {self.jpeg_quality}"
            )


def conditioning_image(photo: Tensor, augmentation: Augmentation, rng: np.random.Generator) -> Tensor:
    """The changed grey picture of a photograph: sRGB uint8 `(3, H, W)` to gamma-coded grey uint8 `(1, H, W)`."""
    shift = rng.uniform(-1, 1) * augmentation.exposure
    stretch = float(np.exp(rng.uniform(-1, 1) * np.log(augmentation.contrast)))
    lightness = rgb_to_lightness(photo.float() / 255)
    lightness = (lightness - _MIDDLE_LIGHTNESS) * stretch + _MIDDLE_LIGHTNESS + shift
    grey = lightness_to_grey(lightness.clamp(0, 100)).mul(255).round().to(torch.uint8)
    quality = int(rng.integers(augmentation.jpeg_quality[0], augmentation.jpeg_quality[1] + 1))
    return _as_jpeg(grey, quality) if rng.random() < augmentation.jpeg_share else grey


def random_crop(
    rng: np.random.Generator, size: Sequence[int], scale: tuple[float, float], aspect: float
) -> tuple[int, int, int, int]:
    """(top, left, height, width) of a crop with a random share of the area, stretched by up to `aspect` either way."""
    full_height, full_width = int(size[0]), int(size[1])
    area = rng.uniform(*scale) * min(full_height, full_width) ** 2
    stretch = np.exp(rng.uniform(-1, 1) * np.log(aspect))
    height = min(full_height, max(1, round(float(np.sqrt(area * stretch)))))
    width = min(full_width, max(1, round(float(np.sqrt(area / stretch)))))
    top = int(rng.integers(full_height - height + 1))
    left = int(rng.integers(full_width - width + 1))
    return top, left, height, width


def _as_jpeg(grey: Tensor, quality: int) -> Tensor:
    """Grey uint8 `(1, H, W)`, saved as JPEG and read again."""
    buffer = io.BytesIO()
    Image.fromarray(grey[0].numpy()).save(buffer, format="JPEG", quality=quality)
    with Image.open(buffer) as picture:
        return torch.from_numpy(np.array(picture))[None]
