"""The default decoder with a person's directions."""

from collections.abc import Sequence
from dataclasses import replace

import torch
import torch.nn.functional as F
from torch import Tensor

from autochrome.models.decoders.unet import UNetDecoder
from autochrome.models.steering import NUM_HINT_VALUES, Conditions, Steering, draw_hints, shrink_map


class SteeredUNetDecoder(UNetDecoder):
    """A `UNetDecoder` that takes hints, palettes and words; its own parameters have the same names as there."""

    def __init__(
        self,
        in_channels: Sequence[int],
        channels: Sequence[int],
        num_blocks: int,
        attention: Sequence[bool],
        *,
        normalization: str = "batch",
        expansion: int = 4,
    ) -> None:
        """Arguments as those of `UNetDecoder`."""
        super().__init__(in_channels, channels, num_blocks, attention, normalization=normalization, expansion=expansion)
        self.steering = Steering(channels, in_channels)

    def forward(self, features: Sequence[Tensor], conditions: Conditions | None = None) -> Tensor:
        """Feature maps from coarse to fine to `(B, 3, h, w)`: ab_normalized, and the log of its expected error.

        The error is the distance between predicted and true ab_normalized.
        """
        conditions = conditions or Conditions()
        if conditions.hints is None or not conditions.hints.shape[1]:
            # The layers that read hints say something of none, too: so it is in a batch where another picture has some.
            none = torch.zeros(len(features[0]), 1, NUM_HINT_VALUES, device=features[0].device)
            conditions = replace(conditions, hints=none)
        assert conditions.hints is not None
        tokens, mask = self.steering.tokens(conditions, features)
        maps = self._maps(conditions.hints, features)
        x = features[0]
        for index, level in enumerate(self.levels):
            skip = self.skips[index](features[index])
            x = skip if index == 0 else skip + F.interpolate(self.reductions[index - 1](x), scale_factor=2.0)
            x = x + self.steering.maps[index](maps[index])
            if index < len(self.steering.attentions):
                x = self.steering.attentions[index](x, tokens, mask)
            if index + 1 == len(self.levels):
                added, color, weight = self.steering.propagation(x, conditions.hints)
                x = x + added
            x = level(x)
        x = F.relu(self.norm(x))
        ab, extra = self.head(x).float(), self.steering.extra(x).float()
        ab = torch.lerp(ab, color, weight * extra[:, :1].sigmoid())
        return torch.cat([ab, extra[:, 1:]], dim=1)

    def _maps(self, hints: Tensor, features: Sequence[Tensor]) -> list[Tensor]:
        """The hints drawn at every level's size, from coarse to fine."""
        height, width = features[len(self.levels) - 1].shape[-2:]
        maps = [draw_hints(hints, height, width)]
        while len(maps) < len(self.levels):
            maps.append(shrink_map(maps[-1]))
        return maps[::-1]
