"""What a network's answer still lacks of a person's directions, added after it: colors of a palette, and hints exactly.

The network has seen all of them, and still misses a little: what it misses at the hints is known, and belongs to what
is around them and looks like them as well.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

from autochrome.color import AB_SCALE
from autochrome.models.steering import distances, sample

MAX_SPREAD = 400
"""Of more hints than this every so many spread what they miss; all are met."""

_NEAR = 0.25
"""What is missing at a hint counts 1 / e so far away (in shorter sides), ..."""

_LIKE_LIGHTNESS = 15.0
"""... so much lighter or darker (L*), ..."""

_LIKE_AB = 12.0
"""... or so far in the network's own answer (Lab units); what differs in all three, less."""

_NOISE = 0.05
"""Variance, as a share of what is missing, that is put down to the hint itself: a person's pixel is not its cell."""

_NUM_ROUNDS = 8
"""A hint between four cells is met to three fifths of what is missing by each round, one in a cell's middle at once."""

_DRAWN = 0.7
"""Share of the way to its color of the palette that a place goes where it is there almost already, ..."""

_DRAWN_WITHIN = 25.0
"""... and less the further it is (Lab units): of a palette of one red, a white wall takes nothing."""

_PALETTE_REACH = 6.0
"""Colors of a palette within about this of the nearest (Lab units) share a place."""

_WEIGHT_TRUST = 0.5
"""How closely the weights of a palette are held to, 0 to 1."""

_NUM_BALANCINGS = 10

_SMOOTHED_CELLS = 5
"""Each place goes the mean way of a square of so many cells: alone, one of two neighbors may take another color."""


def spread_hints(ab: Tensor, hints: Tensor, lightness: Tensor) -> Tensor:
    """Carry what ab_normalized lacks at the hints over to what is near and alike, by Gaussian process regression.

    The mean of the posterior (Rasmussen and Williams 2006, equation 2.25) with the exponential kernel (their equation
    4.18) over place, L* and the network's own answer. Far from all hints, or unlike what they are on, nothing changes.

    Args:
        ab: the network's answer, ab_normalized `(1, 2, h, w)`.
        hints: `(1, N, 6)`, as in `Conditions`; one of little confidence carries little.
        lightness: L* at any size, 0..100, `(1, 1, H, W)`.

    Returns:
        ab_normalized `(1, 2, h, w)`, near the hints' colors at the hints; `meet_hints` does the rest.
    """
    height, width = ab.shape[-2:]
    hints = hints[:, :: -(-hints.shape[1] // MAX_SPREAD)]
    places = hints[..., :2]
    grey = F.interpolate(lightness, size=(height, width), mode="area")
    look = torch.cat([grey / _LIKE_LIGHTNESS, ab * (AB_SCALE / _LIKE_AB)], dim=1)
    here, there = look.flatten(2).transpose(1, 2), sample(look, places)
    scale = torch.tensor([width, height], device=ab.device) / min(height, width)
    apart = torch.cdist(places * scale, places * scale) / _NEAR
    among = torch.exp(-torch.hypot(apart, torch.cdist(there, there)))
    across = torch.exp(-torch.hypot(distances(hints, height, width) / _NEAR, torch.cdist(here, there)))
    confidence = hints[..., 5].clamp_min(1e-3)
    noise = torch.diag_embed(_NOISE + (1 - confidence) / confidence)
    moved = across @ torch.linalg.solve(among + noise, hints[..., 2:4] - sample(ab, places))
    spread: Tensor = ab + moved.transpose(1, 2).unflatten(2, (height, width))
    return spread


def meet_hints(ab: Tensor, hints: Tensor) -> Tensor:
    """Move ab_normalized `(1, 2, h, w)` so that it has exactly the color of each hint `(1, N, 6)` in its middle.

    What is missing at the hints is spread around each over its radius, at least a cell, and fades over as much again;
    between hints that are close it is their mean. Hints of little confidence are met as little.
    """
    height, width = ab.shape[-2:]
    found = sample(ab, hints[..., :2])
    wanted = torch.lerp(found, hints[..., 2:4], hints[..., 5:])
    reach = hints[:, None, :, 4].clamp_min(1 / min(height, width))
    near = torch.exp(-(distances(hints, height, width) / reach).square())
    near = near / near.sum(dim=2, keepdim=True).clamp_min(1.0)
    for _ in range(_NUM_ROUNDS):
        moved = near @ (wanted - sample(ab, hints[..., :2]))
        ab = ab + moved.transpose(1, 2).unflatten(2, (height, width))
    return ab


def draw_to_palette(ab: Tensor, palette: Tensor, lightness: Tensor) -> Tensor:
    """Lead ab_normalized towards the colors of a palette, each place to what is nearest in color and in lightness.

    Optimal transport with an entropic term (Cuturi 2013, arXiv:1306.0895) from the places of the picture to the colors
    of the palette, and each place goes a share of the way to the mean of its colors, the less the longer it is, and
    smoothed (Ferradans et al. 2014, arXiv:1307.5551, section 3). The weights of the palette are held to loosely, as in
    unbalanced transport (Chizat et al. 2018, arXiv:1607.05816): a picture with much sky may keep it.

    Args:
        ab: `(1, 2, h, w)`.
        palette: `(1, P, 4)`, as in `Conditions`.
        lightness: L* at any size, 0..100, `(1, 1, H, W)`.

    Returns:
        ab_normalized `(1, 2, h, w)`.
    """
    height, width = ab.shape[-2:]
    grey = F.interpolate(lightness, size=(height, width), mode="area")
    here = torch.cat([ab * AB_SCALE, grey], dim=1).flatten(2).transpose(1, 2)
    colors = palette[..., :3] * torch.tensor([AB_SCALE, AB_SCALE, 100.0], device=ab.device)
    logits = -torch.cdist(here, colors).square() / (2 * _PALETTE_REACH**2)
    wanted = palette[:, None, :, 3].clamp_min(1e-6).log()
    favor = torch.zeros_like(wanted)
    for _ in range(_NUM_BALANCINGS):
        found = (logits + favor).log_softmax(dim=2).exp().mean(dim=1, keepdim=True).clamp_min(1e-6).log()
        favor = _WEIGHT_TRUST * (favor + wanted - found)
    drawn = (logits + favor).softmax(dim=2) @ colors
    way = drawn - here
    share = _DRAWN * torch.exp(-way.square().sum(dim=2, keepdim=True) / (2 * _DRAWN_WITHIN**2))
    moved = (share * way)[..., :2].transpose(1, 2).unflatten(2, (height, width))
    smooth = F.avg_pool2d(moved, _SMOOTHED_CELLS, 1, padding=_SMOOTHED_CELLS // 2, count_include_pad=False)
    led: Tensor = ab + smooth / AB_SCALE
    return led
