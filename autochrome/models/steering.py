"""What lets a person direct a colorizer: words, hints and palettes as further inputs of its decoder."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

NUM_HINT_VALUES = 6
NUM_PALETTE_VALUES = 4
TEXT_WIDTH = 384
AB_GAIN = 8.0
"""Colours of photographs are about 0.1 in network units; the weights that read them learn faster from about 1."""
_FREQUENCIES = (1.0, 2.0, 4.0, 8.0)
Layer = TypeVar("Layer", nn.Conv2d, nn.Linear)


@dataclass(frozen=True)
class Conditions:
    """Directions for a batch of pictures; what is None was not given, and any mixture is allowed. All float32."""

    hints: Tensor | None = None
    """`(B, N, 6)`: x and y as shares of width and height, ab_normalized, radius as a share of the shorter side, and
    confidence (1: a person's word; below: a guess; 0: no hint, to fill up)."""
    palette: Tensor | None = None
    """`(B, P, 4)`: ab_normalized, L* / 100 and weight (the weights of a palette sum to 1; 0: no colour, to fill up)."""
    words: Tensor | None = None
    """`(B, T, 384)`: vectors of a `TextEncoder`."""
    word_mask: Tensor | None = None
    """`(B, T)`, True where a word is."""

    def to(self, device: torch.device | str) -> "Conditions":
        """The same on another device."""
        parts = (self.hints, self.palette, self.words, self.word_mask)
        return Conditions(*(None if part is None else part.to(device) for part in parts))


class Steering(nn.Module):
    """The directed parts of a `UNetDecoder`. Fresh, they change nothing: the decoder answers as it would without them.

    Three ways lead in. Hints are drawn on a map that every level sees, as in Zhang et al. 2017 (arXiv:1705.02999).
    Hints, colours of a palette and words are tokens that the coarse levels attend to. And at the finest level every
    place looks, by what is there and how near, for the hints that hold for it and takes over their colour, in the
    manner of iColoriT's (Yun et al. 2023, arXiv:2207.06831) propagation, here as one weighted mean.
    """

    def __init__(
        self, channels: Sequence[int], feature_channels: Sequence[int], *, width: int = 128, num_attending: int = 3
    ) -> None:
        """`channels` are the decoder's, `feature_channels` the backbone's, both from coarse to fine."""
        super().__init__()
        self.word = nn.Sequential(nn.LayerNorm(TEXT_WIDTH), nn.Linear(TEXT_WIDTH, width))
        self.palette = _mlp(NUM_PALETTE_VALUES + 1, width)
        self.hint = _mlp(NUM_HINT_VALUES - 3 + 4 * len(_FREQUENCIES), width)
        self.hint_feature = nn.Linear(feature_channels[1], width)
        self.nothing = nn.Parameter(torch.zeros(1, 1, width))
        self.attentions = nn.ModuleList(TokenAttention(channel, width) for channel in channels[:num_attending])
        self.maps = nn.ModuleList(_silent(nn.Conv2d(3, channel, kernel_size=3, padding=1)) for channel in channels)
        self.propagation = HintPropagation(channels[-1])
        self.extra = nn.Conv2d(channels[-1], 2, kernel_size=1)
        nn.init.normal_(self.extra.weight, std=1e-3)
        with torch.no_grad():
            assert self.extra.bias is not None
            self.extra.bias.copy_(torch.tensor([0.0, math.log(0.1)]))

    def tokens(self, conditions: Conditions, features: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
        """All directions as tokens `(B, N, width)` and a mask `(B, N)`; the first is always there and means nothing."""
        batch = features[0].shape[0]
        parts = [self.nothing.expand(batch, -1, -1)]
        masks = [torch.ones(batch, 1, dtype=torch.bool, device=self.nothing.device)]
        if conditions.words is not None and conditions.word_mask is not None:
            parts.append(self.word(conditions.words))
            masks.append(conditions.word_mask)
        if conditions.palette is not None:
            colors = torch.cat([conditions.palette[..., :2] * AB_GAIN, conditions.palette[..., 2:]], dim=-1)
            count = (colors[..., 3:] > 0).float().sum(dim=1, keepdim=True).expand(-1, colors.shape[1], -1)
            parts.append(self.palette(torch.cat([colors, count / 8], dim=-1)))
            masks.append(colors[..., 3] > 0)
        if conditions.hints is not None:
            hints = conditions.hints
            values = torch.cat([hints[..., 2:4] * AB_GAIN, hints[..., 5:], _fourier(hints[..., :2])], dim=-1)
            parts.append(self.hint(values) + self.hint_feature(sample(features[1], hints[..., :2])))
            masks.append(hints[..., 5] > 0)
        return torch.cat([part.to(self.nothing.dtype) for part in parts], dim=1), torch.cat(masks, dim=1)


class TokenAttention(nn.Module):
    """Residual multi-head attention from every place to the tokens of the directions."""

    def __init__(self, channels: int, width: int, num_heads: int = 4) -> None:
        super().__init__()
        self.num_heads = num_heads
        self.norm = nn.LayerNorm(channels)
        self.query = nn.Linear(channels, width)
        self.place = nn.Linear(4 * len(_FREQUENCIES), width)
        self.key_value = nn.Linear(width, 2 * width)
        self.project = _silent(nn.Linear(width, channels))

    def forward(self, x: Tensor, tokens: Tensor, mask: Tensor) -> Tensor:
        """Features `(B, C, h, w)` to the same shape."""
        height, width = x.shape[-2:]
        places = self.place(_fourier(_grid(height, width, x.device)))
        query = self.query(self.norm(x.flatten(2).transpose(1, 2))) + places
        key, value = self.key_value(tokens).chunk(2, dim=-1)
        heads = [part.unflatten(-1, (self.num_heads, -1)).transpose(1, 2) for part in (query, key, value)]
        mixed = F.scaled_dot_product_attention(heads[0], heads[1], heads[2], attn_mask=mask[:, None, None, :])
        out: Tensor = x + self.project(mixed.transpose(1, 2).flatten(2)).transpose(1, 2).unflatten(2, (height, width))
        return out


class HintPropagation(nn.Module):
    """Each place's mean of the hints' colours, weighted by likeness and nearness, and how sure it is of it."""

    _SPREADS = (0.6, 0.25, 0.1, 0.04)
    """Where each head starts: hints this far away (in shorter sides) count 1 / e."""

    def __init__(self, channels: int, width: int = 64) -> None:
        super().__init__()
        self.num_heads = len(self._SPREADS)
        self.norm = nn.GroupNorm(1, channels)
        self.query = nn.Conv2d(channels, width, kernel_size=1)
        self.key = nn.Conv2d(channels, width, kernel_size=1)
        self.doubt = nn.Conv2d(channels, self.num_heads, kernel_size=1)
        nn.init.zeros_(self.doubt.weight)
        assert self.doubt.bias is not None
        nn.init.constant_(self.doubt.bias, -2.0)
        self.steepness = nn.Parameter(torch.tensor(self._SPREADS).log() * -2)
        self.mix = _silent(nn.Conv2d(3 * self.num_heads, channels, kernel_size=1))

    def forward(self, x: Tensor, hints: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Features `(B, C, h, w)` and hints `(B, N, 6)` to what is added to x, the hints' colour there and its weight.

        The colour is ab_normalized `(B, 2, h, w)`, the weight `(B, 1, h, w)` in 0..1; 0 where there is no hint at all.
        """
        height, width = x.shape[-2:]
        normed = self.norm(x)
        query = self.query(normed).flatten(2).unflatten(1, (self.num_heads, -1)).transpose(2, 3)
        key = sample(self.key(normed), hints[..., :2]).unflatten(-1, (self.num_heads, -1)).permute(0, 2, 3, 1)
        likeness = query.float() @ key.float() / math.sqrt(key.shape[2])
        distance = (distances(hints, height, width) - hints[:, None, :, 4]).relu().square()[:, None]
        near = self.steepness.exp()[None, :, None, None]
        confidence = hints[..., 5].clamp_min(1e-9).log()[:, None, None]
        logits = likeness - near * distance + confidence
        doubt = self.doubt(normed).flatten(2)[..., None].float()
        weights = torch.cat([logits, doubt], dim=-1).softmax(dim=-1)[..., :-1]
        weights = weights * (hints[..., 5] > 0)[:, None, None]
        ab = weights @ hints[:, None, :, 2:4]
        sure = weights.sum(dim=-1, keepdim=True)
        heads = torch.cat([ab, sure], dim=-1).permute(0, 1, 3, 2).flatten(1, 2).unflatten(-1, (height, width))
        total = sure.mean(dim=1).transpose(1, 2).unflatten(-1, (height, width))
        color = ab.mean(dim=1).transpose(1, 2).unflatten(-1, (height, width)) / total.clamp_min(1e-6)
        return self.mix(heads), color, total


def draw_hints(hints: Tensor, height: int, width: int) -> Tensor:
    """Hints `(B, N, 6)` on a map `(B, 3, h, w)`: AB_GAIN times ab_normalized times presence, and presence (0..1).

    A disc covers the cells that it reaches, by their distance; the cell under its centre always. Where several overlap
    the strongest counts, and the last of equals.
    """
    cell = 1 / min(height, width)
    distance = distances(hints, height, width)
    reach = hints[:, None, :, 4].clamp_min(cell / 2)
    presence = ((reach - distance) / cell + 0.5).clamp(0, 1) * hints[:, None, :, 5]
    order = torch.arange(hints.shape[1], device=hints.device) * 1e-6
    chosen = (presence + order * (presence > 0)).argmax(dim=2, keepdim=True)
    there = presence.gather(2, chosen)
    ab = hints[..., 2:4].gather(1, chosen.expand(-1, -1, 2))
    drawn: Tensor = torch.cat([ab * there * AB_GAIN, there], dim=-1).transpose(1, 2).unflatten(2, (height, width))
    return drawn


def distances(hints: Tensor, height: int, width: int) -> Tensor:
    """Of every cell's middle from the middle of every hint, in shorter sides: `(B, h * w, N)`."""
    scale = torch.tensor([width, height], device=hints.device) / min(height, width)
    places = _grid(height, width, hints.device) * scale
    apart: Tensor = torch.linalg.vector_norm(places[None, :, None] - hints[:, None, :, :2] * scale, dim=-1)
    return apart


def sample(features: Tensor, places: Tensor) -> Tensor:
    """Features `(B, C, h, w)` at places `(B, N, 2)` (shares of width and height), bilinear: `(B, N, C)`."""
    grid = (places * 2 - 1)[:, None].to(features.dtype)
    found = F.grid_sample(features, grid, padding_mode="border", align_corners=False)
    vectors: Tensor = found[:, :, 0].transpose(1, 2)
    return vectors


def shrink_map(drawn: Tensor) -> Tensor:
    """A drawn map at half its size: the mean colour of what is there, as present as its strongest part."""
    area = F.avg_pool2d(drawn, 2)
    presence = F.max_pool2d(drawn[:, 2:], 2)
    return torch.cat([area[:, :2] / area[:, 2:].clamp_min(1e-6) * presence, presence], dim=1)


def _grid(height: int, width: int, device: torch.device) -> Tensor:
    """The middle of every cell as shares of width and height, `(h * w, 2)`."""
    y = (torch.arange(height, device=device) + 0.5) / height
    x = (torch.arange(width, device=device) + 0.5) / width
    return torch.stack([x.repeat(height), y.repeat_interleave(width)], dim=-1)


def _fourier(places: Tensor) -> Tensor:
    """Places `(..., 2)` as sines and cosines `(..., 16)`."""
    angles = torch.cat([places * (frequency * math.pi) for frequency in _FREQUENCIES], dim=-1)
    return torch.cat([angles.sin(), angles.cos()], dim=-1)


def _mlp(in_features: int, width: int) -> nn.Sequential:
    return nn.Sequential(nn.Linear(in_features, width), nn.ReLU(), nn.Linear(width, width))


def _silent(layer: Layer) -> Layer:
    """A layer that answers nothing until it has learnt."""
    nn.init.zeros_(layer.weight)
    assert layer.bias is not None
    nn.init.zeros_(layer.bias)
    return layer
