"""`autochrome compare`: which of two or more systems is nearer to the truth, and whether that is more than noise."""

import argparse
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from autochrome.cli.evaluate import add_scoring_arguments, complain, scoring_arguments


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Register the command."""
    parser = subparsers.add_parser(
        "compare",
        help="compare folders of pictures with each other",
        description="Score the pictures of two or more systems that all of them have, against references, and compare "
        "them picture by picture: mean differences with bootstrap 95 % intervals, and the share of pictures that each "
        "won. A difference whose interval includes 0 is within noise. Exit code 0: every reference was scored for "
        "every system, 1: some have no prediction or failed, 2: wrong usage.",
    )
    parser.add_argument("systems", nargs="+", type=Path, metavar="PREDICTIONS", help="folders or .zip archives")
    add_scoring_arguments(parser)
    parser.add_argument("--json", type=Path, metavar="FILE", help="write everything, of every picture, as JSON")
    parser.add_argument("--plot", type=Path, metavar="FILE.png", help="draw curves and shares won (needs matplotlib)")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Compare all systems; what cannot be scored for one is left out for all, and named."""
    from autochrome.evaluation import compare
    from autochrome.evaluation.plotting import plot_comparison, require_plotting
    from autochrome.evaluation.tables import comparison_lines
    from autochrome.files import write_json

    if args.plot is not None:
        require_plotting(args.plot)
    comparison = compare(args.systems, args.reference, **scoring_arguments(args))
    complain(list(_complaints(comparison)))
    print("\n".join(comparison_lines(comparison)))
    if args.json is not None:
        write_json(comparison, args.json)
    if args.plot is not None:
        plot_comparison(comparison, args.plot)
    return int(bool(any(comparison["missing"].values()) or comparison["failed"]))


def _complaints(comparison: Mapping[str, Any]) -> Iterator[str]:
    yield from (f"failed: {one['system']}: {one['name']}: {one['reason']}" for one in comparison["failed"])
    for kind, words in (("missing", "no prediction for this reference"), ("extra", "no reference for this prediction")):
        for system, names in comparison[kind].items():
            yield from (f"{kind}: {system}: {name}: {words}" for name in names)
