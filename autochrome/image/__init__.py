"""Pictures: safe reading and writing, tensors to and from PIL, resizing, and the L* merge.

A "picture" is always a PIL image of mode RGB or RGBA, 8 bit, sRGB, upright: what `read_picture` gives.
"""

from autochrome.image.merging import merge_picture, upsample_ab
from autochrome.image.reading import MAX_PIXELS, MAX_SIDE_PX, PICTURE_SUFFIXES, read_picture
from autochrome.image.tensors import (
    picture_to_lightness,
    picture_to_tensor,
    resize,
    tensor_to_picture,
    working_size,
)
from autochrome.image.writing import write_png

__all__ = [
    "MAX_PIXELS",
    "MAX_SIDE_PX",
    "PICTURE_SUFFIXES",
    "merge_picture",
    "picture_to_lightness",
    "picture_to_tensor",
    "read_picture",
    "resize",
    "tensor_to_picture",
    "upsample_ab",
    "working_size",
    "write_png",
]
