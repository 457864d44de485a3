"""How well a model takes direction: `python -m training.benchmarks.steering PHOTOS.zip [MODEL] [options]`.

PHOTOS.zip holds photographs never trained on, with `captions` in its metadata.jsonl. Figures are CIEDE2000 at full size
as a share of plain grey's on the same photographs, if nothing else is said:

- points: 1 to 100 points of the true colour (3 x 3 pixels) at random places, the same points for Levin's way
  (`scribbles`), and up to 10 where the model itself suggests them, one after another;
- words: no prompt, a person's caption, and that with the main colours named; swaps of the one colour word of a caption
  by eight others (the shift of the mean a*b* towards it, against the caption without the word); and the share of that
  change that falls on the thing that is named (masks.json);
- palettes: the truth's main colours, and those of another photograph;
- exemplars: another view of the same thing, and an unrelated photograph, each against its palette alone.

A task that was run before stays in the file of `--json`.
"""

import argparse
import json
import sys
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from autochrome.catalog import load_pipeline
from autochrome.errors import AutochromeError, SettingError
from autochrome.evaluation.plotting import require_plotting
from autochrome.files import write_json
from autochrome.pipelines import ScribblesPipeline, SteerablePipeline
from training.benchmarks.masks import MASKS_PATH, read_masks
from training.benchmarks.photos import Photo, read_photos
from training.benchmarks.steering import tasks
from training.benchmarks.steering.plot import plot_points
from training.benchmarks.words.swaps import colored_caption, in_place, response

Result = dict[str, Any]


def run_points(pipe: SteerablePipeline, photos: Iterable[Photo], options: argparse.Namespace) -> Result:
    """Points for all photographs; Levin's way and suggestions for some, because they take long."""
    every, some = [], []
    for index, photo in enumerate(photos):
        chosen = index % options.every == 0
        found = tasks.points(pipe, photo, index, ScribblesPipeline(model_id="scribbles") if chosen else None, chosen)
        found["grey"] = photo.grey_difference
        every.append({name: value for name, value in found.items() if name.split("_")[0] in _FOR_ALL})
        if chosen:
            some.append(found)
    return {"all": shares(every), "beside_others": shares(some)}


def run_words(pipe: SteerablePipeline, photos: Iterable[Photo], options: argparse.Namespace) -> Result:
    """Captions, swaps of their colour words, and where the change falls."""
    spoken, responses, places = [], [], []
    marked = {picture.file_name: picture for picture in read_masks(MASKS_PATH)}
    for photo in photos:
        if not photo.captions:
            continue
        spoken.append({**tasks.captions(pipe, photo), "grey": photo.grey_difference})
        if (caption := colored_caption(photo)) is not None:
            responses += response(tasks.swaps(pipe, photo, caption))
        if photo.name in marked:
            picture = marked[photo.name]
            places.append(in_place(tasks.swaps(pipe, photo, picture.caption), picture))
    better = {
        f"{name}_better_than_none": mean([float(one[name] < one["none"]) for one in spoken])
        for name in ("caption", "named")
    }
    return {
        "captions": shares(spoken) | better,
        "swaps": {
            "num_swaps": len(responses),
            "right_way": mean([one["right_way"] for one in responses]),
            "mean_shift": mean([one["shift"] for one in responses]),
        },
        "in_place": {
            "num_pictures": len(places),
            "change_in_place": mean([one["change_in_place"] for one in places]),
            "area": mean([one["area"] for one in places]),
        },
    }


def run_palettes(pipe: SteerablePipeline, photos: Iterable[Photo], options: argparse.Namespace) -> Result:
    """Palettes, each photograph also with that of the one before it."""
    return run_pairs(pipe, photos, tasks.palettes)


def run_exemplars(pipe: SteerablePipeline, photos: Iterable[Photo], options: argparse.Namespace) -> Result:
    """Exemplars, each photograph also with the one before it as an unrelated one."""
    return run_pairs(pipe, photos, tasks.exemplars)


def run_pairs(
    pipe: SteerablePipeline, photos: Iterable[Photo], task: Callable[[SteerablePipeline, Photo, Photo], tasks.Numbers]
) -> Result:
    """A task that needs another photograph beside each: the one before it, for the first the second."""
    found, before, first = [], None, None
    for photo in photos:
        if before is not None:
            found.append({**task(pipe, photo, before), "grey": photo.grey_difference})
        if first is not None and len(found) == 1:
            found.append({**task(pipe, first, photo), "grey": first.grey_difference})
        before, first = photo, first or photo
    return shares(found)


def shares(found: list[tasks.Numbers]) -> Result:
    """Means as shares of grey's; what is a share already ("nearer") as it is."""
    grey = float(np.mean([one["grey"] for one in found]))
    names = [name for name in found[0] if name != "grey"]
    return {"num_pictures": len(found), "grey": round(grey, 4)} | {
        name: round(float(np.mean([one[name] for one in found])) / (1 if name.endswith("nearer") else grey), 4)
        for name in names
    }


def mean(values: list[float]) -> float:
    """Rounded for the file."""
    return round(float(np.mean(values)), 4) if values else 0.0


_FOR_ALL = ("automatic", "points", "grey")
TASKS = {"points": run_points, "words": run_words, "palettes": run_palettes, "exemplars": run_exemplars}


def main() -> int:
    """Command-line entry."""
    parser = argparse.ArgumentParser(prog="python -m training.benchmarks.steering", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("photos", type=Path)
    parser.add_argument("model", nargs="?", default="steerable", help="catalog id or folder (default steerable)")
    parser.add_argument("--tasks", nargs="+", choices=TASKS, default=list(TASKS))
    parser.add_argument("--limit", type=int, help="only so many photographs, evenly spaced")
    parser.add_argument("--every", type=int, default=8, help="Levin's way, suggestions for one in so many")
    parser.add_argument("--guidance-scale", type=float, help="in place of the model's default")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--plot", type=Path, help="a PNG of the points; needs matplotlib")
    options = parser.parse_args()
    try:
        if options.plot:
            require_plotting(options.plot)
        pipe = load_pipeline(options.model)
        if not isinstance(pipe, SteerablePipeline):
            raise SettingError(f"{options.model} takes no directions; give a model of kind steerable")
        if options.guidance_scale is not None:
            guidance = replace(pipe.settings["guidance_scale"], default=options.guidance_scale)
            pipe.settings = {**pipe.settings, "guidance_scale": guidance}
        results: Result = {}
        if options.json and options.json.exists():
            results = json.loads(options.json.read_text(encoding="utf-8"))
        for name in options.tasks:
            photos = tqdm(read_photos(options.photos, options.limit), desc=name, unit=" pictures", disable=None)
            results[name] = TASKS[name](pipe, photos, options)
            if options.json:
                write_json(results, options.json)
        print(json.dumps(results, indent=1))
        if options.plot:
            plot_points(results["points"], options.plot)
    except AutochromeError as error:
        print(f"steering: error: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
