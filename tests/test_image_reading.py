"""Reading: every mode and format that is promised, and hostile files, which end in one clear error each."""

import io
import os
import struct
import threading
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image, ImageCms, TiffImagePlugin

from autochrome.errors import PictureError, PictureTooLargeError
from autochrome.image import MAX_SIDE_PX, PICTURE_SUFFIXES, read_picture

QUADRANTS = np.zeros((8, 12, 3), np.uint8)
QUADRANTS[:4, :6], QUADRANTS[:4, 6:], QUADRANTS[4:, :6], QUADRANTS[4:, 6:] = (
    (250, 10, 20),
    (20, 240, 30),
    (10, 30, 230),
    (128, 128, 128),
)
PICTURE = Image.fromarray(QUADRANTS)
RAMP = np.arange(256, dtype=np.uint8).reshape(16, 16)


def encode(picture: Image.Image, kind: str, **options: Any) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, format=kind, **options)
    return buffer.getvalue()


def pixels(picture: Image.Image) -> np.ndarray[Any, Any]:
    return np.asarray(picture)


def icc_profile(space: bytes, connection: bytes, tags: dict[bytes, bytes]) -> bytes:
    """A minimal ICC version 2 input profile (ICC.1:2001-04)."""
    d50 = struct.pack(">3i", 63190, 65536, 54061)
    tags = {b"wtpt": b"XYZ \0\0\0\0" + d50, **tags}
    table, body, offset = struct.pack(">I", len(tags)), b"", 132 + 12 * len(tags)
    for name, data in tags.items():
        table += struct.pack(">4sII", name, offset + len(body), len(data))
        body += data + b"\0" * (-len(data) % 4)
    header = struct.pack(">I4sI4s4s4s", offset + len(body), b"", 0x02100000, b"scnr", space, connection)
    header += bytes(12) + b"acsp" + bytes(24) + bytes(4) + d50 + bytes(48)
    return header + table + body


LINEAR_CURVE = b"curv" + struct.pack(">II", 0, 0)
LINEAR_GREY = icc_profile(b"GRAY", b"XYZ ", {b"kTRC": LINEAR_CURVE})
# sRGB's primaries (adapted to D50), but linear light: level 128 is twice as bright as it looks without the profile.
LINEAR_RGB = icc_profile(
    b"RGB ",
    b"XYZ ",
    {
        **{f"{c}TRC".encode(): LINEAR_CURVE for c in "rgb"},
        b"rXYZ": b"XYZ \0\0\0\0" + struct.pack(">3i", 28578, 14581, 912),
        b"gXYZ": b"XYZ \0\0\0\0" + struct.pack(">3i", 25241, 46981, 6362),
        b"bXYZ": b"XYZ \0\0\0\0" + struct.pack(">3i", 9376, 3974, 46795),
    },
)
SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def cmyk_profile() -> bytes:
    """Paper is white, every ink prints the same mid grey, two or more print black: nothing like Pillow's own inks."""
    lightness = [255 if inks == 0 else 128 if inks in (1, 2, 4, 8) else 0 for inks in range(16)]
    lut = b"mft1\0\0\0\0" + bytes((4, 3, 2, 0)) + struct.pack(">9i", 65536, 0, 0, 0, 65536, 0, 0, 0, 65536)
    lut += bytes(range(256)) * 4 + b"".join(bytes((level, 128, 128)) for level in lightness) + bytes(range(256)) * 3
    return icc_profile(b"CMYK", b"Lab ", {b"A2B0": lut})


# --- what is read


@pytest.mark.parametrize("kind", ["PNG", "TIFF", "BMP", "GIF", "WEBP", "JPEG"])
@pytest.mark.parametrize("as_what", ["bytes", "path", "str", "stream", "pillow"])
def test_formats_and_sources(kind: str, as_what: str, tmp_path: Path) -> None:
    options: dict[str, Any] = {"WEBP": {"lossless": True}, "JPEG": {"quality": 100, "subsampling": 0}}.get(kind, {})
    data = encode(PICTURE, kind, **options)
    path = tmp_path / "picture.bin"
    path.write_bytes(data)
    if as_what == "stream":
        stream = io.BytesIO(data)
        stream.seek(5)
        result = read_picture(stream)
        assert not stream.closed
    elif as_what == "pillow":
        with Image.open(path) as opened:
            result = read_picture(opened)
    else:
        result = read_picture({"bytes": data, "path": path, "str": str(path)}[as_what])
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
def test_32_bit_numbers(values: "np.ndarray[Any, Any]", expected: list[int]) -> None:
    result = read_picture(encode(Image.fromarray(values), "TIFF"))
    assert pixels(result)[0].tolist() == [[level] * 3 for level in expected]


def png_16_bit_color(channels: int) -> bytes:
    """Pillow cannot write 16-bit colour, so this does: one pixel, colour type 2 or 6."""
    import zlib

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
    index = palette.getpixel((0, 0))
    assert isinstance(index, int)
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
    options: dict[str, Any] = {"WEBP": {"lossless": True}, "JPEG": {"quality": 100, "subsampling": 0}}.get(kind, {})
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


# --- colour profiles


def test_rgb_profile_is_applied() -> None:
    result = read_picture(encode(PICTURE, "PNG", icc_profile=LINEAR_RGB))
    assert np.abs(np.array(result.getpixel((11, 7))) - 188).max() <= 1  # linear 128 / 255 is sRGB level 188
    assert result.info == {}


def test_srgb_profile_changes_no_pixel() -> None:
    noise = Image.fromarray(np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8))
    assert np.array_equal(pixels(read_picture(encode(noise, "PNG", icc_profile=SRGB))), pixels(noise))
    grey = Image.fromarray(RAMP)
    assert np.array_equal(pixels(read_picture(encode(grey, "PNG", icc_profile=SRGB)))[..., 0], RAMP)


@pytest.mark.parametrize("profile", [LINEAR_GREY, LINEAR_RGB], ids=["grey", "rgb"])
def test_profile_of_a_grey_picture(profile: bytes) -> None:
    result = pixels(read_picture(encode(Image.fromarray(RAMP), "TIFF", icc_profile=profile)))
    assert np.array_equal(result[..., 0], result[..., 1])  # grey stays grey
    assert np.array_equal(result[..., 0], result[..., 2])
    linear = RAMP / 255
    expected = 255 * np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)
    assert np.abs(result[..., 0] - expected).max() <= 1.5


def test_profile_with_alpha_palette_and_16_bit() -> None:
    rgba = PICTURE.copy()
    rgba.putalpha(77)
    assert read_picture(encode(rgba, "PNG", icc_profile=LINEAR_RGB)).getpixel((11, 7)) == pytest.approx(
        (188, 188, 188, 77), abs=1
    )
    grey_alpha = Image.fromarray(np.full((2, 2), 128, np.uint8)).convert("LA")
    assert read_picture(encode(grey_alpha, "PNG", icc_profile=LINEAR_GREY)).getpixel((0, 0)) == (188, 188, 188, 255)
    palette = PICTURE.convert("P", palette=Image.Palette.ADAPTIVE, colors=4)
    assert read_picture(encode(palette, "PNG", icc_profile=LINEAR_RGB)).getpixel((11, 7)) == pytest.approx(
        (188, 188, 188), abs=1
    )
    deep = Image.fromarray(np.full((2, 2), 128 * 257, np.uint16))
    assert read_picture(encode(deep, "TIFF", icc_profile=LINEAR_GREY)).getpixel((0, 0)) == (188, 188, 188)


@pytest.mark.parametrize("kind", ["JPEG", "TIFF"])
def test_cmyk_with_and_without_profile(kind: str) -> None:
    cyan = Image.new("CMYK", (16, 16), (255, 0, 0, 0))
    options: dict[str, Any] = {"quality": 100} if kind == "JPEG" else {}
    plain = read_picture(encode(cyan, kind, **options)).getpixel((8, 8))
    assert plain == pytest.approx((0, 255, 255), abs=2)
    printed = read_picture(encode(cyan, kind, icc_profile=cmyk_profile(), **options)).getpixel((8, 8))
    assert printed == pytest.approx((119, 119, 119), abs=4)  # L* 50
    paper = Image.new("CMYK", (16, 16), (0, 0, 0, 0))
    assert read_picture(encode(paper, kind, icc_profile=cmyk_profile(), **options)).getpixel((8, 8)) == pytest.approx(
        (255, 255, 255), abs=1
    )


@pytest.mark.parametrize(
    "profile", [b"", b"garbage", SRGB[:200], SRGB[:128] + b"\xff" * 400, LINEAR_GREY, cmyk_profile()[:-2000]]
)
def test_broken_or_foreign_profile_is_passed_over(profile: bytes) -> None:
    assert np.array_equal(pixels(read_picture(encode(PICTURE, "PNG", icc_profile=profile))), QUADRANTS)


def test_cmyk_with_a_profile_for_rgb_is_read_as_plain_inks() -> None:
    cyan = Image.new("CMYK", (16, 16), (255, 0, 0, 0))
    assert read_picture(encode(cyan, "TIFF", icc_profile=LINEAR_RGB)).getpixel((0, 0)) == (0, 255, 255)


def test_lab_tiff() -> None:
    lab = ImageCms.profileToProfile(
        PICTURE, ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB"), outputMode="LAB"
    )
    assert lab is not None
    result = pixels(read_picture(encode(lab, "TIFF"))).astype(int)
    assert np.abs(result - QUADRANTS).max() <= 16  # 8-bit Lab is coarse where colours are strong
    assert (result[-1, -1] == 128).all()


# --- what is refused


def test_missing_folder_and_empty(tmp_path: Path) -> None:
    with pytest.raises(PictureError, match=r"^'no\.jpg' does not exist; give the path of a picture \(JPEG, PNG"):
        read_picture(tmp_path / "no.jpg")
    with pytest.raises(PictureError, match="is a folder, not a picture; give a file"):
        read_picture(tmp_path)
    empty = tmp_path / "empty.jpg"
    empty.touch()
    with pytest.raises(PictureError, match=r"^'empty\.jpg' is empty \(0 bytes\); give a picture"):
        read_picture(str(empty))
    with pytest.raises(PictureError, match=r"^the picture is empty"):
        read_picture(b"")


def test_unusable_paths(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.png")
    with pytest.raises(PictureError, match=r"^'pipe\.png' is not a regular file"):
        read_picture(tmp_path / "pipe.png")
    with pytest.raises(PictureError, match=r"cannot be opened .*; check the path and the permissions"):
        read_picture("x" * 5000)
    with pytest.raises(PictureError, match=r"does not exist|cannot be opened"):
        read_picture("nul\0byte.png")
    with pytest.raises(PictureError, match="is a folder"):
        read_picture("/")


def test_wrong_kind_of_argument(tmp_path: Path) -> None:
    with pytest.raises(PictureError, match="cannot read a picture from a list; give a path, bytes"):
        read_picture([1, 2])  # type: ignore[arg-type]
    text = tmp_path / "text.png"
    text.write_bytes(encode(PICTURE, "PNG"))
    with text.open() as file, pytest.raises(PictureError, match=r"'text\.png' was opened as text; open it in binary"):
        read_picture(file)  # type: ignore[arg-type]
    stream = io.BytesIO()
    stream.close()
    with pytest.raises(PictureError, match=r"the picture is not readable \(I/O operation on closed file"):
        read_picture(stream)


@pytest.mark.parametrize(
    ("head", "what"),
    [
        (b"%PDF-1.7", "a PDF document"),
        (b"%!PS-Adobe-3.0 EPSF-3.0", "a PostScript"),
        (b"\xc5\xd0\xd3\xc6 dos eps", "a PostScript"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'>", "an SVG drawing"),
        (b"<?xml version='1.0'?>\n<!-- drawn -->\n<svg width='1'>", "an SVG drawing"),
        (b"<!DOCTYPE html><html>", "a web page"),
        (b"\0\0\0\x1cftypavif", "an AVIF picture"),
        (b"\0\0\0\x18ftypheic", "a HEIC picture"),
        (b"\0\0\0\x18ftypmp42", "a video"),
        (b"\0\0\0\x0cjP  \r\n", "a JPEG 2000 picture"),
        (b"\xff\x0a\x00", "a JPEG XL picture"),
        (b"8BPS\0\1", "a Photoshop document"),
        (b"\0\0\1\0\1\0", "an icon"),
        (b"P6\n1 1\n255\n", "a Netpbm picture"),
        (b"PK\3\4", "a ZIP archive"),
    ],
)
def test_other_formats_are_refused_by_name(head: bytes, what: str, tmp_path: Path) -> None:
    path = tmp_path / "photo.jpg"
    path.write_bytes(head + bytes(100))
    with pytest.raises(
        PictureError, match=rf"^'photo\.jpg' cannot be read as a picture: it is {what}.*; give JPEG, PNG"
    ):
        read_picture(path)


def test_not_a_picture() -> None:
    with pytest.raises(PictureError, match=r"^the picture cannot be read as a picture: its content is of no known"):
        read_picture(b"Dear Sir or Madam, " * 100)


@pytest.mark.parametrize("kind", ["PNG", "TIFF", "BMP", "GIF", "WEBP", "JPEG"])
def test_cut_off_files(kind: str, tmp_path: Path) -> None:
    noise = Image.fromarray(np.random.default_rng(1).integers(0, 256, (64, 64, 3), dtype=np.uint8))
    path = tmp_path / "cut.png"
    data = encode(noise, kind)
    for share in (0.02, 0.3, 0.7):
        path.write_bytes(data[: int(len(data) * share)])
        with pytest.raises(
            PictureError, match=rf"^'cut\.png' is a damaged, cut-off or unusual {kind} file \(.+\); get a"
        ):
            read_picture(path)


def png_header(width: int, height: int) -> bytes:
    data = bytearray(encode(Image.new("L", (1, 1)), "PNG"))
    import zlib

    data[16:24] = struct.pack(">II", width, height)
    data[29:33] = struct.pack(">I", zlib.crc32(bytes(data[12:29])))
    return bytes(data)


def test_too_large_is_seen_in_the_header(tmp_path: Path) -> None:
    path = tmp_path / "huge.png"
    path.write_bytes(png_header(30_000, 30_000))
    message = r"^'huge\.png' is 30000 x 30000 = 900\.0 megapixels; at most 100 megapixels .* make it smaller first"
    with pytest.raises(PictureTooLargeError, match=message):
        read_picture(path)
    with pytest.raises(PictureTooLargeError, match=r"2000000 x 1 = 2\.0 megapixels; .* and 1048576 pixels a side"):
        read_picture(png_header(2_000_000, 1))
    with pytest.raises(PictureTooLargeError, match=r"= 96\.0 megapixels; at most 9e-05 megapixels"):
        read_picture(PICTURE.resize((8000, 12000)), max_pixels=90)
    assert read_picture(PICTURE, max_pixels=96).size == (12, 8)
    with pytest.raises(PictureTooLargeError):
        read_picture(PICTURE, max_pixels=95)
    assert MAX_SIDE_PX == 1048576


def test_between_pillows_limit_and_ours_there_is_no_warning() -> None:
    # 96 megapixels: Image.open would warn. The header passes, then the pixels are missing.
    with pytest.raises(PictureError, match="damaged, cut-off or unusual PNG") as caught:
        read_picture(png_header(12_000, 8_000))
    assert not isinstance(caught.value, PictureTooLargeError)


def test_no_pixels() -> None:
    with pytest.raises(PictureError, match=r"^the picture has no pixels \(0 x 5\); give a picture with at least one"):
        read_picture(Image.new("RGB", (0, 5)))
    with pytest.raises(PictureError, match="PNG"):
        read_picture(png_header(0, 5))


def test_closed_pillow_picture(tmp_path: Path) -> None:
    path = tmp_path / "closed.png"
    PICTURE.save(path)
    opened = Image.open(path)
    opened.close()
    with pytest.raises(PictureError, match=r"^'closed\.png' is not readable"):
        read_picture(opened)


def test_pillows_warnings_do_not_leak_and_ours_stay() -> None:
    palette = PICTURE.convert("P", palette=Image.Palette.ADAPTIVE, colors=4)
    data = encode(palette, "PNG", transparency=b"\0\x80\xff")
    bad_exif = encode(
        PICTURE, "JPEG", exif=b"Exif\0\0II*\0\x08\0\0\0\x05\0" + b"\x12\x01\x03\0\xff\xff\xff\xff\0\0\0\0" * 5
    )
    before = list(warnings.filters)
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        read_picture(data)
        read_picture(bad_exif)
        warnings.warn("mine", stacklevel=1)
    assert [str(warning.message) for warning in seen] == ["mine"]
    read_picture(bad_exif)
    assert list(warnings.filters) == before


def test_many_threads_read_and_no_state_stays_changed() -> None:
    palette = encode(PICTURE.convert("P", palette=Image.Palette.ADAPTIVE, colors=4), "PNG", transparency=b"\0\x80\xff")
    before, limit = list(warnings.filters), Image.MAX_IMAGE_PIXELS
    results: list[tuple[str, int]] = []

    def work() -> None:
        for _ in range(30):
            results.append((read_picture(palette).mode, 1))

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == [("RGBA", 1)] * 240
    assert list(warnings.filters) == before
    assert limit == Image.MAX_IMAGE_PIXELS


def test_no_file_stays_open(tmp_path: Path) -> None:
    def open_files() -> int:
        return len(os.listdir("/proc/self/fd"))  # noqa: PTH208 (the listing's own handle is counted the same each time)

    if not Path("/proc/self/fd").is_dir():
        pytest.skip("needs /proc")
    good, bad = tmp_path / "good.tif", tmp_path / "bad.jpg"
    PICTURE.save(good)
    bad.write_bytes(encode(PICTURE, "JPEG")[:300])
    before = open_files()
    kept = [read_picture(good) for _ in range(5)]
    errors = []
    for _ in range(5):
        with pytest.raises(PictureError) as caught:
            read_picture(bad)
        errors.append(caught)
    assert len(kept) == len(errors)
    assert open_files() == before


# --- properties

FILES = [
    encode(PICTURE, "PNG", icc_profile=LINEAR_RGB),
    encode(PICTURE.convert("P"), "PNG", transparency=b"\0\x80"),
    encode(Image.fromarray(RAMP.astype(np.uint16) * 257), "PNG", transparency=5),
    encode(PICTURE, "TIFF"),
    encode(PICTURE, "TIFF", compression="tiff_lzw"),
    encode(Image.fromarray(RAMP.astype(np.float32)), "TIFF"),
    encode(PICTURE, "JPEG", exif=b"Exif\0\0II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x06\0\0\0\0\0\0\0"),
    encode(PICTURE.convert("CMYK"), "JPEG", icc_profile=cmyk_profile()),
    encode(PICTURE, "WEBP"),
    encode(PICTURE, "BMP"),
    encode(PICTURE, "GIF"),
]


def read_or_refuse(data: bytes) -> None:
    try:
        result = read_picture(data, max_pixels=10**6)
    except PictureError as error:
        assert str(error)  # noqa: PT017
    else:
        assert result.mode in ("RGB", "RGBA")
        assert min(result.size) >= 1


@given(
    st.sampled_from([b"", b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"II*\0", b"MM\0*", b"GIF89a", b"BM", b"RIFF"]),
    st.binary(),
)
@settings(max_examples=300, deadline=None)
def test_random_bytes_raise_nothing_else(head: bytes, data: bytes) -> None:
    read_or_refuse(head + data)


@given(st.sampled_from(FILES), st.data())
@settings(max_examples=600, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_damaged_files_raise_nothing_else(file: bytes, data: st.DataObject) -> None:
    damaged = bytearray(file)
    positions = st.one_of(st.integers(0, min(200, len(file) - 1)), st.integers(0, len(file) - 1))
    for position, value in data.draw(st.lists(st.tuples(positions, st.integers(0, 255)), min_size=1, max_size=6)):
        damaged[position] = value
    end = data.draw(st.one_of(st.just(len(file)), st.integers(0, len(file))))
    read_or_refuse(bytes(damaged[:end]))
