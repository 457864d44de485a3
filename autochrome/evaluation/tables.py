"""Evaluations and comparisons as plain lines of text, for a terminal."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from autochrome.evaluation.conventions import CONVENTIONS
from autochrome.evaluation.statistics import PERCENTILES

_MAX_GROUPS = 20
_GROUP_METRICS = ("ciede2000", "colorfulness", "psnr")
_SHARES = {
    "ciede2000_of_grey": "CIEDE2000 is {:.3f} of plain grey's",
    "better_than_grey": "better than plain grey on {:.1%} of the pictures",
    "colorfulness_of_reference": "colorfulness is {:.3f} of the references'",
}
_SET = {
    "delta_colorfulness_of_means": "mean colorfulness differs by {:.2f}",
    "delta_colorfulness_mean_absolute": "that of single pictures by {:.2f} in the mean",
}
_AT = {"at_half": "at half of the truth's colorfulness", "at_one": "at all of the truth's colorfulness"}


def evaluation_lines(report: Mapping[str, Any]) -> Iterator[str]:
    """What `evaluate` found: a row a metric, baselines beside it; then shares, the curve and the groups."""
    yield _count(report["num_pictures"], {kind: len(report[kind]) for kind in ("failed", "missing", "extra")})
    if not report["num_pictures"]:
        return
    if report["metrics"]:
        yield ""
        yield from _measures(report)
    if report["num_pictures"] == 1:
        yield "no intervals: one picture says nothing about others"
    yield ""
    yield from _sentences(report)
    for column, values in report.get("groups", {}).items():
        yield ""
        yield from _groups(column, values)


def _measures(report: Mapping[str, Any]) -> Iterator[str]:
    spread = ["median", *(f"p{percent}" for percent in PERCENTILES)]
    rows = [["", "mean", "95% interval", *report["baselines"], *spread]]
    for name, row in report["metrics"].items():
        grey_and_tint = [_number(baseline[name]["mean"]) for baseline in report["baselines"].values()]
        rows.append([name, _number(row["mean"]), _ends(row["interval"]), *grey_and_tint])
        rows[-1] += [_number(row[key]) for key in spread]
    yield from _aligned(rows)


def comparison_lines(comparison: Mapping[str, Any]) -> Iterator[str]:
    """What `compare` found: the means of all systems, then every two of them, row by row, in words."""
    systems = comparison["systems"]
    problems = {kind: sum(map(len, comparison[kind].values())) for kind in ("missing", "extra")}
    yield _count(comparison["num_pictures"], {"failed": len(comparison["failed"]), **problems})
    if not comparison["num_pictures"]:
        return
    yield ""
    rows = [["mean", *systems, *comparison["baselines"]]]
    for name in next(iter(systems.values()))["metrics"]:
        found = [*(system["metrics"] for system in systems.values()), *comparison["baselines"].values()]
        rows.append([name, *(_number(metrics[name]["mean"]) for metrics in found)])
    for key, words in _AT.items():
        at = [system["curve"][key] if "curve" in system else None for system in systems.values()]
        if any(value is not None for value in at):
            cells = ["not reached" if value is None else _number(value) for value in at]
            rows.append([f"CIEDE2000, of grey's, {words}", *cells, *("" for _ in comparison["baselines"])])
    yield from _aligned(rows)
    for pair in comparison["differences"]:
        yield ""
        yield from _difference(pair)
    yield ""
    if comparison["num_pictures"] == 1:
        yield "No intervals: one picture says nothing about others."
        return
    yield "Within noise: the 95% interval of the mean difference includes 0, other pictures might turn it round."
    yield "Of 20 rows without any real difference, about one still shows one by chance."


def _difference(pair: Mapping[str, Any]) -> Iterator[str]:
    first, second = pair["first"], pair["second"]
    rows = [[f"{second} minus {first}", "difference", "95% interval", f"{second} won", ""]]
    for name, found in [*pair["metrics"].items(), *((f"curve {key}", found) for key, found in pair["curve"].items())]:
        if found is None:
            rows.append([name, "", "", "", "one of the two does not reach it"])
            continue
        won = f"{found['second_won']:.1%}" if "second_won" in found else ""
        words = "equal on every picture" if found.get("tied") == 1 else _words(found["verdict"], pair, found)
        label = f"absolute {name}" if name in CONVENTIONS and CONVENTIONS[name].better == "nearer 0" else name
        rows.append([label, f"{found['difference']:+.4g}", _ends(found["interval"]), won, words])
    yield from _aligned(rows, last_left=True)


def _words(verdict: str | None, pair: Mapping[str, Any], found: Mapping[str, Any]) -> str:
    if verdict in ("first", "second"):
        return f"{pair[verdict]} is better"
    if verdict == "differs":
        return f"{pair['second']} is {'higher' if found['difference'] > 0 else 'lower'}"
    return "within noise" if verdict == "noise" else ""


def _sentences(report: Mapping[str, Any]) -> Iterator[str]:
    for name, share in report["shares"].items():
        if share is not None:
            yield _SHARES[name].format(share)
    if any(share is None for share in report["shares"].values()):
        yield "the references have no color: shares of grey's CIEDE2000 and of their colorfulness say nothing"
    values = report["set"]
    if all(name in values for name in _SET):
        yield ", ".join(text.format(values[name]) for name, text in _SET.items())
    for name, value in values.items():
        if name not in _SET:
            others = {row: found[name] for row, found in report.get("set_baselines", {}).items() if name in found}
            beside = ", ".join(f"{row} {_number(found)}" for row, found in others.items() if found is not None)
            said = "needs two pictures" if value is None else _number(value)
            yield f"{name} of the set: {said}" + (f" ({beside})" if beside else "")
    if "curve" in report:
        curve = report["curve"]
        for key, words in _AT.items():
            if curve[key] is None:
                yield f"scaled up {curve['saturation'][-1]:g} times it does not get to {words.removeprefix('at ')}"
            else:
                ends = curve["intervals"][key]
                between = f" ({_ends(ends)})" if ends is not None else ""
                yield f"CIEDE2000 {words}: {curve[key]:.3f} of plain grey's{between}"


def _groups(column: str, values: Mapping[str, Any]) -> Iterator[str]:
    names = list(next(iter(values.values()))["metrics"])
    shown = [name for name in _GROUP_METRICS if name in names] or names[:3]
    shares = [name for name in _SHARES if name in next(iter(values.values()))["shares"]]
    rows = [[column, "pictures", *(cell for name in shown for cell in (name, "95% interval")), *shares]]
    largest = sorted(values.items(), key=lambda group: (-group[1]["num_pictures"], group[0]))
    for value, group in largest[:_MAX_GROUPS]:
        cells = [(_number(group["metrics"][name]["mean"]), _ends(group["metrics"][name]["interval"])) for name in shown]
        rows.append([value, str(group["num_pictures"]), *(cell for pair in cells for cell in pair)])
        rows[-1] += ["" if group["shares"][name] is None else f"{group['shares'][name]:.3f}" for name in shares]
    yield from _aligned(rows)
    if len(largest) > _MAX_GROUPS:
        yield f"and {len(largest) - _MAX_GROUPS} smaller groups, see --json"


def _count(num_pictures: int, problems: Mapping[str, int]) -> str:
    return f"{num_pictures} scored" + "".join(f", {count} {kind}" for kind, count in problems.items() if count)


def _aligned(rows: Sequence[Sequence[str]], *, last_left: bool = False) -> Iterator[str]:
    """Rows of cells as lines: the first column to the left, numbers to the right."""
    widths = [max(len(row[index]) for row in rows) for index in range(len(rows[0]))]
    for row in rows:
        cells = [row[0].ljust(widths[0]), *(cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True))]
        if last_left:
            cells[-1] = row[-1]
        yield "  ".join(cells).rstrip()


def _ends(ends: Sequence[float] | None) -> str:
    return "" if ends is None else f"{_number(ends[0])} to {_number(ends[1])}"


def _number(value: float) -> str:
    return f"{value:.4f}" if abs(value) < 1 else f"{value:.2f}"
