"""DeOldify's decoder: a U-Net that grows by pixel shuffle and blurs what that leaves behind."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from autochrome.models.decoders.layers import SelfAttention, make_head
from autochrome.models.normalization import make_norm, needs_bias


class PixelShuffleDecoder(nn.Module):
    """fastai's dynamic U-Net as DeOldify widens it: skips beside what comes from below, then 3 x 3 convolutions.

    `num_blocks` convolutions a level: 1 is DeOldify's "wide" (its stable model), 2 its "deep" (artistic). Levels finer
    than the backbone's first stride have no skip.
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
    ) -> None:
        """`in_channels`, `channels` and `attention` run from coarse to fine; `channels` has an entry a level."""
        super().__init__()
        self.ups = nn.ModuleList()
        self.skip_norms = nn.ModuleList()
        self.levels = nn.ModuleList()
        for index, (width, with_attention) in enumerate(zip(channels, attention, strict=True)):
            skip = in_channels[index] if index < len(in_channels) else 0
            if index:
                self.ups.append(PixelShuffleUp(channels[index - 1], width))
            # Features of a backbone are of any size; beside those from below they should weigh the same.
            self.skip_norms.append(make_norm(normalization, skip) if index and skip else nn.Identity())
            level = _convolutions(skip + (width if index else 0), width, num_blocks, normalization)
            if with_attention:
                level.append(SelfAttention(width))
            self.levels.append(nn.Sequential(*level))
        self.head = make_head(head, channels[-1], kernel_size=1)

    def forward(self, features: Sequence[Tensor]) -> Tensor:
        """Feature maps from coarse to fine to the head's output `(B, C, h, w)`."""
        x = self.levels[0](features[0])
        for index in range(1, len(self.levels)):
            x = self.ups[index - 1](x)
            if index < len(features):
                x = torch.cat([x, F.relu(self.skip_norms[index](features[index]))], dim=1)
            x = self.levels[index](x)
        out: Tensor = self.head(x)
        return out


class PixelShuffleUp(nn.Module):
    """Twice the size by pixel shuffle (Shi et al. 2016, arXiv:1609.05158) without its checkerboard.

    Against that, all four pixels of a square start with the same weights (ICNR: Aitken et al. 2017, arXiv:1707.02937),
    and a 2 x 2 mean follows (Sugawara et al. 2018, arXiv:1806.02658).
    """

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        self.convolution = nn.Conv2d(in_channels, 4 * out_channels, kernel_size=1)
        one = torch.empty(out_channels, in_channels, 1, 1)
        nn.init.kaiming_normal_(one)
        with torch.no_grad():
            self.convolution.weight.copy_(one.repeat_interleave(4, dim=0))
        assert self.convolution.bias is not None
        nn.init.zeros_(self.convolution.bias)

    def forward(self, x: Tensor) -> Tensor:
        x = F.relu(F.pixel_shuffle(self.convolution(x), 2))
        return F.avg_pool2d(F.pad(x, (1, 0, 1, 0), mode="replicate"), kernel_size=2, stride=1)


def _convolutions(in_channels: int, out_channels: int, count: int, normalization: str) -> list[nn.Module]:
    layers: list[nn.Module] = []
    for index in range(count):
        width = out_channels if index else in_channels
        layers += [
            nn.Conv2d(width, out_channels, kernel_size=3, padding=1, bias=needs_bias(normalization)),
            make_norm(normalization, out_channels),
            nn.ReLU(inplace=True),
        ]
    return layers
