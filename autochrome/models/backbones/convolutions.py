"""pix2pix's encoder: nothing but convolutions (Isola et al. 2017, arXiv:1611.07004, appendix 6.1.1)."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import nn

from autochrome.errors import SettingError
from autochrome.models.backbones.base import Backbone, GlobalHead
from autochrome.models.normalization import make_norm

_CHANNELS = (64, 128, 256, 512, 512, 512)


def build_convolutions(
    options: Mapping[str, Any], pretrained: Path | None, num_classes: int | None, normalization: str
) -> Backbone:
    """4 x 4 convolutions of stride 2 with leaky ReLU, one for each entry of option `channels`; from scratch only.

    The first and the last have no normalization, as in the paper's code: the last map may be a single place.
    """
    if pretrained is not None:
        raise SettingError("backbone convolutions has no pretrained weights; leave backbone_weights out")
    if num_classes:
        raise SettingError("backbone convolutions is no classifier; write fusion_classes: 0")
    unknown = sorted(set(options) - {"channels"})
    channels = tuple(options.get("channels", _CHANNELS))
    if unknown or not channels:
        raise SettingError(f"backbone convolutions takes the option channels, a list of widths; got {dict(options)}")
    stages = []
    before = 1
    for index, width in enumerate(channels):
        norm = make_norm(normalization, width) if 0 < index < len(channels) - 1 else nn.Identity()
        convolution = nn.Conv2d(before, width, kernel_size=4, stride=2, padding=1)
        stages.append(nn.Sequential(convolution, norm, nn.LeakyReLU(0.2, inplace=True)))
        before = width
    head = GlobalHead(before) if num_classes is not None else None
    return Backbone(stages, channels, [2 * 2**i for i in range(len(channels))], head)
