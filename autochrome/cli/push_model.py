"""`autochrome push-model`: a model folder to the Hugging Face Hub."""

import argparse
from pathlib import Path


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Register the command."""
    parser = subparsers.add_parser(
        "push-model",
        help="publish a model on the Hugging Face Hub",
        description="Make a model of the Hub hold what a folder holds: model.safetensors, config.json (of a "
        "diffusion model or a ControlNet what diffusers writes), README.md (its card, with license and model-index), a "
        "LICENSE, and pictures whose license the card states. One commit; what "
        "is there already is not sent again. Anything else in the folder is refused. The token is that of the "
        "environment variable HF_TOKEN. Exit code 0: done, 2: refused, the reason is said.",
    )
    parser.add_argument("folder", type=Path, metavar="DIR", help="the model's folder")
    parser.add_argument("repo_id", metavar="REPO_ID", help="owner/name; made if there is none")
    parser.add_argument("--private", action="store_true", help="make the repository private")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Push, and say how to load what was pushed."""
    from autochrome.hub.model import push_model

    done = push_model(args.folder, args.repo_id, private=args.private)
    print(done)
    print(f'load_pipeline("{args.repo_id}", revision="{done.commit}")')
    return 0
