"""The default decoder: a U-Net of cheap residual blocks."""

from collections.abc import Sequence
from itertools import pairwise

import torch.nn.functional as F
from torch import Tensor, nn

from autochrome.models.decoders.layers import SelfAttention, make_head
from autochrome.models.normalization import make_norm, needs_bias


class UNetDecoder(nn.Module):
    """Coarse to fine with skip connections (Ronneberger et al. 2015, arXiv:1505.04597), the answer at the last stride.

    At each stride: what comes from below, doubled in size, plus the backbone's features of that stride; self-attention
    where asked for (one sky, one colour); then residual blocks.
    """

    def __init__(
        self,
        in_channels: Sequence[int],
        channels: Sequence[int],
        num_blocks: int,
        attention: Sequence[bool],
        *,
        normalization: str = "batch",
        head: str = "ab",
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
            level: list[nn.Module] = [DepthwiseBlock(width, expansion, normalization) for _ in range(num_blocks)]
            if with_attention:
                level.insert(1, SelfAttention(width))
            self.levels.append(nn.Sequential(*level))
        self.norm = make_norm(normalization, channels[-1])
        self.head = make_head(head, channels[-1], kernel_size=1)

    def forward(self, features: Sequence[Tensor]) -> Tensor:
        """Feature maps from coarse to fine to the head's output `(B, C, h, w)` at the finest map's size."""
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

    def __init__(self, channels: int, expansion: int, normalization: str = "batch") -> None:
        super().__init__()
        self.depthwise = nn.Conv2d(
            channels, channels, kernel_size=3, padding=1, groups=channels, bias=needs_bias(normalization)
        )
        self.norm = make_norm(normalization, channels)
        self.expand = nn.Conv2d(channels, channels * expansion, kernel_size=1)
        self.project = nn.Conv2d(channels * expansion, channels, kernel_size=1)
        nn.init.normal_(self.project.weight, std=0.01)
        assert self.project.bias is not None
        nn.init.zeros_(self.project.bias)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = x + self.project(F.relu(self.expand(self.norm(self.depthwise(x)))))
        return out
