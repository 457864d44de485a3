"""What words do: `python -m training.benchmarks.diffusion_words PHOTOS.zip [--model ID_OR_FOLDER]... [options]`.

PHOTOS.zip holds photographs never trained on, with `captions` in its metadata.jsonl. Any model that takes a prompt can
be measured: `diffusion-mini`, a folder, and beside it `steerable`. Results are scored at the photographs' full size:

- automatic: every photograph without a prompt, beside no color at all and one constant tint;
- captions: those with captions under no prompt, `text` and `text_color`, as the dataset has them: the caption without
  color words, and the caption as it is where it names a color, else with the picture's main colors named; of a model
  that has candidates the best of four, too, chosen by the truth: an oracle, nobody has it;
- swaps: the one color word of a caption against each of eight colors: does the mean a*b* of the whole picture move
  towards it, against the same seed without the word, and how far; and what share of that change falls on the thing
  that is named (masks.json).

A model that was measured before stays in the file of `--json`. With `--sweep`, curves over steps, guidance scale and
saturation instead, from which defaults are chosen: give photographs that are neither trained on nor tested with.
"""

import argparse
import json
import os
import sys
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

from autochrome.catalog import load_pipeline
from autochrome.errors import AutochromeError, SettingError
from autochrome.evaluation.plotting import require_plotting
from autochrome.files import write_json
from autochrome.pipelines import Pipeline
from training.benchmarks.photos import read_photos
from training.benchmarks.quality import earlier_results, model_name
from training.benchmarks.words.asking import require_prompt
from training.benchmarks.words.measuring import measure
from training.benchmarks.words.sweep import plot_sweep, sweep

STEPS = (2, 4, 8, 16)
GUIDANCE_SCALES = (1.0, 1.5, 2.5, 4.0)


def main(arguments: list[str] | None = None) -> int:
    """Command-line entry."""
    options = _parser().parse_args(arguments)
    chosen = ("steps", "guidance_scale", "conditioning_scale", "saturation", "negative_prompt", "seed")
    settings = {name: getattr(options, name) for name in chosen if getattr(options, name) is not None}
    try:
        if options.plot:
            require_plotting(options.plot)
        results = earlier_results(options.json)
        for model in options.model or ["diffusion-mini"]:
            pipe = load_pipeline(model)
            require_prompt(pipe)
            pipe.check_inputs(**settings)
            results[model_name(model)] = (
                _sweep(pipe, options, settings)
                if options.sweep
                else measure(pipe, options.photos, options.pictures, settings)
            )
            if options.json:
                write_json(results, options.json)
        print(json.dumps(results, indent=1))
    except AutochromeError as error:
        print(f"diffusion_words: error: {error}", file=sys.stderr)
        return 2
    return 0


def _sweep(pipe: Pipeline, options: argparse.Namespace, settings: dict[str, Any]) -> dict[str, Any]:
    """The grid, less what the model does not take."""
    whole = {"steps": options.sweep_steps, "guidance_scale": options.sweep_guidance_scales}
    grid = {name: values for name, values in whole.items() if name in pipe.settings and name not in settings}
    if set(grid) != set(whole):
        raise SettingError(
            f"--sweep needs a model with steps and guidance_scale, neither of them given; {pipe.model_id} takes "
            f"{', '.join(pipe.settings)}"
        )
    photos = [photo for photo in read_photos(options.photos, options.pictures) if photo.captions]
    if not photos:
        raise SettingError(f"--sweep needs photographs with captions; there are none in {options.photos}")
    runs = sweep(pipe, photos, grid, settings)
    if options.plot:
        plot_sweep(runs, options.plot)
    return {"num_pictures": len(photos), "runs": runs}


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m training.benchmarks.diffusion_words", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("photos", type=Path)
    parser.add_argument("--model", action="append", metavar="ID_OR_FOLDER", help="may be repeated; diffusion-mini")
    parser.add_argument("--pictures", type=int, metavar="N", help="only about so many photographs, evenly spaced")
    parser.add_argument("--json", type=Path, metavar="FILE")
    for name in ("guidance_scale", "conditioning_scale", "saturation"):
        parser.add_argument(f"--{name.replace('_', '-')}", type=float, help="in place of the model's default")
    for name in ("steps", "seed"):
        parser.add_argument(f"--{name}", type=int, help="in place of the model's default")
    parser.add_argument("--negative-prompt", metavar="TEXT", help="in place of the model's default")
    parser.add_argument("--sweep", action="store_true", help="steps, guidance scale and saturation, for choosing")
    parser.add_argument("--sweep-steps", type=int, nargs="+", default=STEPS, metavar="N")
    parser.add_argument("--sweep-guidance-scales", type=float, nargs="+", default=GUIDANCE_SCALES, metavar="X")
    parser.add_argument("--plot", type=Path, help="a PNG of the curves of --sweep; needs matplotlib")
    return parser


if __name__ == "__main__":
    sys.exit(main())
