"""The whole benchmark of one model: every photograph of an archive, and what comes of all of them."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from autochrome.metrics.baselines import BASELINES
from autochrome.naming.terms import COLOR_NAMES
from autochrome.pipelines import Pipeline, settings_to_json
from training.benchmarks.masks import MASKS_PATH, read_masks
from training.benchmarks.photos import read_photos
from training.benchmarks.words.listening import listen, place, swap
from training.benchmarks.words.scoring import Numbers, Scored, mean_with_interval, summarize

_AUTOMATIC = ("truth", *BASELINES, "none")
Result = dict[str, Any]


def measure(pipe: Pipeline, archive: Path, limit: int | None, settings: Mapping[str, Any]) -> Result:
    """What the model makes of words, plain numbers, ready for JSON.

    `settings` differ from the model's defaults; all of them are in the result. `automatic`: every photograph without a
    prompt; `captions`: those that have some, under each prompt; `swaps` and `in_place`: see `words.swaps`.
    """
    marked = {picture.file_name: picture for picture in read_masks(MASKS_PATH)}
    automatic: list[Scored] = []
    spoken: list[Scored] = []
    swapped: list[list[Numbers]] = []
    places: list[Numbers] = []
    for photo in tqdm(read_photos(archive, limit), desc=pipe.model_id, unit=" pictures", disable=None):
        scored = listen(pipe, photo, settings)
        automatic.append({way: scored[way] for way in _AUTOMATIC})
        if photo.captions:
            spoken.append(scored)
            if changes := swap(pipe, photo, settings):
                swapped.append(changes)
        if photo.name in marked:
            places.append(place(pipe, photo, marked[photo.name], settings))
    found: Result = {
        "settings": settings_to_json(pipe.check_inputs(**settings)),
        "automatic": {"num_pictures": len(automatic), **summarize(automatic)},
    }
    if spoken:
        found["captions"] = {"num_pictures": len(spoken), **summarize(spoken)}
    if swapped:
        found["swaps"] = summarize_swaps(swapped)
    if places:
        found["in_place"] = summarize_places(places)
    return found


def summarize_swaps(swapped: list[list[Numbers]]) -> Result:
    """Share of swaps that move the mean a*b* towards the named color, and how far in Lab units; by color, too."""
    flat = [one for changes in swapped for one in changes]
    groups = [index for index, changes in enumerate(swapped) for _ in changes]
    found: Result = {"num_pictures": len(swapped), "num_swaps": len(flat)}
    for name in ("right_way", "shift"):
        found |= mean_with_interval(name, [one[name] for one in flat], groups)
    found["by_color"] = {
        color: {
            name: round(float(np.mean([changes[index][name] for changes in swapped])), 4)
            for name in ("right_way", "shift")
        }
        for index, color in enumerate(COLOR_NAMES)
    }
    return found


def summarize_places(places: list[Numbers]) -> Result:
    """The mean share of the change that falls on the thing, beside the thing's mean share of the picture."""
    return {
        "num_pictures": len(places),
        **{name: round(float(np.mean([one[name] for one in places])), 4) for name in ("change_in_place", "area")},
    }
