"""What is known of the references besides their pixels: the rows of `metadata.jsonl`, and groups by one of its columns.

The layout is that of Hugging Face's imagefolder: one JSON object a line, whose `file_name` is the picture's path
relative to the file itself.
"""

import json
import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

from autochrome.errors import DataError
from autochrome.evaluation.matching import name_without_suffix

METADATA_NAME = "metadata.jsonl"
_NAME = "file_name"
_MAX_BYTES = 256 * 1024 * 1024

Groups = dict[str, dict[str, str]]
"""Of each picture by its name: column to value, as text."""


def read_groups(names: Sequence[str], columns: Sequence[str], reference: Path, metadata: Path | None) -> Groups:
    """The values of the columns for every picture of `names`, from `metadata` or the files inside the reference.

    Raises:
        DataError: there is no metadata, it cannot be read, or it lacks a column or a picture.
    """
    if not columns:
        return {name: {} for name in names}
    texts = [("", metadata.name, _read_file(metadata))] if metadata is not None else list(_texts_inside(reference))
    if not texts:
        raise DataError(f"there is no {METADATA_NAME} in {reference}; name the file with --metadata")
    rows = {name: row for folder, where, text in texts for name, row in _rows(folder, where, text)}
    where = ", ".join(where for _, where, _ in texts[:3])
    known = sorted({column for row in rows.values() for column in row} - {_NAME})
    for column in columns:
        if column not in known:
            raise DataError(f"{where} has no column {column!r}; it has {', '.join(known) or 'none'}")
    lost = [name for name in names if name not in rows]
    if lost:
        raise DataError(
            f"{where} has no row for {len(lost)} of {len(names)} pictures, the first is {lost[0]!r}; "
            f"{_NAME} must be the path inside the reference folder"
        )
    return {name: {column: _value(name, column, rows[name], where) for column in columns} for name in names}


def _value(name: str, column: str, row: dict[str, Any], where: str) -> str:
    value = row.get(column)
    if value is None:
        raise DataError(f'{where} has no {column!r} for {name!r}; give every picture one, for example "unknown"')
    if isinstance(value, list | dict):
        raise DataError(f"{column!r} of {name!r} in {where} is a {type(value).__name__}; groups need text or numbers")
    return value if isinstance(value, str) else json.dumps(value)


def _rows(folder: str, where: str, text: str) -> Iterator[tuple[str, dict[str, Any]]]:
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except json.JSONDecodeError as error:
            raise DataError(f"line {number} of {where} is no JSON object: {error}") from error
        if not isinstance(row, dict) or not isinstance(row.get(_NAME), str):
            raise DataError(f"line {number} of {where} has no {_NAME!r}, the path of its picture")
        yield name_without_suffix(str(PurePosixPath(folder, row[_NAME].replace("\\", "/")))), row


def _texts_inside(reference: Path) -> Iterator[tuple[str, str, str]]:
    """Every metadata file inside a folder or archive: its own folder in there, its name for people, its text."""
    if reference.is_dir():
        for path in sorted(reference.rglob(METADATA_NAME)):
            yield path.parent.relative_to(reference).as_posix(), str(path), _read_file(path)
        return
    with zipfile.ZipFile(reference) as archive:
        for member in archive.infolist():
            inside = PurePosixPath(member.filename.replace("\\", "/"))
            if inside.name == METADATA_NAME and "__MACOSX" not in inside.parts:
                where = f"{reference}/{member.filename}"
                if member.file_size > _MAX_BYTES:
                    raise DataError(f"{where} has {member.file_size:,} bytes; the limit is {_MAX_BYTES:,}")
                yield str(inside.parent), where, _decode(archive.read(member), where)


def _read_file(path: Path) -> str:
    try:
        return _decode(path.read_bytes(), str(path))
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}") from error


def _decode(content: bytes, where: str) -> str:
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise DataError(f"{where} is not UTF-8 text: {error}") from error
