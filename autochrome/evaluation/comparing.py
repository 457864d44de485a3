"""Two or more systems on the same pictures: paired differences, and whether they are more than noise."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np

from autochrome.errors import DataError, SettingError
from autochrome.evaluation.conventions import CONVENTIONS, Better
from autochrome.evaluation.curve import COLORFULNESS, curve_table, read_curve
from autochrome.evaluation.evaluating import Scored, score_all
from autochrome.evaluation.matching import Matches, match
from autochrome.evaluation.measures import choose_measures
from autochrome.evaluation.scoring import PictureScore, Scorer
from autochrome.evaluation.statistics import Interval, Values, bootstrap_intervals, interval, resampled_means
from autochrome.evaluation.summary import summarize
from autochrome.metrics import METRICS
from autochrome.metrics.baselines import BASELINES


def compare(
    systems: Sequence[Path],
    reference: Path,
    *,
    metrics: Iterable[str] = tuple(METRICS),
    curve: bool = True,
    jobs: int | None = None,
) -> dict[str, Any]:
    """Score two or more folders or .zip archives on the pictures that all of them and the reference have.

    Args: `systems` are called by the last part of their path; the others are those of `evaluate`.

    Returns `{"num_pictures", "systems": {SYSTEM: what summarize gives, without baselines and pictures}, "baselines",
    "differences": [...], "conventions", "pictures": [{"name", SYSTEM: {NAME: value}}], "missing": {SYSTEM: [name]},
    "extra": {SYSTEM: [name]}, "failed": [{"system", "name", "reason"}]}`. `differences` has for every two systems
    `{"first", "second", "metrics": {NAME: {...}}, "curve": {"at_half": {...} | None, "at_one": ...}}` with
    `difference` (mean of second minus first, picture by picture; of absolute values where nearer 0 is better),
    `interval` (bootstrap 95 %, None below two pictures), `verdict` ("first" or "second" is better, "noise" where the
    interval includes 0, "differs" where neither way is better, None without interval) and, for metrics with a better
    side, `second_won` (share of pictures, ties count half), `second_won_interval` and `tied`.

    Raises:
        DataError: a source holds no pictures, or not one picture is in all of them.
        SettingError: fewer than two systems, one given twice, or an unknown metric.
    """
    measures = choose_measures(metrics)
    names = measures.of_pictures
    if measures.of_set:
        raise SettingError(
            f"{', '.join(measures.of_set)} is of whole sets, which have no pairs to compare; use evaluate for each"
        )
    labels = _labels(systems)
    matches = {label: match(path, reference) for label, path in zip(labels, systems, strict=True)}
    common = set.intersection(*({pair.name for pair in found.pairs} for found in matches.values()))
    if not common:
        raise DataError(f"not one picture is in all of {', '.join(map(str, systems))} and {reference}")
    scored = {}
    for number, (label, found) in enumerate(matches.items()):
        scorer = Scorer(names, baselines=number == 0, curve=curve)
        scored[label] = score_all([pair for pair in found.pairs if pair.name in common], scorer, jobs)
    scores = _on_the_same_pictures(scored)
    reports = {label: summarize(found) for label, found in scores.items()}
    kept = ("metrics", "shares", "set", "curve")
    return {
        "num_pictures": len(scores[labels[0]]),
        "systems": {label: {key: report[key] for key in kept if key in report} for label, report in reports.items()},
        "baselines": reports[labels[0]]["baselines"],
        "differences": [_difference(first, second, scores, names) for first, second in combinations(labels, 2)],
        "conventions": {name: CONVENTIONS[name].text for name in names},
        "pictures": [
            {"name": row[0].name, **{label: score.rows["prediction"] for label, score in zip(labels, row, strict=True)}}
            for row in zip(*scores.values(), strict=True)
        ],
        **_problems(matches, scored),
    }


def _labels(systems: Sequence[Path]) -> list[str]:
    """A short name for each system, all different."""
    if len(systems) < 2:
        raise SettingError("one system cannot be compared; give two or more, or use evaluate")
    paths = [path.resolve() for path in systems]
    twice = [str(path) for path, given in zip(systems, paths, strict=True) if paths.count(given) > 1]
    if twice:
        raise SettingError(f"{' and '.join(twice)} are the same; give different systems")
    labels = [path.stem if path.suffix.lower() == ".zip" else path.name for path in paths]
    return labels if len(set(labels)) == len(labels) else [str(path) for path in systems]


def _on_the_same_pictures(scored: dict[str, Scored]) -> dict[str, list[PictureScore]]:
    """Of each system the pictures that were scored for all, in one order, each with the baselines' scores."""
    tables = {label: {score.name: score for score in found.scores} for label, found in scored.items()}
    names = sorted(set.intersection(*(set(table) for table in tables.values())))
    first = next(iter(tables.values()))
    baselines = {name: {row: first[name].rows[row] for row in BASELINES} for name in names}
    return {
        label: [replace(table[name], rows=table[name].rows | baselines[name]) for name in names]
        for label, table in tables.items()
    }


def _difference(first: str, second: str, scores: dict[str, list[PictureScore]], names: Sequence[str]) -> dict[str, Any]:
    pairs = list(zip(scores[first], scores[second], strict=True))
    values = {
        name: np.array([[score.rows["prediction"][name] for score in pair] for pair in pairs]).reshape(-1, 2)
        for name in names
    }
    return {
        "first": first,
        "second": second,
        "metrics": {name: _paired(table, CONVENTIONS[name].better) for name, table in values.items() if len(table)},
        "curve": _curve_differences(pairs),
    }


def _paired(values: Values, better: Better) -> dict[str, Any]:
    """What the columns first and second of `(pictures, 2)` say about each other."""
    if better == "nearer 0":
        values = np.abs(values)
    differences = values[:, 1] - values[:, 0]
    if better is None:
        [ends] = bootstrap_intervals(differences[:, None])
        return {"difference": float(differences.mean()), "interval": ends, "verdict": _verdict(ends, better)}
    wins = (np.sign(differences if better == "higher" else -differences) + 1) / 2
    ends, ends_won = bootstrap_intervals(np.stack((differences, wins), axis=1))
    return {
        "difference": float(differences.mean()),
        "interval": ends,
        "verdict": _verdict(ends, better),
        "second_won": float(wins.mean()),
        "second_won_interval": ends_won,
        "tied": float((differences == 0).mean()),
    }


def _verdict(ends: Interval, better: Better) -> str | None:
    if ends is None:
        return None
    if ends[0] <= 0 <= ends[1]:
        return "noise"
    if better is None:
        return "differs"
    return "second" if (ends[0] > 0) == (better == "higher") else "first"


def _curve_differences(pairs: Sequence[tuple[PictureScore, PictureScore]]) -> dict[str, Any]:
    """The difference of two curves at equal colorfulness; lower is better. None where one does not reach it."""
    curves = [(first.curve, second.curve) for first, second in pairs]
    points = [(first, second) for first, second in curves if first is not None and second is not None]
    if not points:
        return {}
    tables = [curve_table(column) for column in zip(*points, strict=True)]
    resampled = [resampled_means(table) for table in tables] if len(points) > 1 else []
    found: dict[str, Any] = {}
    for name, share in COLORFULNESS.items():
        first, second = (read_curve(table.mean(axis=0), share) for table in tables)
        if first is None or second is None:
            found[name] = None
            continue
        ends = _curve_interval(resampled, share) if resampled else None
        found[name] = {"difference": second - first, "interval": ends, "verdict": _verdict(ends, "lower")}
    return found


def _curve_interval(resampled: Sequence[Values], share: float) -> Interval:
    """Of second minus first, the same pictures drawn for both; None where one of the draws does not reach the share."""
    firsts, seconds = ([read_curve(row, share) for row in means] for means in resampled)
    if None in firsts or None in seconds:
        return None
    ends: list[float] = interval(np.array(seconds, dtype=np.float64) - np.array(firsts, dtype=np.float64)).tolist()
    return ends


def _problems(matches: dict[str, Matches], scored: dict[str, Scored]) -> dict[str, Any]:
    return {
        "missing": {label: found.missing for label, found in matches.items()},
        "extra": {label: found.extra for label, found in matches.items()},
        "failed": [
            {"system": label, "name": name, "reason": reason}
            for label, found in matches.items()
            for name, reason in [*found.failed, *scored[label].failed]
        ],
    }
