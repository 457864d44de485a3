"""The tables of the page: all measures beside the baselines, groups as bars, and what was not scored."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from autochrome.evaluation.conventions import CONVENTIONS, Better
from autochrome.report.markup import named, number, text

MAX_NAMES = 200
"""Of missing, extra and failed pictures, and of the values of a group, so many are named."""

_ARROWS: dict[Better, str] = {"higher": " ↑", "lower": " ↓", "nearer 0": " → 0", None: ""}
_COLUMNS = ("median", "p5", "p25", "p75", "p95")
_PROBLEMS = {"failed": "could not be scored", "missing": "without a prediction", "extra": "without a reference"}


def measures(evaluation: dict[str, Any]) -> Iterator[str]:
    """A row a metric, the baselines beside the result; then the numbers of the whole set."""
    if not evaluation["metrics"]:
        return
    intervals = "Below each mean is its 95% interval (bootstrap over the pictures). "
    yield (
        f'<p class="faint">{intervals if evaluation["num_pictures"] > 1 else ""}↑ more is better, ↓ less is better. '
        "Bold: the best mean of the row. Where grey or one constant tint wins, the measure says little about color.</p>"
    )
    conventions = evaluation.get("conventions", {})
    rows = [_measure(evaluation, name, conventions) for name in evaluation["metrics"]]
    yield _table(["measure", "result", *evaluation["baselines"], *_COLUMNS], rows)
    of_set = {name: value for name, value in evaluation.get("set", {}).items() if isinstance(value, int | float | None)}
    if of_set:
        rows = [f"<tr>{_heading(name, conventions)}<td>{number(value)}</td></tr>" for name, value in of_set.items()]
        yield "<h3>Of the whole set</h3>"
        yield f'<div class="narrow">{_table(["measure", "result"], rows)}</div>'


def _measure(evaluation: dict[str, Any], name: str, conventions: Mapping[str, str]) -> str:
    ours = evaluation["metrics"][name]
    statistics = [ours, *(row.get(name, {}) for row in evaluation["baselines"].values())]
    best = _best([row["mean"] for row in statistics if row.get("mean") is not None], _better(name))
    cells = [*(_mean(row, best) for row in statistics), *(f"<td>{number(ours.get(key))}</td>" for key in _COLUMNS)]
    return f"<tr>{_heading(name, conventions)}{''.join(cells)}</tr>"


def _better(name: str) -> Better:
    return CONVENTIONS[name].better if name in CONVENTIONS else None


def _best(means: Sequence[float], better: Better) -> float | None:
    if better is None or len(means) < 2:
        return None
    if better == "higher":
        return max(means)
    return min(means) if better == "lower" else min(means, key=abs)


def _mean(statistics: Mapping[str, Any], best: float | None) -> str:
    mean, interval = statistics.get("mean"), statistics.get("interval")
    spread = f"<small>{number(interval[0])} to {number(interval[1])}</small>" if interval else ""
    kind = ' class="best"' if mean is not None and mean == best else ""
    return f"<td{kind}>{number(mean)}{spread}</td>"


def _heading(name: str, conventions: Mapping[str, str]) -> str:
    convention = f"<small>{text(conventions[name])}</small>" if name in conventions else ""
    return f"<th><code>{text(name)}</code>{_ARROWS[_better(name)]}{convention}</th>"


def group(evaluation: dict[str, Any], column: str) -> Iterator[str]:
    """A bar of mean CIEDE2000 for each value of a column, the smallest first; a line at the mean of all pictures."""
    values = evaluation["groups"][column]
    ranked = sorted(
        (row["metrics"]["ciede2000"]["mean"], value, row)
        for value, row in values.items()
        if "ciede2000" in row["metrics"]
    )
    if not ranked:
        return
    overall = evaluation["metrics"]["ciede2000"]["mean"]
    ends = [interval[1] for *_, row in ranked if (interval := row["metrics"]["ciede2000"].get("interval"))]
    per_unit = 100 / max(ranked[-1][0], overall, *ends, 1e-9)
    yield (
        '<p class="faint">Mean CIEDE2000, the smallest first. Thin line: the 95% interval of the mean; dashed: the '
        "mean of all pictures. Pictures of little color have small differences, whatever the system.</p>"
    )
    rows = [_group_row(value, row, overall, per_unit) for _, value, row in ranked[:MAX_NAMES]]
    yield _table([column, "pictures", "CIEDE2000", "", "of grey’s", "colorfulness"], rows)
    if len(ranked) > len(rows):
        yield f'<p class="faint">and {len(ranked) - len(rows):,} more in the JSON</p>'


def _group_row(value: str, row: Mapping[str, Any], overall: float, per_unit: float) -> str:
    difference = row["metrics"]["ciede2000"]
    low, high = difference.get("interval") or (0, 0)
    bar = (
        f'<span class="bar"><i style="width: {difference["mean"] * per_unit:.2f}%"></i>'
        f'<u style="left: {low * per_unit:.2f}%; width: {(high - low) * per_unit:.2f}%"></u>'
        f'<s style="left: {overall * per_unit:.2f}%"></s></span>'
    )
    of_grey = number(row.get("shares", {}).get("ciede2000_of_grey"))
    colorful = number(row["metrics"].get("colorfulness", {}).get("mean"))
    return (
        f"<tr><th>{named(value)}</th><td>{row['num_pictures']:,}</td><td>{number(difference['mean'])}</td>"
        f'<td class="wide">{bar}</td><td>{of_grey}</td><td>{colorful}</td></tr>'
    )


def problems(evaluation: dict[str, Any]) -> Iterator[str]:
    """What failed, and what had no partner, by name."""
    for key, title in _PROBLEMS.items():
        entries = evaluation[key]
        if not entries:
            continue
        yield f"<details{' open' if len(entries) <= 20 else ''}><summary>{len(entries):,} {title}</summary><ul>"
        for entry in entries[:MAX_NAMES]:
            reason = f": {text(entry['reason'])}" if key == "failed" else ""
            yield f"<li>{named(entry['name'] if key == 'failed' else entry)}{reason}</li>"
        if len(entries) > MAX_NAMES:
            yield f"<li>and {len(entries) - MAX_NAMES:,} more in the JSON</li>"
        yield "</ul></details>"


def _table(heads: Sequence[str], rows: Sequence[str]) -> str:
    head = "".join(f"<th>{text(title)}</th>" for title in heads)
    return f'<div class="scroll"><table><thead><tr>{head}</tr></thead><tbody>{"".join(rows)}</tbody></table></div>'
