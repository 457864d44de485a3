"""The pictures of a report: which are shown, each as grey, result, truth and error map."""

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import PIL.Image

from autochrome.errors import AutochromeError, DataError, PictureError
from autochrome.evaluation.matching import Pair, match
from autochrome.image import picture_to_tensor, read_picture, tensor_to_picture
from autochrome.inputs import Item
from autochrome.metrics import ciede2000_map
from autochrome.metrics.baselines import grey_baseline

TILE_PX = 320
"""No side of a picture on the page is longer."""

MAX_ERROR = 30.0
"""The error map's brightest color: this CIEDE2000 and more."""

SEED = 0
"""Of whatever is drawn at random: the same pictures every time."""

_SECTION_ROWS = 5

Pairs = Mapping[str, Pair]
"""Prediction and reference by the name that the evaluation gives them."""


@dataclass(frozen=True)
class Tiles:
    """One picture four times, each RGB and at most `TILE_PX` a side."""

    grey: PIL.Image.Image
    result: PIL.Image.Image
    truth: PIL.Image.Image
    error: PIL.Image.Image


def find_pairs(evaluation: dict[str, Any], predictions: Path, reference: Path) -> Pairs:
    """The files of all pictures that were scored.

    Raises:
        DataError: a source cannot be read, or a picture is no longer there.
    """
    found = {pair.name: pair for pair in match(predictions, reference).pairs}
    names = [picture["name"] for picture in evaluation["pictures"]]
    lost = [name for name in names if name not in found]
    if lost:
        raise DataError(
            f"'{lost[0]}' was scored but is not in both {predictions} and {reference} ({len(lost)} such names); "
            "give the folders that were evaluated"
        )
    return {name: found[name] for name in names}


def choose(pictures: Sequence[dict[str, Any]]) -> dict[str, list[dict[str, Any]]]:
    """Which pictures are shown, by section: `all` of a few, else `random`, `worst`, `median` and `best` by CIEDE2000.

    Without CIEDE2000 there is no order, and of many pictures only `random` ones are shown.
    """
    ranked = sorted(pictures, key=lambda picture: (-(picture.get("ciede2000") or 0), picture["name"]))
    if len(ranked) <= 2 * _SECTION_ROWS:
        return {"all": ranked} if ranked else {}
    sections = {"random": random.Random(SEED).sample(ranked, _SECTION_ROWS)}
    if "ciede2000" in ranked[0]:
        middle = (len(ranked) - _SECTION_ROWS) // 2
        sections["worst"] = ranked[:_SECTION_ROWS]
        sections["median"] = ranked[middle : middle + _SECTION_ROWS]
        sections["best"] = ranked[: -_SECTION_ROWS - 1 : -1]
    return sections


def make_tiles(pair: Pair, palette: npt.NDArray[np.uint8]) -> Tiles:
    """Grey, result, truth and error map of one picture; `palette` `(256, 3)` colors errors of 0 to `MAX_ERROR`.

    The errors are those of the thumbnails: fine noise in a large picture weighs less in them than in its scores.

    Raises:
        PictureError: a picture cannot be read, or the two differ in size.
    """
    result, truth = read(pair.prediction), read(pair.reference)
    if result.size != truth.size:
        raise PictureError(f"{pair.prediction.name} was scored but has another size than its reference now")
    result, truth = _shrunk(result), _shrunk(truth)
    true = picture_to_tensor(truth)
    errors = ciede2000_map(picture_to_tensor(result), true)[0, 0].numpy()
    levels = (errors / MAX_ERROR * 255).round().clip(0, 255).astype(np.uint8)
    return Tiles(tensor_to_picture(grey_baseline(true)), result, truth, PIL.Image.fromarray(palette[levels]))


def contact_sheet(rows: Sequence[Tiles], gap_px: int = 8) -> PIL.Image.Image:
    """All rows below each other, a column each for grey, result, truth and error map, on white."""
    width = max(row.truth.width for row in rows)
    height = sum(row.truth.height + gap_px for row in rows)
    sheet = PIL.Image.new("RGB", (4 * (width + gap_px) + gap_px, height + gap_px), "white")
    top = gap_px
    for row in rows:
        for column, tile in enumerate((row.grey, row.result, row.truth, row.error)):
            sheet.paste(tile, (gap_px + column * (width + gap_px) + (width - tile.width) // 2, top))
        top += row.truth.height + gap_px
    return sheet


def read(item: Item) -> PIL.Image.Image:
    """The picture, of mode RGB or RGBA; raises `PictureError`."""
    try:
        return read_picture(item.read())
    except (AutochromeError, OSError) as error:
        raise PictureError(f"{item.name} was scored but cannot be read any more: {error}") from error


def _shrunk(picture: PIL.Image.Image) -> PIL.Image.Image:
    picture = picture.convert("RGB")  # the alpha is left out, as in the scores
    picture.thumbnail((TILE_PX, TILE_PX), PIL.Image.Resampling.LANCZOS)
    return picture
