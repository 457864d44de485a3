"""Reading: every format, mode and orientation that is promised."""

import io
import os
import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from picture_files import EXACT, LINEAR_RGB, PICTURE, QUADRANTS, RAMP, encode, pixels
from PIL import Image, TiffImagePlugin

from autochrome.image import PICTURE_SUFFIXES, read_picture

# --- what is read


@pytest.mark.parametrize("kind", ["PNG", "TIFF", "BMP", "GIF", "WEBP", "JPEG"])
@pytest.mark.parametrize("as_what", ["bytes", "path", "str", "stream", "pillow"])
def test_formats_and_sources(kind: str, as_what: str, tmp_path: Path) -> None:
    options = EXACT.get(kind, {})
    data = encode(PICTURE, kind, **options)
    path = tmp_path / "picture.bin"
    path.write_bytes(data)
    result: Image.Image
    if as_what == "stream":
        stream = io.BytesIO(data)
        stream.seek(5)
        result = read_picture(stream)
        assert not stream.closed
    elif as_what == "pillow":
        with Image.open(path) as opened:
            result = read_picture(opened)
    else:
        sources: dict[str, bytes | Path | str] = {"bytes": data, "path": path, "str": str(path)}
        result = read_picture(sources[as_what])
    assert type(result) is Image.Image
    assert result.mode == "RGB"
    assert result.info == {}
    tolerance = 20 if kind == "JPEG" else 0  # the encoder's, at the border in the middle of its 8 x 8 blocks
    assert np.abs(pixels(result).astype(int) - QUADRANTS).max() <= tolerance


def test_a_wrong_suffix_does_not_matter(tmp_path: Path) -> None:
    path = tmp_path / "really_a_png.jpg"
    path.write_bytes(encode(PICTURE, "PNG"))
    assert np.array_equal(pixels(read_picture(path)), QUADRANTS)


def test_suffixes_are_those_that_pillow_gives_our_formats() -> None:
    Image.init()
    ours = {suffix for suffix, kind in Image.registered_extensions().items() if suffix in PICTURE_SUFFIXES}
    assert ours == PICTURE_SUFFIXES
    assert {Image.registered_extensions()[suffix] for suffix in ours} == {"BMP", "GIF", "JPEG", "PNG", "TIFF", "WEBP"}


def test_a_stream_that_cannot_seek_is_read() -> None:
    reading, writing = os.pipe()
    with os.fdopen(writing, "wb") as file:
        file.write(encode(PICTURE, "PNG"))
    with os.fdopen(reading, "rb") as file:
        assert np.array_equal(pixels(read_picture(file)), QUADRANTS)


def test_the_pillow_picture_given_is_neither_changed_nor_shared() -> None:
    given_picture = PICTURE.copy()
    given_picture.info["icc_profile"] = LINEAR_RGB
    result = read_picture(given_picture)
    result.putpixel((0, 0), (1, 2, 3))
    assert np.array_equal(pixels(given_picture), QUADRANTS)
    assert given_picture.info["icc_profile"] == LINEAR_RGB
    plain = read_picture(PICTURE)
    plain.putpixel((0, 0), (1, 2, 3))
    assert np.array_equal(pixels(PICTURE), QUADRANTS)


def test_first_frame_of_an_animation() -> None:
    data = encode(PICTURE, "GIF", save_all=True, append_images=[Image.new("RGB", PICTURE.size, "white")])
    assert np.array_equal(pixels(read_picture(data)), QUADRANTS)


@pytest.mark.parametrize("value", [0, 1, 127, 128, 129, 254, 255])
@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
def test_16_bit_grey_is_scaled_with_rounding(value: int, kind: str) -> None:
    deep = np.array([[value * 257, min(value * 257 + 128, 65535), max(value * 257 - 128, 0)]], np.uint16)
    result = read_picture(encode(Image.fromarray(deep), kind))
    assert np.array_equal(pixels(result), np.full((1, 3, 3), value))


def test_16_bit_tiff_big_endian_white_is_zero_and_12_bit() -> None:
    levels = np.array([[0, 128 * 257, 65535]], np.uint16)
    big_endian = Image.fromarray(levels.astype(">u2"))
    assert big_endian.mode == "I;16B"
    assert pixels(read_picture(encode(big_endian, "TIFF")))[0, :, 0].tolist() == [0, 128, 255]

    negative = encode(Image.fromarray(levels), "TIFF").replace(
        struct.pack("<HHII", 262, 3, 1, 1), struct.pack("<HHII", 262, 3, 1, 0)
    )
    assert pixels(read_picture(negative))[0, :, 0].tolist() == [255, 127, 0]

    twelve = Image.fromarray(np.array([[0, 2048, 4095]], np.uint16))
    twelve = Image.open(io.BytesIO(encode(twelve, "TIFF")))
    assert isinstance(twelve, TiffImagePlugin.TiffImageFile)
    twelve.tag_v2[258] = (12,)
    assert pixels(read_picture(twelve))[0, :, 0].tolist() == [0, 128, 255]


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (np.array([[0, 200, 65535]], np.int32), [0, 1, 255]),
        (np.array([[0, 100, 200]], np.int32), [0, 0, 1]),
        (np.array([[-5, 0, 2**30]], np.int32), [0, 0, 255]),
        (np.array([[0.0, 0.5, 1.0]], np.float32), [0, 128, 255]),
        (np.array([[0.0, 0.25, 0.5]], np.float32), [0, 64, 128]),
        (np.array([[0.0, 127.0, 254.0]], np.float32), [0, 127, 254]),
        (np.array([[0.0, 65535.0, 257.0]], np.float32), [0, 255, 1]),
        (np.array([[np.nan, -np.inf, np.inf, 1.0]], np.float32), [0, 0, 255, 255]),
        (np.full((1, 2), np.nan, np.float32), [0, 0]),
        (np.array([[1e30, 5e29]], np.float32), [255, 128]),
    ],
)
def test_32_bit_numbers(values: npt.NDArray[Any], expected: list[int]) -> None:
    result = read_picture(encode(Image.fromarray(values), "TIFF"))
    assert pixels(result)[0].tolist() == [[level] * 3 for level in expected]


def png_16_bit_color(channels: int) -> bytes:
    """Pillow cannot write 16-bit colour, so this does: one pixel, colour type 2 or 6."""

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    header = struct.pack(">IIBBBBB", 1, 1, 16, 2 if channels == 3 else 6, 0, 0, 0)
    row = b"\0" + struct.pack(f">{channels}H", *(40 * 257, 130 * 257, 255 * 257, 77 * 257)[:channels])
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(row)) + chunk(b"IEND", b"")


def test_16_bit_color_png() -> None:
    assert read_picture(png_16_bit_color(3)).getpixel((0, 0)) == (40, 130, 255)
    assert read_picture(png_16_bit_color(4)).getpixel((0, 0)) == (40, 130, 255, 77)


@pytest.mark.parametrize("mode", ["1", "L", "P", "CMYK", "YCbCr", "HSV", "RGBX"])
def test_modes_without_alpha(mode: str) -> None:
    result = read_picture(PICTURE.convert(mode))
    assert result.mode == "RGB"
    expected = PICTURE.convert(mode).convert("RGB")
    assert np.array_equal(pixels(result), pixels(expected))


def test_one_bit_file_is_black_and_white() -> None:
    bits = np.array([[True, False, True]])
    for kind in ("PNG", "TIFF", "BMP", "GIF"):
        assert pixels(read_picture(encode(Image.fromarray(bits), kind)))[0, :, 0].tolist() == [255, 0, 255]


@pytest.mark.parametrize("kind", ["PNG", "TIFF", "WEBP"])
@pytest.mark.parametrize("mode", ["LA", "RGBA", "La", "RGBa", "PA"])
def test_alpha_is_kept(mode: str, kind: str) -> None:
    rgba = PICTURE.copy()
    rgba.putalpha(Image.fromarray(np.where(QUADRANTS[..., 0] > 200, 255, 51).astype(np.uint8)))
    source = rgba.convert("LA").convert(mode) if mode in ("La", "LA") else rgba.convert(mode)
    result = read_picture(source)
    assert result.mode == "RGBA"
    assert np.array_equal(pixels(result)[..., 3], pixels(rgba)[..., 3])
    expected = pixels(rgba.convert("LA").convert("RGBA") if mode in ("La", "LA") else rgba)
    tolerance = 30 if mode == "PA" else 3  # Pillow's palette is coarse; premultiplied modes round
    assert np.abs(pixels(result).astype(int) - expected).max() <= tolerance
    if mode in ("LA", "RGBA"):
        data = encode(source.convert("RGBA"), kind, **({"lossless": True, "exact": True} if kind == "WEBP" else {}))
        assert np.array_equal(pixels(read_picture(data)), expected)


def test_palette_with_transparency() -> None:
    palette = PICTURE.convert("P", palette=Image.Palette.ADAPTIVE, colors=4)
    index = int(np.asarray(palette)[0, 0])
    one = read_picture(encode(palette, "PNG", transparency=index))
    alphas = bytearray(b"\xff" * 4)
    alphas[index] = 99
    several = read_picture(encode(palette, "PNG", transparency=bytes(alphas)))
    for result, alpha in ((one, 0), (several, 99), (read_picture(encode(palette, "GIF", transparency=index)), 0)):
        assert result.mode == "RGBA"
        assert result.getpixel((0, 0)) == (250, 10, 20, alpha)
        assert result.getpixel((11, 7)) == (128, 128, 128, 255)


def test_transparent_key_colors() -> None:
    result = read_picture(encode(PICTURE, "PNG", transparency=(250, 10, 20)))
    assert result.getpixel((0, 0)) == (250, 10, 20, 0)
    assert result.getpixel((11, 0)) == (20, 240, 30, 255)
    result = read_picture(encode(Image.fromarray(RAMP), "PNG", transparency=7))
    assert result.getpixel((7, 0)) == (7, 7, 7, 0)
    assert result.getpixel((8, 0)) == (8, 8, 8, 255)
    deep = Image.fromarray(np.array([[1000, 65535]], np.uint16))
    result = read_picture(encode(deep, "PNG", transparency=1000))
    assert [result.getpixel((x, 0)) for x in (0, 1)] == [(4, 4, 4, 0), (255, 255, 255, 255)]


# --- orientation


@pytest.mark.parametrize("kind", ["PNG", "TIFF", "WEBP", "JPEG"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_orientation_is_applied(kind: str, orientation: int) -> None:
    undo = {2: 0, 3: 3, 4: 1, 5: 5, 6: 2, 7: 6, 8: 4}  # Image.Transpose that turns upright into how it is stored
    stored = PICTURE.transpose(Image.Transpose(undo[orientation])) if orientation in undo else PICTURE
    exif = Image.Exif()
    exif[0x0112] = orientation
    options = EXACT.get(kind, {})
    result = read_picture(encode(stored, kind, exif=exif, **options))
    assert result.size == PICTURE.size
    assert np.abs(pixels(result).astype(int) - QUADRANTS).max() <= (20 if kind == "JPEG" else 0)
    assert read_picture(result).size == PICTURE.size


@pytest.mark.parametrize(
    "exif", [b"Exif\0\0", b"Exif\0\0garbage", b"Exif\0\0II*\0\x08\0\0\0\xff\xff" + b"\x12\x01" * 9]
)
def test_broken_exif_counts_as_upright(exif: bytes) -> None:
    result = read_picture(encode(PICTURE, "JPEG", quality=100, subsampling=0, exif=exif))
    assert result.size == PICTURE.size
    assert np.abs(pixels(result).astype(int) - QUADRANTS).max() <= 20


@pytest.mark.parametrize("value", [0, 9, 60000])
def test_unknown_orientation_counts_as_upright(value: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = value
    assert np.array_equal(pixels(read_picture(encode(PICTURE, "PNG", exif=exif))), QUADRANTS)
