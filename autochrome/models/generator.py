"""`Colorizer`: a backbone and a decoder. Every feed-forward model of the house is one of these with other settings."""

from pathlib import Path

import torch
from torch import Tensor, nn

from autochrome.color import AB_SCALE, lightness_to_grey
from autochrome.models.backbones import build_backbone
from autochrome.models.bins import annealed_mean
from autochrome.models.config import ColorizerConfig
from autochrome.models.decoders import FusionDecoder, build_decoder
from autochrome.models.normalization import add_spectral_norm
from autochrome.models.steering import Conditions


class Colorizer(nn.Module):
    """L* in, a*b* out. Every parameter is one of `backbone` or of `decoder`.

    Attributes:
        output_stride: the output has 1 / `output_stride` of the input's width and height.
        size_multiple: the input's sides must be multiples of this.
    """

    def __init__(
        self, config: ColorizerConfig, pretrained_backbone: Path | None = None, *, folded: bool = False
    ) -> None:
        """Build from scratch, or on the backbone weights of a folder (see `build_backbone`).

        Args:
            config: the architecture.
            pretrained_backbone: folder of the backbone's weights.
            folded: leave spectral norm out: plain convolutions, for weights that it is folded into.

        Raises:
            SettingError: the settings contradict each other.
            ModelError: the backbone's folder cannot be read, or holds another network.
        """
        super().__init__()
        self.config = config
        self.backbone = build_backbone(
            config.backbone,
            config.backbone_options,
            pretrained_backbone,
            num_stages=config.backbone_stages,
            num_classes=config.fusion_classes if config.fusion else None,
            normalization=config.normalization,
        )
        channels, strides = self.backbone.channels[::-1], self.backbone.strides[::-1]
        self.size_multiple = strides[0]
        self.decoder, self.output_stride = build_decoder(config, channels, strides)
        if self.backbone.head is not None:
            self.decoder = FusionDecoder(self.decoder, channels[0], self.backbone.head.num_features)
        if not folded:
            self.unfold()

    def unfold(self) -> None:
        """With `normalization: spectral`, parametrize the weights that it acts on: from the folded form to train."""
        if self.config.normalization == "spectral":
            add_spectral_norm(self.decoder)
            if self.config.backbone == "convolutions":
                add_spectral_norm(self.backbone)

    @property
    def takes_directions(self) -> bool:
        """Whether the decoder listens to `Conditions`."""
        return self.config.decoder == "steered_unet"

    def forward(self, lightness: Tensor, raw: bool = False, conditions: Conditions | None = None) -> Tensor:
        """L* `(B, 1, H, W)` in 0..100 to ab_normalized = ab / 110 `(B, 2, H / stride, W / stride)`, float32.

        With `raw` what the head gives: the same for head `ab`, logits `(B, 309, H / stride, W / stride)` for `bins`;
        from a decoder that takes directions a third channel, the log of the expected error (`SteeredUNetDecoder`).
        H and W must be multiples of `size_multiple`. `conditions` are for a decoder that takes directions.
        """
        answer = self.decode(self.features(lightness), conditions)
        return answer if raw else self.ab_from_raw(answer)

    def features(self, lightness: Tensor) -> list[Tensor]:
        """What the backbone sees in L* `(B, 1, H, W)`: one map a stride, fine to coarse; may be kept for `decode`."""
        height, width = lightness.shape[-2:]
        if height % self.size_multiple or width % self.size_multiple:
            raise ValueError(f"sides must be multiples of {self.size_multiple}, got {height} x {width}")
        grey = lightness_to_grey(lightness) * 2 - 1
        features: list[Tensor] = self.backbone(grey.contiguous(memory_format=torch.channels_last))
        return features

    def decode(self, features: list[Tensor], conditions: Conditions | None = None) -> Tensor:
        """`forward(raw=True)` from kept features: another direction costs the decoder only.

        Raises ValueError where `conditions` come to a decoder that takes none.
        """
        if self.takes_directions:
            out = self.decoder(features[::-1], conditions)
        elif conditions is not None:
            raise ValueError(f"decoder {self.config.decoder} takes no directions")
        elif self.backbone.head is None:
            out = self.decoder(features[::-1])
        else:
            out = self.decoder(features[::-1], self.backbone.head(features[-1]))
        answer: Tensor = out.float()
        return answer

    def ab_from_raw(self, raw: Tensor) -> Tensor:
        """What `forward(lightness, raw=True)` gave to ab_normalized `(B, 2, h, w)`: bins by their annealed mean."""
        if self.config.head == "bins":
            return annealed_mean(raw) / AB_SCALE
        return raw[:, :2]
