"""`autochrome deploy-space`: the demo to a Space of the Hugging Face Hub."""

import argparse
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from autochrome.catalog import Catalog
    from autochrome.hub.space import SpaceFiles

CPU_HARDWARE, ACCELERATOR_HARDWARE = "cpu-basic", "zero-a10g"


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Register the command."""
    parser = subparsers.add_parser(
        "deploy-space",
        help="publish the demo as a Space of the Hugging Face Hub",
        description="Make a Space of the Hub hold what the demo needs to run, and nothing more: app.py, README.md and "
        "the pictures it shows, requirements.txt, LICENSE, autochrome/ and space_config/. The catalog of models says "
        "which hardware its front matter suggests, and which models the Hub fetches while it builds. One commit; what "
        "is there already is not sent again. The token is that of the environment variable HF_TOKEN. Exit code 0: "
        "done, 2: refused, the reason is said.",
    )
    parser.add_argument("repo_id", metavar="REPO_ID", help="owner/name; made if there is none")
    parser.add_argument("--private", action="store_true", help="make the Space private")
    parser.add_argument(
        "--dry-run", action="store_true", help="check everything, list files and sizes, and ask the Hub nothing"
    )
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Collect, and push or list."""
    from autochrome.catalog import PACKAGE_DIR, load_catalog
    from autochrome.hub.space import collect_space, deploy_space

    hardware, preload = space_needs(load_catalog())
    files = collect_space(PACKAGE_DIR.parent, hardware=hardware, preload=preload)
    if args.dry_run:
        from autochrome.hub.access import check_repo_id

        check_repo_id(args.repo_id, "space")
        print("\n".join(_describe(files)))
        return 0
    print(deploy_space(files, args.repo_id, private=args.private))
    return 0


def space_needs(catalog: "Catalog") -> tuple[str, list[str]]:
    """The hardware that a catalog's models ask for, and the entries of `preload_from_hub` for those from the Hub.

    ZeroGPU where a row needs an accelerator: it is shared, and the rows that need none run there too. Rows that need a
    ControlNet of somebody's do not count: the Space has none, until its settings name one in AUTOCHROME_CONTROLNET.
    """
    from autochrome.catalog import HubSource
    from autochrome.catalog.kinds import WITH_WEIGHTS
    from autochrome.hub.model import FETCHED

    rows = [row for row in catalog if not row.needs_controlnet]
    hardware = ACCELERATOR_HARDWARE if any(row.device == "accelerator" for row in rows) else CPU_HARDWARE
    preload = []
    for row in rows:
        if isinstance(row.source, HubSource):
            names = ",".join(WITH_WEIGHTS[row.kind].fetched or FETCHED)
            preload.append(f"{row.source.repo_id} {names} {row.source.revision}")
    return hardware, list(dict.fromkeys(preload))


def _describe(files: "SpaceFiles") -> list[str]:
    """What would be sent, a line each."""
    sizes = files.sizes
    return [
        *(f"{size:>12,}  {path}" for path, size in sizes.items()),
        f"{sum(sizes.values()):>12,}  bytes in {len(sizes)} files",
        f"suggested hardware: {files.hardware}; fetched while it builds: {', '.join(files.preload) or 'nothing'}",
    ]
