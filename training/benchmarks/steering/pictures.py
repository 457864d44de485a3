"""What somebody who knew the colours of a photograph would say: points in its own colours."""

from typing import Any

import numpy as np
import torch
from torch import Tensor

from autochrome.color import lab_to_rgb
from training.benchmarks.photos import Photo


def true_hints(photo: Photo, places: np.ndarray, radius: float = 0.008) -> list[dict[str, Any]]:
    """Hints in the truth's own colours (mean of 3 x 3 pixels) at places `(N, 2)`, as people write them."""
    height, width = photo.lab.shape[-2:]
    ab = torch.nn.functional.avg_pool2d(photo.lab[:, 1:], 3, 1, 1, count_include_pad=False)[0]
    hints = []
    for x, y in places:
        row, column = min(int(y * height), height - 1), min(int(x * width), width - 1)
        lab = torch.cat([photo.lab[0, :1, row, column], ab[:, row, column]])
        hints.append({"x": float(x), "y": float(y), "color": to_hex(lab), "radius": radius})
    return hints


def to_hex(lab: Tensor) -> str:
    """The nearest "#rrggbb" to one Lab colour `(3,)`."""
    levels = lab_to_rgb(lab.view(3, 1, 1)).clamp(0, 1).mul(255).round().flatten().int().tolist()
    return "#{:02x}{:02x}{:02x}".format(*levels)
