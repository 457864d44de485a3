"""The perceptual loss: what a classifier sees in the prediction against what it sees in the truth."""

import functools

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from autochrome.color import AB_SCALE, lab_to_rgb, merge_lab
from autochrome.models.features import load_pooled_mobilenet_v2
from training.losses.base import LossInput

_LAYERS = (1, 4, 11, 15)
"""The last of MobileNetV2's bottlenecks at strides 4, 8, 16 and 32."""


def feature(data: LossInput) -> Tensor:
    """Feature loss (Johnson et al. 2016, arXiv:1603.08155, equation 2) on the embedded MobileNetV2; 0 at the truth.

    Mean over four layers of |difference| / mean |feature of the truth|, so that every layer counts alike. On sRGB at
    the training size, under the sharp L*, with prediction and truth upsampled alike from the output's size: what that
    size cannot hold is no fault of the prediction. Unlike a pointwise loss it sees a colour that ends beside its edge.
    """
    assert data.full_lightness is not None, "the feature loss needs L* at the training size"
    network = _network(data.prediction.device)
    with torch.no_grad():
        true = _maps(network, _rgb(data.full_lightness, data.target))
    predicted = _maps(network, _rgb(data.full_lightness, data.prediction))
    parts = [F.l1_loss(p, t) / t.abs().mean() for p, t in zip(predicted, true, strict=True)]
    return torch.stack(parts).mean()


def _rgb(lightness: Tensor, ab_normalized: Tensor) -> Tensor:
    ab = F.interpolate(ab_normalized * AB_SCALE, size=lightness.shape[-2:], mode="bilinear")
    return lab_to_rgb(merge_lab(lightness, ab)).clamp(0, 1)


def _maps(network: nn.Module, rgb: Tensor) -> list[Tensor]:
    states: tuple[Tensor, ...] = network(2 * rgb - 1, output_hidden_states=True).hidden_states
    return [states[layer] for layer in _LAYERS]


@functools.lru_cache(maxsize=1)
def _network(device: torch.device) -> nn.Module:
    """The classifier, frozen: loaded when a recipe first asks for it. Folding its batch norms away saves a third."""
    network = load_pooled_mobilenet_v2().network
    for layer in network.modules():
        convolution, normalization = (getattr(layer, name, None) for name in ("convolution", "normalization"))
        if isinstance(convolution, nn.Conv2d) and isinstance(normalization, nn.BatchNorm2d):
            layer.convolution, layer.normalization = fuse_conv_bn_eval(convolution, normalization), nn.Identity()
    return network.requires_grad_(False).to(device, memory_format=torch.channels_last)  # type: ignore[call-overload, no-any-return]
