"""PIL pictures to and from tensors, L* of 8-bit pictures by table, sizes and resizing."""

import functools
import math
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor

from autochrome import color

_STRIP_PIXELS = 2**18
"""Work goes in strips of about this many pixels: memory stays flat, and a strip's float planes stay in the cache."""


def picture_to_tensor(picture: Image.Image) -> Tensor:
    """A picture (mode RGB or RGBA; alpha is dropped) to gamma-coded sRGB `(1, 3, H, W)`, float32, 0..1."""
    pixels = torch.from_numpy(np.array(require_picture(picture)))[..., :3]
    return pixels.permute(2, 0, 1)[None].to(torch.float32, memory_format=torch.contiguous_format).div_(255)


def tensor_to_picture(rgb: Tensor) -> Image.Image:
    """Gamma-coded sRGB `(1, 3, H, W)` or `(3, H, W)`, float, to a picture of mode RGB; clipped to 0..1 and rounded."""
    if rgb.ndim == 4 and rgb.shape[0] == 1:
        rgb = rgb[0]
    if rgb.ndim != 3 or rgb.shape[0] != 3 or not rgb.is_floating_point():
        raise ValueError(f"rgb must be float of shape (1, 3, H, W) or (3, H, W), got {rgb.dtype} {tuple(rgb.shape)}")
    if not torch.isfinite(rgb).all():
        raise ValueError("rgb must be finite; it holds NaN or infinity")
    levels = rgb.detach().cpu().float().clamp(0, 1).mul(255).round_().to(torch.uint8)
    return Image.fromarray(levels.permute(1, 2, 0).contiguous().numpy())


def picture_to_lightness(picture: Image.Image) -> Tensor:
    """L* (CIELAB, D65) of a picture (mode RGB or RGBA), as `(1, 1, H, W)` float32 in 0..100."""
    width, height = require_picture(picture).size
    lightness = torch.empty(1, 1, height, width)
    for top, bottom in strips(picture):
        lightness[:, :, top:bottom] = strip_to_lightness(picture, top, bottom)
    return lightness


def strips(picture: Image.Image) -> Iterator[tuple[int, int]]:
    """The rows of a picture as (top, bottom) of consecutive strips, from top to bottom."""
    width, height = picture.size
    rows = max(1, _STRIP_PIXELS // width)
    for top in range(0, height, rows):
        yield top, min(top + rows, height)


def strip_to_lightness(picture: Image.Image, top: int, bottom: int) -> Tensor:
    """L* of the rows `top` to `bottom` (excluded), as `(1, 1, bottom - top, W)` float32 in 0..100."""
    pixels = np.asarray(picture.crop((0, top, picture.width, bottom)))
    red, green, blue = pixels[..., 0], pixels[..., 1], pixels[..., 2]
    luminances, lightnesses = _tables()
    if np.array_equal(red, green) and np.array_equal(green, blue):  # the usual case here, and twice as fast
        return torch.from_numpy(lightnesses.take(green))[None, None]
    luminance = luminances[0].take(red)
    luminance += luminances[1].take(green)
    luminance += luminances[2].take(blue)
    return color.luminance_to_lightness(torch.from_numpy(luminance)).clamp_(0, 100)[None, None]


@functools.cache
def _tables() -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
    """What each 8-bit level of R, G and B adds to luminance Y, `(3, 256)`; and the L* of each grey level, `(256,)`."""
    levels = torch.arange(256, dtype=torch.float64) / 255
    weights = color.linear_to_xyz(torch.eye(3, dtype=torch.float64)[:, :, None, None])[:, 1].flatten()
    luminances = weights[:, None] * color.srgb_to_linear(levels)
    return luminances.float().numpy(), color.grey_to_lightness(levels).clamp(0, 100).float().numpy()


def working_size(width: int, height: int, side_px: int, multiple: int) -> tuple[int, int]:
    """The (width, height) at which a model works: about `side_px ** 2` pixels in the picture's own aspect ratio.

    Both sides are multiples of `multiple` and at least that. Of a picture so thin that its short side would be
    shorter, the long side is held at `side_px ** 2 / multiple`, so that the work stays bounded.
    """
    assert min(width, height, side_px, multiple) >= 1
    scale = side_px / math.sqrt(width * height)
    longest = side_px**2 / multiple

    def fit(side: int) -> int:
        return max(1, round(min(side * scale, longest) / multiple)) * multiple

    return fit(width), fit(height)


def resize(tensor: Tensor, size: tuple[int, int]) -> Tensor:
    """Resize `(B, C, H, W)` to `size` = (width, height): bilinear, its filter widened where it shrinks."""
    width, height = size
    if tensor.shape[-2:] == (height, width):
        return tensor
    return F.interpolate(tensor, size=(height, width), mode="bilinear", antialias=True)


def require_picture(picture: Image.Image) -> Image.Image:
    if picture.mode not in ("RGB", "RGBA"):
        raise ValueError(f"picture must be of mode RGB or RGBA, got {picture.mode}; read it with read_picture")
    return picture
