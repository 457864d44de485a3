"""CIEDE2000, the color difference that people's eyes agree with best of the closed formulas.

Source: G. Sharma, W. Wu and E. N. Dalal, "The CIEDE2000 color-difference formula: implementation notes, supplementary
test data, and mathematical observations", Color Research & Application 30 (2005), equations 2 to 22; kL = kC = kH = 1.
About 1 is just visible; plain grey instead of a photograph's colors costs about 11 in the mean.
"""

import math

import torch
from torch import Tensor

from autochrome.color import rgb_to_lab
from autochrome.metrics.checks import require_lab_pair, require_rgb_pair
from autochrome.metrics.strips import strips

_EQUAL = 1e-20  # colors less than 1e-10 apart are equal
_TINY = 1e-24  # keeps square roots differentiable at 0; far below what changes a result
_NEUTRAL = 1e-4  # Lab units, far below what can be seen; float32 rounding gives greys up to 6e-5
_NO_HUE = 1e-9  # below this product of two chromas there is no hue difference; worth at most 1e-4 in the result


def ciede2000(prediction: Tensor, reference: Tensor) -> Tensor:
    """Mean CIEDE2000 of each picture, over all its pixels, in float Lab (D65, 2 degrees); 0 is equal, lower is better.

    Args: gamma-coded sRGB `(B, 3, H, W)` in 0..1, both of one shape. Returns `(B,)`, at least 0.
    Raises `InputError` when the shapes differ or are not `(B, 3, H, W)`.
    """
    return ciede2000_map(prediction, reference).mean(dim=(1, 2, 3))


def ciede2000_map(prediction: Tensor, reference: Tensor) -> Tensor:
    """CIEDE2000 at every pixel: gamma-coded sRGB `(B, 3, H, W)` in 0..1, twice, to `(B, 1, H, W)`.

    Raises `InputError` when the shapes differ or are not `(B, 3, H, W)`.
    """
    require_rgb_pair(prediction, reference)
    labs = ((_rgb_to_lab(first), _rgb_to_lab(second)) for first, second in strips(prediction, reference))
    return torch.cat([ciede2000_lab(lab1, lab2) for lab1, lab2 in labs], dim=-2)


def ciede2000_lab(lab1: Tensor, lab2: Tensor) -> Tensor:
    """CIEDE2000 at every pixel of two Lab pictures `(B, 3, H, W)` (L* 0..100, a*b* in Lab units): `(B, 1, H, W)`.

    Symmetric, 0 where equal. Usable as a loss: the gradient is finite everywhere, and 0 where the two are equal. The
    formula itself is not smooth everywhere: it jumps where hues are opposite, and towards a neutral color compared
    with a vivid blue its slope grows as 1 / sqrt(chroma), so clip the gradient's norm.

    Raises `InputError` when the shapes differ or are not `(B, 3, H, W)`.
    """
    require_lab_pair(lab1, lab2)
    lightness1, a1, b1 = lab1.unbind(1)
    lightness2, a2, b2 = lab2.unbind(1)

    # Step 1: a' and C' (equations 2 to 6).
    mean_chroma = (_length(a1, b1) + _length(a2, b2)) / 2
    stretch = 1.5 - 0.5 * _seventh_power_ratio(mean_chroma)
    a1 = a1 * stretch
    a2 = a2 * stretch
    chroma1 = _length(a1, b1)
    chroma2 = _length(a2, b2)

    # Step 2: differences and means (equations 7 to 14). The hue difference is the angle between two vectors, which is
    # exact near 0 and needs no unwrapping; only opposite hues need Sharma's rule for which way round is taken.
    # A neutral color has no hue: what its angle would be must not reach the gradient.
    product = chroma1 * chroma2
    neutral = product < _NO_HUE
    cross = a1 * b2 - a2 * b1
    dot = a1 * a2 + b1 * b2
    hue1 = torch.atan2(b1, torch.where(neutral, 1, a1))
    delta_hue = torch.atan2(cross, torch.where(neutral, 1, dot))
    half_turn = torch.copysign(delta_hue, torch.where(b1 == 0, a1, b1))
    delta_hue = torch.where((cross == 0) & (dot < 0), half_turn, delta_hue)
    mean_hue = torch.remainder(hue1 + delta_hue / 2, 2 * math.pi)
    delta_h = 2 * torch.sqrt(product) * torch.sin(delta_hue / 2)
    # The same in other words; this form still pulls an exactly neutral color towards the other one.
    delta_h_squared = torch.where(neutral, 2 * (product - dot), delta_h.square())
    mean_chroma = (chroma1 + chroma2) / 2

    # Step 3: weights and the rotation of blues (equations 15 to 22).
    weight_t = (
        1
        - 0.17 * torch.cos(mean_hue - math.radians(30))
        + 0.24 * torch.cos(2 * mean_hue)
        + 0.32 * torch.cos(3 * mean_hue + math.radians(6))
        - 0.20 * torch.cos(4 * mean_hue - math.radians(63))
    )
    from_middle = ((lightness1 + lightness2) / 2 - 50).square()
    term_l = (lightness2 - lightness1) / (1 + 0.015 * from_middle * torch.rsqrt(20 + from_middle))
    term_c = (chroma2 - chroma1) / (1 + 0.045 * mean_chroma)
    weight_h = 1 + 0.015 * mean_chroma * weight_t
    from_blue = (mean_hue - math.radians(275)) / math.radians(25)
    rotation = -torch.sin(math.radians(60) * torch.exp(-from_blue.square())) * 2 * _seventh_power_ratio(mean_chroma)
    squared = (
        term_l.square() + term_c.square() + delta_h_squared / weight_h.square() + rotation * term_c * delta_h / weight_h
    )

    # The clamp's gradient is 0 where colors are equal: there the square root has none.
    return (squared.clamp_min(_EQUAL).sqrt() * (squared > _EQUAL)).unsqueeze(1)


def _rgb_to_lab(rgb: Tensor) -> Tensor:
    """Lab in which greys are exactly neutral: float rounding would give them a hue, which CIEDE2000 makes much of."""
    return torch.nn.functional.hardshrink(rgb_to_lab(rgb), _NEUTRAL)


def _length(a: Tensor, b: Tensor) -> Tensor:
    return torch.sqrt(a.square() + b.square() + _TINY)


def _seventh_power_ratio(chroma: Tensor) -> Tensor:
    """sqrt(C^7 / (C^7 + 25^7)), without the large numbers and with a finite slope at 0."""
    scaled = chroma / 25
    root = scaled**3 * scaled.sqrt()
    return root * torch.rsqrt(1 + root.square())
