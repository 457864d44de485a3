"""`autochrome evaluate`: score a folder of pictures, made by any system, against the true colors."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

_MAX_COMPLAINTS = 50


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Register the command."""
    parser = subparsers.add_parser(
        "evaluate",
        help="score a folder of pictures against their true colors",
        description="Score pictures, made by any system, against references. A picture and its reference have the "
        "same path inside their folder or .zip archive, whatever the suffix, and the same size. The columns `grey` and "
        "`tint` are what no color and one constant tint would score: no single number says anything without them. "
        "Intervals are bootstrap 95 % intervals of the mean. "
        "Exit code 0: every reference was scored, 1: some have no prediction or failed (each is named, the others "
        "are scored), 2: wrong usage.",
    )
    parser.add_argument("predictions", type=Path, metavar="PREDICTIONS", help="a folder or .zip archive of pictures")
    add_scoring_arguments(parser)
    parser.add_argument(
        "--frechet", action="store_true", help="also the distance of the two sets: frechet_mobilenet_v2 (no FID)"
    )
    parser.add_argument("--by", action="append", default=[], metavar="COLUMN", help="scores by a column of metadata")
    parser.add_argument("--metadata", type=Path, metavar="FILE", help="default: metadata.jsonl inside the reference")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all scores, of every picture, as JSON")
    parser.add_argument("--report", type=Path, metavar="DIR", help="write a page with pictures and figures into DIR")
    parser.set_defaults(run=run)


def add_scoring_arguments(parser: argparse.ArgumentParser) -> None:
    """What says how pictures are scored, the same for every command that does so."""
    parser.add_argument("--reference", required=True, type=Path, metavar="DIR", help="the truth, a folder or .zip")
    parser.add_argument("--metrics", metavar="A,B", help="these instead of the default ones; lpips and fid need extras")
    parser.add_argument(
        "--no-curve", dest="curve", action="store_false", help="leave out CIEDE2000 against colorfulness (saves time)"
    )
    parser.add_argument("--jobs", type=int, metavar="N", help="processes; default: one a core")


def scoring_arguments(args: argparse.Namespace) -> dict[str, Any]:
    """The same as keyword arguments of `autochrome.evaluation`."""
    from autochrome.metrics import METRICS

    names = [name.strip() for name in args.metrics.split(",")] if args.metrics is not None else list(METRICS)
    return {"metrics": names, "curve": args.curve, "jobs": args.jobs}


def run(args: argparse.Namespace) -> int:
    """Score every prediction that has a reference; a bad one is named at the end and stops nothing."""
    from autochrome.evaluation import evaluate
    from autochrome.evaluation.measures import FRECHET_NAME
    from autochrome.evaluation.tables import evaluation_lines
    from autochrome.files import write_json
    from autochrome.report import require_matplotlib, write_report

    if args.report is not None:
        require_matplotlib()
    arguments = scoring_arguments(args)
    if args.frechet:
        arguments["metrics"].append(FRECHET_NAME)
    report = evaluate(args.predictions, args.reference, **arguments, metadata=args.metadata, by=args.by)
    complain(
        [
            *(f"failed: {failure['name']}: {failure['reason']}" for failure in report["failed"]),
            *(f"missing: {name}: no prediction for this reference" for name in report["missing"]),
            *(f"extra: {name}: no reference for this prediction" for name in report["extra"]),
        ]
    )
    print("\n".join(evaluation_lines(report)))
    if args.json is not None:
        write_json(report, args.json)
    if args.report is not None:
        print(f"\nthe report is {write_report(report, args.predictions, args.reference, args.report)}")
    return int(bool(report["missing"] or report["failed"]))


def complain(texts: Sequence[str]) -> None:
    """Name on stderr what was not scored; of thousands, the first."""
    for text in texts[:_MAX_COMPLAINTS]:
        print(f"autochrome: {text}", file=sys.stderr)
    if len(texts) > _MAX_COMPLAINTS:
        print(f"autochrome: and {len(texts) - _MAX_COMPLAINTS} more; --json lists all", file=sys.stderr)
