"""The base folder: a whole Stable Diffusion of small size, as diffusers writes it."""

from pathlib import Path

import torch
from diffusers import AutoencoderKL, DDIMScheduler, StableDiffusionPipeline, UNet2DConditionModel
from transformers import CLIPTextModel, CLIPTokenizer

from autochrome.files import replacing_folder
from training.diffusion.joining import forget_origin
from training.parts.config import PartsConfig

_NORM_GROUPS = 16


def build_unet(config: PartsConfig) -> UNet2DConditionModel:
    """An untrained U-Net that fits the autoencoder's latents and the text encoder's vectors."""
    part = config.unet
    attends = part.cross_attention
    return UNet2DConditionModel(
        sample_size=config.size_px // 2 ** (len(config.autoencoder.block_out_channels) - 1),
        in_channels=config.autoencoder.latent_channels,
        out_channels=config.autoencoder.latent_channels,
        block_out_channels=tuple(part.block_out_channels),
        down_block_types=tuple("CrossAttnDownBlock2D" if words else "DownBlock2D" for words in attends),
        up_block_types=tuple("CrossAttnUpBlock2D" if words else "UpBlock2D" for words in reversed(attends)),
        layers_per_block=part.layers_per_block,
        attention_head_dim=part.attention_heads,
        cross_attention_dim=config.text.hidden_size,
        norm_num_groups=_NORM_GROUPS,
    )


def build_scheduler() -> DDIMScheduler:
    """Stable Diffusion's noise with a last step of noise alone, and velocity to predict.

    So the first step knows nothing of the picture but its light, as when a photograph is colored (Lin et al. 2023,
    arXiv:2305.08891: zero terminal SNR, v-prediction, trailing steps).
    """
    return DDIMScheduler(
        beta_start=0.00085,
        beta_end=0.012,
        beta_schedule="scaled_linear",
        prediction_type="v_prediction",
        rescale_betas_zero_snr=True,
        timestep_spacing="trailing",
        clip_sample=False,
        set_alpha_to_one=True,
        steps_offset=1,
    )


def write_base(config: PartsConfig, parts_dir: Path) -> Path:
    """Put the trained parts and an untrained U-Net together; the folder `base` appears whole or not at all."""
    torch.manual_seed(config.seed)
    pipeline = StableDiffusionPipeline(
        vae=AutoencoderKL.from_pretrained(parts_dir / "vae"),
        text_encoder=CLIPTextModel.from_pretrained(parts_dir / "text_encoder"),
        tokenizer=CLIPTokenizer.from_pretrained(parts_dir / "tokenizer"),
        unet=build_unet(config),
        scheduler=build_scheduler(),
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )
    target = parts_dir / "base"
    with replacing_folder(target) as temporary:
        pipeline.save_pretrained(temporary)
        forget_origin(temporary)
    return target
