"""CIEDE2000 against colorfulness as a prediction's saturation is scaled: the two say little apart.

CIEDE2000 alone rewards dullness, colorfulness alone rewards noise. Scaled from grey to vivid, a system is a curve;
systems are compared at equal colorfulness, for example half of the reference's and all of it.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from autochrome.color import lab_to_gamut, merge_lab, split_lab
from autochrome.errors import SettingError
from autochrome.metrics.ciede2000 import ciede2000_of
from autochrome.metrics.colorfulness import colorfulness
from autochrome.metrics.comparison import Comparison

SATURATIONS = (0.5, 0.75, 1.0, 1.25, 1.5, 2.0, 2.5, 3.0, 4.0)


@torch.no_grad()
def saturation_curve(
    prediction: Tensor, reference: Tensor, saturations: Sequence[float] = SATURATIONS
) -> tuple[Tensor, Tensor]:
    """CIEDE2000 and colorfulness of each prediction at every saturation: a*b* times it, at the prediction's own L*.

    Colors that leave sRGB are brought back along constant L* and hue, as where a person turns the saturation up.

    Args: gamma-coded sRGB `(B, 3, H, W)` in 0..1, both of one shape; `saturations` at least 0. Returns `(S, B)` twice.
    Raises `InputError` when the shapes differ or are not `(B, 3, H, W)`, `SettingError` without saturations or at one
    below 0.
    """
    if not saturations or not all(0 <= saturation < float("inf") for saturation in saturations):
        raise SettingError(f"saturations must be one or more finite numbers of at least 0, got {list(saturations)}")
    as_given = Comparison(prediction, reference)
    differences, vividness = [], []
    for saturation in saturations:
        strips = [_saturate(lab, saturation) for lab, _ in as_given.labs()]
        scaled = as_given.against_same_reference(torch.cat(strips, dim=-2))
        differences.append(ciede2000_of(scaled))
        vividness.append(colorfulness(scaled.prediction))
    return torch.stack(differences), torch.stack(vividness)


def _saturate(lab: Tensor, saturation: float) -> Tensor:
    lightness, ab = split_lab(lab)
    return lab_to_gamut(merge_lab(lightness, ab * saturation))
