"""Normalization of a colorizer's convolutions, by name, and spectral norm's two forms: to train and folded."""

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize
from torch.nn.utils.parametrizations import spectral_norm


class InstanceNorm(nn.InstanceNorm2d):
    """Instance normalization (Ulyanov et al. 2016, arXiv:1607.08022); a map of a single place passes as it is."""

    def __init__(self, channels: int) -> None:
        super().__init__(channels, affine=True)

    def forward(self, x: Tensor) -> Tensor:
        return x if x.shape[-2] * x.shape[-1] == 1 else super().forward(x)


def make_norm(kind: str, channels: int) -> nn.Module:
    """The layer for `batch` or `instance`; nothing for `spectral` (it acts on weights) and `none`."""
    if kind == "batch":
        return nn.BatchNorm2d(channels)
    return InstanceNorm(channels) if kind == "instance" else nn.Identity()


def needs_bias(kind: str) -> bool:
    """Whether a convolution before that layer needs a bias of its own; batch and instance norm bring one."""
    return kind not in ("batch", "instance")


def add_spectral_norm(module: nn.Module) -> None:
    """Divide the weight of every convolution but the head by its spectral norm (Miyato et al. 2018, arXiv:1802.05957).

    One step of power iteration in each forward pass of training. The head is left: it begins near 0 on purpose.
    """
    for name, part in list(module.named_modules()):  # a list, because modules are added on the way
        if isinstance(part, nn.Conv2d | nn.ConvTranspose2d) and name.rpartition(".")[2] != "head":
            spectral_norm(part)
            norms = part.get_submodule("parametrizations.weight")
            assert isinstance(norms, nn.ModuleList)
            norms[0] = _FullPrecision(norms[0])


class _FullPrecision(nn.Module):
    """A parametrization outside autocast: torch's spectral norm cannot mix CUDA's half precision with its own."""

    def __init__(self, norm: nn.Module) -> None:
        super().__init__()
        self.norm = norm

    def forward(self, weight: Tensor) -> Tensor:
        with torch.autocast(weight.device.type, enabled=False):
            out: Tensor = self.norm(weight)
        return out


def folded_state(module: nn.Module) -> dict[str, Tensor]:
    """The state dict with every parametrized weight as its value: that of the same network without spectral norm.

    Its outputs are those of `module` in evaluation; the module stays as it is.
    """
    state: dict[str, Tensor] = dict(module.state_dict())
    for name, part in module.named_modules():
        if isinstance(part, nn.Conv2d | nn.ConvTranspose2d) and parametrize.is_parametrized(part, "weight"):
            prefix = f"{name}.parametrizations.weight."
            state = {key: value for key, value in state.items() if not key.startswith(prefix)}
            norm = part.get_submodule("parametrizations.weight")
            training = norm.training
            norm.eval()  # in training, looking at the weight is a step of power iteration
            state[f"{name}.weight"] = part.weight.detach()
            norm.train(training)
    return state
