"""Where a person's next word is worth most: the places where a model says that it guesses."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

_REACH = 0.15
"""A point is worth the guessing in so many shorter sides around it."""


def suggest_points(
    expected_error: Tensor, count: int, answered: Sequence[tuple[float, float]] = ()
) -> list[tuple[float, float]]:
    """The most useful next places for hints, as shares of width and height, the best first.

    Args:
        expected_error: of a*b*, Lab units, `(1, 1, h, w)`.
        count: how many; each is chosen as if those before it were answered.
        answered: places where there is a hint already; nobody is asked twice about one thing.
    """
    height, width = expected_error.shape[-2:]
    remaining = expected_error[0, 0].float().clone()
    radius = max(1, round(_REACH * min(height, width)))
    y, x = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")

    def answer(place: tuple[float, float]) -> None:
        squared = (y - place[1] * height + 0.5).square() + (x - place[0] * width + 0.5).square()
        remaining.mul_(1 - torch.exp(-squared / (2 * radius) ** 2))

    for place in answered:
        answer(place)
    places = []
    for _ in range(count):
        worth = F.avg_pool2d(remaining[None, None], 2 * radius + 1, 1, radius, count_include_pad=True)[0, 0]
        row, column = divmod(int(worth.argmax()), width)
        places.append(((column + 0.5) / width, (row + 0.5) / height))
        answer(places[-1])
    return places
