"""MobileNetV2 (Sandler et al. 2018, arXiv:1801.04381), from transformers, with batch norm folded away."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from autochrome.models.backbones.base import (
    Backbone,
    GlobalHead,
    load_transformers,
    require_classes,
    require_options,
)
from autochrome.models.backbones.layers import fold

_SHAPE_OPTIONS = ("depth_multiplier", "depth_divisible_by", "min_depth", "expand_ratio", "first_layer_is_expansion")


def build_mobilenet_v2(options: Mapping[str, Any], pretrained: Path | None, num_classes: int | None) -> Backbone:
    """Strides 2 to 32 with plain convolutions.

    Folding batch norm (weights scaled, bias added) equals batch norm frozen at the pretrained statistics, costs nothing
    at run time and leaves plain convolutions to train.
    """
    # Here: it costs a second, and many never build one.
    from transformers import MobileNetV2Config, MobileNetV2ForImageClassification, MobileNetV2Model

    config = MobileNetV2Config(layer_norm_eps=1e-3, num_labels=num_classes or 2, **options)
    cls = MobileNetV2ForImageClassification if num_classes else MobileNetV2Model
    whole = load_transformers(cls, pretrained, "mobilenet_v2") if pretrained is not None else cls(config)
    if pretrained is not None:
        asked = {name: getattr(config, name) for name in _SHAPE_OPTIONS}
        found = {name: getattr(whole.config, name) for name in _SHAPE_OPTIONS}
        require_options("mobilenet_v2", pretrained, found, asked)
        if num_classes:
            require_classes("mobilenet_v2", pretrained, whole.classifier.out_features, num_classes)
    whole.eval()
    source = whole.mobilenet_v2 if num_classes else whole
    first = source.conv_stem.first_conv.convolution
    first.weight = nn.Parameter(first.weight.detach().sum(dim=1, keepdim=True))
    first.in_channels = 1
    stem = [source.conv_stem.first_conv, source.conv_stem.conv_3x3, source.conv_stem.reduce_1x1]
    stages: list[nn.Module] = [nn.Sequential(*(fold(layer) for layer in stem))]
    for begin, end in ((0, 2), (2, 5), (5, 12), (12, 16)):
        stages.append(nn.Sequential(*(_InvertedResidual(block) for block in source.layer[begin:end])))
    channels = [source.conv_stem.reduce_1x1.convolution.out_channels]
    channels += [source.layer[i].reduce_1x1.convolution.out_channels for i in (1, 4, 11, 15)]
    head = None
    if num_classes is not None:
        head = GlobalHead(
            source.conv_1x1.convolution.out_channels,
            projection=fold(source.conv_1x1),
            classifier=whole.classifier if num_classes else None,
        )
    return Backbone(stages, channels, (2, 4, 8, 16, 32), head)


class _InvertedResidual(nn.Module):
    def __init__(self, block: nn.Module) -> None:
        super().__init__()
        layers = [block.get_submodule(name) for name in ("expand_1x1", "conv_3x3", "reduce_1x1")]
        self.layers = nn.Sequential(*(fold(layer) for layer in layers))
        self.use_residual = bool(block.use_residual)

    def forward(self, features: Tensor) -> Tensor:
        out: Tensor = self.layers(features)
        return features + out if self.use_residual else out
