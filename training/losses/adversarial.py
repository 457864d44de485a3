"""Losses of the adversarial stages, as functions of the discriminator's logits: the higher, the more real.

A discriminator that works at several scales gives several tensors of logits; their losses are averaged.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

Logits = Tensor | Sequence[Tensor]


@dataclass(frozen=True)
class GanLoss:
    """The two sides of an adversarial loss; each function maps logits of any shape to a cost of the same shape."""

    real: Callable[[Tensor], Tensor]
    """The discriminator's cost where it looks at a true picture."""
    fake: Callable[[Tensor], Tensor]
    """The discriminator's cost where it looks at a generated one."""
    generated: Callable[[Tensor], Tensor]
    """The generator's cost."""

    def discriminator(self, real: Logits, fake: Logits) -> Tensor:
        """What the discriminator makes small, a scalar; generated pictures must come detached from their generator."""
        return _mean(self.real, real) + _mean(self.fake, fake)

    def generator(self, fake: Logits) -> Tensor:
        """What the generator makes small, a scalar; negative where a hinge's discriminator is deceived."""
        return _mean(self.generated, fake)


GAN_LOSSES: dict[str, GanLoss] = {
    # Lim and Ye 2017, arXiv:1705.02894; as in Miyato et al. 2018, arXiv:1802.05957, equations 16 and 17.
    "hinge": GanLoss(
        real=lambda logits: F.relu(1 - logits), fake=lambda logits: F.relu(1 + logits), generated=lambda logits: -logits
    ),
    # Mao et al. 2017, arXiv:1611.04076, equation 9: real is 1, fake is 0.
    "least_squares": GanLoss(
        real=lambda logits: (logits - 1).square() / 2,
        fake=lambda logits: logits.square() / 2,
        generated=lambda logits: (logits - 1).square() / 2,
    ),
    # Goodfellow et al. 2014, arXiv:1406.2661, equation 1; for the generator the form that does not saturate.
    "logistic": GanLoss(
        real=lambda logits: F.softplus(-logits), fake=F.softplus, generated=lambda logits: F.softplus(-logits)
    ),
}
"""What a recipe's `gan_loss` may name."""


def feature_matching(real: Sequence[Sequence[Tensor]], fake: Sequence[Sequence[Tensor]]) -> Tensor:
    """Feature matching (Wang et al. 2018, arXiv:1711.11585, equation 3), summed over scales as in their equation 4.

    Args: for each scale, the discriminator's maps of each layer `(B, C, h, w)`, for true and for generated pictures.
    Returns the sum over layers of their mean absolute difference, a scalar; no gradient reaches `real`.
    """
    parts = [
        F.l1_loss(fake_map, real_map.detach())
        for real_scale, fake_scale in zip(real, fake, strict=True)
        for real_map, fake_map in zip(real_scale, fake_scale, strict=True)
    ]
    return torch.stack(parts).sum()


def _mean(cost: Callable[[Tensor], Tensor], logits: Logits) -> Tensor:
    scales = [logits] if isinstance(logits, Tensor) else list(logits)
    return torch.stack([cost(scale).mean() for scale in scales]).mean()
