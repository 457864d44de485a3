"""Discriminators: networks that learn to tell true colours from predicted ones. They train a colorizer and never ship.

All look at three channels, (L* / 50 - 1, ab / 110), at the size of the generator's output: the photograph that was
given together with colours, true or predicted (a conditional discriminator). All return, for each scale, their feature
maps from first to last; the last one is the map of logits, one for each patch, high for "true".
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm

from autochrome.errors import SettingError
from training.config import DiscriminatorConfig

_MAX_WIDENING = 8
_DROPOUT = 0.15
"""DeOldify's, in training only."""


class Discriminator(nn.Module):
    """One network of layers a scale.

    Attributes:
        min_side_px: the shortest side of pictures that it can look at, so that one patch is left of the smallest.
    """

    def __init__(self, scales: list[nn.ModuleList], min_side_px: int) -> None:
        super().__init__()
        self.scales = nn.ModuleList(scales)
        self.min_side_px = min_side_px

    def forward(self, pictures: Tensor) -> list[list[Tensor]]:
        """Pictures `(B, 3, h, w)` about in [-1, 1] to the feature maps of each scale, logits `(B, 1, h', w')` last.

        Always in float32: under autocast, the power iteration of spectral norm would run on 8 bits of mantissa.
        """
        with torch.autocast(pictures.device.type, enabled=False):
            return [
                _through(layers, pictures if i == 0 else _shrink(pictures, i)) for i, layers in enumerate(self.scales)
            ]


def build_discriminator(config: DiscriminatorConfig) -> Discriminator:
    """The discriminator of a recipe, from scratch.

    Raises:
        SettingError: the settings contradict each other.
    """
    if config.kind == "deep":
        return Discriminator([_deep_layers(config)], min_side_px=4 * 2**config.num_halvings)
    num_scales = config.num_scales if config.kind == "multiscale" else 1
    scales = [_patch_layers(config) for _ in range(num_scales)]
    return Discriminator(scales, min_side_px=3 * 2 ** (config.num_halvings + num_scales - 1))


def logits_of(scales: list[list[Tensor]]) -> list[Tensor]:
    """The logits of each scale, from what a discriminator returns."""
    return [maps[-1] for maps in scales]


def _patch_layers(config: DiscriminatorConfig) -> nn.ModuleList:
    """Isola et al. 2017 (arXiv:1611.07004), appendix 6.1.2: C64-C128-C256-C512 and one more to the logits.

    The first layer is not normalized there either. Their batch norm, at their batches of one, is instance norm.
    """
    widths = [config.channels * min(2**i, _MAX_WIDENING) for i in range(config.num_halvings + 1)]
    layers = [_layer(3, widths[0], config.normalization, first=True, kernel=4, stride=2)]
    for i in range(1, len(widths)):
        stride = 2 if i < config.num_halvings else 1
        layers.append(_layer(widths[i - 1], widths[i], config.normalization, kernel=4, stride=stride))
    layers.append(_normalized(nn.Conv2d(widths[-1], 1, kernel_size=4, padding=1), config.normalization))
    return nn.ModuleList(layers)


def _deep_layers(config: DiscriminatorConfig) -> nn.ModuleList:
    """DeOldify's critic (github.com/jantic/DeOldify, `custom_gan_critic`): twice as deep, dropout, self-attention.

    Each halving but the first is preceded by a 3 x 3 convolution; attention follows the second. Theirs is spectral and
    has 256 channels and 4 halvings, for pictures of 64 pixels and more.
    """
    if config.num_halvings < 2:
        raise SettingError(
            f"discriminator.num_halvings must be 2 or more for kind 'deep' (attention follows the second), "
            f"got {config.num_halvings}"
        )
    norm, width = config.normalization, config.channels
    layers: list[nn.Module] = [_layer(3, width, norm, first=True, kernel=4, stride=2), nn.Dropout2d(_DROPOUT / 2)]
    for i in range(1, config.num_halvings):
        wider = config.channels * min(2**i, _MAX_WIDENING)
        layers += [_layer(width, width, norm), nn.Dropout2d(_DROPOUT), _layer(width, wider, norm, kernel=4, stride=2)]
        if i == 1:
            layers.append(PatchAttention(wider))
        width = wider
    layers += [_layer(width, width, norm), _normalized(nn.Conv2d(width, 1, kernel_size=4), norm)]
    return nn.ModuleList(layers)


class PatchAttention(nn.Module):
    """Self-attention of SAGAN (Zhang et al. 2019, arXiv:1805.08318, equations 1 to 3); at first it adds nothing."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        narrow = max(1, channels // 8)
        self.query = spectral_norm(nn.Conv2d(channels, narrow, kernel_size=1, bias=False))
        self.key = spectral_norm(nn.Conv2d(channels, narrow, kernel_size=1, bias=False))
        self.value = spectral_norm(nn.Conv2d(channels, channels, kernel_size=1, bias=False))
        self.strength = nn.Parameter(torch.zeros(1))

    def forward(self, x: Tensor) -> Tensor:
        query, key, value = (part(x).flatten(2).transpose(1, 2) for part in (self.query, self.key, self.value))
        mixed = F.scaled_dot_product_attention(query, key, value, scale=1.0)
        out: Tensor = x + self.strength * mixed.transpose(1, 2).reshape(x.shape)
        return out


def _layer(
    inputs: int, outputs: int, normalization: str, *, first: bool = False, kernel: int = 3, stride: int = 1
) -> nn.Module:
    """Convolution, normalization (but for instance norm in the first layer) and leaky ReLU."""
    convolution = _normalized(nn.Conv2d(inputs, outputs, kernel, stride, padding=1), normalization)
    norm = [nn.InstanceNorm2d(outputs)] if normalization == "instance" and not first else []
    return nn.Sequential(convolution, *norm, nn.LeakyReLU(0.2))


def _normalized(convolution: nn.Conv2d, normalization: str) -> nn.Module:
    """Spectral norm where it is asked for: Miyato et al. 2018, arXiv:1802.05957."""
    return spectral_norm(convolution) if normalization == "spectral" else convolution


def _through(layers: nn.Module, pictures: Tensor) -> list[Tensor]:
    maps: list[Tensor] = []
    for layer in layers.children():
        pictures = layer(pictures)
        if not isinstance(layer, nn.Dropout2d):
            maps.append(pictures)
    return maps


def _shrink(pictures: Tensor, times: int) -> Tensor:
    """Halve the size, `times` times, as Wang et al. 2018 (arXiv:1711.11585) do between scales."""
    for _ in range(times):
        pictures = F.avg_pool2d(pictures, kernel_size=3, stride=2, padding=1, count_include_pad=False)
    return pictures
