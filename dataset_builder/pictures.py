"""The pictures of a dataset: brought to size, encoded, and the grey conditioning image made from L*."""

import functools
import io
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image, ImageColor, ImageOps

from autochrome import color
from autochrome.errors import SettingError

FITS = ("short_side", "crop", "pad", "keep")
FORMATS = {"jpeg": "JPEG", "webp": "WEBP", "png": "PNG"}
CONDITIONING_FORMATS = {"png": "PNG", "jpeg": "JPEG"}
MIN_SIZE_PX, MAX_SIZE_PX = 8, 8192
_STEPS = 2**18  # of luminance: fine enough that few of them span two grey levels, small enough for the cache


@dataclass
class PictureConfig:
    """How pictures are brought to size and stored."""

    size: int = 512
    """Side in pixels that `fit` aims at, 8..8192."""
    fit: str = "short_side"
    """`short_side`: the short side becomes `size`, the aspect ratio stays; `crop`: that, then the central square;
    `pad`: the long side becomes `size`, then bars make it a square; `keep`: pictures stay as they are."""
    enlarge: bool = False
    """Whether pictures smaller than `size` are enlarged; otherwise they keep their pixels (`pad`: with wider bars)."""
    pad_color: str = "#000000"
    """Color of the bars of `pad`: a name or #rrggbb."""
    format: str = "jpeg"
    """File format of the color pictures: `jpeg` (full chroma, 4:4:4), `webp` (lossy, halves the chroma) or `png`."""
    quality: int = 95
    """Quality of `jpeg` and `webp`, 1..100; `png` is lossless and has none."""
    conditioning_format: str = "png"
    """File format of the conditioning images: `png`, lossless, or `jpeg` (half the bytes, at `quality`)."""

    def __post_init__(self) -> None:
        """Raises `SettingError` for a value that is not allowed."""
        if not MIN_SIZE_PX <= self.size <= MAX_SIZE_PX:
            raise SettingError(f"pictures.size must be {MIN_SIZE_PX}..{MAX_SIZE_PX} pixels, got {self.size}")
        if not 1 <= self.quality <= 100:
            raise SettingError(f"pictures.quality must be 1..100, got {self.quality}")
        choices = {"fit": FITS, "format": tuple(FORMATS), "conditioning_format": tuple(CONDITIONING_FORMATS)}
        for name, allowed in choices.items():
            if getattr(self, name) not in allowed:
                raise SettingError(f"pictures.{name} must be one of {', '.join(allowed)}; got {getattr(self, name)!r}")
        try:
            ImageColor.getrgb(self.pad_color)
        except ValueError as error:
            raise SettingError(
                f"pictures.pad_color must be a color such as black or #808080, got {self.pad_color!r}"
            ) from error


def prepare(picture: Image.Image, config: PictureConfig) -> Image.Image:
    """Bring a picture (mode RGB) to size as `config.fit` says: a picture of mode RGB.

    Shrinking is Pillow's Lanczos filter on gamma-coded values. What `crop` cuts off is even on both sides.
    """
    width, height = picture.size
    if config.fit == "keep":
        return picture
    scale = config.size / (max(width, height) if config.fit == "pad" else min(width, height))
    if scale < 1 or config.enlarge:
        size = max(1, round(width * scale)), max(1, round(height * scale))
        picture = picture.resize(size, Image.Resampling.LANCZOS, reducing_gap=3.0)
    if config.fit == "crop":
        side = min(picture.size)
        return ImageOps.fit(picture, (side, side), Image.Resampling.LANCZOS)
    if config.fit == "pad":
        canvas = Image.new("RGB", (config.size, config.size), config.pad_color)
        canvas.paste(picture, ((config.size - picture.width) // 2, (config.size - picture.height) // 2))
        return canvas
    return picture


def conditioning_image(picture: Image.Image) -> Image.Image:
    """The grey picture (mode L) that has the L* of each pixel of a picture of mode RGB, rounded to 8 bits.

    This is `lightness_to_grey(rgb_to_lightness(rgb))` in double precision, looked up in a table of all 2^24 colors,
    which is made when first asked for (a fifth of a second, 17 MB).
    """
    if picture.mode != "RGB":
        raise ValueError(f"picture must be of mode RGB, got {picture.mode}")
    codes = np.frombuffer(picture.tobytes("raw", "BGRX"), np.dtype("<u4"))  # the fourth byte is 0
    return Image.fromarray(_grey_of_every_color().take(codes).reshape(picture.height, picture.width))


def encode(picture: Image.Image, config: PictureConfig) -> bytes:
    """The file of a color picture (mode RGB), without metadata; the same bytes for the same pixels."""
    return _encode(picture, FORMATS[config.format], config.quality)


def encode_conditioning(picture: Image.Image, config: PictureConfig) -> bytes:
    """The file of a conditioning image (mode L), without metadata; the same bytes for the same pixels."""
    return _encode(picture, CONDITIONING_FORMATS[config.conditioning_format], config.quality)


def _encode(picture: Image.Image, kind: str, quality: int) -> bytes:
    file = io.BytesIO()
    if kind == "JPEG" and picture.mode == "RGB":
        picture.save(file, kind, quality=quality, subsampling="4:4:4")  # half the chroma would be half the truth
    elif kind == "PNG":
        picture.save(file, kind, compress_level=3)  # a tenth larger than Pillow's default of 6, three times as fast
    else:
        picture.save(file, kind, quality=quality)
    return file.getvalue()


@functools.cache
def _grey_of_every_color() -> npt.NDArray[np.uint8]:
    """The grey level of each color, at 65536 R + 256 G + B.

    Luminance goes in fixed point to a grey level, and the few colors so near to the middle between two levels that
    this could err are computed in full.
    """
    (reds, greens, blues), levels = _luminances()
    green_and_blue = (greens[:, None] + blues).flatten()
    table = np.empty((256, 256 * 256), np.uint8)
    for red, plane in enumerate(table):
        grey = levels[green_and_blue + reds[red]]
        (unsure,) = np.nonzero(grey < 0)
        plane[:] = grey
        plane[unsure] = _exact_grey(np.stack((np.full_like(unsure, red), unsure // 256, unsure % 256)))
    return table.reshape(-1)


def _exact_grey(levels: npt.NDArray[np.int64]) -> npt.NDArray[np.uint8]:
    """Grey levels `(N,)` of 8-bit colors `(3, N)`."""
    rgb = torch.from_numpy(levels)[:, :, None].to(torch.float64) / 255
    exact = color.lightness_to_grey(color.rgb_to_lightness(rgb)).flatten()
    return exact.mul(255).round().clamp(0, 255).to(torch.uint8).numpy()


def _luminances() -> tuple[npt.NDArray[np.int32], npt.NDArray[np.int16]]:
    """What each level of R, G and B adds to luminance in fixed point, `(3, 256)`; and the grey level of each luminance.

    Each of the three is rounded by up to 0.5: a luminance may be wrong by 1.5. Where that decides, the level is -1.
    """
    weights = color.linear_to_xyz(torch.eye(3, dtype=torch.float64)[:, :, None, None])[:, 1].flatten()
    linear = color.srgb_to_linear(torch.arange(256, dtype=torch.float64) / 255)
    luminances = (weights[:, None] * linear * _STEPS).round()
    steps = torch.arange(int(luminances[:, -1].sum()) + 1, dtype=torch.float64)
    low, high = (
        color.lightness_to_grey(color.luminance_to_lightness((steps + error).clamp_min(0) / _STEPS)).mul(255).round()
        for error in (-2, 2)
    )
    levels = torch.where(low == high, low, -1).clamp_max(255)
    return luminances.to(torch.int32).numpy(), levels.to(torch.int16).numpy()
