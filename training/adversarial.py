"""The adversary of a colorizer: a discriminator with its own optimizer, what it learns and what it says."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from accelerate import Accelerator
from torch import Tensor

from training.config import DiscriminatorConfig
from training.discriminator import build_discriminator, logits_of
from training.losses import GAN_LOSSES, feature_matching

_BETAS = (0.0, 0.9)
"""No momentum: the opponent moves. Zhang et al. 2019 (arXiv:1805.08318), section 4, and DeOldify."""


class Adversary:
    """A discriminator and its Adam.

    Attributes:
        network: the discriminator, on the accelerator's device.
        optimizer: its plain optimizer; learning rates are set from outside, for each step.
    """

    def __init__(self, config: DiscriminatorConfig, gan_loss: str) -> None:
        """`gan_loss` is a name in `training.losses.GAN_LOSSES`."""
        self.network = build_discriminator(config)
        self.optimizer: torch.optim.Optimizer = torch.optim.Adam(self.network.parameters(), lr=1.0, betas=_BETAS)
        self.loss = GAN_LOSSES[gan_loss]

    def prepare(self, accelerator: Accelerator) -> None:
        """Move to the accelerator's device, and to several processes where there are several."""
        self._wrapped, self._prepared_optimizer = accelerator.prepare(self.network, self.optimizer)

    def set_learning_rate(self, rate: float) -> None:
        """Learning rate of the next step."""
        for group in self._prepared_optimizer.param_groups:
            group["lr"] = rate

    def examine(self, real: Tensor, fake: Tensor) -> tuple[Tensor, float]:
        """The discriminator's loss on a batch of pairs, `(B, 3, h, w)` each; no gradient reaches what made them.

        Also the share of pairs in which the true one had the higher mean logit: 0.5 is guessing.
        """
        self.network.train()
        logits = logits_of(self._wrapped(torch.cat((real, fake)).detach()))
        pairs = [scale.chunk(2) for scale in logits]
        reals, fakes = [pair[0] for pair in pairs], [pair[1] for pair in pairs]
        with torch.no_grad():
            higher = sum(a.mean(dim=(1, 2, 3)) - b.mean(dim=(1, 2, 3)) for a, b in zip(reals, fakes, strict=True))
            assert isinstance(higher, Tensor)
        return self.loss.discriminator(reals, fakes), (higher > 0).float().mean().item()

    def learn(self, accelerator: Accelerator, loss: Tensor, max_gradient_norm: float) -> Tensor:
        """One step down the gradient of a loss from `examine`; returns the gradient's norm."""
        accelerator.backward(loss)
        norm: Tensor = accelerator.clip_grad_norm_(self.network.parameters(), max_gradient_norm)
        self._prepared_optimizer.step()
        self._prepared_optimizer.zero_grad(set_to_none=True)
        return norm

    def verdict(self, real: Tensor, fake: Tensor, *, with_features: bool) -> dict[str, Tensor]:
        """What the generator is told about its pictures `(B, 3, h, w)`: losses whose gradient reaches `fake` alone.

        `adversarial`, and with features also `feature_matching` (Wang et al. 2018, equation 3).
        """
        with _standing_still(self.network):
            judged = self.network(fake)
            losses = {"adversarial": self.loss.generator(logits_of(judged))}
            if with_features:
                with torch.no_grad():
                    wanted = self.network(real)
                losses["feature_matching"] = feature_matching(
                    [maps[:-1] for maps in wanted], [maps[:-1] for maps in judged]
                )
        return losses


def discriminator_input(lightness: Tensor, ab_normalized: Tensor) -> Tensor:
    """L* `(B, 1, h, w)` in 0..100 and ab_normalized `(B, 2, h, w)` to what a discriminator sees, about in [-1, 1]."""
    return torch.cat((lightness / 50 - 1, ab_normalized), dim=1)


@contextmanager
def _standing_still(network: torch.nn.Module) -> Iterator[None]:
    """No dropout, no power iteration, no gradients for the weights."""
    network.eval().requires_grad_(False)
    try:
        yield
    finally:
        network.train().requires_grad_(True)
