"""Where a person's next word is worth most: the places where a model says that it guesses."""

import torch
import torch.nn.functional as F
from torch import Tensor

_REACH = 0.08
"""A point is worth the guessing in so many shorter sides around it."""


def suggest_points(expected_error: Tensor, count: int) -> list[tuple[float, float]]:
    """The most useful next places for hints, as shares of width and height, the best first.

    Args:
        expected_error: of a*b*, Lab units, `(1, 1, h, w)`.
        count: how many; each is chosen as if those before it were answered.
    """
    height, width = expected_error.shape[-2:]
    remaining = expected_error[0, 0].float().clone()
    radius = max(1, round(_REACH * min(height, width)))
    y, x = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    places = []
    for _ in range(count):
        worth = F.avg_pool2d(remaining[None, None], 2 * radius + 1, 1, radius, count_include_pad=True)[0, 0]
        row, column = divmod(int(worth.argmax()), width)
        places.append(((column + 0.5) / width, (row + 0.5) / height))
        squared = (y - row).square() + (x - column).square()
        remaining *= 1 - torch.exp(-squared / (2 * radius) ** 2)
    return places
