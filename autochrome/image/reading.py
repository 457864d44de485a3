"""Reading pictures that strangers made: whatever comes in, the answer is a picture or one clear `PictureError`."""

import io
import re
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO, cast

from PIL import Image, ImageFile
from PIL.BmpImagePlugin import BmpImageFile
from PIL.GifImagePlugin import GifImageFile
from PIL.JpegImagePlugin import JpegImageFile
from PIL.PngImagePlugin import PngImageFile
from PIL.TiffImagePlugin import TiffImageFile
from PIL.WebPImagePlugin import WebPImageFile

from autochrome.errors import PictureError, PictureTooLargeError
from autochrome.image.normalizing import to_upright_srgb

MAX_PIXELS = 100_000_000
"""Pictures with more pixels are refused before they are decoded."""

MAX_SIDE_PX = 2**20
"""No side may be longer: work goes in strips of whole rows, and one row must fit into a strip."""

PICTURE_SUFFIXES = frozenset({".bmp", ".gif", ".jfif", ".jpe", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp"})
"""Suffixes (lower case) to look for in folders and archives. Reading itself goes by content, never by suffix."""

_FORMATS = "JPEG, PNG, TIFF, WebP, BMP or GIF"

# Pillow's classes are called directly instead of `Image.open`: this list is then all that can ever run (no EPS through
# Ghostscript, no PDF), and Image.open's own limit, a process-wide setting with a warning at 89 megapixels, stays out.
_READERS: tuple[tuple[re.Pattern[bytes], type[ImageFile.ImageFile]], ...] = (
    (re.compile(rb"\xff\xd8\xff"), JpegImageFile),
    (re.compile(rb"\x89PNG\r\n\x1a\n"), PngImageFile),
    (re.compile(rb"II[\x2a\x2b]\0|MM\0[\x2a\x2b]"), TiffImageFile),
    (re.compile(rb"RIFF....WEBP", re.DOTALL), WebPImageFile),
    (re.compile(rb"GIF8[79]a"), GifImageFile),
    (re.compile(rb"BM"), BmpImageFile),
)

_OTHER_FORMATS: tuple[tuple[re.Pattern[bytes], str], ...] = (
    (re.compile(rb"\s*%PDF"), "a PDF document"),
    (re.compile(rb"\s*%!|\xc5\xd0\xd3\xc6"), "a PostScript (EPS) file"),
    (re.compile(rb"\s*(\xef\xbb\xbf)?\s*<.{0,900}?<?svg[\s>]", re.DOTALL | re.IGNORECASE), "an SVG drawing"),
    (re.compile(rb"\s*<(!doctype )?html", re.IGNORECASE), "a web page (HTML)"),
    (re.compile(rb"....ftyp(avif|avis)", re.DOTALL), "an AVIF picture"),
    (re.compile(rb"....ftyp(hei[cfmsx]|hev[cx]|mif1|msf1)", re.DOTALL), "a HEIC picture"),
    (re.compile(rb"....ftyp|\x1aE\xdf\xa3|RIFF....AVI ", re.DOTALL), "a video"),
    (re.compile(rb"\0\0\0\x0cjP  |\xff\x4f\xff\x51"), "a JPEG 2000 picture"),
    (re.compile(rb"\0\0\0\x0cJXL |\xff\x0a"), "a JPEG XL picture"),
    (re.compile(rb"8BPS"), "a Photoshop document"),
    (re.compile(rb"\0\0[\x01\x02]\0"), "an icon (ICO)"),
    (re.compile(rb"P[1-7]\s"), "a Netpbm picture"),
    (re.compile(rb"PK\x03\x04"), "a ZIP archive"),
)

_SNIFF_BYTES = 1024


def read_picture(source: str | Path | bytes | BinaryIO | Image.Image, *, max_pixels: int = MAX_PIXELS) -> Image.Image:
    """Read a picture from a path, the bytes of a file, an open binary file or a PIL image, and bring it to one form.

    Returns a new PIL image of mode RGB, or RGBA where the source has transparency, 8 bit, sRGB, upright (EXIF
    orientation applied), without any metadata. JPEG, PNG, TIFF, WebP, BMP and GIF are read, told apart by their
    content; of several frames or pages the first. What becomes of deep, CMYK and profiled pictures:
    `normalizing.to_upright_srgb`. An open file is read from its start and left open.

    Raises `PictureTooLargeError` when the header announces more than `max_pixels` pixels (or a side longer than
    `MAX_SIDE_PX`), before decoding; `PictureError` when it is missing, empty, cut off, damaged, a folder or no picture.
    """
    if isinstance(source, Image.Image):
        name = _name_of(getattr(source, "filename", None))
        return _finish(source, name, "", max_pixels)
    if isinstance(source, bytes | bytearray | memoryview):
        return _decode(io.BytesIO(source), "the picture", max_pixels)
    if isinstance(source, str | Path):
        name = _name_of(source)
        try:
            with _open_file(Path(source), name) as file:
                return _decode(file, name, max_pixels)
        except PictureError:
            raise
        except (OSError, ValueError) as error:  # ValueError: a path with a NUL byte
            raise PictureError(f"{name} cannot be opened ({error}); check the path and the permissions") from error
    if hasattr(source, "read"):
        name = _name_of(getattr(source, "name", None))
        return _decode(_rewound(source, name), name, max_pixels)
    raise PictureError(
        f"cannot read a picture from a {type(source).__name__}; give a path, bytes, an open binary file or a PIL image"
    )


def _open_file(path: Path, name: str) -> BinaryIO:
    if path.is_dir():
        raise PictureError(f"{name} is a folder, not a picture; give a file ({_FORMATS})")
    if not path.exists():
        raise PictureError(f"{name} does not exist; give the path of a picture ({_FORMATS})")
    if not path.is_file():  # opening a pipe or a device could wait, or read, for ever
        raise PictureError(f"{name} is not a regular file; give the path of a picture ({_FORMATS})")
    return path.open("rb")


def _rewound(stream: BinaryIO, name: str) -> BinaryIO:
    """The stream at its start; one that cannot seek (a socket, a pipe) is read into memory."""
    with _named_errors(name, ""):
        if isinstance(stream.read(0), str):
            raise PictureError(f"{name} was opened as text; open it in binary mode ('rb')")
        try:
            stream.seek(0)
        except (AttributeError, OSError):
            return io.BytesIO(stream.read())
        return stream


def _decode(file: BinaryIO, name: str, max_pixels: int) -> Image.Image:
    with _named_errors(name, ""):
        head = file.read(_SNIFF_BYTES)
    if not head:
        raise PictureError(f"{name} is empty (0 bytes); give a picture ({_FORMATS})")
    reader = next((reader for magic, reader in _READERS if magic.match(head)), None)
    if reader is None:
        other = next((what for magic, what in _OTHER_FORMATS if magic.match(head)), None)
        found = f"it is {other}" if other else "its content is of no known picture format"
        raise PictureError(f"{name} cannot be read as a picture: {found}; give {_FORMATS}")
    with _named_errors(name, reader.format or ""), _QUIET_PILLOW:
        file.seek(0)
        opened = reader(file)
    return _finish(opened, name, reader.format or "", max_pixels)


def _finish(picture: Image.Image, name: str, kind: str, max_pixels: int) -> Image.Image:
    """Check the size that the header announces; only then decode, and convert."""
    width, height = picture.size
    if width < 1 or height < 1:
        raise PictureError(f"{name} has no pixels ({width} x {height}); give a picture with at least one")
    if width * height > max_pixels or max(width, height) > MAX_SIDE_PX:
        raise PictureTooLargeError(
            f"{name} is {width} x {height} = {width * height / 1e6:.1f} megapixels; at most {max_pixels / 1e6:g} "
            f"megapixels and {MAX_SIDE_PX} pixels a side are read; make it smaller first"
        )
    with _named_errors(name, kind), _QUIET_PILLOW:
        picture.load()
        return to_upright_srgb(picture)


@contextmanager
def _named_errors(name: str, kind: str) -> Iterator[None]:
    """Whatever goes wrong in a decoder becomes one `PictureError` with the picture's name.

    Every Exception: on damaged files Pillow's decoders raise nearly anything (struct.error, KeyError, SyntaxError,
    ZeroDivisionError, ...), and none of them is for the person who gave the file.
    """
    try:
        yield
    except PictureError:
        raise
    except Image.DecompressionBombError as error:
        raise PictureTooLargeError(f"{name} is too large ({error}); make it smaller first") from error
    except Exception as error:
        what = f"a damaged, cut-off or unusual {kind} file" if kind else "not readable"
        reason = str(error) or type(error).__name__
        raise PictureError(f"{name} is {what} ({reason}); get a complete copy, or save it again as PNG") from error


def _name_of(path: object) -> str:
    """How messages call a picture: its file name in quotes, without the folders, or "the picture"."""
    if isinstance(path, str | Path) and str(path):
        return f"'{Path(path).name or path}'"
    return "the picture"


class _QuietPillow:
    """While any thread is inside, warnings given by Pillow's own modules are ignored, and nobody else's.

    Pillow warns of harmless oddities (broken EXIF, palette transparency), which would become errors under `-W error`.
    `warnings.catch_warnings` is no help: it swaps the process's whole list of filters, and two threads that overlap in
    it can leave "ignore" behind for good. Here one entry, for Pillow alone, is added, and taken out by the last.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._depth = 0
        self._entry: tuple[Any, ...] = ("ignore", None, Warning, re.compile(r"PIL\."), 0)

    def __enter__(self) -> None:
        with self._lock:
            self._depth += 1
            warnings.filterwarnings("ignore", module=r"PIL\.")

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._depth -= 1
            if self._depth == 0:
                with suppress(ValueError):  # somebody else's catch_warnings has put an older list back
                    cast(list[Any], warnings.filters).remove(self._entry)


_QUIET_PILLOW = _QuietPillow()
