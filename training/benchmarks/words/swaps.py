"""Swapping the one color word of a caption: does the picture follow, how far, and where?"""

import re

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from autochrome.naming import anchor_of
from autochrome.naming.terms import COLOR_NAMES
from training.benchmarks.masks import MarkedPicture, draw_mask
from training.benchmarks.photos import Photo
from training.benchmarks.words.asking import Ask

_COLOR_WORD = re.compile(rf"\b(?:(?:light|dark|bright|pale)[ -])?({'|'.join(COLOR_NAMES)})\b", re.IGNORECASE)
Numbers = dict[str, float]
Change = tuple[str, Tensor]
"""A color word, and how a*b* change with it at every place, `(1, 2, h, w)`, Lab units."""


def colored_caption(photo: Photo) -> str | None:
    """The first caption that names just one of the eight colors, or None."""
    return next((caption for caption in photo.captions if len(_COLOR_WORD.findall(caption)) == 1), None)


def with_color(caption: str, color: str) -> str:
    """The caption with another color word, its shade ("dark") left out; without any where `color` is empty."""
    return " ".join(_COLOR_WORD.sub(color, caption).split())


def swap_colors(ask: Ask, caption: str) -> list[Change]:
    """How a*b* change when each of the eight colors stands in the caption, against the caption without the word."""
    neutral, *colored = ask([with_color(caption, color) for color in ("", *COLOR_NAMES)])
    return [(color, ab - neutral) for color, ab in zip(COLOR_NAMES, colored, strict=True)]


def response(changes: list[Change]) -> list[Numbers]:
    """For each swap the mean shift of a*b* towards the named color, Lab units, and whether it is the right way."""
    found = []
    for color, change in changes:
        direction = F.normalize(torch.tensor(anchor_of(color)[1:], dtype=torch.float32), dim=0)
        shift = float(change.mean(dim=(0, 2, 3)) @ direction)
        found.append({"shift": shift, "right_way": float(shift > 0)})
    return found


def in_place(changes: list[Change], marked: MarkedPicture) -> Numbers:
    """The share of all change that falls on the marked thing, and the thing's share of the picture."""
    height, width = changes[0][1].shape[-2:]
    mask = torch.from_numpy(draw_mask(marked, width, height)).float()
    sizes = [torch.linalg.vector_norm(change[0], dim=0) for _, change in changes]
    share = [float((size * mask).sum() / size.sum().clamp_min(1e-6)) for size in sizes]
    return {"change_in_place": float(np.mean(share)), "area": float(mask.mean())}
