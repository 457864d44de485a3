"""The tab About: the models, what the numbers mean, how to call the API, and what these pictures are not."""

from collections.abc import Iterable
from html import escape
from pathlib import Path

import gradio as gr

from autochrome.catalog import Catalog, Row
from autochrome.ui.words import COLORFULNESS_WORDS, DIFFERENCE_WORDS, LIGHTNESS_WORDS, Scale

README_PATH = Path(__file__).resolve().parents[2] / "README.md"
API_START, API_END = "<!-- api:start -->", "<!-- api:end -->"

HONESTY = """<h2>What these pictures are</h2>
<p>Guesses. A black-and-white photograph does not hold its colors: a blue dress and a red one can be the same grey. The
models give colors that are likely, not those that were. Do not take them for evidence, and say “AI-colorized” when you
show them. Every file from here says so in its metadata, with the model and its settings; nothing is drawn into the
picture.</p>
<p>The light is yours: every shade of the photograph stays as it was, at its full size, unless you switch that off.</p>
<h2>Your photographs</h2>
<p>They stay on this server, nobody else can see them, no model learns from them, and they are deleted within two
hours. Settings are in this page's address, pictures never.</p>"""

METRICS = (
    (
        "Color difference",
        "CIEDE2000, ΔE00",
        "How far apart two colors look, on average over the picture.",
        DIFFERENCE_WORDS,
    ),
    ("Colorfulness", "Hasler and Süsstrunk", "How much color there is, right or wrong.", COLORFULNESS_WORDS),
    ("Lightness error", "mean |ΔL*|", "How far the light strayed from your file.", LIGHTNESS_WORDS),
    ("Signal to noise", "PSNR, dB", "Closeness pixel by pixel; a careful grey scores well too, so look at both.", ()),
    ("Likeness", "SSIM", "Whether the same structures are there; 1 is identical. Grey scores well here too.", ()),
)


def build_about_tab(catalog: Catalog) -> None:
    """Lay out the tab in the `gr.Blocks` that is being built."""
    gr.HTML(HONESTY, elem_classes="about")
    gr.HTML(models_html(catalog), elem_classes="about")
    gr.HTML(metrics_html(), elem_classes="about")
    gr.Markdown(f"## For programs\n\n{api_text()}", elem_id="api-text", elem_classes="about")


def models_html(catalog: Iterable[Row]) -> str:
    """Every model of the catalog: what it is, its license, what it takes, and why it cannot be used here."""
    rows = "".join(_model_row(row) for row in catalog)
    heads = "".join(f'<th scope="col">{name}</th>' for name in ("Model", "What it is", "Takes", "License"))
    table = f"<table><thead><tr>{heads}</tr></thead><tbody>{rows}</tbody></table>"
    return f'<h2>The models</h2><div class="wide">{table}</div>'


def _model_row(row: Row) -> str:
    reason = row.unavailable_reason()
    note = "" if reason is None else f'<br><em class="reason">Not available here. {escape(reason)}</em>'
    settings = ", ".join(name.replace("_", " ") for name in row.settings)
    return (
        f'<tr><th scope="row">{escape(row.name)}<br><code>{escape(row.id)}</code></th>'
        f"<td>{escape(row.description)}{note}</td><td>{escape(settings)}</td><td>{escape(row.license)}</td></tr>"
    )


def metrics_html() -> str:
    """What each number of the page means, with its scale in words."""
    items = "".join(
        f"<dt>{escape(name)} <small>{escape(measure)}</small></dt><dd>{escape(meaning)}{_scale_html(scale)}</dd>"
        for name, measure, meaning, scale in METRICS
    )
    return (
        "<h2>What the numbers mean</h2><p>Plain grey is a baseline that people forget: its colors are wrong everywhere "
        "and still it scores well in several measures. So every comparison here has a row without color.</p>"
        f"<dl>{items}</dl>"
    )


def _scale_html(scale: Scale) -> str:
    low, items = 0.0, []
    for end, words in scale:
        span = f"from {low:g}" if end == float("inf") else f"{low:g} to {end:g}"
        items.append(f"<li>{span}: {escape(words)}</li>")
        low = end
    return f"<ul>{''.join(items)}</ul>" if items else ""


def api_text(path: Path = README_PATH) -> str:
    """How to call the API, as Markdown: the README's own text, so that it is written, and tested, once."""
    try:
        text = path.read_text(encoding="utf-8")
    except OSError:
        text = ""
    _, _, rest = text.partition(API_START)
    section, found, _ = rest.partition(API_END)
    if not found:
        return "The page's footer has a link to the documentation of all endpoints."
    return section.strip()
