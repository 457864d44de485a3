"""Layers of the mobile networks: batch norm folded into its convolution, and TensorFlow's padding."""

import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval


class HalvingConvolution(nn.Conv2d):
    """A convolution of stride 2 that pads even sides one less at the beginning than at the end, as TensorFlow does.

    oneDNN's backward pass of a depthwise one is 20 to 40 times slower than of its dense twin (PyTorch 2.13, bfloat16,
    AVX-512), so training computes every place and keeps every second: the same numbers.
    """

    def __init__(self, source: nn.Conv2d) -> None:
        size = source.kernel_size[0]
        super().__init__(source.in_channels, source.out_channels, kernel_size=size, stride=2, groups=source.groups)
        self.weight, self.bias = source.weight, source.bias

    def forward(self, x: Tensor) -> Tensor:
        size = self.kernel_size[0]
        if self.training and self.groups > 1:
            return F.conv2d(x, self.weight, self.bias, padding=size // 2, groups=self.groups)[..., 1::2, 1::2]
        before, after = (size - 2) // 2, (size - 1) // 2
        padded = F.pad(x, (before, after, before, after))
        return F.conv2d(padded, self.weight, self.bias, stride=2, groups=self.groups)


def fold(layer: nn.Module) -> nn.Sequential:
    """A transformers convolution layer (padding as in TensorFlow, batch norm, ReLU6) as plain modules."""
    source = layer.get_submodule("convolution")
    norm = layer.get_submodule("normalization")
    assert isinstance(source, nn.Conv2d)
    assert isinstance(norm, nn.BatchNorm2d)
    convolution = fuse_conv_bn_eval(source, norm).requires_grad_(True)  # the bias that it makes would stay frozen
    return plain_layer(convolution, activation=layer.activation is not None)


def plain_layer(convolution: nn.Conv2d, *, activation: bool) -> nn.Sequential:
    """A convolution with TensorFlow's padding for its size and stride, and ReLU6 where asked for."""
    if convolution.stride[0] == 2:
        convolution = HalvingConvolution(convolution)
    else:
        convolution.padding = (convolution.kernel_size[0] // 2, convolution.kernel_size[1] // 2)
    return nn.Sequential(convolution, nn.ReLU6(inplace=True)) if activation else nn.Sequential(convolution)
