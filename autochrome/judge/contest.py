"""Who takes part: folders or archives of pictures under short names, and the pictures that all of them have."""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from autochrome.errors import DataError
from autochrome.evaluation.matching import pictures_by_name
from autochrome.inputs import Item, printable
from autochrome.judge.plan import QUESTIONS, Trial, make_plan
from autochrome.judge.votes import Study


@dataclass(frozen=True)
class Contest:
    """What is asked, of which pictures.

    Attributes:
        study: what the votes will be about.
        items: by name of the folder and name of the picture (relative path without suffix), the picture.
        pictures: names of the pictures that every folder has.
        left_out: names of those that only some have.
        refused: what is no picture that can be read: (name, reason).
    """

    study: Study
    items: dict[str, dict[str, Item]]
    pictures: list[str]
    left_out: list[str]
    refused: list[tuple[str, str]]

    def plan(self) -> list[Trial]:
        """All questions, in order."""
        return make_plan(self.pictures, self.study.systems, self.study.reference, self.study.seed)


def gather(folders: Sequence[Path], reference: Path | None, question: str, seed: int) -> Contest:
    """Find the pictures that all folders (or .zip archives) have, by relative path without suffix.

    With the question "natural" the reference, if given, only says which pictures are asked about; it is never shown.

    Raises:
        DataError: too few folders for the question, one is given twice, holds no pictures, or none that all have.
    """
    assert question in QUESTIONS, question
    if question == "real" and (reference is None or not folders):
        raise DataError("the question 'real' needs one folder or more, and the real photographs: --reference DIR")
    if question == "natural" and len(folders) < 2:
        raise DataError(
            f"the question 'natural' compares two folders or more, and {len(folders)} is given; "
            "add another, or ask --question real with --reference DIR"
        )
    paths = [*folders, *([reference] if reference is not None else [])]
    items: dict[str, dict[str, Item]] = {}
    refused: list[tuple[str, str]] = []
    for label, path in zip(short_names(paths), paths, strict=True):
        items[label], bad = pictures_by_name(path)
        refused += bad
    everywhere = set.intersection(*map(set, items.values()))
    if not everywhere:
        examples = ", ".join(f"{label}: {min(found)}" for label, found in items.items())
        raise DataError(
            f"no picture is in all of the {len(paths)} folders (their first ones are {examples}); "
            "the paths inside them must be the same, but for the suffix"
        )
    truth = list(items)[-1] if question == "real" else None
    systems = tuple(items)[: len(folders)]
    shown = {label: items[label] for label in (*systems, truth) if label is not None}
    study = Study(question, systems, truth, seed, _fingerprint(shown, everywhere))
    left_out = sorted(set.union(*map(set, items.values())) - everywhere)
    return Contest(study, items, sorted(everywhere), left_out, refused)


def short_names(paths: Sequence[Path]) -> list[str]:
    """The last part of each path, or as many of the last parts as make them all different.

    Raises:
        DataError: two are the same.
    """
    parts = [path.resolve().parts for path in paths]
    for index, one in enumerate(parts):
        if one in parts[:index]:
            raise DataError(f"{paths[index]} is given twice; a folder cannot be compared with itself")
    length = 1
    while len({one[-length:] for one in parts}) < len(parts):
        length += 1
    return [printable("/".join(one[-length:])) for one in parts]


def _fingerprint(items: dict[str, dict[str, Item]], pictures: Iterable[str]) -> str:
    """Changes when a picture comes, goes or is made again: a hash of names and sizes of files, quick for thousands."""
    digest = hashlib.sha256()
    for label, found in items.items():
        for name in sorted(pictures):
            try:
                size = found[name].path.stat().st_size
            except OSError as error:
                raise DataError(f"cannot read {found[name].name}: {error.strerror}") from error
            digest.update(repr((label, name, size)).encode())
    return digest.hexdigest()
