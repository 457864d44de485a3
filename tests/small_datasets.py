"""A dataset as dataset_builder writes one, small: Parquet files with embedded pictures of one color and a ramp each."""

import io
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow
import pyarrow.parquet
from PIL import Image

from autochrome.color import lightness_to_grey
from autochrome.image import picture_to_lightness

COLORS = {"red": (230, 40, 30), "blue": (40, 60, 220), "green": (40, 170, 60)}


def write_dataset(folder: Path, *, num_train: int, num_validation: int) -> Path:
    """Write both splits; row n is 80 x 96 pixels of the color n of `COLORS`; every third has no plain caption."""
    (folder / "data").mkdir(parents=True)
    for split, count in (("train", num_train), ("validation", num_validation)):
        table = pyarrow.Table.from_pylist([row(number) for number in range(count)])
        pyarrow.parquet.write_table(table, folder / "data" / f"{split}-00000-of-00001.parquet")
    return folder


def row(number: int) -> dict[str, Any]:
    """One row with the columns that dataset_builder writes."""
    name, color = list(COLORS.items())[number % len(COLORS)]
    ramp = np.linspace(0.3, 1, 80)[:, None, None] * np.array(color)
    picture = Image.fromarray(np.broadcast_to(ramp, (80, 96, 3)).astype(np.uint8))
    grey = lightness_to_grey(picture_to_lightness(picture))[0, 0].mul(255).round().byte().numpy()
    plain = f"thing {number}" if number % 3 else ""
    return {
        "image": {"bytes": encoded(picture), "path": f"{number}.png"},
        "conditioning_image": {"bytes": encoded(Image.fromarray(grey)), "path": f"{number}.png"},
        "text": plain,
        "text_color": f"a {name} {plain}" if plain else f"{name.title()}.",
        "source": "made",
        "license": "CC0-1.0",
    }


def encoded(picture: Image.Image) -> bytes:
    """A picture as the bytes of a PNG."""
    buffer = io.BytesIO()
    picture.save(buffer, format="PNG")
    return buffer.getvalue()
