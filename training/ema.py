"""Averaged weights: those of single steps are noisy, their running mean is what ships."""

import torch
from torch import nn


@torch.no_grad()
def update_ema(averaged: nn.Module, model: nn.Module, decay: float) -> None:
    """Move `averaged` towards `model`: `averaged = decay * averaged + (1 - decay) * model`, buffers too.

    Running means of batch norm are averaged like weights; counters are copied, and so are the unit vectors of spectral
    norm's power iteration, of which a mean is none. Names must match exactly.
    """
    source, target = model.state_dict(), averaged.state_dict()
    assert source.keys() == target.keys(), f"not the same network: {sorted(source.keys() ^ target.keys())[:3]}"
    for name, value in target.items():
        if value.is_floating_point() and not name.endswith(("._u", "._v")):
            value.lerp_(source[name].to(value.dtype), 1 - decay)
        else:
            value.copy_(source[name])


def ema_decay(halflife_kimg: float, num_pictures: int, batch_size: int) -> float:
    """Decay of one step: by half over the half-life, which grows with the run so that the start is forgotten.

    As in Karras et al. 2022 (arXiv:2206.00364), the half-life is at most 5 % of the pictures seen.
    """
    halflife = min(halflife_kimg * 1000, 0.05 * max(num_pictures, batch_size))
    return float(0.5 ** (batch_size / halflife))
