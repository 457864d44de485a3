"""What must be true of a single row of a dataset."""

import hashlib
import io
from typing import Any

import numpy as np
import torch
from PIL import Image

from autochrome import color
from autochrome.errors import PictureError
from autochrome.image import picture_to_lightness, read_picture
from dataset_builder.duplicates import perceptual_hash
from dataset_builder.pictures import conditioning_image

MAX_GREY_DIFFERENCE = 1.0
"""Allowed between conditioning image and the L* of the image, both shrunk 8 times: the mean, in 8-bit levels. JPEG of
quality 50 comes to 0.64 and hides at this scale; luma in place of L* comes to 1 in the median and up to 7."""
MAX_GREY_DIFFERENCE_ANYWHERE = 8.0
"""The same for the worst place: JPEG of quality 50 comes to 6, luma to 29."""

_SHRINK = 8


def check_row(row: dict[str, Any], is_aged: bool) -> tuple[list[str], tuple[str, int] | None]:
    """What is wrong with one row; and its picture's SHA-256 and perceptual hash (None where it cannot be read).

    Pictures must decode, have the mode and the size that they should, and the SHA-256 that their column says; the
    conditioning image must be the L* of the image, unless pictures were aged; nothing may be null, nor source and
    license empty.
    """
    problems = [f"{name} is empty" for name in ("source", "license") if not row[name]]
    problems += [f"{name} is null" for name in ("text", "text_color", "attribution") if row[name] is None]
    pictures = {}
    for name, mode in (("image", "RGB"), ("conditioning_image", "L")):
        try:
            pictures[name] = _read(row[name], mode)
        except PictureError as error:
            problems.append(f"{name}: {error}")
    for name, picture in pictures.items():
        if picture.size != (row["width"], row["height"]):
            problems.append(f"{name} is {_size(picture)}, its columns say {row['width']} x {row['height']}")
    if "image" not in pictures:
        return problems, None
    sha256 = hashlib.sha256(row["image"]["bytes"]).hexdigest()
    if sha256 != row["sha256"]:
        problems.append(f"sha256 is {row['sha256']}, that of the image's bytes is {sha256}")
    if len(pictures) == 2 and pictures["image"].size == pictures["conditioning_image"].size and not is_aged:
        mean, most = grey_difference(pictures["image"], pictures["conditioning_image"])
        if mean > MAX_GREY_DIFFERENCE or most > MAX_GREY_DIFFERENCE_ANYWHERE:
            problems.append(
                f"conditioning_image is not the L* of image: shrunk {_SHRINK} times they differ by {mean:.1f} levels "
                f"in the mean and {most:.1f} at most, allowed are {MAX_GREY_DIFFERENCE:g} and "
                f"{MAX_GREY_DIFFERENCE_ANYWHERE:g}"
            )
    return problems, (sha256, perceptual_hash(conditioning_image(pictures["image"])))


def _read(cell: dict[str, Any] | None, mode: str) -> Image.Image:
    """The picture of a cell, if it is one of that mode."""
    if cell is None or not cell.get("bytes"):
        raise PictureError("no bytes are embedded")
    picture = read_picture(cell["bytes"])
    with Image.open(io.BytesIO(cell["bytes"])) as stored:
        if stored.mode != mode:
            raise PictureError(f"its mode is {stored.mode}, it must be {mode}")
    return picture if mode == "RGB" else picture.getchannel(0)


def grey_difference(picture: Image.Image, grey: Image.Image) -> tuple[float, float]:
    """How far `grey` (mode L) is from the grey that has the L* of `picture` (mode RGB, same size): mean and maximum.

    In 8-bit levels, both shrunk 8 times first: the noise of a lossy format is gone then, another kind of grey is not.
    """
    levels = color.lightness_to_grey(picture_to_lightness(picture)).mul(255).round().to(torch.uint8)[0, 0].numpy()
    factor = min(_SHRINK, *picture.size)
    one, other = (np.asarray(picture.reduce(factor), dtype=np.float32) for picture in (Image.fromarray(levels), grey))
    difference = np.abs(one - other)
    return float(difference.mean()), float(difference.max())


def _size(picture: Image.Image) -> str:
    return f"{picture.width} x {picture.height}"
