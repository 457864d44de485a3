"""`python -m dataset_builder build CONFIG [key=value ...] | verify DIR | push DIR REPO_ID`."""

import argparse
import os
import sys
from pathlib import Path

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # before torch: threads that spin starve the other processes

from autochrome.errors import AutochromeError
from dataset_builder.config import config_to_yaml, describe_fields, load_config


def main(arguments: list[str] | None = None) -> int:
    """Run one command; returns 0, 1 (done, but something failed or was found wrong) or 2 (not done)."""
    parser = _parser()
    options, rest = parser.parse_known_args(arguments)
    if rest and (options.command != "build" or any(word.startswith("-") for word in rest)):
        parser.error(f"unrecognized arguments: {' '.join(rest)}")
    try:
        if options.command == "build":
            return _build(options, rest)  # argparse takes no further positionals after an option
        if options.command == "verify":
            return _verify(options)
        return _push(options)
    except AutochromeError as error:
        print(f"dataset_builder: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("dataset_builder: interrupted; the same command goes on where it stood", file=sys.stderr)
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m dataset_builder", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    build = commands.add_parser(
        "build",
        help="build a dataset, or go on with it",
        description="Exit 0: done; 1: done, but some pictures could not be read (see rejected.jsonl); 2: not done.",
        epilog=describe_fields(),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    build.add_argument("config", type=Path, help="a YAML file, see dataset_builder/configs/")
    build.add_argument(
        "overrides", nargs="*", metavar="key=value", help="e.g. sources.0.path=photos.zip pictures.size=256"
    )
    build.add_argument("--output", type=Path, help="the folder to write, in place of the config's output_dir")
    build.add_argument("--dry-run", action="store_true", help="print the resolved config and stop")
    verify = commands.add_parser("verify", help="read a finished dataset again, every row")
    verify.add_argument("folder", type=Path)
    push = commands.add_parser("push", help="send a finished dataset to the Hugging Face Hub (token: HF_TOKEN)")
    push.add_argument("folder", type=Path)
    push.add_argument("repo_id", help="owner/name")
    push.add_argument("--private", action="store_true", help="make the repository private")
    return parser


def _build(options: argparse.Namespace, more_overrides: list[str]) -> int:
    overrides = [*options.overrides, *more_overrides]
    if options.output is not None:
        overrides.append(f"output_dir={str(options.output)!r}")
    config = load_config(options.config, overrides)
    print(config_to_yaml(config), flush=True)
    if options.dry_run:
        return 0
    from dataset_builder.build import build, has_read_failures

    report = build(config)
    splits = ", ".join(f"{count} {split}" for split, count in report["splits"].items())
    reasons = ", ".join(f"{count} {reason}" for reason, count in report["reasons"].items()) or "none"
    print(f"{config.output_dir}: {report['pictures']} pictures ({splits}); left out: {reasons}")
    return 1 if has_read_failures(report) else 0


def _verify(options: argparse.Namespace) -> int:
    from dataset_builder.verify import verify_dataset

    found = verify_dataset(options.folder)
    for problem in found.problems:
        print(problem)
    counts = ", ".join(f"{count} {split}" for split, count in found.num_rows.items())
    print(f"{options.folder}: {counts}; {len(found.problems) or 'no'} problem{'s'[: len(found.problems) != 1]}")
    return 1 if found.problems else 0


def _push(options: argparse.Namespace) -> int:
    from dataset_builder.push import push_dataset

    done = push_dataset(options.folder, options.repo_id, private=options.private)
    print(f"{done.url}: {len(done.uploaded)} files sent, {done.unchanged} were there, {len(done.deleted)} taken away")
    return 0


if __name__ == "__main__":
    sys.exit(main())
