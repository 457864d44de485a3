"""What several decoders use: self-attention and the head that gives the answer."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from autochrome.color import AB_SCALE
from autochrome.errors import SettingError
from autochrome.models.bins import NUM_BINS, one_color_logits

MEAN_AB_NORMALIZED = (1.6 / 110, 7.7 / 110)
"""Mean a* and b* of photographs (measured on 5,395; see metrics/baselines.py), in network units."""


class SelfAttention(nn.Module):
    """Residual multi-head self-attention over all places (Vaswani et al. 2017, arXiv:1706.03762)."""

    def __init__(self, channels: int, num_heads: int = 4) -> None:
        super().__init__()
        if channels % num_heads:
            raise SettingError(f"self-attention needs a width that is a multiple of {num_heads}, got {channels}")
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


def make_head(kind: str, in_channels: int, kernel_size: int) -> nn.Conv2d:
    """The last convolution: to ab_normalized (`ab`), or to one logit a bin (`bins`).

    A fresh one gives the mean colour of photographs everywhere: training starts from no worse than that.
    """
    out_channels = NUM_BINS if kind == "bins" else 2
    head = nn.Conv2d(in_channels, out_channels, kernel_size=kernel_size, padding=kernel_size // 2)
    nn.init.normal_(head.weight, std=1e-3)
    a, b = MEAN_AB_NORMALIZED
    start = one_color_logits((a * AB_SCALE, b * AB_SCALE)) if kind == "bins" else torch.tensor([a, b])
    assert head.bias is not None
    with torch.no_grad():
        head.bias.copy_(start)
    return head
