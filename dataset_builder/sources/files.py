"""A folder or a .zip archive of pictures, seen as names to list and to read."""

import io
import os
import weakref
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from autochrome.errors import DataError
from autochrome.image import PICTURE_SUFFIXES
from autochrome.inputs import MAX_MEMBER_BYTES, unsafe_member


class PictureFiles:
    """Files below a folder, or members of an archive, by their relative path with slashes.

    An archive is opened when first asked and stays open in that process: its list of members is read once.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self._archive: zipfile.ZipFile | None = None

    def names(self) -> Iterator[tuple[str, str | None]]:
        """Name of every picture, sorted, and why it must not be read, or None. Hidden files are left out.

        Raises:
            DataError: it does not exist, is neither folder nor .zip archive, or holds no picture.
        """
        found = False
        for name in self._all_names():
            suffix = PurePosixPath(name).suffix.lower()
            if suffix in PICTURE_SUFFIXES:
                found = True
                yield name, self._problem(name)
        if not found:
            raise DataError(f"{self.path} holds no pictures ({', '.join(sorted(PICTURE_SUFFIXES))})")

    def find(self, *endings: str) -> list[str]:
        """Names of the files, pictures or not, whose last part is one of `endings`; sorted."""
        return [name for name in self._all_names() if PurePosixPath(name).name in endings]

    def read(self, name: str) -> bytes | Path:
        """A picture, as `read_picture` takes it: the path of a file, the bytes of a member.

        Raises:
            DataError: the archive has no such member, or it is unsafe or damaged.
        """
        if self.path.is_dir():
            return self.path / name
        problem = self._problem(name)
        if problem is not None:
            raise DataError(problem)
        return self._member(name)

    def read_lines(self, name: str) -> Iterator[str]:
        """The lines of a text file in UTF-8, one after another, however many.

        Raises:
            DataError: it cannot be read, or is not UTF-8.
        """
        try:
            with (
                (self.path / name).open("rb") if self.path.is_dir() else self._open().open(name) as file,
                io.TextIOWrapper(file, encoding="utf-8-sig") as lines,
            ):
                yield from lines
        except (OSError, UnicodeDecodeError, zipfile.BadZipFile, zlib.error, EOFError) as error:
            raise DataError(f"{self.path}/{name} cannot be read as UTF-8 text: {error}") from error

    def _all_names(self) -> Iterator[str]:
        if self.path.is_dir():
            yield from _walk(self.path)
            return
        for name in sorted(self._open().NameToInfo):
            parts = PurePosixPath(name.replace("\\", "/")).parts
            hidden = any(part.startswith(".") and part != ".." for part in parts) or "__MACOSX" in parts
            if not name.endswith("/") and not hidden:
                yield name

    def _problem(self, name: str) -> str | None:
        if self.path.is_dir():
            return None
        member = self._open().NameToInfo.get(name)
        if member is None:
            return f"{self.path} has no member {name!r}"
        return unsafe_member(member, PurePosixPath(name.replace("\\", "/")), MAX_MEMBER_BYTES)

    def _member(self, name: str) -> bytes:
        try:
            return self._open().read(name)
        except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError) as error:
            raise DataError(f"{self.path} is damaged at {name!r} ({error}); get a complete copy") from error

    def _open(self) -> zipfile.ZipFile:
        if self._archive is None:
            if not self.path.exists():
                raise DataError(f"{self.path} does not exist; give a folder or a .zip archive of pictures")
            try:
                self._archive = zipfile.ZipFile(self.path)
            except (zipfile.BadZipFile, OSError, EOFError, NotImplementedError) as error:
                raise DataError(
                    f"{self.path} is neither a folder nor a .zip archive that can be read ({error}); get another copy"
                ) from error
            weakref.finalize(self, self._archive.close)
        return self._archive


def _walk(folder: Path) -> Iterator[str]:
    """Relative path of every file that is not hidden, folder by folder, sorted within each."""

    def refuse(error: OSError) -> None:
        raise DataError(f"{error.filename} cannot be listed: {error.strerror}; mend its permissions") from error

    for parent, folders, files in os.walk(folder, onerror=refuse):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        relative = Path(parent).relative_to(folder)
        yield from ((relative / name).as_posix() for name in sorted(files) if not name.startswith("."))
