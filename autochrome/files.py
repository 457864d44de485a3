"""Writing files and folders so that each appears whole or not at all."""

import json
import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from autochrome.errors import DataError


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A temporary path in the folder of `path`, made if absent; what was written there becomes `path` at the end.

    If anything goes wrong inside, nothing is left and an older `path` stays as it was.

    Raises:
        DataError: it cannot be written (no permission, disk full, a folder of that name).
    """
    temporary = path.with_name(f".{path.name[:100]}.{uuid.uuid4().hex}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            yield temporary
            temporary.chmod(0o644)  # some libraries write files that only their owner may read
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)
    except OSError as error:
        reason = error.strerror or str(error)
        raise DataError(f"cannot write '{path}': {reason}; give a path in a folder that can be written") from error


@contextmanager
def replacing_folder(path: Path) -> Iterator[Path]:
    """A temporary folder beside `path`, made with its parents; at the end it becomes `path`, in place of an older one.

    If anything goes wrong inside, nothing is left and an older `path` stays as it was.

    Raises:
        DataError: it cannot be written.
    """
    temporary = path.absolute().with_name(f".{path.absolute().name[:100]}.{uuid.uuid4().hex}.tmp")
    old = temporary.with_suffix(".old")
    try:
        temporary.mkdir(parents=True)
        yield temporary
        if path.exists():
            path.replace(old)
        temporary.replace(path)
    except OSError as error:
        reason = error.strerror or str(error)
        raise DataError(f"cannot write '{path}': {reason}; give a path in a folder that can be written") from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
        if old.exists() and not path.exists():
            old.replace(path)
        shutil.rmtree(old, ignore_errors=True)


def write_json(content: object, path: Path) -> None:
    """Write plain values as indented JSON (UTF-8, no NaN), whole or not at all.

    Raises:
        DataError: it cannot be written.
    """
    text = json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False) + "\n"
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8")
