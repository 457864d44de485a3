"""`Colorizer`: a backbone and a decoder. Every feed-forward model of the house is one of these with other settings."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from autochrome.color import lightness_to_grey
from autochrome.errors import ModelError, SettingError
from autochrome.models.backbone import build_backbone
from autochrome.models.decoder import DeconvolutionDecoder, UNetDecoder


@dataclass(frozen=True)
class ColorizerConfig:
    """The architecture of a feed-forward colorizer; saved as `config.json` beside the weights."""

    backbone: str = "mobilenet_v2"
    """The classifier that reads the picture: `mobilenet_v2` or `resnet`."""
    backbone_options: dict[str, Any] = field(default_factory=dict)
    """Options of the backbone's transformers configuration, e.g. `hidden_sizes` and `depths` of a ResNet."""
    decoder: str = "unet"
    """`unet` (skips, residual blocks, attention) or `deconvolution` (transposed convolutions only)."""
    decoder_channels: tuple[int, ...] = (256, 160, 96, 64)
    """Width at each stride, from coarse to fine; their number sets the output stride."""
    decoder_blocks: int = 2
    """Residual blocks at each stride of a U-Net."""
    attention_strides: tuple[int, ...] = (32, 16)
    """Strides of a U-Net that get self-attention."""

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "ColorizerConfig":
        """Read what `to_dict` wrote; an unknown or missing entry is another architecture.

        Raises:
            ModelError: the entries are not those of this class.
        """
        known = {entry.name for entry in fields(cls)}
        if set(values) != known:
            raise ModelError(
                f"a colorizer's config has the entries {sorted(known)}; "
                f"missing: {sorted(known - set(values))}, unknown: {sorted(set(values) - known)}"
            )
        listed: dict[str, Any] = {
            name: tuple(value) if isinstance(value, list) else value for name, value in values.items()
        }
        return cls(**listed)

    def to_dict(self) -> dict[str, Any]:
        """The entries as plain JSON values."""
        return {name: list(value) if isinstance(value, tuple) else value for name, value in asdict(self).items()}

    @classmethod
    def tiny(cls) -> "ColorizerConfig":
        """The same design at a size for tests: milliseconds and kilobytes."""
        return cls(
            backbone_options={"depth_multiplier": 0.1},
            decoder_channels=(16, 16, 8, 8),
            decoder_blocks=1,
        )


class Colorizer(nn.Module):
    """L* in, a*b* out.

    Attributes:
        output_stride: the output has 1 / `output_stride` of the input's width and height.
        size_multiple: the input's sides must be multiples of this.
    """

    def __init__(self, config: ColorizerConfig, pretrained_backbone: Path | None = None) -> None:
        """Build from scratch, or on the backbone weights of a transformers folder.

        Raises:
            SettingError: the settings contradict each other.
            ModelError: the backbone's folder cannot be read.
        """
        super().__init__()
        self.config = config
        self.backbone = build_backbone(config.backbone, config.backbone_options, pretrained_backbone)
        strides = self.backbone.strides[::-1]
        channels = self.backbone.channels[::-1]
        self.size_multiple = strides[0]
        depth = len(config.decoder_channels)
        self.decoder: UNetDecoder | DeconvolutionDecoder
        if config.decoder == "unet":
            if depth > len(strides):
                raise SettingError(f"decoder_channels has {depth} entries, backbone {config.backbone} {len(strides)}")
            attention = [stride in config.attention_strides for stride in strides[:depth]]
            self.decoder = UNetDecoder(channels[:depth], config.decoder_channels, config.decoder_blocks, attention)
            self.output_stride = strides[depth - 1]
        elif config.decoder == "deconvolution":
            self.decoder = DeconvolutionDecoder(channels[0], config.decoder_channels)
            self.output_stride = strides[0] // 2**depth
        else:
            raise SettingError(f"no decoder is called {config.decoder!r}; there are: unet, deconvolution")

    def forward(self, lightness: Tensor) -> Tensor:
        """L* `(B, 1, H, W)` in 0..100 to ab_normalized = ab / 110 `(B, 2, H / stride, W / stride)`.

        H and W must be multiples of `size_multiple`.
        """
        height, width = lightness.shape[-2:]
        if height % self.size_multiple or width % self.size_multiple:
            raise ValueError(f"sides must be multiples of {self.size_multiple}, got {height} x {width}")
        grey = lightness_to_grey(lightness) * 2 - 1
        features = self.backbone(grey.contiguous(memory_format=torch.channels_last))
        ab: Tensor = self.decoder(features[::-1])
        return ab.float()
