"""ResNet (He et al. 2015, arXiv:1512.03385), from transformers."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import nn

from autochrome.errors import SettingError
from autochrome.models.backbones.base import (
    Backbone,
    GlobalHead,
    load_transformers,
    require_classes,
    require_options,
)

LAYERS: dict[int, dict[str, Any]] = {
    18: {"layer_type": "basic", "hidden_sizes": [64, 128, 256, 512], "depths": [2, 2, 2, 2]},
    34: {"layer_type": "basic", "hidden_sizes": [64, 128, 256, 512], "depths": [3, 4, 6, 3]},
    50: {"layer_type": "bottleneck", "hidden_sizes": [256, 512, 1024, 2048], "depths": [3, 4, 6, 3]},
    101: {"layer_type": "bottleneck", "hidden_sizes": [256, 512, 1024, 2048], "depths": [3, 4, 23, 3]},
}
"""The networks of the paper's table 1 as options of transformers, by their number of layers."""
_COLOR_DEVIATION = 0.226
"""What the colors of pretrained networks' pictures were divided by."""


def build_resnet(options: Mapping[str, Any], pretrained: Path | None, num_classes: int | None) -> Backbone:
    """Strides 2, 4, ..., as many stages as `hidden_sizes` has entries and one before them.

    A pretrained one is cut after that many; its batch norm goes on learning.
    """
    from transformers import ResNetConfig, ResNetForImageClassification, ResNetModel

    config = ResNetConfig(num_channels=1, num_labels=num_classes or 2, **_expand(options))
    cls = ResNetForImageClassification if num_classes else ResNetModel
    whole = load_transformers(cls, pretrained, "resnet") if pretrained is not None else cls(config)
    source = whole.resnet if num_classes else whole
    depth = len(config.hidden_sizes)
    if pretrained is not None:
        asked = {name: getattr(config, name) for name in ("layer_type", "embedding_size", "hidden_sizes", "depths")}
        found = {name: getattr(source.config, name) for name in asked}
        found |= {name: found[name][:depth] for name in ("hidden_sizes", "depths")}
        require_options("resnet", pretrained, found, asked)
        if num_classes:
            require_classes("resnet", pretrained, source.config.num_labels, num_classes)
        first = source.embedder.embedder.convolution
        first.weight = nn.Parameter(first.weight.detach().sum(dim=1, keepdim=True) / (2 * _COLOR_DEVIATION))
        first.in_channels = 1
    blocks = list(source.encoder.stages)[:depth]
    stages = [source.embedder.embedder, nn.Sequential(source.embedder.pooler, blocks[0]), *blocks[1:]]
    head = None
    if num_classes is not None:
        if num_classes and depth < len(source.config.hidden_sizes):
            raise SettingError(
                f"fusion_classes needs the whole ResNet, which has hidden_sizes {list(source.config.hidden_sizes)}; "
                "write fusion_classes: 0"
            )
        head = GlobalHead(config.hidden_sizes[-1], classifier=whole.classifier[-1] if num_classes else None)
    channels = (config.embedding_size, *config.hidden_sizes)
    return Backbone(stages, channels, [2 * 2**i for i in range(len(stages))], head)


def _expand(options: Mapping[str, Any]) -> dict[str, Any]:
    """Options of transformers, with `layers` written out; any given beside it go before."""
    given = dict(options)
    if "layers" not in given:
        return given
    layers = given.pop("layers")
    if layers not in LAYERS:
        raise SettingError(f"a ResNet has layers {', '.join(map(str, LAYERS))}; got {layers!r}")
    return LAYERS[layers] | given
