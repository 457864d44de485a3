"""The table of a comparison, as HTML: numbers, what they mean in words, and a bar for the one that matters."""

from collections.abc import Sequence
from html import escape

from autochrome.ui.compare.contest import TRUTH, Contestant
from autochrome.ui.plots import bar
from autochrome.ui.words import COLORFULNESS_WORDS, DIFFERENCE_WORDS, in_words


def table_html(contestants: Sequence[Contestant]) -> str:
    """A row for each contestant that has measures, and the reasons of those that have none."""
    measured = [each for each in contestants if each.measures is not None]
    compared = any("ciede2000" in (each.measures or {}) for each in measured)
    longest = max([(each.measures or {}).get("ciede2000", 0.0) for each in measured], default=0.0)
    heads = ["Picture", *(["Color difference (CIEDE2000)", "PSNR"] if compared else []), "Colorfulness", "Time"]
    head = "".join(f'<th scope="col">{escape(name)}</th>' for name in heads)
    rows = "".join(_row(each, compared, longest) for each in measured)
    note = (
        "Measured against the true colors, which no model saw. Lower difference is nearer; the bars show it."
        if compared
        else "How near the colors are to the real ones cannot be known without them: give a reference, or a photograph "
        "that is in color."
    )
    missing = "".join(
        f"<li><strong>{escape(each.name)}</strong> {escape(each.reason)}</li>"
        for each in contestants
        if each.reason is not None and each.name != TRUTH
    )
    left_out = f'<p>Not in this comparison</p><ul class="reasons">{missing}</ul>' if missing else ""
    return (
        f'<p>{escape(note)}</p><div class="wide"><table class="comparison"><thead><tr>{head}</tr></thead>'
        f"<tbody>{rows}</tbody></table></div>{left_out}"
    )


def _row(contestant: Contestant, compared: bool, longest: float) -> str:
    measures = contestant.measures or {}
    cells = []
    if compared:
        difference = measures["ciede2000"]
        words = in_words(difference, DIFFERENCE_WORDS)
        cells.append(f"<b>{difference:.1f}</b> {escape(words)}{bar(difference, longest)}")
        cells.append(f"{measures['psnr']:.1f} dB")
    colorfulness = measures["colorfulness"]
    cells.append(f"<b>{colorfulness:.0f}</b> {escape(in_words(colorfulness, COLORFULNESS_WORDS))}")
    cells.append("–" if contestant.seconds is None else f"{contestant.seconds:.2f} s")
    return f'<tr><th scope="row">{escape(contestant.name)}</th>{"".join(f"<td>{cell}</td>" for cell in cells)}</tr>'
