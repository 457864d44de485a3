"""What was done in this session: small pictures, and what brings each result back. Bounded, and nobody else's."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from autochrome.catalog import Row
from autochrome.ui.coloring import Coloring, Look

MAX_ENTRIES = 12


@dataclass(frozen=True)
class Entry:
    """One run of this session.

    Attributes:
        token: of the result among the last results; it may have been forgotten there.
        thumbnail: a small picture of the result.
        caption: model and time, in words.
        photograph, reference: the uploaded files; they are deleted after a time.
        model: catalog id.
        settings: of the run, by name.
        look: how it was last looked at.
        directions: what was drawn for it, as the easel holds it.
        followed: the run followed a pause in drawing; the next such run takes its place.
    """

    token: str
    thumbnail: Path
    caption: str
    photograph: Path
    reference: Path | None
    model: str
    settings: Mapping[str, Any]
    look: Look
    directions: Mapping[str, Any] | None = None
    followed: bool = False


def make_entry(token: str, coloring: Coloring, row: Row, photograph: Path, reference: Path | None) -> Entry:
    """The entry of a run that has just ended."""
    return Entry(
        token=token,
        thumbnail=coloring.thumbnail(),
        caption=f"{row.name}, {photograph.stem}",
        photograph=photograph,
        reference=reference,
        model=row.id,
        settings=dict(coloring.output.settings),
        look=coloring.look(),
    )


def put_first(entries: list[Entry], entry: Entry) -> tuple[list[Entry], list[Entry]]:
    """The list with this entry first, and the entries that have no place in it any more."""
    others = [each for each in entries if each.token != entry.token]
    kept = [entry, *others][:MAX_ENTRIES]
    return kept, others[MAX_ENTRIES - 1 :]


def look_again(entries: list[Entry], token: str | None, look: Look) -> list[Entry]:
    """The list in which a result is noted to be looked at in another way."""
    return [replace(each, look=look) if each.token == token else each for each in entries]


def as_gallery(entries: list[Entry]) -> list[tuple[str, str]]:
    """What the gallery shows; a small picture that was deleted in the meantime is left out with those after it."""
    return [(str(entry.thumbnail), entry.caption) for entry in entries]
