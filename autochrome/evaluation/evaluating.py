"""A system's folder of pictures against the truth: from two sources to everything that can be said of them."""

import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from tqdm import tqdm

from autochrome.errors import SettingError
from autochrome.evaluation.conventions import CONVENTIONS
from autochrome.evaluation.matching import Matches, Pair, match, read
from autochrome.evaluation.measures import FRECHET_NAME, Measures, choose_measures
from autochrome.evaluation.metadata import read_groups
from autochrome.evaluation.pool import num_processes, score_pairs
from autochrome.evaluation.scoring import PictureScore, Scorer
from autochrome.evaluation.summary import summarize, summarize_groups
from autochrome.metrics import METRICS
from autochrome.metrics.baselines import BASELINES
from autochrome.metrics.fid import fid

if TYPE_CHECKING:
    from autochrome.metrics.frechet import FeatureMoments


def evaluate(
    predictions: Path,
    reference: Path,
    *,
    metrics: Iterable[str] = tuple(METRICS),
    curve: bool = True,
    metadata: Path | None = None,
    by: Sequence[str] = (),
    jobs: int | None = None,
) -> dict[str, Any]:
    """Score a folder or .zip archive of pictures, made by any system, against that of the true colors.

    Args:
        predictions, reference: pictures belong together that have the same path but for the suffix.
        metrics: names from `METRICS`, `EXTRA_METRICS` and `SET_METRICS`.
        curve: whether CIEDE2000 is also measured against colorfulness as saturation is scaled.
        metadata: a JSON Lines file about the references; by default `metadata.jsonl` inside them.
        by: its columns to group by.
        jobs: processes; by default one a core. The result does not depend on it.

    Returns what `summarize` does, and `groups` (with `by`), `set_baselines` (of distances between sets), `conventions`
    (of every measure, one line), `missing` (references without prediction), `extra` (the reverse), and `failed`
    (`[{"name", "reason"}]`).

    Raises:
        DataError: a source holds no pictures, the two have no name in common, or metadata is not what it should be.
        SettingError: an unknown metric, or a setting that makes no sense.
        UnavailableError: a metric's extra is not installed.
    """
    measures = choose_measures(metrics)
    if metadata is not None and not by:
        raise SettingError(f"{metadata} is of no use without a column to group by; name one with --by COLUMN")
    columns = list(dict.fromkeys(by))
    matches = match(predictions, reference)
    groups = read_groups([pair.name for pair in matches.pairs], columns, reference, metadata)
    scorer = Scorer(measures.of_pictures, curve=curve, features=FRECHET_NAME in measures.of_set)
    scored = score_all(matches.pairs, scorer, jobs)
    report = summarize(scored.scores)
    report["set"] |= set_distances(scored, matches.pairs, measures)
    if FRECHET_NAME in measures.of_set:
        report["set_baselines"] = {row: {FRECHET_NAME: scored.frechet(row)} for row in BASELINES}
    if columns:
        report["groups"] = summarize_groups(scored.scores, groups, columns)
        for picture in report["pictures"]:
            picture["groups"] = groups[picture["name"]]
    names = [*measures.of_pictures, *report["set"]]
    return {
        **report,
        "conventions": {name: CONVENTIONS[name].text for name in names},
        **problems(matches, scored.failed),
    }


@dataclass
class Scored:
    """Scores of the pictures that have one, and (name, reason) of the others.

    Attributes:
        moments: what a Frechet distance needs of each row's features, and of the references'.
    """

    scores: list[PictureScore] = field(default_factory=list)
    failed: list[tuple[str, str]] = field(default_factory=list)
    moments: dict[str, "FeatureMoments"] = field(default_factory=dict)

    def add(self, score: PictureScore) -> None:
        """Take in one picture; its features are added up, not kept."""
        for row, features in score.features.items():
            from autochrome.metrics.frechet import FeatureMoments

            self.moments.setdefault(row, FeatureMoments()).add(features.astype(np.float64))
        self.scores.append(replace(score, features={}))

    def frechet(self, row: str) -> float | None:
        """The distance of a row's pictures from the references; None below two pictures."""
        if len(self.scores) < 2:
            return None
        from autochrome.metrics.frechet import frechet_distance

        return frechet_distance(self.moments[row], self.moments["reference"])


def score_all(pairs: Sequence[Pair], scorer: Scorer, jobs: int | None) -> Scored:
    """Score all pairs, with a progress bar; one that cannot be scored stops nothing."""
    found = Scored()
    results = score_pairs(pairs, scorer, num_processes(jobs, len(pairs)))
    for name, result in tqdm(results, total=len(pairs), unit=" pictures", file=sys.stderr):
        if isinstance(result, str):
            found.failed.append((name, result))
        else:
            found.add(result)
    return found


def set_distances(scored: Scored, pairs: Sequence[Pair], measures: Measures) -> dict[str, float | None]:
    """Distances between all predictions and all references that were scored; None below two pictures."""
    found: dict[str, float | None] = {}
    names = {score.name for score in scored.scores}
    for name in measures.of_set:
        if name == FRECHET_NAME:
            found[name] = scored.frechet("prediction")
        else:
            kept = [pair for pair in pairs if pair.name in names]
            predictions = (read(pair.prediction, "prediction") for pair in kept)
            references = (read(pair.reference, "reference") for pair in kept)
            found[name] = fid(predictions, references) if len(kept) > 1 else None
    return found


def problems(matches: Matches, failed: Sequence[tuple[str, str]]) -> dict[str, Any]:
    """`missing`, `extra` and `failed`, ready for JSON."""
    reasons = [{"name": name, "reason": reason} for name, reason in [*matches.failed, *failed]]
    return {"missing": matches.missing, "extra": matches.extra, "failed": reasons}
