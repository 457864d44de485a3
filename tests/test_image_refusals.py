"""Reading: what is refused, each with one clear error; hostile files; warnings, threads and handles."""

import io
import os
import struct
import threading
import warnings
import zlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from picture_files import LINEAR_RGB, PICTURE, RAMP, cmyk_profile, encode
from PIL import Image

from autochrome.errors import PictureError, PictureTooLargeError
from autochrome.image import MAX_SIDE_PX, read_picture


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
        read_picture(png_header(12_000, 8_000), max_pixels=90)
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
@settings(max_examples=200, deadline=None)
def test_random_bytes_raise_nothing_else(head: bytes, data: bytes) -> None:
    read_or_refuse(head + data)


@given(st.sampled_from(FILES), st.data())
@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_damaged_files_raise_nothing_else(file: bytes, data: st.DataObject) -> None:
    damaged = bytearray(file)
    positions = st.one_of(st.integers(0, min(200, len(file) - 1)), st.integers(0, len(file) - 1))
    for position, value in data.draw(st.lists(st.tuples(positions, st.integers(0, 255)), min_size=1, max_size=6)):
        damaged[position] = value
    end = data.draw(st.one_of(st.just(len(file)), st.integers(0, len(file))))
    read_or_refuse(bytes(damaged[:end]))
