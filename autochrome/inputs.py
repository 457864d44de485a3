"""From what a person names to a list of pictures: files, folders and .zip archives, walked safely."""

import os
import stat
import unicodedata
import zipfile
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path, PurePosixPath

from autochrome.errors import DataError
from autochrome.image import PICTURE_SUFFIXES

MAX_MEMBER_BYTES = 512 * 1024 * 1024
"""Of one picture in an archive, unpacked: a 100-megapixel 8-bit TIFF with alpha is 400 MB."""


@dataclass(frozen=True)
class Item:
    """One picture to do.

    Attributes:
        name: what people are shown: a path, or `archive.zip/member`.
        result: where its result goes, relative to the output folder: its path inside the input, suffix .png.
        path: the picture, or the archive that holds it.
        member: index in the archive's list of members; None for a file. (Two members may have the same name.)
    """

    name: str
    result: PurePosixPath
    path: Path
    member: int | None = None

    def read(self) -> Path | bytes:
        """What `read_picture` takes: the path, or the member unpacked into memory; never unpacked to disk.

        Raises:
            DataError: the member is damaged.
        """
        if self.member is None:
            return self.path
        try:
            state = self.path.stat()
            archive = _open_archive(self.path, state.st_mtime_ns, state.st_size)
            return archive.read(archive.infolist()[self.member])
        except (zipfile.BadZipFile, zlib.error, EOFError) as error:
            raise DataError(f"the archive is damaged here ({error})") from error


@lru_cache(maxsize=4)
def _open_archive(path: Path, mtime_ns: int, size: int) -> zipfile.ZipFile:
    """An archive that stays open while its members are read one after another, until it or others take its place.

    Its list of members, long in a large archive, is then read once. It closes when nobody holds it any more; several
    threads may read from it.
    """
    return zipfile.ZipFile(path)


@dataclass
class Selection:
    """Pictures to do, and what was refused: (name, reason)."""

    items: list[Item] = field(default_factory=list)
    refused: list[tuple[str, str]] = field(default_factory=list)


def select(
    inputs: Sequence[Path], output_dir: Path | None = None, *, max_member_bytes: int = MAX_MEMBER_BYTES
) -> Selection:
    """Every picture of the inputs, folders walked in sorted order; nothing is read but the lists of archives.

    Left out in silence: hidden files and folders, files in folders and archives whose suffix is not that of a picture,
    and the output folder where it lies inside an input. Without an output folder, pictures are only to be read.

    Raises:
        DataError: an input does not exist or holds no picture, two pictures have the same path but for the suffix (and
            so would have the same result), or a result would overwrite an input.
    """
    selection = Selection()
    for given in inputs:
        found = len(selection.items) + len(selection.refused)
        if given.is_dir():
            _select_folder(given, output_dir, selection)
        elif not given.exists():
            raise DataError(f"{given} does not exist; give pictures, folders or .zip archives")
        elif given.suffix.lower() == ".zip":
            _select_archive(given, max_member_bytes, selection)
        else:
            selection.items.append(Item(printable(str(given)), _result(PurePosixPath(given.name)), given))
        if len(selection.items) + len(selection.refused) == found:
            raise DataError(f"{given} holds no pictures ({', '.join(sorted(PICTURE_SUFFIXES))})")
    _check_results(selection.items, output_dir)
    return selection


def _select_folder(folder: Path, output_dir: Path | None, selection: Selection) -> None:
    output = output_dir.resolve() if output_dir is not None else None
    if folder.resolve() == output:
        raise DataError(f"{folder} is both input and output; choose another --output (a folder inside it will do)")

    def refuse(error: OSError) -> None:
        selection.refused.append((printable(str(error.filename)), f"cannot be read: {error.strerror}"))

    for parent, folders, files in os.walk(folder, onerror=refuse):
        here = Path(parent)
        folders[:] = sorted(name for name in folders if not name.startswith(".") and (here / name).resolve() != output)
        for name in sorted(files):
            path = here / name
            if not name.startswith(".") and path.suffix.lower() in PICTURE_SUFFIXES:
                relative = PurePosixPath(path.relative_to(folder).as_posix())
                selection.items.append(Item(printable(str(path)), _result(relative), path))


def _select_archive(path: Path, max_member_bytes: int, selection: Selection) -> None:
    try:
        with zipfile.ZipFile(path) as archive:
            members = archive.infolist()
    except (zipfile.BadZipFile, OSError, EOFError, NotImplementedError) as error:
        selection.refused.append((printable(str(path)), f"not a .zip archive that can be read: {error}"))
        return
    for index, member in sorted(enumerate(members), key=lambda numbered: numbered[1].filename):
        # Archives made on Windows by careless programs have backslashes; the standard says slashes.
        relative = PurePosixPath(member.filename.replace("\\", "/"))
        if member.is_dir() or any(part.startswith(".") and part != ".." for part in relative.parts):
            continue
        if "__MACOSX" in relative.parts or relative.suffix.lower() not in PICTURE_SUFFIXES | {".zip"}:
            continue
        name = printable(f"{path}/{member.filename}")
        reason = unsafe_member(member, relative, max_member_bytes)
        if reason is None:
            selection.items.append(Item(name, _result(relative), path, index))
        else:
            selection.refused.append((name, reason))


def unsafe_member(member: zipfile.ZipInfo, relative: PurePosixPath, max_member_bytes: int) -> str | None:
    """Why a member of an archive is not opened, or None."""
    first = relative.parts[0] if relative.parts else ""
    if relative.is_absolute() or ".." in relative.parts or ":" in first:
        return "its name leads out of the archive"
    if relative.suffix.lower() == ".zip":
        return "an archive inside an archive is not opened; unpack it first"
    if stat.S_ISLNK(member.external_attr >> 16):
        return "a symbolic link, not a picture"
    if member.flag_bits & 0x1:
        return "it is encrypted; unpack the archive first"
    # zipfile stops unpacking these two at the declared size, whatever the data would give; bzip2 and LZMA it does not.
    if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        return "only stored and deflated members are read; pack it again with an ordinary .zip program"
    if member.file_size > max_member_bytes:
        return f"unpacked it would have {member.file_size:,} bytes; the limit is {max_member_bytes:,}"
    return None


def _check_results(items: list[Item], output_dir: Path | None) -> None:
    """No two pictures may have one result, also not where upper and lower case or Unicode forms are the same."""
    inputs = {item.path.resolve() for item in items} if output_dir is not None else set()
    seen: dict[str, Item] = {}
    for item in items:
        key = unicodedata.normalize("NFC", str(item.result)).casefold()
        if key in seen:
            both = f"{seen[key].name} and {item.name}"
            if output_dir is None:
                raise DataError(f"{both} have the same name but for the suffix; rename one, or take one away")
            raise DataError(
                f"{both} would both become {output_dir / item.result}; rename one, or color them into different folders"
            )
        seen[key] = item
        if output_dir is not None and (output_dir / item.result).resolve() in inputs:
            raise DataError(f"the result of {item.name} would overwrite an input; choose another --output")


def _result(relative: PurePosixPath) -> PurePosixPath:
    return relative.with_suffix(".png")


def printable(name: str) -> str:
    """A file's name as it can be shown and written as UTF-8: quoted where it has control or undecodable characters."""
    return name if name.isprintable() else ascii(name)
