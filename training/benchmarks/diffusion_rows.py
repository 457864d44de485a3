"""The tables of what words do (diffusion_words.json) and of what a diffusion model costs (diffusion_speed.json)."""

from collections.abc import Mapping, Sequence
from typing import Any

from autochrome.errors import DataError
from training.benchmarks.recipe_rows import NOT_REACHED, percent

Found = Mapping[str, Any]
WORDS_HEADER = [
    "prompt",
    "PSNR",
    "SSIM",
    "CIEDE2000",
    "share of grey's",
    "colorfulness, share of the truth's",
    "better than no prompt",
    "photographs",
]
SPEED_HEADER = ["part", "milliseconds"]
_PROMPTS = {
    "grey": "no color at all",
    "tint": "one constant tint",
    "none": "none: the automatic mode",
    "none_best_of_4": "none, the best of four candidates",
    "text": "a caption without color words",
    "text_color": "a caption that names colors",
    "text_color_best_of_4": "the same, the best of four candidates",
}
_PARTS = {
    "read": "reading the photograph",
    "prepare": "making the conditioning image",
    "words": "text encoder",
    "steps": "steps",
    "decode": "decoder",
    "render": "merge at full size",
}


def words_rows(words: Found, models: Sequence[str]) -> list[list[str]]:
    """The prompts of each model in turn, after the baselines; every row's photographs are those with captions.

    Raises KeyError where a model was not measured, DataError where they were measured on different photographs.
    """
    first = words[models[0]]["captions"]
    for model in models:
        if words[model]["captions"]["grey"] != first["grey"]:
            raise DataError(f"{model} and {models[0]} were measured on different photographs; measure both on the same")
    rows = [_prompt_row(first, name, _PROMPTS[name]) for name in ("grey", "tint")]
    for model in models:
        found = words[model]["captions"]
        of_model = [name for name in _PROMPTS if name in found and name not in ("grey", "tint")]
        rows += [_prompt_row(found, name, f"`{model}`: {_PROMPTS[name]}") for name in of_model]
    return rows


def swap_header(models: Sequence[str]) -> list[str]:
    """Of `swap_rows`."""
    return ["swapped for", *(part for model in models for part in (f"`{model}`: the right way", "by"))]


def swap_rows(words: Found, models: Sequence[str]) -> list[list[str]]:
    """One row a color word and one for all: share of swaps that move the right way, and how far, of each model."""
    swaps = [words[model]["swaps"] for model in models]
    rows = []
    for color in swaps[0]["by_color"]:
        cells = [(percent(one["by_color"][color]["right_way"]), one["by_color"][color]["shift"]) for one in swaps]
        rows.append([color, *(cell for share, shift in cells for cell in (share, f"{shift:.1f}"))])
    every = []
    for one in swaps:
        every += [_with_interval(one, "right_way"), f"{one['shift']:.1f}"]
    return [*rows, ["all", *every]]


def words_sentences(words: Found, models: Sequence[str]) -> str:
    """What the tables rest on, and where the change falls."""
    swaps = words[models[0]]["swaps"]
    sentences = [
        "Scored at the photographs' full size. In brackets 95 % intervals, the photographs drawn anew. The best of "
        "four is chosen by the truth, which nobody has who colors a grey picture.",
        f"{swaps['num_swaps']:,} swaps of the one color word in the captions of {swaps['num_pictures']} photographs, "
        "against the same caption without the word and with the same seed: the share of swaps that move the mean ab "
        "of the whole picture towards the new color, and by how many Lab units.",
    ]
    for model in models:
        found = words[model]
        automatic, place = found["automatic"], found["in_place"]
        sentences.append(
            f"`{model}`: of that change {percent(place['change_in_place'])} falls on the thing that the word belongs "
            f"to, which covers {percent(place['area'])} of the picture ({place['num_pictures']} photographs, marked by "
            f"hand). Without a prompt {percent(automatic['none']['ciede2000_share'])} of grey's CIEDE2000 on all "
            f"{automatic['num_pictures']} photographs, better than grey on "
            f"{_with_interval(automatic['none'], 'better_than_grey')}."
        )
    return "\n".join(sentences)


def speed_rows(speed: Found) -> list[list[str]]:
    """One row a part of coloring a photograph, and the whole."""
    parts = [[_PARTS.get(name, name), f"{ms:,.0f}"] for name, ms in speed["parts_ms"].items()]
    return [*parts, ["all", f"{speed['median_ms']['a prompt']:,.0f}"]]


def speed_sentence(speed: Found) -> str:
    """On what, how much memory, and what else takes how long."""
    over, batches = speed["over"], speed["ms_a_picture_by_batch"]
    several = ", ".join(f"{ms:,.0f} ms a picture in runs of {count}" for count, ms in batches.items())
    return (
        f"Medians, {speed['megapixels']:g} megapixel, {speed['steps']} steps, a prompt, on {speed['device']} "
        f"({speed['cpu_capability']}, {speed['threads']} threads). Without a prompt "
        f"{speed['median_ms']['no prompt']:,.0f} ms. {over['steerable, a prompt']:g} times as long as `steerable` with "
        f"the same prompt, {over['gan-artistic']:g} times as long as `gan-artistic`. Peak memory of a fresh process "
        f"{speed['peak_memory_mb']:,} MB. Several candidates, without reading and merging: {several}."
    )


def _prompt_row(found: Found, name: str, title: str) -> list[str]:
    scores = found[name]
    return [
        title,
        f"{scores['psnr']:.2f}",
        f"{scores['ssim']:.3f}",
        f"{scores['ciede2000']:.2f}",
        percent(scores["ciede2000_share"]),
        percent(scores["colorfulness_share"]),
        _with_interval(scores, "better_than_none") if "better_than_none" in scores else NOT_REACHED,
        str(found["num_pictures"]),
    ]


def _with_interval(scores: Found, name: str) -> str:
    interval = scores[f"{name}_interval"]
    return percent(scores[name]) + (f" ({percent(interval[0])} to {percent(interval[1])})" if interval else "")
