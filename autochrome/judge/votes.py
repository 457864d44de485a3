"""The file of votes: JSON lines, one fact each, only ever added to, and safe on disk before the next question.

The first line says what is asked about what (`Study`), each further one is a vote (`Vote`) or takes the last one back
(`{"undo": true, "time": ...}`). A line cut in half by a crash is the last one and counts for nothing.
"""

import contextlib
import json
import os
import sys
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from autochrome.errors import DataError
from autochrome.files import replacing

if sys.platform != "win32":
    import fcntl

FORMAT = "autochrome votes 1"
CHOICES = ("left", "right", "skip")


@dataclass(frozen=True)
class Study:
    """What is asked about what. Votes belong together only where all of it is the same.

    Attributes:
        question: "natural" or "real".
        systems: the names of the systems, those of their folders.
        reference: the name of the truth where it takes part, else None.
        seed: of the order and the sides.
        pictures: a fingerprint of the pictures that are shown.
    """

    question: str
    systems: tuple[str, ...]
    reference: str | None
    seed: int
    pictures: str


@dataclass(frozen=True)
class Vote:
    """One answer: which side was chosen ("left", "right" or "skip"), how many seconds it took, and when (UTC)."""

    picture: str
    left: str
    right: str
    choice: str
    seconds: float
    time: str

    @property
    def key(self) -> tuple[str, frozenset[str]]:
        """The `Trial.key` of the question that this answers."""
        return self.picture, frozenset((self.left, self.right))

    @property
    def chosen(self) -> str | None:
        """The name of whose picture was chosen; None for a skip."""
        return {"left": self.left, "right": self.right}.get(self.choice)


@dataclass(frozen=True)
class Record:
    """What a file of votes says: the votes that were not taken back; the bytes of whole lines, and of a half one."""

    study: Study
    votes: list[Vote]
    num_good_bytes: int
    num_lost_bytes: int


def now() -> str:
    """The time as it is written into the file: UTC, ISO 8601, whole seconds."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def read_votes(path: Path) -> Record:
    """Read a file of votes; a half-written last line is left out, and counted.

    Raises:
        DataError: it cannot be read, is something else, or is damaged before its last line.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise DataError(f"cannot read the votes in '{path}': {error.strerror}; give --votes FILE.jsonl") from error
    *lines, rest = content.split(b"\n")
    study = _study(lines[0] if lines else b"", path)
    votes: list[Vote] = []
    for number, line in enumerate(lines[1:], start=2):
        try:
            entry = json.loads(line)
            if entry.get("undo") is True:
                votes.pop()
            else:
                votes.append(_vote(entry, study))
        except (ValueError, TypeError, AttributeError, IndexError) as error:
            raise DataError(
                f"line {number} of '{path}' is not a vote that fits its first line ({error}); "
                "take the line out, or start a new file with --votes"
            ) from error
    return Record(study, votes, len(content) - len(rest), len(rest))


def _study(line: bytes, path: Path) -> Study:
    try:
        entry = json.loads(line)
        if entry.pop("format") != FORMAT:
            raise ValueError("another format")
        return Study(**entry | {"systems": tuple(entry["systems"])})
    except (ValueError, TypeError, AttributeError, KeyError) as error:
        raise DataError(f"'{path}' is not a file of votes; choose another name with --votes") from error


def _vote(entry: dict[str, Any], study: Study) -> Vote:
    vote = Vote(**entry)
    known = {*study.systems, study.reference} - {None}
    if vote.choice not in CHOICES or not {vote.left, vote.right} <= known or vote.left == vote.right:
        raise ValueError(f"{vote.choice} of {vote.left} and {vote.right}")
    return vote


class VoteLog:
    """An open file of votes. Nobody else can open it to write while this process holds it.

    Raises:
        DataError: it cannot be written or read, another process holds it, or it holds the votes of another study.
    """

    def __init__(self, path: Path, study: Study) -> None:
        if not path.exists():
            with replacing(path) as temporary:  # the first line is there whole, or there is no file
                temporary.write_text(json.dumps({"format": FORMAT, **asdict(study)}) + "\n", encoding="utf-8")
        self.path = path
        try:
            self._file = os.open(path, os.O_RDWR | os.O_APPEND | getattr(os, "O_BINARY", 0))
        except OSError as error:
            raise DataError(f"cannot write the votes to '{path}': {error.strerror}; give --votes FILE.jsonl") from error
        try:
            self._lock()
            record = read_votes(path)
            _check_same(record.study, study, path)
            os.ftruncate(self._file, record.num_good_bytes)
        except BaseException:
            os.close(self._file)
            raise
        self.votes = record.votes
        self.num_lost_bytes = record.num_lost_bytes
        """Of a half-written last vote, which was cut off."""

    def append(self, vote: Vote) -> None:
        """Add a vote; when this returns, it is on disk.

        Raises:
            DataError: it cannot be written; the file is then as before.
        """
        self._write(asdict(vote))
        self.votes.append(vote)

    def undo(self) -> Vote | None:
        """Take the last vote back and return it, or None where there is none. Raises as `append` does."""
        if not self.votes:
            return None
        self._write({"undo": True, "time": now()})
        return self.votes.pop()

    def close(self) -> None:
        """Let go of the file; a second time does nothing."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1

    def _lock(self) -> None:
        if sys.platform != "win32":
            try:
                fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                raise DataError(
                    f"another process is adding votes to '{self.path}'; end it, or choose another file with --votes"
                ) from error
            except OSError:
                pass  # a file system without locks, as some network ones are

    def _write(self, entry: dict[str, Any]) -> None:
        size = os.fstat(self._file).st_size
        line = json.dumps(entry).encode() + b"\n"
        try:
            while line:
                line = line[os.write(self._file, line) :]
            os.fsync(self._file)
        except OSError as error:
            with contextlib.suppress(OSError):
                os.ftruncate(self._file, size)
            raise DataError(f"the vote could not be written to '{self.path}': {error.strerror}") from error


def _check_same(found: Study, wanted: Study, path: Path) -> None:
    """Raise a DataError that says in what the two differ."""
    labels = {"question": "another question", "systems": "other systems", "reference": "another reference"}
    labels |= {"seed": "another seed", "pictures": "other pictures (some were added, removed or made again)"}
    for name, label in labels.items():
        there, here = getattr(found, name), getattr(wanted, name)
        if there != here:
            values = f": there {_shown(there)}, here {_shown(here)}" if name != "pictures" else ""
            raise DataError(
                f"'{path}' holds votes about {label}{values}; choose another file with --votes, "
                "or see what it holds with --results"
            )


def _shown(value: object) -> str:
    return ", ".join(value) if isinstance(value, tuple) else str(value)
