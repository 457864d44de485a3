"""Backbones: classifiers of transformers, cut into stages that yield one feature map a stride.

Each takes the conditioning image as ONE channel in [-1, 1] (a pretrained first layer is summed over its three colour
channels, which is the same as feeding it three equal ones) and returns its feature maps from fine to coarse.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from huggingface_hub.errors import StrictDataclassError
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from autochrome.errors import ModelError, SettingError


class Backbone(nn.Module):
    """`stages[i]` makes the feature map of stride `strides[i]` with `channels[i]` channels from the one before."""

    def __init__(self, stages: Sequence[nn.Module], channels: Sequence[int], strides: Sequence[int]) -> None:
        super().__init__()
        self.stages = nn.ModuleList(stages)
        self.channels = tuple(channels)
        self.strides = tuple(strides)

    def forward(self, grey: Tensor) -> list[Tensor]:
        """Grey `(B, 1, H, W)` in [-1, 1], sides divisible by the last stride, to one feature map a stage."""
        features = []
        for stage in self.stages:
            grey = stage(grey)
            features.append(grey)
        return features


def build_mobilenet_v2(options: Mapping[str, Any], pretrained: Path | None = None) -> Backbone:
    """MobileNetV2 (Sandler et al. 2018, arXiv:1801.04381) with strides 2 to 32 and batch norm folded away.

    Folding (weights scaled, bias added) equals batch norm frozen at the pretrained statistics, costs nothing at run
    time and leaves plain convolutions to train.
    """
    from transformers import MobileNetV2Config, MobileNetV2Model  # here: it costs a second, and many never build one

    if pretrained is not None:
        source = MobileNetV2Model.from_pretrained(pretrained, dtype=torch.float32, local_files_only=True)
    else:
        source = MobileNetV2Model(MobileNetV2Config(layer_norm_eps=1e-3, **options))
    source.eval()
    first = source.conv_stem.first_conv.convolution
    first.weight = nn.Parameter(first.weight.detach().sum(dim=1, keepdim=True))
    first.in_channels = 1
    stem = [source.conv_stem.first_conv, source.conv_stem.conv_3x3, source.conv_stem.reduce_1x1]
    stages: list[nn.Module] = [nn.Sequential(*(_fold(layer) for layer in stem))]
    for begin, end in ((0, 2), (2, 5), (5, 12), (12, 16)):
        stages.append(nn.Sequential(*(_InvertedResidual(block) for block in source.layer[begin:end])))
    channels = [source.conv_stem.reduce_1x1.convolution.out_channels]
    channels += [source.layer[i].reduce_1x1.convolution.out_channels for i in (1, 4, 11, 15)]
    return Backbone(stages, channels, (2, 4, 8, 16, 32))


def build_resnet(options: Mapping[str, Any], pretrained: Path | None = None) -> Backbone:
    """ResNet (He et al. 2015, arXiv:1512.03385) with strides 2, 4, ..., as many stages as `hidden_sizes` has entries.

    A pretrained one is cut after that many. It was trained on colors divided by their standard deviation, about 0.226.
    """
    from transformers import ResNetConfig, ResNetModel

    if pretrained is not None:
        source = ResNetModel.from_pretrained(pretrained, dtype=torch.float32, local_files_only=True)
        first = source.embedder.embedder.convolution
        first.weight = nn.Parameter(first.weight.detach().sum(dim=1, keepdim=True) / (2 * 0.226))
        first.in_channels = 1
    else:
        source = ResNetModel(ResNetConfig(num_channels=1, **options))
    sizes = source.config.hidden_sizes[: len(options.get("hidden_sizes", source.config.hidden_sizes))]
    blocks = list(source.encoder.stages)[: len(sizes)]
    stages = [source.embedder.embedder, nn.Sequential(source.embedder.pooler, blocks[0]), *blocks[1:]]
    return Backbone(stages, (source.config.embedding_size, *sizes), [2 * 2**i for i in range(len(stages))])


BUILDERS = {"mobilenet_v2": build_mobilenet_v2, "resnet": build_resnet}


def build_backbone(name: str, options: Mapping[str, Any], pretrained: Path | None = None) -> Backbone:
    """Build a backbone by name, from scratch or with the weights of a transformers folder.

    Raises:
        SettingError: no such backbone, or options that it does not know.
        ModelError: the folder does not hold such a model.
    """
    if name not in BUILDERS:
        raise SettingError(f"no backbone is called {name!r}; there are: {', '.join(BUILDERS)}")
    try:
        return BUILDERS[name](options, pretrained)
    except OSError as error:
        raise ModelError(f"no {name} could be loaded from {pretrained}: {error}") from error
    except (TypeError, KeyError, StrictDataclassError) as error:
        raise SettingError(f"backbone {name} cannot be built with options {dict(options)}: {error}") from error


class _InvertedResidual(nn.Module):
    def __init__(self, block: nn.Module) -> None:
        super().__init__()
        layers = [block.get_submodule(name) for name in ("expand_1x1", "conv_3x3", "reduce_1x1")]
        self.layers = nn.Sequential(*(_fold(layer) for layer in layers))
        self.use_residual = bool(block.use_residual)

    def forward(self, features: Tensor) -> Tensor:
        out: Tensor = self.layers(features)
        return features + out if self.use_residual else out


class _HalvingConvolution(nn.Conv2d):
    """A 3 x 3 convolution of stride 2 that pads even sides at the end only, as TensorFlow does.

    oneDNN's backward pass of a depthwise one is 20 to 40 times slower than of its dense twin (PyTorch 2.13, bfloat16,
    AVX-512), so training computes every place and keeps every second: the same numbers.
    """

    def __init__(self, source: nn.Conv2d) -> None:
        super().__init__(source.in_channels, source.out_channels, kernel_size=3, stride=2, groups=source.groups)
        self.weight, self.bias = source.weight, source.bias

    def forward(self, x: Tensor) -> Tensor:
        if self.training and self.groups > 1:
            return F.conv2d(x, self.weight, self.bias, padding=1, groups=self.groups)[..., 1::2, 1::2]
        return F.conv2d(F.pad(x, (0, 1, 0, 1)), self.weight, self.bias, stride=2, groups=self.groups)


def _fold(layer: nn.Module) -> nn.Sequential:
    """A transformers convolution layer (padding as in TensorFlow, batch norm, ReLU6) as plain modules."""
    source = layer.get_submodule("convolution")
    norm = layer.get_submodule("normalization")
    assert isinstance(source, nn.Conv2d)
    assert isinstance(norm, nn.BatchNorm2d)
    convolution = fuse_conv_bn_eval(source, norm).requires_grad_(True)  # the bias that it makes would stay frozen
    if convolution.stride[0] == 2:
        convolution = _HalvingConvolution(convolution)
    else:
        convolution.padding = (convolution.kernel_size[0] // 2, convolution.kernel_size[1] // 2)
    modules: list[nn.Module] = [convolution]
    if layer.activation is not None:
        modules.append(nn.ReLU6(inplace=True))
    return nn.Sequential(*modules)
