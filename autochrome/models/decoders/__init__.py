"""Decoders: from a backbone's feature maps, coarse to fine, to the answer: ab_normalized or logits of ab bins."""

from collections.abc import Sequence

from torch import nn

from autochrome.errors import SettingError
from autochrome.models.config import ColorizerConfig
from autochrome.models.decoders.deconvolution import DeconvolutionDecoder, UNetDeconvolutionDecoder
from autochrome.models.decoders.fusion import FusionDecoder
from autochrome.models.decoders.pixel_shuffle import PixelShuffleDecoder
from autochrome.models.decoders.steered import SteeredUNetDecoder
from autochrome.models.decoders.unet import UNetDecoder

__all__ = ["FusionDecoder", "build_decoder"]


def build_decoder(config: ColorizerConfig, channels: Sequence[int], strides: Sequence[int]) -> tuple[nn.Module, int]:
    """The decoder that a config asks for, and the stride of its output.

    Args:
        config: the whole architecture.
        channels: of the backbone's feature maps, coarse to fine.
        strides: of the same.

    Raises:
        SettingError: the decoder would be finer than the backbone, or than the picture.
    """
    widths = config.decoder_channels
    depth = len(widths)
    if config.decoder in ("unet", "steered_unet") and depth > len(strides):
        raise SettingError(f"decoder_channels has {depth} entries, backbone {config.backbone} {len(strides)}")
    num_doublings = depth if config.decoder in ("deconvolution", "unet_deconvolution") else depth - 1
    if 2**num_doublings > strides[0]:
        raise SettingError(
            f"decoder_channels has {depth} entries: {num_doublings} doublings from stride {strides[0]} would be finer "
            "than the picture; leave some out"
        )
    attention = [strides[0] // 2**i in config.attention_strides for i in range(depth)]
    decoder: nn.Module
    if config.decoder == "unet":
        decoder = UNetDecoder(
            channels[:depth],
            widths,
            config.decoder_blocks,
            attention,
            normalization=config.normalization,
            head=config.head,
        )
    elif config.decoder == "steered_unet":
        decoder = SteeredUNetDecoder(
            channels[:depth], widths, config.decoder_blocks, attention, normalization=config.normalization
        )
    elif config.decoder == "pixel_shuffle":
        decoder = PixelShuffleDecoder(
            channels, widths, config.decoder_blocks, attention, normalization=config.normalization, head=config.head
        )
    elif config.decoder == "unet_deconvolution":
        decoder = UNetDeconvolutionDecoder(
            channels, widths, dropout=config.decoder_dropout, normalization=config.normalization, head=config.head
        )
    else:
        decoder = DeconvolutionDecoder(channels[0], widths, normalization=config.normalization, head=config.head)
    return decoder, strides[0] // 2**num_doublings
