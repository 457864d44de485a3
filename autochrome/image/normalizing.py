"""From any mode of picture file to 8-bit sRGB, upright: depth, transparency, colour profile, orientation."""

import io
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageCms

_ORIENTATION_TAG = 0x0112
_BITS_TAG = 258
_PHOTOMETRIC_TAG = 262

_UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


def to_upright_srgb(picture: Image.Image) -> Image.Image:
    """A decoded PIL image of any mode to a new one of mode RGB or RGBA, 8 bit, sRGB, upright, without metadata.

    - Transparency (alpha channel, palette or key colour) is kept as alpha, not premultiplied.
    - 16-bit grey is scaled to 8 bit with rounding (12-bit TIFF from its own white). Pillow itself reads 16-bit colour
      as 8 bit. Of 32-bit numbers white is the smallest of 1 (float only), 255 (float only) and 65535 that none
      exceeds, else the largest; negative and undefined (NaN) ones are black.
    - An embedded ICC profile is applied (relative colorimetric, with black point compensation). One that is broken, or
      is for other channels than the picture has, is passed over, as web browsers do: the pixels are then taken for
      sRGB, or for plain inks (CMYK). One that moves no colour by more than one 8-bit step is sRGB: no pixel changes.
    - EXIF (or XMP) orientation is applied; an unreadable one counts as upright.
    """
    orientation = _orientation(picture)
    profile = picture.info.get("icc_profile")
    if picture.mode in ("I", "F") or picture.mode.startswith("I;16"):
        colors, alpha = _numbers_to_grey(picture)
    else:
        colors, alpha = _split_alpha(picture)
    colors = _apply_profile(colors, profile).convert("RGB")
    if alpha is not None:
        colors.putalpha(alpha)
    if orientation in _UPRIGHT:
        colors = colors.transpose(_UPRIGHT[orientation])
    elif colors is picture:
        colors = colors.copy()
    colors.info = {}
    return colors


def _orientation(picture: Image.Image) -> int:
    try:
        orientation = picture.getexif().get(_ORIENTATION_TAG, 1)
    except Exception:  # hostile EXIF raises nearly anything, and the pixels are good without it
        return 1
    return orientation if isinstance(orientation, int) else 1


def _split_alpha(picture: Image.Image) -> tuple[Image.Image, Image.Image | None]:
    """Colours in mode L, RGB, CMYK or LAB, and alpha in mode L where there is any."""
    alpha = None
    if picture.has_transparency_data:
        rgba = picture.convert("LA").convert("RGBA") if picture.mode == "La" else picture.convert("RGBA")
        alpha = rgba.getchannel("A")
        if picture.mode == "LA":
            return picture.getchannel("L"), alpha
        if picture.mode not in ("1", "L"):
            return rgba.convert("RGB"), alpha
    if picture.mode in ("L", "RGB", "CMYK", "LAB"):
        return picture, alpha
    return picture.convert("L" if picture.mode == "1" else "RGB"), alpha


def _numbers_to_grey(picture: Image.Image) -> tuple[Image.Image, Image.Image | None]:
    """Grey of 16 or 32 bits a pixel, integer or float, to mode L; alpha where one value is marked as transparent."""
    values = np.asarray(picture)
    tags = getattr(picture, "tag_v2", {})
    if picture.mode.startswith("I;16"):
        white = 4095 if tags.get(_BITS_TAG) == (12,) else 65535
        table = np.minimum((np.arange(65536) * 255 + white // 2) // white, 255).astype(np.uint8)
        grey = table[values]
    else:
        grey = _stretch(values, (65535.0,) if picture.mode == "I" else (1.0, 255.0, 65535.0))
    if tags.get(_PHOTOMETRIC_TAG) == 0:  # "white is zero", which Pillow leaves to us at this depth
        grey = 255 - grey
    key = picture.info.get("transparency")
    alpha = Image.fromarray(np.where(values == key, 0, 255).astype(np.uint8)) if isinstance(key, int) else None
    return Image.fromarray(grey), alpha


def _stretch(values: npt.NDArray[np.float32 | np.int32], whites: Sequence[float]) -> npt.NDArray[np.uint8]:
    numbers = np.nan_to_num(values.astype(np.float32), nan=0.0, posinf=np.inf, neginf=0.0)
    finite = numbers[np.isfinite(numbers)]
    highest = float(finite.max()) if finite.size else 0.0
    white = next((white for white in whites if highest <= white), highest)
    levels: npt.NDArray[np.uint8] = np.rint(np.clip(numbers / white, 0, 1) * 255).astype(np.uint8)
    return levels


def _apply_profile(colors: Image.Image, profile: object) -> Image.Image:
    """Mode L, RGB, CMYK or LAB with its ICC profile (bytes, or what else the file had) to sRGB, or as it is."""
    if isinstance(profile, bytes):
        try:
            return _to_srgb(colors, ImageCms.ImageCmsProfile(io.BytesIO(profile)))
        except (ImageCms.PyCMSError, OSError, ValueError, TypeError):
            pass
    if colors.mode == "LAB":  # Pillow's Lab is that of ICC (D50), so it is its own profile
        return _to_srgb(colors, ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")))
    return colors


def _to_srgb(colors: Image.Image, profile: ImageCms.ImageCmsProfile) -> Image.Image:
    space = profile.profile.xcolor_space.strip()
    mode = {"GRAY": "L", "RGB": "RGB", "CMYK": "CMYK", "Lab": "LAB"}.get(space, "")
    if mode != colors.mode and (mode, colors.mode) != ("RGB", "L"):
        raise ValueError(f"a profile for {space} on a picture of mode {colors.mode}")
    transform = ImageCms.buildTransform(
        profile,
        ImageCms.createProfile("sRGB"),
        mode,
        "RGB",
        renderingIntent=ImageCms.Intent.RELATIVE_COLORIMETRIC,
        flags=ImageCms.Flags.BLACKPOINTCOMPENSATION | ImageCms.Flags.NOOPTIMIZE * (colors.mode == "L"),
    )
    probe = _probe(colors.mode)
    if probe is None:
        return _transformed(colors, transform)
    before = np.asarray(probe.convert("RGB"), dtype=np.int16)
    after = np.asarray(_transformed(probe.convert(mode), transform), dtype=np.int16)
    if np.abs(after - before).max() <= 1:
        return colors
    if colors.mode == "L":  # grey stays grey, to the last bit, and a table is faster than a transform
        return colors.point(after[0, :, 1].tolist())
    return _transformed(colors, transform)


def _probe(mode: str) -> Image.Image | None:
    """A few colours that show what a profile does: all greys for L, a 6 x 6 x 6 cube for RGB."""
    if mode == "L":
        return Image.fromarray(np.arange(256, dtype=np.uint8)[None])
    if mode == "RGB":
        levels = np.arange(0, 256, 51, dtype=np.uint8)
        return Image.fromarray(np.stack(np.meshgrid(levels, levels, levels), axis=-1).reshape(1, -1, 3))
    return None


def _transformed(colors: Image.Image, transform: ImageCms.ImageCmsTransform) -> Image.Image:
    result = ImageCms.applyTransform(colors, transform)
    assert result is not None, "not in place, so it returns the new picture"
    return result
