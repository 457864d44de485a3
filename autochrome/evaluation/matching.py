"""Which picture of a system belongs to which reference: the one of the same path inside its folder or archive."""

import unicodedata
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from torch import Tensor

from autochrome.errors import AutochromeError, DataError, PictureError
from autochrome.image import picture_to_tensor, read_picture
from autochrome.inputs import Item, Selection, printable, select


class Pair(NamedTuple):
    """A prediction and its reference. `name` is their path inside their folder or archive, without suffix."""

    name: str
    prediction: Item
    reference: Item


@dataclass
class Matches:
    """What belongs together, and what has no partner; names are relative paths without suffix, sorted."""

    pairs: list[Pair]
    missing: list[str]
    """References without a prediction."""
    extra: list[str]
    """Predictions without a reference."""
    failed: list[tuple[str, str]]
    """What cannot even be opened: (name, reason)."""


def match(predictions: Path, reference: Path) -> Matches:
    """Pair the pictures of two folders or .zip archives by relative path without suffix, sorted by it.

    Raises:
        DataError: one is no folder or archive, holds no pictures, or they have no name in common.
    """
    (ours, refused), (truth, refused_truth) = pictures_by_name(predictions), pictures_by_name(reference)
    pairs = [Pair(name, ours[name], truth[name]) for name in sorted(truth.keys() & ours.keys())]
    if not pairs:
        examples = f"the first are {min(ours)!r} and {min(truth)!r}"
        raise DataError(
            f"no picture of {predictions} has the name of one of {reference} ({examples}); "
            "the paths inside the two must be the same, but for the suffix"
        )
    missing, extra = sorted(truth.keys() - ours.keys()), sorted(ours.keys() - truth.keys())
    return Matches(pairs, missing, extra, refused + refused_truth)


def pictures_by_name(source: Path) -> tuple[dict[str, Item], list[tuple[str, str]]]:
    """The pictures of a folder or .zip archive by relative path without suffix, and what was refused: (name, reason).

    Raises:
        DataError: it is no folder or archive, or holds no picture.
    """
    if source.exists() and not source.is_dir() and source.suffix.lower() != ".zip":
        raise DataError(f"{source} is one file; give a folder or a .zip archive of pictures")
    selection: Selection = select([source])
    if not selection.items:
        reasons = "; ".join(f"{name}: {reason}" for name, reason in selection.refused[:3])
        raise DataError(f"{source} holds no picture that can be read: {reasons}")
    return {name_without_suffix(str(item.result)): item for item in selection.items}, selection.refused


def name_without_suffix(path: str) -> str:
    """The name that a relative path is matched by; Unicode composed, since macOS writes file names decomposed."""
    parent, slash, name = path.rpartition("/")
    stem = name.rpartition(".")[0] if "." in name[1:] else name
    return unicodedata.normalize("NFC", printable(f"{parent}{slash}{stem}"))


def read(item: Item, role: str) -> Tensor:
    """A picture as gamma-coded sRGB `(1, 3, H, W)` in 0..1; alpha is left out, 16 bit become 8.

    Raises:
        PictureError: it cannot be read; the text begins with "the {role}".
    """
    try:
        return picture_to_tensor(read_picture(item.read()))
    except (AutochromeError, OSError) as error:
        raise PictureError(f"the {role} cannot be read: {error}") from error
