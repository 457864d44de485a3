"""The report as one HTML page. Whatever comes from outside is escaped, and all pictures are inside the page."""

import io
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import PIL.Image

from autochrome import __version__
from autochrome.report.markup import data_uri, named, number, text
from autochrome.report.pictures import MAX_ERROR, Tiles
from autochrome.report.sentences import summary
from autochrome.report.tables import group, measures, problems

_SHEETS = {
    "all": ("All pictures", "From the largest color difference to the smallest."),
    "random": ("Random", "Drawn blindly: what to expect. Every system on the same pictures shows the same ones."),
    "worst": ("Worst", "The largest color differences from the truth."),
    "median": ("Median", "From the middle of the order: half of all pictures are better, half worse."),
    "best": ("Best", "The smallest color differences. Pictures with little color are easy, and gather here."),
}
_TILE_NAMES = ("grey", "result", "truth", "error map")
# Were there anything in the page that is not inside it, the browser would refuse to fetch it.
_POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"


@dataclass(frozen=True)
class Plot:
    """A figure in both themes (PNG), and what to say below it."""

    light: bytes
    dark: bytes
    alt: str
    caption: str


@dataclass(frozen=True)
class Row:
    """One picture of a contact sheet."""

    scores: Mapping[str, Any]
    tiles: Tiles


def page(
    evaluation: dict[str, Any],
    sources: tuple[str, str],
    plots: Mapping[str, Plot],
    sheets: Mapping[str, Sequence[Row]],
    legend: Iterable[tuple[float, str]],
) -> str:
    """The whole page.

    Args: the evaluation; the names of predictions and reference; figures by name (`curve`, `scatter`, `density`,
    `distributions`, those that there are); the rows of each contact sheet; the colors of the error map's legend.
    """
    style = (Path(__file__).parent / "page.css").read_text(encoding="utf-8")
    lines = [
        "<!doctype html>",
        '<html lang="en"><head><meta charset="utf-8">',
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        f"<title>{text(sources[0])}: colorization report</title>",
        f"<style>\n{style}</style></head><body>",
        *_header(evaluation, sources),
        *_section("Near the truth, or vivid", _figures(plots, "curve", "scatter")),
        *_section("Pictures", _sheets(sheets, legend)),
        *_section("All measures", measures(evaluation)),
        *_section("Distributions", _figures(plots, "distributions")),
        *_section("Where the colors lie", _figures(plots, "density")),
    ]
    for column in evaluation.get("groups", {}):
        lines += _section(f"By {text(column)}", group(evaluation, column))
    lines += [
        *_section("Not scored", problems(evaluation)),
        f'<footer class="faint">Made by Autochrome {text(__version__)}. The pictures shown here are small JPEG copies; '
        "the scores are of the pictures themselves.</footer>",
        "</body></html>\n",
    ]
    return "\n".join(lines)


def _header(evaluation: dict[str, Any], sources: tuple[str, str]) -> Iterator[str]:
    yield '<header><h1><span class="grains"><i></i><i></i><i></i></span>Colorization report</h1>'
    ours, truth = map(named, sources)
    yield f"<p>Pictures <b>{ours}</b>, compared with the true colors <b>{truth}</b></p></header>"
    cards = [
        f"<div><span>{name}</span><b>{value}</b><small>{note}</small></div>" for name, value, note in _cards(evaluation)
    ]
    if cards:
        yield f'<div class="cards">{"".join(cards)}</div>'
    for sentence in summary(evaluation):
        yield f"<p>{text(sentence)}</p>"


def _cards(evaluation: dict[str, Any]) -> Iterator[tuple[str, str, str]]:
    """The key numbers: (name, value, what it means)."""
    shares, curve = evaluation["shares"], evaluation.get("curve") or {}
    ours = evaluation["metrics"].get("ciede2000")
    grey = evaluation["baselines"].get("grey", {}).get("ciede2000")
    if ours and grey:
        yield "CIEDE2000", number(ours["mean"]), f"plain grey has {number(grey['mean'])}; less is better"
    if (better := shares.get("better_than_grey")) is not None:
        yield "better than grey", f"{better:.0%}", "of the pictures, by CIEDE2000"
    if (colorful := shares.get("colorfulness_of_reference")) is not None:
        yield "colorfulness", f"{colorful:.2f}", "of the truth’s; 1 is equal"
    if (half := curve.get("at_half")) is not None:
        rest = "not reached" if curve.get("at_one") is None else number(curve["at_one"])
        note = f"of grey’s CIEDE2000, scaled to half of the truth’s colorfulness; at all of it {rest}"
        yield "at equal color", number(half), note


def _section(title: str, content: Iterable[str]) -> list[str]:
    """Nothing at all where there is no content."""
    lines = list(content)
    return [f"<section><h2>{title}</h2>", *lines, "</section>"] if lines else []


def _figures(plots: Mapping[str, Plot], *names: str) -> Iterator[str]:
    """Those figures that there are, side by side."""
    shown = [_figure(plots[name]) for name in names if name in plots]
    if shown:
        yield f'<div class="figures">{"".join(shown)}</div>'


def _figure(plot: Plot) -> str:
    with PIL.Image.open(io.BytesIO(plot.light)) as picture:
        width, height = (side // 2 for side in picture.size)
    # Two <img> and not <picture>: a browser does not choose again when a dark page is printed on white paper.
    rest = f'width="{width}" height="{height}" alt="{text(plot.alt)}"'
    images = "".join(
        f'<img class="{theme}" src="{data_uri(content, "png")}" {rest}>'
        for theme, content in (("light", plot.light), ("dark", plot.dark))
    )
    return f"<figure>{images}<figcaption>{text(plot.caption)}</figcaption></figure>"


def _sheets(sheets: Mapping[str, Sequence[Row]], legend: Iterable[tuple[float, str]]) -> Iterator[str]:
    if not sheets:
        return
    stops = ", ".join(f"{color} {share:.1%}" for share, color in legend)
    yield (
        '<div class="legend faint"><span>error map: CIEDE2000 at every pixel, from 0</span>'
        f'<i style="background: linear-gradient(to right, {stops})"></i><span>to {MAX_ERROR:g} and more</span></div>'
    )
    heads = "".join(f"<span>{name}</span>" for name in _TILE_NAMES)
    for section, rows in sheets.items():
        title, note = _SHEETS[section]
        first, *others = (_row(row) for row in rows)
        above = f'<h3>{title}</h3><p class="faint">{note}</p><div class="heads">{heads}</div>'
        yield f'<div class="keep">{above}{first}</div>'
        yield from others


def _row(row: Row) -> str:
    tiles = (row.tiles.grey, row.tiles.result, row.tiles.truth, row.tiles.error)
    pictures = "".join(
        f'<img src="{data_uri(_jpeg(tile), "jpeg")}" width="{tile.width}" height="{tile.height}" alt="{name}">'
        for name, tile in zip(_TILE_NAMES, tiles, strict=True)
    )
    scores = []
    if (difference := row.scores.get("ciede2000")) is not None:
        scores.append(f"<span>CIEDE2000 <b>{number(difference)}</b></span>")
    ours, delta = row.scores.get("colorfulness"), row.scores.get("delta_colorfulness")
    if ours is not None and delta is not None:
        scores.append(f"<span>colorfulness <b>{number(ours)}</b>, true <b>{number(ours - delta)}</b></span>")
    caption = f"<figcaption>{named(row.scores['name'])}{''.join(scores)}</figcaption>"
    return f'<figure class="row">{pictures}{caption}</figure>'


def _jpeg(picture: PIL.Image.Image) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", quality=88, subsampling=0)
    return buffer.getvalue()
