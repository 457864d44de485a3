"""`autochrome models`: what can be chosen, and what each model takes."""

import argparse
import json
from typing import Any


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Register the command."""
    parser = subparsers.add_parser(
        "models", help="list the models", description="List the models; the first is the default."
    )
    parser.add_argument("--json", action="store_true", help="print them as JSON")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Print the catalog."""
    from autochrome.catalog import load_catalog

    rows = [row.to_dict() for row in load_catalog()]
    print(json.dumps(rows, indent=2, ensure_ascii=False) if args.json else "\n\n".join(map(_describe, rows)))
    return 0


def _describe(row: dict[str, Any]) -> str:
    lines = [f"{row['id']}  ({row['name']}, {row['license']})", f"    {row['description']}"]
    if not row["available"]:
        lines.append(f"    Not available: {row['reason']}")
    if row["needs_directions"]:
        lines.append(f"    Needs at least one of: {', '.join(row['needs_directions'])}")
    settings = [_describe_setting(name, entry) for name, entry in row["settings"].items()]
    return "\n".join([*lines, f"    Settings: {', '.join(settings)}"])


def _describe_setting(name: str, entry: dict[str, Any]) -> str:
    if "allowed" in entry:  # words, hints, a palette or an exemplar: of most nothing by default
        default = f"={entry['default']!r}" if entry["default"] else ""
        return f"{name}{default} ({entry['allowed']})"
    limits = f" ({entry['min']}..{entry['max']})" if "min" in entry else ""
    return f"{name}={str(entry['default']).lower()}{limits}"
