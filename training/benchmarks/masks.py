"""Where the colored thing of a caption stands in its picture, marked by hand: masks.json, read and drawn.

Each entry names a photograph of the test set, one of its captions, the thing and the one color that this caption gives
it, and the thing's outline. The file holds outlines and words only: the photographs may not be published.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import PIL.ImageDraw

from autochrome.errors import DataError

MASKS_PATH = Path(__file__).with_name("masks.json")
Polygon = tuple[tuple[float, float], ...]
_DRAWN_LARGER = 4


@dataclass(frozen=True)
class MarkedPicture:
    """A picture's caption and the outline of the one thing that it gives a color."""

    file_name: str
    """As in the photographs' metadata.jsonl."""
    caption: str
    thing: str
    """Its words in the caption."""
    color: str
    """The color word in the caption, lower case."""
    polygons: tuple[Polygon, ...]
    """The thing's parts, which may overlap; corners `(x, y)` as shares of width and height, 0..1 from the top left."""


def read_masks(path: Path) -> list[MarkedPicture]:
    """All pictures of a file such as masks.json.

    Raises:
        DataError: it cannot be read, is no such JSON, or an entry of it is not what it should be.
    """
    try:
        entries = json.loads(path.read_text(encoding="utf-8"))["pictures"]
        if not isinstance(entries, list):
            raise TypeError(f"pictures: {entries!r}")
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DataError(f"{path} must be JSON with a list `pictures`, as masks.json here; got {error!r}") from error
    marked = []
    for number, entry in enumerate(entries, 1):
        try:
            marked.append(_marked_picture(entry))
        except (ValueError, KeyError, TypeError) as error:
            raise DataError(
                f"{path}, picture {number}: {error!r}; each has file_name, caption, thing, color and polygons, "
                "a polygon being three or more corners [x, y], each 0..1"
            ) from error
    return marked


def draw_mask(marked: MarkedPicture, width: int, height: int) -> np.ndarray:
    """The pixels at least half of which the thing covers, bool `(height, width)`; drawn at four times the size."""
    size = (width * _DRAWN_LARGER, height * _DRAWN_LARGER)
    image = PIL.Image.new("L", size)
    draw = PIL.ImageDraw.Draw(image)
    for polygon in marked.polygons:
        draw.polygon([(x * size[0], y * size[1]) for x, y in polygon], fill=1)
    parts = np.asarray(image).reshape(height, _DRAWN_LARGER, width, _DRAWN_LARGER)
    mask: np.ndarray = parts.mean(axis=(1, 3)) >= 0.5
    return mask


def _marked_picture(entry: Mapping[str, Any]) -> MarkedPicture:
    polygons = tuple(tuple((float(x), float(y)) for x, y in polygon) for polygon in entry["polygons"])
    for polygon in polygons:
        if len(polygon) < 3:
            raise ValueError(f"a polygon of {len(polygon)} corners")
        for corner in polygon:
            if not all(0 <= share <= 1 for share in corner):
                raise ValueError(f"a corner at {corner}")
    return MarkedPicture(entry["file_name"], entry["caption"], entry["thing"], entry["color"], polygons)
