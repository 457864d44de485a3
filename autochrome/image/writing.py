"""Writing pictures without loss, and never half of one."""

import uuid
from collections.abc import Mapping
from pathlib import Path

from PIL import Image
from PIL.PngImagePlugin import PngInfo

from autochrome.errors import DataError

_COMPRESS_LEVEL = 4


def write_png(picture: Image.Image, path: Path, metadata: Mapping[str, str] | None = None) -> None:
    """Write `picture` (RGB or RGBA) as PNG with `metadata` as UTF-8 text chunks (iTXt), at once or not at all.

    Keys are PNG keywords: 1 to 79 Latin-1 characters. The file is written under a temporary name in the same folder,
    then renamed. Raises `DataError` when it cannot be written (no such folder, no permission, disk full).
    """
    text = PngInfo()
    for key, value in (metadata or {}).items():
        assert 1 <= len(key.encode("latin-1")) <= 79, f"not a PNG keyword: {key!r}"
        text.add_itxt(key, value)
    temporary = path.with_name(f".{uuid.uuid4().hex}.tmp")
    try:
        try:
            with temporary.open("xb") as file:
                picture.save(file, format="PNG", pnginfo=text, compress_level=_COMPRESS_LEVEL)
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)
    except OSError as error:
        reason = error.strerror or str(error)
        raise DataError(f"cannot write '{path}': {reason}; give a path in a folder that can be written") from error
