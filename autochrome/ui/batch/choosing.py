"""From uploads to the pictures of a batch: archives looked into, names kept, and a reason for each that is left out."""

import mmap
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from autochrome.errors import AutochromeError, DataError
from autochrome.inputs import Item, select

MAX_PICTURES = 200
MAX_UPLOAD_BYTES = 500 * 1024 * 1024
MAX_MEMBER_BYTES = 100 * 1024 * 1024
MAX_MEMBERS = 10_000
"""Entries of an archive's list, which is read whole; pictures or not."""

_MEMBER_MARK = b"PK\x01\x02"


@dataclass(frozen=True)
class Job:
    """One picture to do: what people are shown, and its place in the .zip that comes out."""

    name: str
    result: PurePosixPath
    item: Item


@dataclass
class Choice:
    """The pictures of a batch, and what was refused: (name, reason)."""

    jobs: list[Job] = field(default_factory=list)
    refused: list[tuple[str, str]] = field(default_factory=list)


def choose(uploads: Sequence[Path]) -> Choice:
    """Every picture of the uploads, in order; only lists of archives are read.

    Two pictures of one name both keep it, the second with a number. No name of a folder of the server is shown.

    Raises:
        DataError: nothing was given, or more pictures or bytes than a batch takes.
    """
    if not uploads:
        raise DataError("there are no files yet: drop pictures or .zip archives")
    num_bytes = sum(path.stat().st_size for path in uploads if path.exists())
    if num_bytes > MAX_UPLOAD_BYTES:
        raise DataError(
            f"these files have {num_bytes:,} bytes; a batch takes {MAX_UPLOAD_BYTES:,}. Make several batches"
        )
    choice, taken = Choice(), set[str]()
    for path in uploads:
        _choose_from(path, choice, taken)
        if len(choice.jobs) > MAX_PICTURES:
            raise DataError(
                f"there are more than {MAX_PICTURES} pictures; make several batches, or use `autochrome colorize`, "
                "which takes any number"
            )
    return choice


def _choose_from(path: Path, choice: Choice, taken: set[str]) -> None:
    try:
        if path.suffix.lower() == ".zip":
            _check_members(path)
        selection = select([path], max_member_bytes=MAX_MEMBER_BYTES)
    except AutochromeError as error:
        choice.refused.append((path.name, _public(str(error), path)))
        return
    except OSError:
        choice.refused.append((path.name, "the upload is no longer on the server; upload it again"))
        return
    choice.refused += [(_public(name, path), _public(reason, path)) for name, reason in selection.refused]
    for item in selection.items:
        choice.jobs.append(Job(_public(item.name, path), _free_name(item.result, taken), item))


def _check_members(path: Path) -> None:
    """Count an archive's entries before its list is read: a million of them would fill the memory."""
    if path.stat().st_size == 0:
        return
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
        count, at = 0, content.find(_MEMBER_MARK)
        while at >= 0:
            count += 1
            if count > MAX_MEMBERS:
                raise DataError(f"{path.name} has more than {MAX_MEMBERS:,} entries; make several archives")
            at = content.find(_MEMBER_MARK, at + 4)


def _free_name(result: PurePosixPath, taken: set[str]) -> PurePosixPath:
    """The name, or the first with a number that no other picture has; upper and lower case are the same."""
    name, number = result, 2
    while str(name).casefold() in taken:
        name, number = result.with_stem(f"{result.stem} ({number})"), number + 1
    taken.add(str(name).casefold())
    return name


def _public(text: str, path: Path) -> str:
    """The text without the folder of the server in which the upload lies."""
    return text.replace(f"{path.parent}/", "")
