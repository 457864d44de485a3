"""MobileNetV2 (Sandler et al. 2018, arXiv:1801.04381), with batch norm folded away.

Pretrained weights come through transformers; a network whose weights come from a finished model is built without it.
"""

import math
from collections.abc import Mapping, Sequence
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
from autochrome.models.backbones.layers import fold, plain_layer

_SHAPE_OPTIONS = ("depth_multiplier", "depth_divisible_by", "min_depth", "expand_ratio", "first_layer_is_expansion")
_PLAIN_OPTIONS = ("depth_multiplier", "depth_divisible_by", "min_depth", "expand_ratio", "finegrained_output")
_NORM_EPSILON = 1e-3
_INITIAL_DEVIATION = 0.02
# Repeats, stride of the first and channels of the groups of blocks, those of each stride together.
_GROUPS = (((2, 2, 24),), ((3, 2, 32),), ((4, 2, 64), (3, 1, 96)), ((3, 2, 160), (1, 1, 320)))


def build_mobilenet_v2(options: Mapping[str, Any], pretrained: Path | None, num_classes: int | None) -> Backbone:
    """Strides 2 to 32 with plain convolutions.

    Folding batch norm (weights scaled, bias added) equals batch norm frozen at the pretrained statistics, costs nothing
    at run time and leaves plain convolutions to train.
    """
    if pretrained is None and set(options) <= set(_PLAIN_OPTIONS):
        return _build_plain(num_classes, **options)
    # Here: it costs some seconds of processor time, which nobody pays who only loads a finished model.
    from transformers import MobileNetV2Config, MobileNetV2ForImageClassification, MobileNetV2Model

    config = MobileNetV2Config(layer_norm_eps=_NORM_EPSILON, num_labels=num_classes or 2, **options)
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
        stages.append(nn.Sequential(*(_InvertedResidual.folded(block) for block in source.layer[begin:end])))
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


def _build_plain(
    num_classes: int | None,
    *,
    depth_multiplier: float = 1.0,
    depth_divisible_by: int = 8,
    min_depth: int = 8,
    expand_ratio: float = 6.0,
    finegrained_output: bool = True,
) -> Backbone:
    """The same network as random weights of it folded would be, without transformers (Sandler et al., table 2)."""
    if depth_multiplier <= 0:
        raise ValueError("depth_multiplier must be greater than zero")

    def width(channels: float) -> int:
        rounded = max(min_depth, int(channels + depth_divisible_by / 2) // depth_divisible_by * depth_divisible_by)
        return rounded + depth_divisible_by * (rounded < 0.9 * channels)

    def scaled(channels: int) -> int:
        return width(round(channels * depth_multiplier))

    inner, channels = scaled(32), scaled(16)
    first = _convolution(1, inner, 3, stride=2, num_summed=3)
    depthwise = _convolution(inner, inner, 3, groups=inner)
    stages: list[nn.Module] = [nn.Sequential(first, depthwise, _convolution(inner, channels, 1, activation=False))]
    widths = [channels]
    for groups in _GROUPS:
        blocks = []
        for repeats, stride, out in groups:
            for repeat in range(repeats):
                step = stride if repeat == 0 else 1
                layers = [
                    _convolution(channels, inner := width(round(channels * expand_ratio)), 1),
                    _convolution(inner, inner, 3, stride=step, groups=inner),
                    _convolution(inner, scaled(out), 1, activation=False),
                ]
                blocks.append(_InvertedResidual(layers, use_residual=step == 1 and channels == scaled(out)))
                channels = scaled(out)
        stages.append(nn.Sequential(*blocks))
        widths.append(channels)
    head = None
    if num_classes is not None:
        pooled = 1280 if finegrained_output and depth_multiplier < 1 else scaled(1280)
        classifier = None
        if num_classes:
            classifier = nn.Linear(pooled, num_classes)
            nn.init.normal_(classifier.weight, std=_INITIAL_DEVIATION)
            nn.init.zeros_(classifier.bias)
        head = GlobalHead(pooled, projection=_convolution(channels, pooled, 1), classifier=classifier)
    return Backbone(stages, widths, (2, 4, 8, 16, 32), head)


def _convolution(
    in_channels: int,
    out_channels: int,
    size: int,
    *,
    stride: int = 1,
    groups: int = 1,
    activation: bool = True,
    num_summed: int = 1,
) -> nn.Sequential:
    """A convolution as transformers begins it, its batch norm folded away; `num_summed` input channels made one."""
    convolution = nn.Conv2d(in_channels, out_channels, size, stride=stride, groups=groups)
    nn.init.normal_(convolution.weight, std=_INITIAL_DEVIATION * math.sqrt(num_summed / (1 + _NORM_EPSILON)))
    assert convolution.bias is not None
    nn.init.zeros_(convolution.bias)
    return plain_layer(convolution, activation=activation)


class _InvertedResidual(nn.Module):
    def __init__(self, layers: Sequence[nn.Module], *, use_residual: bool) -> None:
        super().__init__()
        self.layers = nn.Sequential(*layers)
        self.use_residual = use_residual

    @classmethod
    def folded(cls, block: nn.Module) -> "_InvertedResidual":
        """That of transformers, without its batch norm."""
        layers = [fold(block.get_submodule(name)) for name in ("expand_1x1", "conv_3x3", "reduce_1x1")]
        return cls(layers, use_residual=bool(block.use_residual))

    def forward(self, features: Tensor) -> Tensor:
        out: Tensor = self.layers(features)
        return features + out if self.use_residual else out
