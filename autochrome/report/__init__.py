"""The report of an evaluation: one HTML page that needs nothing beside it, and its figures as PNG.

It knows no model and scores nothing: it shows what `autochrome evaluate` has found, with the pictures themselves.
"""

import io
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import PIL.Image

from autochrome.files import replacing
from autochrome.inputs import printable
from autochrome.report import figures
from autochrome.report.density import ab_density
from autochrome.report.figures import require_matplotlib
from autochrome.report.page import Plot, Row, page
from autochrome.report.pictures import Pairs, choose, contact_sheet, find_pairs, make_tiles

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["require_matplotlib", "write_report"]

_TEXTS = {
    "curve": (
        "CIEDE2000 against colorfulness as the saturation is scaled",
        "A system is a curve: its saturation is scaled down and up, and every step is scored. Any system can be dull "
        "(left) or vivid (right); of two, the one with the lower curve is better. Diamonds: at half and at all of the "
        "truth’s colorfulness, with 95% intervals. Above the dashed line, plain grey is closer to the truth.",
    ),
    "scatter": (
        "Colorfulness of each result against its truth",
        "Each dot is a picture. On the green line it is as colorful as its truth, below it duller. A flat cloud is a "
        "system that paints all pictures alike. Diamonds at the edge lie further out.",
    ),
    "distributions": (
        "Histogram of each measure over the pictures",
        "Each measure over the pictures. Solid line and number: the median. Shaded: the middle half (25th to 75th "
        "percentile). Ticks at the bottom: 5th and 95th percentile. Dashed: the mean of plain grey, where in sight.",
    ),
    "density": (
        "Density of colors in the a*b* plane, result and truth",
        "How often each color occurs, on a logarithmic scale, in {count:,} pictures, whatever their size. The lines "
        "enclose 50% and 90% of all pixels. A result whose lines are tight is duller than the truth; a color that is "
        "missing here is never used.",
    ),
}


def write_report(evaluation: dict[str, Any], predictions: Path, reference: Path, folder: Path) -> Path:
    """Write `folder/index.html` and its figures (`folder/NAME.png`, `NAME-dark.png`, `sheet-NAME.png`).

    The page carries its pictures inside, asks no server for anything, and follows the reader's light or dark theme.
    Equal input gives equal bytes. Of the pictures only those shown and one other a thread are in memory.

    Args: the content of the evaluation's JSON; the folders or .zip archives that it was made from; where to write.
    Returns the page's path.

    Raises:
        UnavailableError: matplotlib is not installed.
        DataError: a picture that was scored is no longer there, or `folder` cannot be written.
        PictureError: such a picture cannot be read any more.
    """
    require_matplotlib()
    pairs = find_pairs(evaluation, predictions, reference) if evaluation["pictures"] else {}
    palette = figures.error_palette()
    tiles = {}
    sheets: dict[str, list[Row]] = {}
    for section, pictures in choose(evaluation["pictures"]).items():
        for picture in pictures:
            if picture["name"] not in tiles:
                tiles[picture["name"]] = make_tiles(pairs[picture["name"]], palette)
        sheets[section] = [Row(picture, tiles[picture["name"]]) for picture in pictures]
    plots = _plots(evaluation, pairs)
    for name, plot in plots.items():
        _write(plot.light, folder / f"{name}.png")
        _write(plot.dark, folder / f"{name}-dark.png")
    for section, rows in sheets.items():
        _write(_png(contact_sheet([row.tiles for row in rows])), folder / f"sheet-{section}.png")
    sources = printable(predictions.resolve().name), printable(reference.resolve().name)
    path = folder / "index.html"
    _write(page(evaluation, sources, plots, sheets, figures.error_stops()).encode(), path)
    return path


def _plots(evaluation: dict[str, Any], pairs: Pairs) -> dict[str, Plot]:
    """Those figures that the evaluation has numbers for, by name."""
    pictures, metrics = evaluation["pictures"], evaluation["metrics"]
    draws: dict[str, tuple[Callable[[Figure, figures.Theme], None], tuple[float, float]]] = {}
    if (evaluation.get("curve") or {}).get("ciede2000_share"):
        draws["curve"] = partial(figures.draw_curve, evaluation=evaluation), (5.6, 4.3)
    if pictures and {"colorfulness", "delta_colorfulness"} <= metrics.keys():
        draws["scatter"] = partial(figures.draw_scatter, pictures=pictures), (4.6, 4.3)
    if metrics:
        rows = -(-len(metrics) // figures.DISTRIBUTION_COLUMNS)
        draws["distributions"] = partial(figures.draw_distributions, evaluation=evaluation), (11.3, 1.65 * rows)
    count = 0
    if pairs:
        density, count = ab_density(pairs)
        draws["density"] = partial(figures.draw_density, density=density), (10.4, 5.1)
    return {name: _plot(name, draw, size, count) for name, (draw, size) in draws.items()}


def _plot(name: str, draw: Callable[["Figure", figures.Theme], None], size: tuple[float, float], count: int) -> Plot:
    alt, caption = _TEXTS[name]
    light, dark = (figures.render(draw, size, theme) for theme in (figures.LIGHT, figures.DARK))
    return Plot(light, dark, alt, caption.format(count=count))


def _png(picture: PIL.Image.Image) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, "PNG")
    return buffer.getvalue()


def _write(content: bytes, path: Path) -> None:
    with replacing(path) as temporary:
        temporary.write_bytes(content)
