"""`autochrome judge`: people say, blind, which pictures look more natural or real."""

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from autochrome.errors import DataError

if TYPE_CHECKING:
    from autochrome.judge.contest import Contest

_NAMES_SHOWN = 5


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Register the command."""
    parser = subparsers.add_parser(
        "judge",
        help="let people choose, blind, which pictures look more natural or real",
        description="Serve a page, on this machine only, that shows two pictures side by side and asks which looks "
        "more natural (two systems; every pair meets), or which is the real photograph (a system and the truth). "
        "Sides are random and nothing says whose picture is whose. Keys: left and right arrow (or A and B) choose, "
        "space skips, U takes the last answer back. Every vote is kept at once in a file, and the same command goes "
        "on where it stopped; Ctrl+C ends it and prints the results. Pictures belong together by their path inside "
        "the folders or .zip archives, whatever the suffix. Exit code 0: done, 1: some pictures could not be shown "
        "(each is named), 2: wrong usage.",
    )
    parser.add_argument("folders", nargs="*", type=Path, metavar="DIR", help="a system's pictures, a folder or .zip")
    parser.add_argument(
        "--reference",
        type=Path,
        metavar="DIR",
        help="the real photographs, a folder or .zip; with the question natural they are not shown, and only say "
        "which pictures are asked about",
    )
    parser.add_argument("--question", choices=["natural", "real"], default="natural", help="default: %(default)s")
    parser.add_argument(
        "--votes",
        type=Path,
        metavar="FILE.jsonl",
        default=Path("votes.jsonl"),
        help="where the votes are kept, one file a person (default: %(default)s)",
    )
    parser.add_argument("--port", type=_port, default=0, metavar="N", help="of the page (default: any that is free)")
    parser.add_argument("--seed", type=int, metavar="N", help="of order and sides, another for each person; default: 0")
    parser.add_argument("--results", action="store_true", help="only print what the votes say; needs no folders")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the results as JSON")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Ask until interrupted, then show the results."""
    return _show_results(args) if args.results else _ask(args)


def _ask(args: argparse.Namespace) -> int:
    from autochrome.judge.contest import gather
    from autochrome.judge.server import serve
    from autochrome.judge.session import Session
    from autochrome.judge.votes import VoteLog, read_votes

    seed = args.seed
    if seed is None:
        seed = read_votes(args.votes).study.seed if args.votes.exists() else 0
    contest = gather(args.folders, args.reference, args.question, seed)
    log = VoteLog(args.votes, contest.study)
    try:
        _say_lost(args.votes, log.num_lost_bytes)
        _say_left_out(contest)
        session = Session(contest, log)
        print(f"{len(log.votes)} of {len(contest.plan())} questions are answered in {args.votes}", flush=True)
        serve(session, args.port, lambda url: print(f"Open {url} in a browser; Ctrl+C ends it.", flush=True))
    finally:
        log.close()
    for name, reason in session.failed:
        print(f"autochrome: not shown: {name}: {reason}", file=sys.stderr)
    _print_results(session.results(), args.json)
    return int(bool(session.failed or contest.refused))


def _show_results(args: argparse.Namespace) -> int:
    from autochrome.judge.statistics import summarize
    from autochrome.judge.votes import read_votes

    record = read_votes(args.votes)
    if args.folders:
        from autochrome.judge.contest import short_names

        paths = [*args.folders, *([args.reference] if args.reference is not None else [])]
        given, found = short_names(paths)[: len(args.folders)], list(record.study.systems)
        if given != found:
            raise DataError(
                f"'{args.votes}' holds votes about {', '.join(found)}, not about {', '.join(given)}; "
                "give the file of these with --votes"
            )
    _say_lost(args.votes, record.num_lost_bytes)
    _print_results(summarize(record.study, record.votes), args.json)
    return 0


def _say_lost(path: Path, num_bytes: int) -> None:
    if num_bytes:
        text = f"the last line of {path} is cut off ({num_bytes} bytes): a vote that was interrupted, left out"
        print(f"autochrome: {text}", file=sys.stderr)


def _say_left_out(contest: "Contest") -> None:
    for name, reason in contest.refused:
        print(f"autochrome: refused: {name}: {reason}", file=sys.stderr)
    if contest.left_out:
        names = ", ".join(contest.left_out[:_NAMES_SHOWN])
        more = ", ..." if len(contest.left_out) > _NAMES_SHOWN else ""
        count = len(contest.left_out)
        print(f"autochrome: left out, as not every folder has them: {count} ({names}{more})", file=sys.stderr)


def _print_results(results: dict[str, Any], path: Path | None) -> None:
    from autochrome.judge.statistics import table

    if path is not None:
        from autochrome.files import write_json

        write_json(results, path)
    print("\n".join(table(results)))


def _port(text: str) -> int:
    port = int(text)
    if not 0 <= port <= 65535:
        raise argparse.ArgumentTypeError(f"{port} is no port; give 0 to 65535")
    return port
