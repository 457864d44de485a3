"""EfficientNet-Lite 0 to 2 (Tan and Le 2019, arXiv:1905.11946, without squeeze-and-excitation and with ReLU6).

transformers has no such network, so it stands here, as plain convolutions: batch norm is folded away when the published
weights are converted (`python -m training.efficientnet_lite`).
"""

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from autochrome.errors import ModelError, SettingError
from autochrome.models.backbones.base import Backbone, GlobalHead, require_classes
from autochrome.models.backbones.layers import plain_layer

VARIANTS = {"lite0": (1.0, 1.0), "lite1": (1.0, 1.1), "lite2": (1.1, 1.2)}
"""Factors on width and depth."""
NUM_CLASSES = 1000
"""Of ImageNet, which the published weights tell apart."""
WEIGHTS_NAME = "model.safetensors"
_STEM_CHANNELS = 32
_HEAD_CHANNELS = 1280
_STRIDE_2, _STRIDE_1 = 2, 1
# Repeats, kernel size, stride, expansion and channels of each group of blocks (Tan and Le, table 1).
_GROUPS = (
    (1, 3, _STRIDE_1, 1, 16),
    (2, 3, _STRIDE_2, 6, 24),
    (2, 5, _STRIDE_2, 6, 40),
    (3, 3, _STRIDE_2, 6, 80),
    (3, 5, _STRIDE_1, 6, 112),
    (4, 5, _STRIDE_2, 6, 192),
    (1, 3, _STRIDE_1, 6, 320),
)


def build_efficientnet_lite(options: Mapping[str, Any], pretrained: Path | None, num_classes: int | None) -> Backbone:
    """Strides 2 to 32. Options: `variant` (lite0, lite1, lite2) and `width`, one more factor on the channels."""
    unknown = sorted(set(options) - {"variant", "width"})
    variant = options.get("variant", "lite0")
    if unknown or variant not in VARIANTS:
        raise SettingError(
            f"backbone efficientnet_lite takes the options variant ({', '.join(VARIANTS)}) and width; "
            f"got {dict(options)}"
        )
    width, depth = VARIANTS[variant]
    width *= float(options.get("width", 1.0))
    stages: list[list[nn.Module]] = [[_convolution(1, _STEM_CHANNELS, 3, stride=2)]]
    channels = _STEM_CHANNELS
    widths = []
    for index, (repeats, size, stride, expansion, base) in enumerate(_GROUPS):
        if stride == _STRIDE_2:
            widths.append(channels)
            stages.append([])
        out_channels = _round_width(base * width)
        # The first and the last group are not scaled in depth.
        for repeat in range(repeats if index in (0, len(_GROUPS) - 1) else math.ceil(repeats * depth)):
            stages[-1].append(_Block(channels, out_channels, size, stride if repeat == 0 else 1, expansion))
            channels = out_channels
    widths.append(channels)
    head = None
    if num_classes is not None:
        projection = _convolution(channels, _HEAD_CHANNELS, 1)
        classifier = nn.Linear(_HEAD_CHANNELS, num_classes) if num_classes else None
        head = GlobalHead(_HEAD_CHANNELS, projection=projection, classifier=classifier)
    backbone = Backbone([nn.Sequential(*stage) for stage in stages], widths, (2, 4, 8, 16, 32), head)
    if pretrained is not None:
        _load(backbone, pretrained, num_classes)
    return backbone


def _load(backbone: Backbone, folder: Path, num_classes: int | None) -> None:
    from autochrome.models.checkpoint import load_weights  # here: checkpoint.py imports the networks

    try:
        tensors = load_file(folder / WEIGHTS_NAME)
    except (OSError, SafetensorError) as error:
        raise ModelError(
            f"no efficientnet_lite could be loaded from {folder}: {error}; "
            "python -m training.efficientnet_lite makes such a folder from the published weights"
        ) from error
    if num_classes:
        classifier = tensors.get("head.classifier.bias")
        require_classes("efficientnet_lite", folder, 0 if classifier is None else len(classifier), num_classes)
    unused = {None: "head.", 0: "head.classifier."}.get(num_classes)
    if unused is not None:
        tensors = {name: tensor for name, tensor in tensors.items() if not name.startswith(unused)}
    load_weights(backbone, tensors, origin=str(folder))


class _Block(nn.Module):
    """Inverted residual: 1 x 1 to more channels, depthwise, 1 x 1 to fewer, without a last activation."""

    def __init__(self, in_channels: int, out_channels: int, size: int, stride: int, expansion: int) -> None:
        super().__init__()
        inner = in_channels * expansion
        layers = [_convolution(in_channels, inner, 1)] if expansion > 1 else []
        layers.append(_convolution(inner, inner, size, stride=stride, groups=inner))
        layers.append(_convolution(inner, out_channels, 1, activation=False))
        self.layers = nn.Sequential(*layers)
        self.use_residual = stride == 1 and in_channels == out_channels

    def forward(self, features: Tensor) -> Tensor:
        out: Tensor = self.layers(features)
        return features + out if self.use_residual else out


def _convolution(
    in_channels: int, out_channels: int, size: int, *, stride: int = 1, groups: int = 1, activation: bool = True
) -> nn.Sequential:
    convolution = nn.Conv2d(in_channels, out_channels, size, stride=stride, groups=groups)
    # Without batch norm the default initialization would let the signal die out in 16 blocks.
    nn.init.kaiming_normal_(convolution.weight, nonlinearity="relu" if activation else "linear")
    assert convolution.bias is not None
    nn.init.zeros_(convolution.bias)
    return plain_layer(convolution, activation=activation)


def _round_width(channels: float) -> int:
    """To a multiple of 8, and not more than a tenth below."""
    rounded = max(8, int(channels + 4) // 8 * 8)
    return rounded + 8 if rounded < 0.9 * channels else rounded
