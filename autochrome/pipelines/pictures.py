"""What counts as a picture where pipelines are called."""

from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image

from autochrome.errors import PictureError
from autochrome.image import read_picture

Picture = PIL.Image.Image | str | Path | bytes | np.ndarray[Any, np.dtype[np.uint8]]
"""A picture, a path, the bytes of a file, or uint8 RGB of shape `(H, W, 3)`."""


def open_picture(picture: Any) -> PIL.Image.Image:
    """A `Picture` as RGB or RGBA, 8 bit, sRGB, upright.

    Raises:
        PictureError: it is not a picture, damaged, or too large.
    """
    if isinstance(picture, np.ndarray):
        if picture.dtype != np.uint8 or picture.ndim != 3 or picture.shape[2] != 3 or 0 in picture.shape:
            raise PictureError(
                f"a picture given as an array must be uint8 RGB of shape (height, width, 3), "
                f"got {picture.dtype} of shape {picture.shape}"
            )
        picture = PIL.Image.fromarray(picture)
    return read_picture(picture)
