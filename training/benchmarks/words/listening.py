"""What is tried on one photograph: no prompt, its two captions, several candidates, and swaps of its color word."""

from collections.abc import Mapping
from typing import Any

from autochrome.naming.captions import caption_pair
from autochrome.pipelines import Pipeline
from training.benchmarks.masks import MarkedPicture
from training.benchmarks.photos import Photo
from training.benchmarks.words.asking import asking
from training.benchmarks.words.scoring import Judge, Numbers, Scored
from training.benchmarks.words.swaps import colored_caption, in_place, response, swap_colors

NUM_CANDIDATES = 4
BEST = f"_best_of_{NUM_CANDIDATES}"


def prompts_of(photo: Photo) -> dict[str, str]:
    """No prompt, and of a photograph with captions the columns `text` and `text_color` of the dataset, by name."""
    if not photo.captions:
        return {"none": ""}
    text, text_color = caption_pair(photo.captions[0], photo.pixels)
    return {"none": "", "text": text, "text_color": text_color}


def listen(pipe: Pipeline, photo: Photo, settings: Mapping[str, Any]) -> Scored:
    """Scores of grey, of one tint, and of the model's pictures under each prompt of the photograph.

    With no prompt and with `text_color`, a model that gives several candidates gives four, of a photograph with
    captions; "..._best_of_4" is that which is nearest to the truth. Nobody knows the truth who colors a grey picture:
    it says what is among the four, for somebody who chooses well.
    """
    judge = Judge(photo)
    scored = judge.baselines()
    for name, prompt in prompts_of(photo).items():
        several = bool(photo.captions) and name != "text" and "candidates" in pipe.settings
        chosen = {**settings, "candidates": NUM_CANDIDATES} if several else settings
        candidates = [judge.score(image) for image in pipe(photo.picture, prompt=prompt, **chosen).images]
        scored[name] = candidates[0]
        if several:
            scored[name + BEST] = min(candidates, key=lambda numbers: numbers["ciede2000"])
    return scored


def swap(pipe: Pipeline, photo: Photo, settings: Mapping[str, Any]) -> list[Numbers]:
    """How the picture follows each of the eight colors in place of its caption's own; empty if it names not just one.

    In the order of `swaps.COLOR_NAMES`; the same seed for all.
    """
    caption = colored_caption(photo)
    return [] if caption is None else response(swap_colors(asking(pipe, photo.picture, **settings), caption))


def place(pipe: Pipeline, photo: Photo, marked: MarkedPicture, settings: Mapping[str, Any]) -> Numbers:
    """Where that change falls, on a photograph whose colored thing is marked."""
    return in_place(swap_colors(asking(pipe, photo.picture, **settings), marked.caption), marked)
