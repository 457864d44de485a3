"""Decoders: from a backbone's feature maps to a*b*."""

from collections.abc import Sequence
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

MEAN_AB_NORMALIZED = (1.6 / 110, 7.7 / 110)
"""Mean a* and b* of photographs (measured on 5,395; see metrics/baselines.py), in network units."""


class UNetDecoder(nn.Module):
    """Coarse to fine with skip connections (Ronneberger et al. 2015, arXiv:1505.04597), ab at the last stride.

    At each stride: what comes from below, doubled in size, plus the backbone's features of that stride; self-attention
    where asked for (one sky, one colour); then residual blocks.
    """

    def __init__(
        self,
        in_channels: Sequence[int],
        channels: Sequence[int],
        num_blocks: int,
        attention: Sequence[bool],
        expansion: int = 4,
    ) -> None:
        """`in_channels`, `channels` and `attention` run from coarse to fine, one entry a stride."""
        super().__init__()
        self.skips = nn.ModuleList(
            nn.Conv2d(source, width, kernel_size=1) for source, width in zip(in_channels, channels, strict=True)
        )
        self.reductions = nn.ModuleList(nn.Conv2d(coarse, fine, kernel_size=1) for coarse, fine in pairwise(channels))
        self.levels = nn.ModuleList()
        for width, with_attention in zip(channels, attention, strict=True):
            level: list[nn.Module] = [DepthwiseBlock(width, expansion) for _ in range(num_blocks)]
            if with_attention:
                level.insert(1, SelfAttention(width))
            self.levels.append(nn.Sequential(*level))
        self.norm = nn.BatchNorm2d(channels[-1])
        self.head = nn.Conv2d(channels[-1], 2, kernel_size=1)
        _begin_with_one_color(self.head)

    def forward(self, features: Sequence[Tensor]) -> Tensor:
        """Feature maps from coarse to fine to ab_normalized `(B, 2, h, w)` at the finest map's size."""
        x = self.levels[0](self.skips[0](features[0]))
        for reduction, skip, level, feature in zip(
            self.reductions, self.skips[1:], self.levels[1:], features[1 : len(self.levels)], strict=True
        ):
            below = F.interpolate(reduction(x), scale_factor=2, mode="nearest")
            x = level(skip(feature) + below)
        out: Tensor = self.head(F.relu(self.norm(x)))
        return out


class DepthwiseBlock(nn.Module):
    """Residual block of a 3 x 3 depthwise and two 1 x 1 convolutions (Liu et al. 2022, arXiv:2201.03545, figure 4).

    Batch norm in place of layer norm, ReLU in place of GELU and 3 x 3 in place of 7 x 7 cost less on a CPU: the weight
    gradient of a 5 x 5 depthwise convolution takes 20 times that of a 3 x 3 there (bfloat16, AVX-512).
    """

    def __init__(self, channels: int, expansion: int) -> None:
        super().__init__()
        self.depthwise = nn.Conv2d(channels, channels, kernel_size=3, padding=1, groups=channels, bias=False)
        self.norm = nn.BatchNorm2d(channels)
        self.expand = nn.Conv2d(channels, channels * expansion, kernel_size=1)
        self.project = nn.Conv2d(channels * expansion, channels, kernel_size=1)
        nn.init.normal_(self.project.weight, std=0.01)
        assert self.project.bias is not None
        nn.init.zeros_(self.project.bias)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = x + self.project(F.relu(self.expand(self.norm(self.depthwise(x)))))
        return out


class SelfAttention(nn.Module):
    """Residual multi-head self-attention over all places (Vaswani et al. 2017, arXiv:1706.03762)."""

    def __init__(self, channels: int, num_heads: int = 4) -> None:
        super().__init__()
        self.num_heads = num_heads
        self.norm = nn.LayerNorm(channels)
        self.query_key_value = nn.Linear(channels, 3 * channels)
        self.project = nn.Linear(channels, channels)
        nn.init.normal_(self.project.weight, std=0.01)
        nn.init.zeros_(self.project.bias)

    def forward(self, x: Tensor) -> Tensor:
        tokens = x.flatten(2).transpose(1, 2)
        heads = self.query_key_value(self.norm(tokens)).unflatten(-1, (3, self.num_heads, -1))
        query, key, value = heads.permute(2, 0, 3, 1, 4)
        mixed = F.scaled_dot_product_attention(query, key, value).transpose(1, 2).flatten(2)
        out: Tensor = x + self.project(mixed).transpose(1, 2).unflatten(2, x.shape[2:])
        return out


class DeconvolutionDecoder(nn.Module):
    """Transposed convolutions without skips, each doubling the size (Zeiler et al. 2010), from the coarsest map."""

    def __init__(self, in_channels: int, channels: Sequence[int]) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for width in channels:
            layers += [
                nn.ConvTranspose2d(in_channels, width, kernel_size=4, stride=2, padding=1, bias=False),
                nn.BatchNorm2d(width),
                nn.ReLU(inplace=True),
            ]
            in_channels = width
        self.layers = nn.Sequential(*layers)
        self.head = nn.Conv2d(in_channels, 2, kernel_size=3, padding=1)
        _begin_with_one_color(self.head)

    def forward(self, features: Sequence[Tensor]) -> Tensor:
        """Feature maps from coarse to fine (the first is used) to ab_normalized `(B, 2, h, w)`."""
        out: Tensor = self.head(self.layers(features[0]))
        return out


def _begin_with_one_color(head: nn.Conv2d) -> None:
    """A fresh head predicts the mean colour of photographs everywhere: training starts from no worse than that."""
    nn.init.normal_(head.weight, std=1e-3)
    assert head.bias is not None
    with torch.no_grad():
        head.bias.copy_(torch.tensor(MEAN_AB_NORMALIZED))
