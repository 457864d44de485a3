"""Global features beside local ones: what the whole picture shows, told to every place of the decoder."""

from collections.abc import Sequence

import torch.nn.functional as F
from torch import Tensor, nn

WIDTH = 256
"""Length of the global vector as it is broadcast (Iizuka et al. 2016, table 1)."""


class FusionDecoder(nn.Module):
    """A fusion layer before the coarsest level of any decoder (Iizuka et al. 2016, doi:10.1145/2897824.2925974,
    equation 2; with a classifier as the source: Baldassarre et al. 2017, arXiv:1712.03400).
    """

    def __init__(self, decoder: nn.Module, channels: int, num_global_features: int) -> None:
        """`channels` are those of the coarsest map, which keeps them."""
        super().__init__()
        self.decoder = decoder
        self.summary = nn.Linear(num_global_features, WIDTH)
        self.local = nn.Conv2d(channels, channels, kernel_size=1)
        self.broadcast = nn.Linear(WIDTH, channels, bias=False)

    def forward(self, features: Sequence[Tensor], global_features: Tensor) -> Tensor:
        """Feature maps from coarse to fine and one vector a picture, `(B, num_global_features)`.

        A 1 x 1 convolution of map and broadcast vector side by side is the sum of one of each.
        """
        vector = self.broadcast(F.relu(self.summary(global_features)))
        coarsest = F.relu(self.local(features[0]) + vector[:, :, None, None])
        out: Tensor = self.decoder([coarsest, *features[1:]])
        return out
