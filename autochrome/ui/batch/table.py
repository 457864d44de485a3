"""The progress of a batch as HTML: a sentence, a bar, and a line for each picture."""

from html import escape

from autochrome.ui.batch.running import Batch, Record
from autochrome.ui.plots import bar
from autochrome.ui.words import COLORFULNESS_WORDS, DIFFERENCE_WORDS, in_words

MAX_LINES_SHOWN = 300
_MARKS = {"done": "✓", "failed": "✗", "cancelled": "–"}


def progress_html(batch: Batch, current: str) -> str:
    """A sentence for while it works."""
    total, past = len(batch.choice.jobs) + len(batch.choice.refused), len(batch.records)
    left = batch.remaining_seconds
    time_left = "" if left is None else f" About {_duration(left)} left."
    return f"<p>{past} of {total}: {escape(current)}.{time_left}</p>{bar(past, total)}"


def finished_html(batch: Batch) -> str:
    """A sentence for the end."""
    count = {status: sum(record.status == status for record in batch.records) for status in _MARKS}
    parts = [f"{count['done']} colored"]
    parts += [f"{count['failed']} failed"] if count["failed"] else []
    parts += [f"{count['cancelled']} cancelled"] if count["cancelled"] else []
    tail = "The .zip has the results and metrics.csv." if count["done"] else "There is nothing to download."
    return f"<p>{', '.join(parts)}. {tail}</p>"


def table_html(batch: Batch) -> str:
    """A line for each picture that is over, the failed ones first: they are what people have to do something about."""
    shown = sorted(batch.records, key=lambda record: record.status == "done")[:MAX_LINES_SHOWN]
    lines = "".join(_line(record) for record in shown)
    return (
        '<div class="wide"><table class="batch"><thead><tr><th scope="col">Picture</th><th scope="col">Result</th>'
        f"</tr></thead><tbody>{lines}</tbody></table></div>"
    )


def _line(record: Record) -> str:
    return (
        f'<tr data-status="{record.status}"><th scope="row">{escape(record.name)}</th>'
        f'<td><span aria-hidden="true">{_MARKS[record.status]}</span> {escape(_words(record))}</td></tr>'
    )


def _words(record: Record) -> str:
    if record.status != "done":
        return f"{record.status}: {record.reason}" if record.status == "failed" else record.reason
    values = record.values
    words = [f"{values['width']:,} × {values['height']:,} pixels, {values['seconds']:.2f} s"]
    if "ciede2000" in values:
        words.append(f"ΔE00 {values['ciede2000']:.1f}: {in_words(values['ciede2000'], DIFFERENCE_WORDS)}")
    words.append(in_words(values["colorfulness"], COLORFULNESS_WORDS))
    return "; ".join(words)


def _duration(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 90 else f"{seconds / 60:.0f} min"
