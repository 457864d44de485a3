"""Files that come in and go out: uploads are checked to be uploads, results get a folder of their own."""

import uuid
from collections.abc import Mapping
from pathlib import Path

import PIL.Image
from gradio.utils import get_upload_folder

from autochrome.errors import PictureError
from autochrome.image import write_png
from autochrome.ui.addresses import fetch, file_name, is_address, own_path
from autochrome.ui.limits import DEFAULT_LIMITS


def read_upload(path: Path) -> bytes:
    """The bytes of an uploaded file. Read here, so that no message ever names a folder of the server.

    Raises:
        PictureError: the file is gone, as uploads are deleted after a while.
    """
    try:
        return path.read_bytes()
    except OSError as error:
        raise PictureError(f"the upload {path.name} is no longer on the server; upload it again") from error


def uploaded_path(value: object, name: str, *, max_bytes: int = DEFAULT_LIMITS.max_file_bytes) -> Path:
    """The file behind what a program gave as a picture, once it is certain to be an upload.

    Gradio checks file paths in requests only where they are marked as files, so everything is checked here again:
    a path outside the upload folder would let anyone read the machine's own files. A picture of the public internet
    is fetched and becomes an upload; see `autochrome.ui.addresses`.

    Raises:
        PictureError: it is no uploaded file, or cannot be fetched from its address.
    """
    path = value.get("path") if isinstance(value, dict) else None
    if isinstance(path, str) and is_address(path):
        own = own_path(path)
        if own is None:
            fetched = fetch(path, name, max_bytes=max_bytes)
            place = _new_folder() / file_name(path)
            place.write_bytes(fetched)
            return place
        path = own
    if not isinstance(path, str) or not _is_in_upload_folder(path):
        raise PictureError(
            f"{name} must be an uploaded picture; with gradio_client, give handle_file(path), "
            "with plain HTTP, post the file to /gradio_api/upload and give the path that comes back"
        )
    return Path(path)


def _is_in_upload_folder(path: str) -> bool:
    try:
        return Path(path).resolve().is_relative_to(Path(get_upload_folder()).resolve())
    except ValueError:  # a zero byte
        return False


def result_path(stem: str) -> Path:
    """A new path for a PNG inside Gradio's folder, from where it is served without a copy and deleted in time.

    The folder has a random name: nobody can guess another person's result, and no two requests share a file.
    """
    return _new_folder() / f"{stem}.png"


def _new_folder() -> Path:
    folder = Path(get_upload_folder()).resolve() / uuid.uuid4().hex
    folder.mkdir(parents=True)
    return folder


def save(picture: PIL.Image.Image, path: Path, metadata: Mapping[str, str] | None = None) -> Path:
    """Write a lossless PNG and return its path."""
    write_png(picture, path, metadata or {})
    return path
