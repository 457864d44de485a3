"""Decoders of transposed convolutions: without skips, and pix2pix's with them."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from autochrome.models.decoders.layers import make_head
from autochrome.models.normalization import make_norm, needs_bias

_LEVELS_WITH_DROPOUT = 3


class DeconvolutionDecoder(nn.Module):
    """Transposed convolutions without skips, each doubling the size (Zeiler et al. 2010), from the coarsest map."""

    def __init__(
        self, in_channels: int, channels: Sequence[int], *, normalization: str = "batch", head: str = "ab"
    ) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for width in channels:
            layers += [*_doubling(in_channels, width, normalization), nn.ReLU(inplace=True)]
            in_channels = width
        self.layers = nn.Sequential(*layers)
        self.head = make_head(head, in_channels, kernel_size=3)

    def forward(self, features: Sequence[Tensor]) -> Tensor:
        """Feature maps from coarse to fine (the first is used) to the head's output `(B, C, h, w)`."""
        out: Tensor = self.head(self.layers(features[0]))
        return out


class UNetDeconvolutionDecoder(nn.Module):
    """Transposed convolutions with skips, as in pix2pix (Isola et al. 2017, arXiv:1611.07004, appendix 6.1.1).

    Each level doubles the size and then stands beside the backbone's features of that stride, where there are any.
    Its dropout is the paper's noise, but in training only: the same picture has the same colors each time.
    """

    def __init__(
        self,
        in_channels: Sequence[int],
        channels: Sequence[int],
        *,
        dropout: float = 0.0,
        normalization: str = "batch",
        head: str = "ab",
    ) -> None:
        """`in_channels` runs from coarse to fine; `channels` are the widths after each doubling."""
        super().__init__()
        self.levels = nn.ModuleList()
        width_before = in_channels[0]
        for index, width in enumerate(channels):
            level = _doubling(width_before, width, normalization)
            if dropout and index < _LEVELS_WITH_DROPOUT:
                level.append(nn.Dropout(dropout))
            self.levels.append(nn.Sequential(*level, nn.ReLU(inplace=True)))
            width_before = width + (in_channels[index + 1] if index + 1 < len(in_channels) else 0)
        self.head = make_head(head, width_before, kernel_size=3)

    def forward(self, features: Sequence[Tensor]) -> Tensor:
        """Feature maps from coarse to fine to the head's output `(B, C, h, w)`."""
        x = features[0]
        for index, level in enumerate(self.levels, start=1):
            x = level(x)
            if index < len(features):
                x = torch.cat([x, features[index]], dim=1)
        out: Tensor = self.head(x)
        return out


def _doubling(in_channels: int, out_channels: int, normalization: str) -> list[nn.Module]:
    convolution = nn.ConvTranspose2d(
        in_channels, out_channels, kernel_size=4, stride=2, padding=1, bias=needs_bias(normalization)
    )
    return [convolution, make_norm(normalization, out_channels)]
