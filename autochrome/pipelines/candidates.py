"""Several answers of a model that has only one: the same network at other working sizes (DeOldify's practice)."""

import math
import random
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import overload

import PIL.Image

from autochrome.errors import SettingError
from autochrome.pipelines.settings import Setting

MAX_CANDIDATES = 6
SPAN = (0.55, 1.9)
"""Shares of the chosen render factor among which the others are drawn: smaller is bolder, larger calmer."""

DISTINCT = 0.15
"""Natural logarithm: factors nearer to the chosen one than this would give nearly its picture."""


def candidate_factors(chosen: int, count: int, seed: int, setting: Setting) -> list[int]:
    """The render factors of `count` candidates: the chosen one first, then others in rising order.

    The others are spread, half of them below and half above: the factors on each side are cut into as many runs as
    are wanted, and `seed` draws one from each. The same arguments give the same factors.

    Args:
        chosen: the render factor that was asked for.
        count: how many candidates, from 1.
        seed: start of the random numbers.
        setting: the model's `render_factor`, for its range.

    Raises:
        SettingError: the model's range has fewer factors than candidates are wanted.
    """
    allowed = [factor for factor in range(int(setting.minimum), int(setting.maximum) + 1) if factor != chosen]
    if count - 1 > len(allowed):
        raise SettingError(
            f"candidates must be at most {len(allowed) + 1} for this model, whose render factor goes from "
            f"{setting.minimum} to {setting.maximum}; got {count}"
        )
    low, high = SPAN
    near = [f for f in allowed if low * chosen <= f <= high * chosen and abs(math.log(f / chosen)) > DISTINCT]
    if len(near) < 2 * (count - 1):  # at an end of the range: whatever is nearest, so that there is a choice
        near = sorted(allowed, key=lambda factor: abs(factor - chosen))[: 2 * (count - 1)]
    smaller, larger = sorted(f for f in near if f < chosen), sorted(f for f in near if f > chosen)
    num_smaller = min(len(smaller), max(count // 2, count - 1 - len(larger)))
    draw = random.Random(seed)
    return [chosen, *_draw(smaller, num_smaller, draw), *_draw(larger, count - 1 - num_smaller, draw)]


def _draw(factors: list[int], count: int, draw: random.Random) -> list[int]:
    """One of each of `count` runs of equal length."""
    edges = [round(index * len(factors) / max(1, count)) for index in range(count + 1)]
    return [factors[start + int(draw.random() * (end - start))] for start, end in pairwise(edges)]


class Pictures(Sequence[PIL.Image.Image]):
    """The results of one run: the first is there, each other is rendered when it is asked for, and not kept.

    Six candidates of a 100-megapixel scan would be two gigabytes; nobody looks at all of them at full size.
    """

    def __init__(self, first: PIL.Image.Image, others: Sequence[Callable[[], PIL.Image.Image]] = ()) -> None:
        """`others` render the second picture and those after it."""
        self._first = first
        self._others = tuple(others)

    def __len__(self) -> int:
        return 1 + len(self._others)

    @overload
    def __getitem__(self, index: int) -> PIL.Image.Image: ...

    @overload
    def __getitem__(self, index: slice) -> list[PIL.Image.Image]: ...

    def __getitem__(self, index: int | slice) -> PIL.Image.Image | list[PIL.Image.Image]:
        if isinstance(index, slice):
            return [self[each] for each in range(*index.indices(len(self)))]
        position = range(len(self))[index]
        return self._first if position == 0 else self._others[position - 1]()
