"""Pictures inside an answer: as addresses that hold their bytes, so that no further request is made."""

import base64
import io
from typing import Any

import numpy as np
import PIL.Image
from torch import Tensor

JPEG_QUALITY = 92
"""Of previews and thumbnails: a third of PNG's time. What is downloaded is lossless."""

DOUBT_COLOR = (150, 40, 255)
"""Violet: photographs have little of it, so that it is not taken for the picture's."""

MAX_OPACITY = 0.8

MIN_SPREAD = 5.0
"""Lab units between clear and strong at least, so that a map that says the same everywhere does not look lively."""


def as_jpeg(picture: PIL.Image.Image) -> str:
    """A data address of a picture, RGB or RGBA; transparent parts are white."""
    if picture.mode == "RGBA":
        white = PIL.Image.new("RGBA", picture.size, "white")
        picture = PIL.Image.alpha_composite(white, picture)
    file = io.BytesIO()
    picture.convert("RGB").save(file, format="JPEG", quality=JPEG_QUALITY, subsampling=0)
    return _address("image/jpeg", file.getvalue())


def doubt_overlay(expected_error: Tensor) -> dict[str, Any]:
    """Where a model guesses, to be laid over the picture: the more, the less transparent.

    Args:
        expected_error: `(1, 1, h, w)`, Lab units.

    Returns:
        `picture`, a data address of a small PNG; `low` and `high`, the Lab units at its palest and its strongest.
    """
    values = expected_error[0, 0].float().numpy()
    low, high = float(values.min()), float(values.max())
    opacity = np.clip((values - low) / max(high - low, MIN_SPREAD), 0, 1) * MAX_OPACITY
    levels = np.empty((*values.shape, 4), np.uint8)
    levels[..., :3] = DOUBT_COLOR
    levels[..., 3] = np.round(opacity * 255)
    file = io.BytesIO()
    PIL.Image.fromarray(levels).save(file, format="PNG")
    return {"picture": _address("image/png", file.getvalue()), "low": low, "high": high}


def _address(kind: str, content: bytes) -> str:
    return f"data:{kind};base64,{base64.b64encode(content).decode('ascii')}"
