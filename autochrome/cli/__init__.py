"""The command line: `autochrome COMMAND`, for pictures, measures and the Hugging Face Hub; `--help` lists them.

Exit codes: 0 all done, 1 some of it failed, 2 wrong usage or bad input, 130 interrupted. Each command is a module with
`add_parser(subparsers)` and `run(args) -> int`; torch is imported by `run` only, so that `--help` is quick.
"""

import argparse
import os
import sys
from collections.abc import Sequence

from autochrome import __version__
from autochrome.cli import benchmark, colorize, compare, deploy_space, evaluate, export, judge, models, push_model
from autochrome.errors import AutochromeError

# Before torch is imported: OpenMP threads that spin while idle make a pass 4 to 7 times slower beside a busy process.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code; `argv` is without the program's name, by default `sys.argv[1:]`."""
    args = _build_parser().parse_args(argv)
    try:
        code: int = args.run(args)
    except AutochromeError as error:
        print(f"autochrome: error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("autochrome: interrupted; nothing is left half-written", file=sys.stderr)
        return 130
    return code


def _build_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="autochrome", description="Color for black-and-white photographs.")
    parser.add_argument("--version", action="version", version=f"Autochrome {__version__}")
    subparsers = parser.add_subparsers(metavar="COMMAND", required=True)
    for command in (colorize, evaluate, compare, judge, models, benchmark, export, push_model, deploy_space):
        command.add_parser(subparsers)
    return parser
