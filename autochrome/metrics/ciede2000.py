"""CIEDE2000, the color difference that people's eyes agree with best of the closed formulas.

Source: G. Sharma, W. Wu and E. N. Dalal, "The CIEDE2000 color-difference formula: implementation notes, supplementary
test data, and mathematical observations", Color Research & Application 30 (2005), equations 2 to 22; kL = kC = kH = 1.
About 1 is just visible; plain grey instead of a photograph's colors costs about 11 in the mean.
"""

import math

import torch
from torch import Tensor

from autochrome.metrics.checks import require_lab_pair, require_rgb_pair
from autochrome.metrics.comparison import Comparison, rgb_to_neutral_lab
from autochrome.metrics.strips import strips

_EQUAL = 1e-20  # colors less than 1e-10 apart are equal
_TINY = 1e-24  # keeps square roots differentiable at 0; far below what changes a result
_NO_HUE = 1e-9  # below this product of two chromas there is no hue difference; worth at most 1e-4 in the result


def ciede2000(prediction: Tensor, reference: Tensor) -> Tensor:
    """Mean CIEDE2000 of each picture, over all its pixels, in float Lab (D65, 2 degrees); 0 is equal, lower is better.

    Args: gamma-coded sRGB `(B, 3, H, W)` in 0..1, both of one shape. Returns `(B,)`, at least 0.
    Raises `InputError` when the shapes differ or are not `(B, 3, H, W)`.
    """
    return ciede2000_of(Comparison(prediction, reference))


def ciede2000_above_10(prediction: Tensor, reference: Tensor) -> Tensor:
    """Share of each picture's pixels whose CIEDE2000 is above 10, in 0..1: how much of it has a plainly wrong color.

    Args: gamma-coded sRGB `(B, 3, H, W)` in 0..1, both of one shape. Returns `(B,)`; lower is better.
    Raises `InputError` when the shapes differ or are not `(B, 3, H, W)`.
    """
    return ciede2000_above_10_of(Comparison(prediction, reference))


def ciede2000_map(prediction: Tensor, reference: Tensor) -> Tensor:
    """CIEDE2000 at every pixel: gamma-coded sRGB `(B, 3, H, W)` in 0..1, twice, to `(B, 1, H, W)`.

    Raises `InputError` when the shapes differ or are not `(B, 3, H, W)`.
    """
    require_rgb_pair(prediction, reference)
    labs = ((rgb_to_neutral_lab(first), rgb_to_neutral_lab(second)) for first, second in strips(prediction, reference))
    return torch.cat([ciede2000_lab(lab1, lab2) for lab1, lab2 in labs], dim=-2)


def ciede2000_of(comparison: Comparison) -> Tensor:
    """`ciede2000` of a comparison, `(B,)`."""
    return comparison.once("ciede2000", lambda: _mean_and_above_10(comparison))[0]


def ciede2000_above_10_of(comparison: Comparison) -> Tensor:
    """`ciede2000_above_10` of a comparison, `(B,)`."""
    return comparison.once("ciede2000", lambda: _mean_and_above_10(comparison))[1]


def _mean_and_above_10(comparison: Comparison) -> Tensor:
    """Both measures of the map, `(2, B)`, without keeping the map."""
    sums = []
    for lab1, lab2 in comparison.labs():
        difference = ciede2000_lab(lab1, lab2)
        sums.append(torch.stack([difference.sum(dim=(1, 2, 3)), (difference > 10).sum(dim=(1, 2, 3))]))
    return torch.stack(sums).sum(dim=0) / comparison.prediction[0, 0].numel()


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

    # Step 2: differences and means (equations 7 to 14), from the hues' directions u = (a', b') / C' in place of angles,
    # of which there is only one to find: a third of the time. The mean hue's direction is that of u1 + u2 and, at a
    # right angle to it, of u1 - u2 turned a quarter: one of them is always long, so their sum is exact for all hues.
    product = chroma1 * chroma2
    x1, y1, x2, y2 = a1 * chroma2, b1 * chroma2, a2 * chroma1, b2 * chroma1
    cross = a1 * b2 - a2 * b1
    dot = a1 * a2 + b1 * b2
    # Sharma's rule for which way round is taken between exactly opposite hues.
    turn = torch.sign(torch.where(cross == 0, torch.where(b1 == 0, a1, b1), cross))
    mean_x = x1 + x2 - turn * (y1 - y2)
    mean_y = y1 + y2 + turn * (x1 - x2)
    # A neutral color has no hue: what its angle would be must not reach the gradient.
    neutral = product < _NO_HUE
    mean_x = torch.where(neutral, 1, mean_x)
    scale = torch.rsqrt(mean_x.square() + mean_y.square())
    cos, sin = mean_x * scale, mean_y * scale
    mean_hue = torch.atan2(-mean_y, -mean_x) + math.pi  # 0 to 2 pi, as the formula's
    delta_h = (cos * (y2 - y1) - sin * (x2 - x1)) * torch.rsqrt(product.clamp_min(_NO_HUE))
    # The same in other words; this form still pulls an exactly neutral color towards the other one.
    delta_h_squared = torch.where(neutral, 2 * (product - dot), delta_h.square())
    mean_chroma = (chroma1 + chroma2) / 2

    # Step 3: weights and the rotation of blues (equations 15 to 22).
    from_middle = ((lightness1 + lightness2) / 2 - 50).square()
    term_l = (lightness2 - lightness1) / (1 + 0.015 * from_middle * torch.rsqrt(20 + from_middle))
    term_c = (chroma2 - chroma1) / (1 + 0.045 * mean_chroma)
    weight_h = 1 + 0.015 * mean_chroma * _weight_t(cos, sin)
    from_blue = (mean_hue - math.radians(275)) / math.radians(25)
    rotation = -torch.sin(math.radians(60) * torch.exp(-from_blue.square())) * 2 * _seventh_power_ratio(mean_chroma)
    term_h = delta_h / weight_h
    squared = term_l.square() + term_c.square() + delta_h_squared / weight_h.square() + rotation * term_c * term_h

    # The clamp's gradient is 0 where colors are equal: there the square root has none.
    return (squared.clamp_min(_EQUAL).sqrt() * (squared > _EQUAL)).unsqueeze(1)


def _weight_t(cos: Tensor, sin: Tensor) -> Tensor:
    """T of a hue (equation 15), its four cosines from cosine and sine of the hue by the addition theorems."""
    cos30, sin30, cos6, sin6, cos63, sin63 = (f(math.radians(d)) for d in (30, 6, 63) for f in (math.cos, math.sin))
    cos2, sin2 = 2 * cos.square() - 1, 2 * sin * cos
    first_and_third = cos * (0.64 * cos6 * cos2 - 0.32 * cos6 - 0.17 * cos30) - sin * (
        0.64 * sin6 * cos2 + 0.32 * sin6 + 0.17 * sin30
    )
    second_and_fourth = cos2 * (0.24 - 0.40 * (cos63 * cos2 + sin63 * sin2))
    return 1 + 0.20 * cos63 + first_and_third + second_and_fourth


def _length(a: Tensor, b: Tensor) -> Tensor:
    return torch.sqrt(a.square() + b.square() + _TINY)


def _seventh_power_ratio(chroma: Tensor) -> Tensor:
    """sqrt(C^7 / (C^7 + 25^7)), without the large numbers and with a finite slope at 0."""
    scaled = chroma / 25
    root = scaled**3 * scaled.sqrt()
    return root * torch.rsqrt(1 + root.square())
