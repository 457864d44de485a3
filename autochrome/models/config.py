"""`ColorizerConfig`: the architecture of a feed-forward colorizer, as it stands in `config.json` beside the weights."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any

from autochrome.errors import ModelError, SettingError

CHOICES: dict[str, tuple[str, ...]] = {
    "backbone": ("mobilenet_v2", "resnet", "efficientnet_lite", "convnext", "convolutions"),
    "decoder": ("unet", "steered_unet", "deconvolution", "pixel_shuffle", "unet_deconvolution"),
    "normalization": ("batch", "instance", "spectral", "none"),
    "head": ("ab", "bins"),
}
"""What the entries that name a design may be."""


@dataclass(frozen=True)
class ColorizerConfig:
    """The architecture of a feed-forward colorizer; every feed-forward model of the house is one of these."""

    backbone: str = "mobilenet_v2"
    """The classifier that reads the picture: `mobilenet_v2`, `resnet`, `efficientnet_lite`, `convnext`, or
    `convolutions` (pix2pix's plain encoder)."""
    backbone_options: dict[str, Any] = field(default_factory=dict)
    """Size of the backbone: its transformers options, e.g. `hidden_sizes` and `depths`; ResNet also `layers` (18, 34,
    50, 101), EfficientNet-Lite `variant` (lite0, lite1, lite2), convolutions `channels`."""
    backbone_stages: int | None = None
    """How many stages of the backbone are kept, counted from the finest; all by default."""
    decoder: str = "unet"
    """`unet` (skips, residual blocks, attention), `steered_unet` (the same with a person's directions: words, hints,
    palettes), `deconvolution` (transposed convolutions only), `pixel_shuffle`
    (DeOldify's: skips, pixel shuffle and blur, attention) or `unet_deconvolution` (pix2pix's: transposed convolutions
    with skips)."""
    decoder_channels: tuple[int, ...] = (256, 160, 96, 64)
    """Width from coarse to fine; their number sets the output stride. One entry for each stride, the coarsest first;
    in decoders of transposed convolutions for each doubling."""
    decoder_blocks: int = 2
    """Residual blocks at each stride of a `unet`; 3 x 3 convolutions at each stride of a `pixel_shuffle`."""
    decoder_dropout: float = 0.0
    """Share of the features that the first three levels of a `unet_deconvolution` drop in training (pix2pix: 0.5)."""
    attention_strides: tuple[int, ...] = (32, 16)
    """Strides of a `unet` or `pixel_shuffle` that get self-attention."""
    normalization: str = "batch"
    """What keeps the decoder's convolutions in range, and those of the backbone `convolutions`: `batch`, `instance`,
    `spectral` (weights divided by their spectral norm) or `none`."""
    head: str = "ab"
    """`ab` (regression) or `bins` (a distribution over ab bins, read out by its annealed mean)."""
    fusion: bool = False
    """Give what the backbone's classifier knows of the whole picture to the decoder's coarsest level."""
    fusion_classes: int = 0
    """With `fusion`: number of classes of the backbone's classifier whose logits it reads too; 0: no classifier."""

    def __post_init__(self) -> None:
        for name, choices in CHOICES.items():
            if getattr(self, name) not in choices:
                raise SettingError(f"no {name} is called {getattr(self, name)!r}; there are: {', '.join(choices)}")
        widths = self.decoder_channels
        if not isinstance(widths, tuple) or not widths or not all(_is_positive(width) for width in widths):
            raise SettingError(f"decoder_channels must be a list of widths above 0, got {widths!r}")
        if not _is_positive(self.decoder_blocks):
            raise SettingError(f"decoder_blocks must be an integer above 0, got {self.decoder_blocks!r}")
        if not 0 <= self.decoder_dropout < 1:
            raise SettingError(f"decoder_dropout must be 0 or more and below 1, got {self.decoder_dropout!r}")
        if self.decoder_dropout and self.decoder != "unet_deconvolution":
            raise SettingError(f"decoder_dropout belongs to decoder unet_deconvolution; {self.decoder} has none")
        if self.decoder == "steered_unet" and (self.head != "ab" or self.fusion):
            raise SettingError("decoder steered_unet has a head of its own: leave head at 'ab' and fusion at false")
        if self.backbone_stages is not None and not _is_positive(self.backbone_stages):
            raise SettingError(f"backbone_stages must be an integer above 0 or null, got {self.backbone_stages!r}")
        if not isinstance(self.fusion_classes, int) or self.fusion_classes < 0:
            raise SettingError(f"fusion_classes must be 0 or a number of classes, got {self.fusion_classes!r}")
        if self.fusion_classes and not (self.fusion and self.backbone_stages is None):
            raise SettingError("fusion_classes needs fusion: true and the whole backbone (backbone_stages: null)")

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "ColorizerConfig":
        """Read what `to_dict` wrote, today or before an entry was invented: what is missing has its default.

        Raises:
            ModelError: an entry is unknown: another architecture, or a newer version's.
            SettingError: an entry has a value that makes no network.
        """
        known = {entry.name for entry in fields(cls)}
        unknown = sorted(set(values) - known)
        if unknown:
            raise ModelError(f"a colorizer's config has the entries {sorted(known)}; unknown: {unknown}")
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


def _is_positive(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value > 0
