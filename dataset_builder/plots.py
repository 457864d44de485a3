"""The pictures beside a dataset's card: histograms, and a grid of samples."""

import io
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from PIL import Image, ImageOps

from autochrome.errors import UnavailableError
from autochrome.files import replacing

PLOTS = {
    "colorfulness": ("Colorfulness (Hasler and Suesstrunk, 0..255 scale)", "#d55e00"),
    "lightness": ("Mean L* of the picture (0 is black, 100 is white)", "#666666"),
    "text_words": ("Length of the caption `text`, in words", "#0072b2"),
}
"""Measures of report.json that are drawn: what stands below the axis, and the color of the bars."""

_TILE_PX = 192
_GAP_PX = 6


def plot_histogram(measure: str, histogram: dict[str, Any], path: Path) -> None:
    """Draw one of `PLOTS` as a PNG, the same bytes for the same numbers.

    Args:
        histogram: `counts` (n), `edges` (n + 1) and `mean`, as report.json has them.

    Raises:
        UnavailableError: matplotlib is not installed.
        DataError: the file cannot be written.
    """
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise UnavailableError(
            "the card's plots need matplotlib, which is not installed: pip install matplotlib"
        ) from error
    label, color = PLOTS[measure]
    edges, counts, unit = histogram["edges"], histogram["counts"], "pictures"
    if measure == "text_words":
        edges, counts = _whole_numbers(edges, counts)
        unit = "pictures for each length"
    figure = Figure(figsize=(6, 3), layout="constrained")
    axes = figure.add_subplot()
    axes.stairs(counts, edges, fill=True, color=color)
    axes.axvline(histogram["mean"], color="black", linewidth=1, linestyle="--", label=f"mean {histogram['mean']:.1f}")
    axes.set(xlabel=label, ylabel=unit)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False)
    with replacing(path) as temporary:
        figure.savefig(temporary, format="png", dpi=110, metadata={"Software": None})


def _whole_numbers(edges: Sequence[float], counts: Sequence[int]) -> tuple[list[float], list[float]]:
    """A histogram of whole numbers without the comb that bins of another width make: pictures for each number.

    Bins hold the numbers from their left edge up to, but without, their right one; the last bin holds that too.
    """
    firsts = [math.ceil(edge) for edge in edges[:-1]] + [math.floor(edges[-1]) + 1]
    new_edges, new_counts = [firsts[0] - 0.5], []
    for count, first, following in zip(counts, firsts, firsts[1:], strict=False):
        if following > first:
            new_edges.append(following - 0.5)
            new_counts.append(count / (following - first))
    return new_edges, new_counts


def draw_samples(pairs: Sequence[tuple[bytes, bytes]], path: Path) -> None:
    """A row of pictures above a row of their conditioning images, cropped to squares, as a PNG.

    Args:
        pairs: encoded `image` and `conditioning_image` of each sample; at least one.

    Raises:
        DataError: the file cannot be written.
    """
    step = _TILE_PX + _GAP_PX
    grid = Image.new("RGB", (step * len(pairs) - _GAP_PX, step * 2 - _GAP_PX), "white")
    for column, pair in enumerate(pairs):
        for line, encoded in enumerate(pair):
            with Image.open(io.BytesIO(encoded)) as picture:
                tile = ImageOps.fit(picture.convert("RGB"), (_TILE_PX, _TILE_PX))
            grid.paste(tile, (column * step, line * step))
    with replacing(path) as temporary:
        grid.save(temporary, format="PNG")
