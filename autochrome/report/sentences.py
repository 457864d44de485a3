"""What the numbers say, in plain sentences: for somebody who knows pictures and no statistics."""

import math
from collections.abc import Iterator
from typing import Any

FEW_PICTURES = 30
"""With fewer pictures, the sentences warn."""

VISIBLE_LIGHTNESS_ERROR = 0.5
"""A mean |ΔL*| above this is no rounding: the result has another light than the photograph."""


def summary(evaluation: dict[str, Any]) -> Iterator[str]:
    """The result in sentences, the most important first. Plain text, not yet escaped."""
    count = evaluation["num_pictures"]
    yield _counts(evaluation)
    if count == 0:
        return
    if count == 1:
        yield "With one picture there are no intervals: nothing can be said about other pictures."
    elif count < FEW_PICTURES:
        yield f"With {count} pictures the intervals are wide: another choice of pictures could turn the result around."
    yield from _closeness(evaluation)
    yield from _colorfulness(evaluation)
    yield from _curve(evaluation)
    yield from _lightness(evaluation)


def _counts(evaluation: dict[str, Any]) -> str:
    count = evaluation["num_pictures"]
    text = f"{count:,} {'picture was' if count == 1 else 'pictures were'} scored against the true colors."
    words = {"missing": "had no prediction", "failed": "could not be scored", "extra": "had no reference"}
    others = [f"{len(evaluation[key]):,} {word}" for key, word in words.items() if evaluation[key]]
    return f"{text} {', '.join(others).capitalize()}; they are named at the end." if others else text


def _closeness(evaluation: dict[str, Any]) -> Iterator[str]:
    ours = evaluation["metrics"].get("ciede2000")
    grey = evaluation["baselines"].get("grey", {}).get("ciede2000")
    if ours is None or grey is None:
        return
    if grey["mean"] < 1:
        yield "The references themselves have next to no color, so there is nothing to be close to."
        return
    interval = ours.get("interval")
    spread = f" (95% interval {interval[0]:.2f} to {interval[1]:.2f})" if interval else ""
    text = f"The mean color difference from the truth (CIEDE2000) is {ours['mean']:.2f}{spread}, "
    text += f"that of plain grey {grey['mean']:.2f}."
    if interval and interval[1] < grey["mean"]:
        text += " The colors are closer to the truth than no color at all, by more than chance."
    elif interval and interval[0] > grey["mean"]:
        text += " In the mean, leaving the pictures grey would have been closer to the truth."
    elif interval:
        text += " The interval reaches across grey’s: the mean does not tell these colors from no color at all."
    better = evaluation["shares"].get("better_than_grey")
    if better is not None and evaluation["num_pictures"] > 1:
        low, high = wilson(better, evaluation["num_pictures"])
        text += f" They beat grey on {better:.0%} of the pictures (95% interval {low:.0%} to {high:.0%})."
    yield text


def _colorfulness(evaluation: dict[str, Any]) -> Iterator[str]:
    share = evaluation["shares"].get("colorfulness_of_reference")
    if share is None:
        return
    steps = (
        (0.4, "The result is dull: a cautious system gets a low CIEDE2000 cheaply, by coloring little."),
        (0.85, "The result is duller than the truth, which by itself keeps CIEDE2000 low."),
        (1.15, "The result is about as colorful as the truth."),
        (math.inf, "The result is more colorful than the truth, which by itself raises CIEDE2000."),
    )
    meaning = next(text for limit, text in steps if share < limit)
    yield f"The colorfulness is {share:.2f} of the truth’s. {meaning}"


def _curve(evaluation: dict[str, Any]) -> Iterator[str]:
    curve = evaluation.get("curve") or {}
    wheres = {"at_half": "half", "at_one": "all"}
    parts = [f"{curve[key]:.2f} at {where}" for key, where in wheres.items() if curve.get(key) is not None]
    if parts:
        yield (
            "So that dull and vivid systems can be compared, the saturation was scaled: CIEDE2000 is "
            f"{' and '.join(parts)} of the truth’s colorfulness, where plain grey is 1. Lower is better."
        )


def _lightness(evaluation: dict[str, Any]) -> Iterator[str]:
    error = evaluation["metrics"].get("lightness_error", {}).get("mean")
    if error is not None and error > VISIBLE_LIGHTNESS_ERROR:
        yield (
            f"The results do not keep the photographs’ own light (mean |ΔL*| {error:.2f}; rounding to 8 bits gives "
            "about 0.1): part of every difference here is one of light, not of color."
        )


def wilson(share: float, count: int) -> tuple[float, float]:
    """The 95% interval of a share (E. B. Wilson, 1927): it stays within 0 to 1, also of few."""
    z = 1.959964
    middle = (share + z * z / (2 * count)) / (1 + z * z / count)
    half = z / (1 + z * z / count) * math.sqrt(share * (1 - share) / count + z * z / (4 * count * count))
    return max(0.0, middle - half), min(1.0, middle + half)
