"""`autochrome evaluate`: score a folder of pictures, made by any system, against the true colors."""

import argparse
import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from autochrome.errors import AutochromeError, DataError, PictureError

if TYPE_CHECKING:
    from autochrome.cli.inputs import Item, Selection
    from autochrome.metrics.summary import Rows

_MAX_WORKERS = 8  # each holds one picture and its reference
_NOWHERE = Path(os.devnull) / "evaluation"  # nothing is written for a picture


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Register the command."""
    parser = subparsers.add_parser(
        "evaluate",
        help="score a folder of pictures against their true colors",
        description="Score pictures, made by any system, against references. A picture and its reference have the "
        "same path inside their folder or .zip archive, whatever the suffix, and the same size. The rows `grey` and "
        "`tint` are what no color and one constant tint would score: no single number says anything without them. "
        "Exit code 0: every reference was scored, 1: some have no prediction or failed (each is named, the others "
        "are scored), 2: wrong usage.",
    )
    parser.add_argument("predictions", type=Path, metavar="PREDICTIONS", help="a folder or .zip archive of pictures")
    parser.add_argument("--reference", required=True, type=Path, metavar="DIR", help="the truth, a folder or .zip")
    parser.add_argument("--metrics", metavar="A,B", help="only these metrics, for example psnr,ciede2000")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all scores, of every picture, as JSON")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Score every prediction that has a reference; a bad one is named at the end and stops nothing."""
    from autochrome.files import write_json
    from autochrome.metrics import METRICS, require_metrics
    from autochrome.metrics.summary import summarize

    names = require_metrics([name.strip() for name in args.metrics.split(",")] if args.metrics is not None else METRICS)
    matches = match(args.predictions, args.reference)
    scores = []
    for name, result in _score_all(matches.pairs, names):
        if isinstance(result, str):
            matches.failed.append((name, result))
        else:
            scores.append((name, result))
    for text in _complaints(matches):
        print(f"autochrome: {text}", file=sys.stderr)
    report = summarize(scores) | {
        "missing": matches.missing,
        "extra": matches.extra,
        "failed": [{"name": name, "reason": reason} for name, reason in matches.failed],
    }
    if args.json is not None:
        write_json(report, args.json)
    print("\n".join(_table(report)))
    return int(bool(matches.missing or matches.failed))


@dataclass
class Matches:
    """What belongs together, and what has no partner. Names are relative paths without suffix."""

    pairs: list[tuple[str, "Item", "Item"]]
    missing: list[str]
    extra: list[str]
    failed: list[tuple[str, str]]


def match(predictions: Path, reference: Path) -> Matches:
    """Pair the pictures of two folders or archives by relative path without suffix, sorted by it.

    Raises:
        DataError: one is no folder or archive, holds no pictures, or they have no name in common.
    """
    found, wanted = _select(predictions), _select(reference)
    ours = {str(item.result.with_suffix("")): item for item in found.items}
    truth = {str(item.result.with_suffix("")): item for item in wanted.items}
    pairs = [(name, ours[name], truth[name]) for name in sorted(truth.keys() & ours.keys())]
    if not pairs:
        examples = f"the first are {min(ours)!r} and {min(truth)!r}"
        raise DataError(
            f"no picture of {predictions} has the name of one of {reference} ({examples}); "
            "the paths inside the two must be the same, but for the suffix"
        )
    missing, extra = sorted(truth.keys() - ours.keys()), sorted(ours.keys() - truth.keys())
    return Matches(pairs, missing, extra, found.refused + wanted.refused)


def _select(path: Path) -> "Selection":
    from autochrome.cli.inputs import select

    if path.exists() and not path.is_dir() and path.suffix.lower() != ".zip":
        raise DataError(f"{path} is one file; evaluate compares two folders or .zip archives of pictures")
    selection = select([path], _NOWHERE)
    if not selection.items:
        reasons = "; ".join(f"{name}: {reason}" for name, reason in selection.refused[:3])
        raise DataError(f"{path} holds no picture that can be read: {reasons}")
    return selection


def _score_all(pairs: Sequence[tuple[str, "Item", "Item"]], names: Sequence[str]) -> Iterator[tuple[str, "Rows | str"]]:
    """Each pair's scores, or why there are none, in order; a few pairs at a time, so memory stays flat."""
    from tqdm import tqdm

    def attempt(pair: tuple[str, "Item", "Item"]) -> tuple[str, "Rows | str"]:
        name, prediction, reference = pair
        try:
            return name, _score_pair(prediction, reference, names)
        except (AutochromeError, OSError) as error:
            return name, str(error)
        except Exception as error:  # a bug of ours, or no memory: thousands of pictures do not stop for one
            return name, f"unexpected {type(error).__name__}: {error}"

    workers = min(os.cpu_count() or 1, _MAX_WORKERS)
    with _one_thread_each(), ThreadPoolExecutor(workers) as pool:
        try:
            yield from tqdm(pool.map(attempt, pairs), total=len(pairs), unit="picture", file=sys.stderr)
        finally:
            pool.shutdown(cancel_futures=True)


@contextmanager
def _one_thread_each() -> Iterator[None]:
    """Pictures side by side, one thread each, use the cores better than several threads in one picture."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _score_pair(prediction: "Item", reference: "Item", names: Sequence[str]) -> "Rows":
    """The named metrics of the prediction and of each baseline.

    Raises:
        PictureError: one of the two cannot be read; the text says which.
        InputError: the sizes differ, or a metric needs larger pictures.
    """
    from autochrome.metrics.summary import score_with_baselines

    return score_with_baselines(_read(prediction, "prediction"), _read(reference, "reference"), names)


def _read(item: "Item", role: str) -> Any:
    """One picture as a tensor `(1, 3, H, W)`; its alpha is left out."""
    from autochrome.image import picture_to_tensor, read_picture

    try:
        return picture_to_tensor(read_picture(item.read()))
    except (AutochromeError, OSError) as error:
        raise PictureError(f"the {role} cannot be read: {error}") from error


def _complaints(matches: Matches) -> Iterator[str]:
    yield from (f"failed: {name}: {reason}" for name, reason in matches.failed)
    yield from (f"missing: {name}: no prediction for this reference" for name in matches.missing)
    yield from (f"extra: {name}: no reference for this prediction" for name in matches.extra)


def _table(report: dict[str, Any]) -> Iterator[str]:
    """The report as lines of text: a column a metric; the means with those of the baselines, then the spread."""
    metrics = report["metrics"]
    counts = {kind: len(report[kind]) for kind in ("failed", "missing", "extra")}
    others = "".join(f", {count} {kind}" for kind, count in counts.items() if count)
    yield f"{report['num_pictures']} scored{others}"
    if not metrics:
        return

    def line(label: str, cells: Iterable[str]) -> str:
        columns = (cell.rjust(max(len(name), 8)) for name, cell in zip(metrics, cells, strict=True))
        return " ".join([label.ljust(11), *columns])

    yield ""
    yield line("mean", metrics)
    for label, row in {"predictions": metrics, **report["baselines"]}.items():
        yield line(label, (_format(row[name]["mean"]) for name in metrics))
    yield ""
    yield "predictions"
    for key in next(iter(metrics.values())):
        if key != "mean":
            yield line(key, (_format(metrics[name][key]) for name in metrics))
    yield ""
    sentences = {
        "ciede2000_of_grey": "CIEDE2000 is {:.3f} of plain grey's",
        "better_than_grey": "better than plain grey on {:.1%} of the pictures",
        "colorfulness_of_reference": "colorfulness is {:.3f} of the references'",
    }
    yield "; ".join(sentences[name].format(share) for name, share in report["shares"].items())


def _format(value: float) -> str:
    return f"{value:.4f}" if abs(value) < 1 else f"{value:.2f}"
