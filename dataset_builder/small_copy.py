"""The small copy of a picture on which it is judged and its colors are named: its Lab is computed once for both."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from PIL import Image
from torch import Tensor

from autochrome import color
from autochrome.image import picture_to_tensor

SIDE_PX = 64


@dataclass(frozen=True)
class SmallCopy:
    """A square copy in which every pixel counts, by averaging; the aspect ratio is lost.

    Attributes:
        rgb: gamma-coded sRGB `(1, 3, 64, 64)` in 0..1.
        lab: the same in CIELAB, `(64, 64, 3)`: L* 0..100, a* and b* in Lab units.
    """

    rgb: Tensor
    lab: npt.NDArray[np.float64]

    @classmethod
    def of(cls, picture: Image.Image) -> "SmallCopy":
        """The small copy of a picture of mode RGB, however large."""
        if picture.mode != "RGB":
            raise ValueError(f"picture must be of mode RGB, got {picture.mode}")
        # The gap of 1 lets whole blocks of pixels be averaged first, which takes half the time.
        small = picture.resize((SIDE_PX, SIDE_PX), Image.Resampling.BOX, reducing_gap=1.0)
        rgb = picture_to_tensor(small)
        lab = color.rgb_to_lab(rgb)[0].permute(1, 2, 0).double().contiguous()
        return cls(rgb, lab.numpy())

    def colors(self) -> npt.NDArray[np.float64]:
        """Lab of 32 x 32 pixels, `(1024, 3)`: the means of four each."""
        half = SIDE_PX // 2
        means: npt.NDArray[np.float64] = self.lab.reshape(half, 2, half, 2, 3).mean(axis=(1, 3)).reshape(-1, 3)
        return means
