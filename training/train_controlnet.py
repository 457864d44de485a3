"""Train a diffusion model with diffusers' own example scripts.

`python -m training.train_controlnet CONFIG [key=value ...] [--dry-run] [--resume]`

A launcher, no trainer: it finds the script that fits the installed diffusers, looks at everything that the recipe says,
prepares the dataset, runs the script with `accelerate launch`, then measures and describes what came out. Writes
`OUTPUT_DIR`: the script's `checkpoint-{step}/`, logs and result, `recipe.yaml`, `report.json`, a model card, and for a
ControlNet `validation.png`; and `PIPELINE_DIR`, base and ControlNet in one folder, float16, with a card of its own.
"""

import argparse
import hashlib
import importlib.metadata
import os
import shlex
import sys
import time
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # before torch: threads that spin starve a second busy process

from autochrome import load_pipeline
from autochrome.errors import AutochromeError, Cancelled, UnavailableError
from autochrome.files import replacing, write_json
from autochrome.image import write_png
from autochrome.pipelines.base import Pipeline
from autochrome.pipelines.diffusion import DiffusionPipeline
from autochrome.pipelines.placing import choose_device
from training.diffusion.bases import require_reachable, restore_frozen
from training.diffusion.card import write_card
from training.diffusion.checkpoints import set_broken_aside
from training.diffusion.joining import join
from training.diffusion.measuring import measure
from training.diffusion.options import missing_packages
from training.diffusion.plan import Plan, make_plan
from training.diffusion.preparing import prepare
from training.diffusion.recipe import DiffusionRecipe, describe_fields, load_recipe, recipe_to_yaml
from training.diffusion.run_script import declare_missing_operators
from training.diffusion.running import run
from training.diffusion.scripts import RELEASES, find_script

INTERRUPTED = 130
"""Exit code after Ctrl-C, as shells have it."""


def train(recipe: DiffusionRecipe, script: Path, plan: Plan) -> int:
    """Run a plan, then measure, join and describe its result; returns the script's exit code.

    Raises:
        AutochromeError: something before or after the script went wrong.
    """
    output_dir = Path(recipe.output_dir)
    require_reachable(recipe.copied_base(), recipe.arguments.get("revision"))
    if recipe.prepare:
        prepare(Path(recipe.dataset_dir), Path(recipe.cache_dir), **recipe.preparation())
    for path in set_broken_aside(output_dir):
        print(f"half a checkpoint, set aside: {path}", file=sys.stderr)
    with replacing(output_dir / "recipe.yaml") as temporary:
        temporary.write_text(recipe_to_yaml(recipe), encoding="utf-8")

    began = time.monotonic()
    finished = run(plan.command, plan.environment)
    if finished.exit_code:
        said = "".join(f"\n  {line}" for line in finished.last_lines)
        print(f"train_controlnet: error: {script.name} ended with code {finished.exit_code}:{said}", file=sys.stderr)
        return finished.exit_code
    describe(recipe, script, plan, time.monotonic() - began)
    return 0


def describe(recipe: DiffusionRecipe, script: Path, plan: Plan, seconds: float) -> None:
    """What follows a finished training: the whole pipeline, measures, report and card."""
    output_dir = Path(recipe.output_dir)
    report: dict[str, Any] = {
        "script": {"name": script.name, "origin": _origin(script)},
        "dataset": {"name": Path(recipe.dataset_dir).resolve().name, "num_pictures": plan.num_rows},
        "num_steps": plan.num_steps,
        "batch_size": plan.batch_size,
        "mixed_precision": plan.mixed_precision,
        "seconds": round(seconds, 1),
        "command": plan.command,
        "environment": plan.environment,
        "versions": {name: importlib.metadata.version(name) for name in ("diffusers", "transformers", "torch")},
    }
    folders = [output_dir]
    if recipe.script == "text_to_image" and Path(recipe.copied_base()).is_dir():
        restore_frozen(Path(recipe.copied_base()), output_dir)
    if recipe.pipeline_dir is not None:
        folders.append(join(Path(recipe.copied_base()), output_dir, Path(recipe.pipeline_dir)))
    if recipe.script == "controlnet" and recipe.evaluation.num_pictures:
        measures = measure(open_pipeline(recipe), Path(recipe.dataset_dir), recipe.evaluation)
        report["measured"] = measures.values
        # Not into the pipeline's folder, which may be published: the pictures are the dataset's.
        write_png(measures.grid, output_dir / "validation.png")
        print_measures(measures.values)
    write_json(report, output_dir / "report.json")
    for folder in folders:
        write_card(recipe, report, folder)
    print(f"finished: {', '.join(map(str, folders))}")


def open_pipeline(recipe: DiffusionRecipe) -> Pipeline:
    """The trained ControlNet at work: in the joined pipeline, where there is one, as it will ship."""
    if recipe.pipeline_dir is not None:
        return DiffusionPipeline.from_folder(Path(recipe.pipeline_dir))
    if Path(recipe.copied_base()).is_dir():
        return DiffusionPipeline.from_folder(Path(recipe.copied_base()), controlnet=Path(recipe.output_dir))
    revision = recipe.arguments.get("revision")
    base = f"{recipe.copied_base()}@{revision}" if revision else recipe.copied_base()
    # With a device, for a small base may have been trained without a GPU.
    return load_pipeline("controlnet-sd15", controlnet=recipe.output_dir, base=base, device=str(choose_device(None)))


def print_measures(values: dict[str, Any]) -> None:
    """Whether the condition is followed, and the colors beside grey."""
    condition, colors = values["condition"], values["ciede2000"]
    print(
        f"L* of the raw output against the input's, {values['num_pictures']} validation pictures: correlation "
        f"{condition['correlation']:.3f}, mean |dL*| {condition['mean_abs_error']:.1f} (against another picture's: "
        f"{condition['correlation_shuffled']:.3f}, {condition['mean_abs_error_shuffled']:.1f})"
    )
    print(
        f"CIEDE2000 as a share of grey's ({colors['grey']:.2f}): no prompt {colors['no_prompt_share']:.3f}, "
        f"color caption {colors['color_caption_share']:.3f}, one tint {colors['tint'] / colors['grey']:.3f}"
    )


def _origin(script: Path) -> str:
    """Where a script comes from, by its content."""
    digest = hashlib.sha256(script.read_bytes()).hexdigest()
    known = [release for release in RELEASES if digest in release.sha256.values()]
    return f"{known[0].tag}, commit {known[0].commit[:12]}" if known else f"SHA-256 {digest[:12]}"


def _arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m training.train_controlnet",
        description="Train a ControlNet, or a base for one, with diffusers' example scripts.",
        epilog=describe_fields(),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("config", type=Path, help="a YAML recipe, e.g. training/configs/controlnet-mini.yaml")
    parser.add_argument("overrides", nargs="*", metavar="key=value", help="fields to change, e.g. arguments.seed=1")
    parser.add_argument("--dry-run", action="store_true", help="check everything, print the resolved command, stop")
    parser.add_argument("--resume", action="store_true", help="go on from the script's newest checkpoint")
    return parser


def main(arguments: list[str] | None = None) -> int:
    """Command-line entry; exit code 2 for anything wrong before or after the script, 130 after Ctrl-C, else its own."""
    options = _arguments().parse_intermixed_args(arguments)
    declare_missing_operators()  # else a torchvision that only the script needs breaks diffusers in this process too
    try:
        recipe = load_recipe(options.config, options.overrides)
        print(recipe_to_yaml(recipe))
        script = find_script(recipe.script, recipe.script_path)
        plan = make_plan(recipe, script, resume=options.resume)
        print(shlex.join([*(f"{name}={value}" for name, value in plan.environment.items()), *plan.command]))
        print(
            f"{plan.num_rows:,} pictures, {plan.num_steps:,} optimizer steps of {plan.batch_size}, "
            f"precision {plan.mixed_precision}",
            flush=True,
        )
        missing = missing_packages([*recipe.arguments, *recipe.launch], script)
        for warning in plan.warnings + (missing if options.dry_run else []):
            print(f"train_controlnet: warning: {warning}", file=sys.stderr)
        if options.dry_run:
            return 0
        if missing:
            raise UnavailableError("; ".join(missing))
        return train(recipe, script, plan)
    except Cancelled as error:
        print(f"train_controlnet: {error}", file=sys.stderr)
        return INTERRUPTED
    except AutochromeError as error:
        print(f"train_controlnet: error: {error}", file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main())
