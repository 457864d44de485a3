"""The table of how a model takes direction, from steering.json: what was said, what came of it, what it must beat."""

from collections.abc import Mapping
from typing import Any

from training.benchmarks.recipe_rows import percent

HEADER = ["direction", "CIEDE2000, share of grey's", "beside it", "photographs"]
_COUNTS = ("1", "3", "10", "30", "100")


def steering_rows(found: Mapping[str, Any]) -> list[list[str]]:
    """One row a kind of direction. Raises KeyError where a task was not measured."""
    points, beside = found["points"]["all"], found["points"]["beside_others"]
    spoken, palettes, exemplars = found["words"]["captions"], found["palettes"], found["exemplars"]
    rows = [["none: the automatic mode", percent(points["automatic"]), "no color at all: 100.0 %", _count(points)]]
    for count in _COUNTS:
        levin, own = beside[f"scribbles_{count}"], beside[f"points_{count}"]
        text = f"Levin's way {percent(levin)}, this model {percent(own)} (on {beside['num_pictures']} of them)"
        if f"suggested_{count}" in beside:
            text += f"; at the places it suggests {percent(beside[f'suggested_{count}'])}"
        rows.append([f"{count} true points", percent(points[f"points_{count}"]), text, _count(points)])
    for name, label in (("caption", "a caption"), ("named", "a caption, main colors named")):
        text = f"no prompt {percent(spoken['none'])}; better on {percent(spoken[f'{name}_better_than_none'])}"
        rows.append([label, percent(spoken[name]), text, _count(spoken)])
    for name, label in (("true", "the truth's palette"), ("other", "another photograph's palette")):
        text = f"no palette {percent(palettes['automatic'])}; nearer to the palette on "
        text += percent(palettes[f"{name}_palette_nearer"])
        rows.append([label, percent(palettes[f"{name}_palette"]), text, _count(palettes)])
    for name, label in (("same_thing", "an exemplar: the same scene"), ("unrelated", "an unrelated exemplar")):
        text = f"no exemplar {percent(exemplars['automatic'])}; its palette alone "
        text += percent(exemplars[f"{name}_palette"])
        rows.append([label, percent(exemplars[name]), text, _count(exemplars)])
    return rows


def words_sentences(found: Mapping[str, Any]) -> str:
    """What a color word does, in two sentences."""
    swaps, place = found["words"]["swaps"], found["words"]["in_place"]
    return (
        f"Of {swaps['num_swaps']:,} swaps of the color word of a caption {percent(swaps['right_way'])} move the mean "
        f"ab of the whole picture towards the new color, by {swaps['mean_shift']:.1f} Lab units in the mean. "
        f"{percent(place['change_in_place'])} of that change falls on the thing that the word belongs to, which covers "
        f"{percent(place['area'])} of the picture in the mean ({place['num_pictures']} photographs, marked by hand)."
    )


def _count(part: Mapping[str, Any]) -> str:
    return str(part["num_pictures"])
