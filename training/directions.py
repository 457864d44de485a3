"""Directions for training pictures, drawn from the truth: what a person who knew the colours might have said.

Each picture gets words, a palette, hints, any mixture of them or nothing, all decided by the random generator it is
given. Some pictures get other hues first: who must match colours that no habit suggests learns to listen.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from autochrome.color import AB_SCALE, lab_to_gamut, merge_lab, rgb_to_lab, split_lab
from autochrome.errors import SettingError
from autochrome.models.steering import NUM_HINT_VALUES, NUM_PALETTE_VALUES
from autochrome.naming import cluster_colors, list_in_words, name_main_colors
from training.sources import LABEL_CAPTION

_MAX_PALETTE = 8
_COLORS_SIDE_PX = 32


@dataclass
class DirectionMix:
    """How often training pictures come with which directions."""

    captioned_only: bool = False
    """Train only on photographs that people have said something of; a sentence made from a label does not count."""
    nothing_share: float = 0.2
    """Pictures with no direction at all: the automatic mode."""
    words_share: float = 0.5
    """Of the others, those with words."""
    palette_share: float = 0.25
    """Of the others, those with a palette."""
    hints_share: float = 0.45
    """Of the others, those with hints."""
    hue_shift_share: float = 0.2
    """Of the others, those whose hues are all turned by the same random angle, and whose words are color names only."""
    named_colors_share: float = 0.6
    """Of the captions, those that have the names of the picture's main colors added."""
    max_hints: int = 128
    """Their number is between 1 and this, few being as likely as many (log-uniform)."""
    rough_hints_share: float = 0.3
    """Of the pictures with hints, those whose hints have errors in place and color."""
    doubtful_hints_share: float = 0.15
    """Of the pictures with hints, those whose hints are guesses: each is wrong as often as its confidence says."""

    def check(self) -> None:
        """Raises `SettingError` where a value is out of its range."""
        for name, value in vars(self).items():
            if name.endswith("_share") and not 0 <= value <= 1:
                raise SettingError(f"directions.{name} must lie in 0..1, got {value}")
        if self.rough_hints_share + self.doubtful_hints_share > 1:
            raise SettingError(
                f"directions.rough_hints_share and doubtful_hints_share must sum to at most 1, "
                f"got {self.rough_hints_share} and {self.doubtful_hints_share}"
            )
        if self.max_hints < 1:
            raise SettingError(f"directions.max_hints must be at least 1, got {self.max_hints}")


def has_caption(captions: Sequence[str]) -> bool:
    """Whether a person said one of these."""
    return any(not caption.startswith(LABEL_CAPTION) for caption in captions)


class Directed(NamedTuple):
    """A picture with its directions, as they stand in `autochrome.models.steering.Conditions`."""

    photo: Tensor
    """sRGB, uint8 `(3, H, W)`; the truth that fits the directions."""
    hints: Tensor
    """`(N, 6)` float32."""
    palette: Tensor
    """`(P, 4)` float32."""
    text: str


class DirectedBatch(NamedTuple):
    """Directions of a batch, filled up with zeros to the same length."""

    hints: Tensor
    palette: Tensor
    texts: list[str]


def gather(directed: Sequence[Directed]) -> DirectedBatch:
    """The directions of several pictures as one batch."""
    return DirectedBatch(
        torch.nn.utils.rnn.pad_sequence([one.hints for one in directed], batch_first=True),
        torch.nn.utils.rnn.pad_sequence([one.palette for one in directed], batch_first=True),
        [one.text for one in directed],
    )


def direct(photo: Tensor, captions: Sequence[str], mix: DirectionMix, rng: np.random.Generator) -> Directed:
    """Draw directions for a picture, sRGB uint8 `(3, H, W)`, that has these captions (there may be none)."""
    hints, palette, text = torch.zeros(0, NUM_HINT_VALUES), torch.zeros(0, NUM_PALETTE_VALUES), ""
    if rng.random() < mix.nothing_share:
        return Directed(photo, hints, palette, text)
    lab = rgb_to_lab(photo.float() / 255)
    if shifted := rng.random() < mix.hue_shift_share:
        lab = turn_hues(lab, rng.uniform(0, 2 * np.pi))
        rgb = lab_to_gamut(lab)
        photo, lab = rgb.mul(255).round().to(torch.uint8), rgb_to_lab(rgb)
    if rng.random() < mix.words_share:
        text = draw_words(lab, () if shifted else captions, mix, rng)
    if rng.random() < mix.palette_share:
        palette = draw_palette(lab, rng)
    if rng.random() < mix.hints_share:
        hints = draw_hints(lab, mix, rng)
    return Directed(photo, hints, palette, text)


def turn_hues(lab: Tensor, angle: float) -> Tensor:
    """Lab `(3, H, W)` with every hue turned by an angle in radians; lightness and chroma stay."""
    lightness, ab = split_lab(lab)
    turn = torch.tensor([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]], dtype=lab.dtype)
    return merge_lab(lightness, torch.einsum("ij,jhw->ihw", turn, ab))


def draw_words(lab: Tensor, captions: Sequence[str], mix: DirectionMix, rng: np.random.Generator) -> str:
    """A caption, a caption with the picture's main colours named, or these alone."""
    caption = captions[int(rng.integers(len(captions)))] if captions else ""
    if caption and rng.random() >= mix.named_colors_share:
        return caption
    named = name_colors_of(lab, min_share=float(rng.uniform(0.04, 0.15)), max_colors=int(rng.integers(1, 6)))
    if caption and rng.random() < 0.25:
        caption = ""
    return f"{caption.rstrip(' .')}. {named}" if caption and named else caption or named


def name_colors_of(lab: Tensor, *, min_share: float = 0.05, max_colors: int = 5) -> str:
    """A sentence that names the main colours of a picture, Lab `(3, H, W)`."""
    names = name_main_colors(_few_pixels(lab), min_share=min_share, max_colors=max_colors)
    return f"Mainly {list_in_words(names)}." if names else ""


def draw_palette(lab: Tensor, rng: np.random.Generator, *, exact: bool = False) -> Tensor:
    """The main colours of a picture, Lab `(3, H, W)`, as `(P, 4)`; `exact`: all eight, no noise."""
    count = _MAX_PALETTE if exact else int(rng.integers(2, _MAX_PALETTE + 1))
    centers, shares = cluster_colors(_few_pixels(lab), count)
    order = np.argsort(-shares)
    if not exact:
        centers = centers + rng.normal(0, 2.5, centers.shape)
        kept = int(rng.integers(max(1, len(order) // 2), len(order) + 1))
        order = order[:kept]
        if rng.random() < 0.5:  # a person may give no weights
            shares = np.ones_like(shares)
    weights = shares[order] / shares[order].sum()
    values = np.column_stack([centers[order, 1:] / AB_SCALE, centers[order, :1] / 100, weights])
    return torch.from_numpy(values[rng.permutation(len(order))].astype(np.float32))


def draw_hints(lab: Tensor, mix: DirectionMix, rng: np.random.Generator) -> Tensor:
    """Hints at random places of a picture, Lab `(3, H, W)`, as `(N, 6)`."""
    count = round(float(np.exp(rng.uniform(0, np.log(mix.max_hints + 0.49)))))
    places = rng.random((count, 2))
    radius = np.exp(rng.uniform(np.log(0.006), np.log(0.03), (count, 1)))
    confidence = np.ones((count, 1))
    kind = rng.random()
    ab = hint_colors(lab, places)
    if kind < mix.doubtful_hints_share:
        confidence = rng.uniform(0.1, 0.95, (count, 1))
        wrong = rng.random(count) > confidence[:, 0]
        ab[wrong] = hint_colors(lab, rng.random((count, 2)))[wrong]
    elif kind < mix.doubtful_hints_share + mix.rough_hints_share:
        ab = ab + rng.normal(0, 4, ab.shape)
        places = np.clip(places + rng.normal(0, 0.01, places.shape), 0, 1)
    values = np.column_stack([places, ab / AB_SCALE, radius, confidence])
    return torch.from_numpy(values.astype(np.float32))


def true_points(lab: Tensor, places: np.ndarray, *, radius: float = 0.01) -> Tensor:
    """Hints at the given places of a picture, Lab `(3, H, W)`, in its own colours, as `(N, 6)`."""
    count = len(places)
    ab = hint_colors(lab, places) / AB_SCALE
    values = np.column_stack([places, ab, np.full(count, radius), np.ones(count)])
    return torch.from_numpy(values.astype(np.float32))


def hint_colors(lab: Tensor, places: np.ndarray) -> np.ndarray:
    """Mean a*b* of 3 x 3 pixels around each place `(N, 2)` (shares of width and height), Lab units: `(N, 2)`."""
    height, width = lab.shape[1:]
    ab = F.avg_pool2d(lab[None, 1:], 3, 1, 1, count_include_pad=False)[0]
    columns = np.minimum((places[:, 0] * width).astype(int), width - 1)
    rows = np.minimum((places[:, 1] * height).astype(int), height - 1)
    found: np.ndarray = ab[:, rows, columns].T.numpy().astype(np.float64)
    return found


def _few_pixels(lab: Tensor) -> np.ndarray:
    small = F.interpolate(lab[None], (_COLORS_SIDE_PX, _COLORS_SIDE_PX), mode="area")[0]
    pixels: np.ndarray = small.flatten(1).T.numpy().astype(np.float64)
    return pixels
