"""The autoencoder, trained for color: a picture's own L* is merged back, so its latents need carry little light."""

from pathlib import Path

import torch
import torch.nn.functional as F
from diffusers import AutoencoderKL
from diffusers.models.downsampling import Downsample2D
from diffusers.models.resnet import ResnetBlock2D
from diffusers.models.upsampling import Upsample2D
from torch import Tensor, nn

from autochrome.color import rgb_to_lab, split_lab
from autochrome.files import replacing_folder
from training.parts.config import AutoencoderConfig, PartsConfig
from training.parts.data import batches, crops, step_generator
from training.parts.loop import append_log, train

_COARSE_PX = 8
"""L* is asked for as its mean over squares of this side: enough to follow a picture, little to store."""
_NORM_GROUPS = 8
_OUTSIDE_WEIGHT = 20.0


def build_autoencoder(config: AutoencoderConfig, size_px: int) -> AutoencoderKL:
    """An untrained autoencoder; no attention: it is to work at every size and in little memory."""
    levels = len(config.block_out_channels)
    model = AutoencoderKL(
        down_block_types=("DownEncoderBlock2D",) * levels,
        up_block_types=("UpDecoderBlock2D",) * levels,
        block_out_channels=tuple(config.block_out_channels),
        layers_per_block=1,
        latent_channels=config.latent_channels,
        norm_num_groups=_NORM_GROUPS,
        sample_size=size_px,
        mid_block_add_attention=False,
    )
    for module in model.modules():
        _begin_simple(module)
    return model


@torch.no_grad()
def _begin_simple(module: nn.Module) -> None:
    """Residual branches begin at nothing, shrinking as a mean, enlarging as a copy: color comes through at once."""
    if isinstance(module, ResnetBlock2D):
        nn.init.zeros_(module.conv2.weight)
        if module.conv_shortcut is not None:
            nn.init.dirac_(module.conv_shortcut.weight)
    elif isinstance(module, Downsample2D):  # it pads at the right and below, so a mean is over the first 2 x 2 weights
        weight = module.conv.weight
        nn.init.zeros_(weight)
        weight[range(len(weight)), range(len(weight)), :2, :2] = 0.25
    elif isinstance(module, Upsample2D):
        nn.init.dirac_(module.conv.weight)


def reconstruction_losses(decoded: Tensor, rgb: Tensor, lightness_weight: float) -> dict[str, Tensor]:
    """How far a decoded picture is from the truth, in Lab units.

    Args:
        decoded: `(B, 3, H, W)` in about -1..1, as the decoder gives it.
        rgb: the truth in 0..1.
        lightness_weight: weight of the coarse L*.

    Returns:
        `ab` (mean absolute difference), `lightness` (the same of means over 8 x 8 pixels, weighted) and `outside`: what
        lies outside 0..1, where Lab has no slope.
    """
    seen = decoded.float() / 2 + 0.5
    lightness, ab = split_lab(rgb_to_lab(seen.clamp(0, 1)))
    true_lightness, true_ab = split_lab(rgb_to_lab(rgb))
    coarse, true_coarse = (F.avg_pool2d(plane, _COARSE_PX) for plane in (lightness, true_lightness))
    return {
        "ab": (ab - true_ab).abs().mean(),
        "lightness": lightness_weight * (coarse - true_coarse).abs().mean(),
        "outside": _OUTSIDE_WEIGHT * ((seen - 1).relu() + (-seen).relu()).mean(),
    }


def train_autoencoder(config: PartsConfig, pictures: Tensor, validation: Tensor, folder: Path, *, resume: bool) -> None:
    """Train on uint8 pictures `(N, 3, side, side)`; leaves a diffusers folder `vae` in `folder`."""
    part = config.autoencoder
    torch.manual_seed(config.seed)
    model = build_autoencoder(part, config.size_px).train()
    num_steps = part.num_steps + part.num_whole_steps

    def step_losses(step: int) -> dict[str, Tensor]:
        side, batch_size = part.crop_px, part.batch_size
        if step >= part.num_steps:
            side, batch_size = config.size_px, max(1, part.batch_size * part.crop_px // config.size_px)
        rgb = crops(pictures, step, seed=config.seed, batch_size=batch_size, side=side)
        with torch.autocast("cpu", torch.bfloat16, enabled=config.bf16):
            posterior = model.encode(rgb * 2 - 1).latent_dist
            noise = step_generator(config.seed, step)
            decoded = model.decode(posterior.sample(noise)).sample
        divergence = posterior.kl().float().mean() / posterior.mean[0].numel()
        return {
            **reconstruction_losses(decoded, rgb, part.lightness_weight),
            "divergence": part.kl_weight * divergence,
        }

    train(
        "autoencoder",
        folder / "autoencoder",
        {"vae": model},
        step_losses,
        num_steps=num_steps,
        learning_rate=part.learning_rate,
        checkpoint_every=config.checkpoint_every,
        resume=resume,
        recipe=str(config),
    )
    model.eval()
    scale, values = measure_autoencoder(model, validation)
    # The noise that diffusion adds has variance 1, so the latents should have about that.
    model.register_to_config(scaling_factor=scale)
    append_log(folder / "autoencoder", {"kind": "validation", "step": num_steps, "scaling_factor": scale, **values})
    with replacing_folder(folder / "vae") as temporary:  # a resumed run takes what is there for finished
        model.save_pretrained(temporary)


@torch.no_grad()
def measure_autoencoder(model: AutoencoderKL, validation: Tensor) -> tuple[float, dict[str, float]]:
    """The factor that gives latents a standard deviation of 1, and errors beside those of no color at all."""
    latents, losses, greys = [], [], []
    for rgb in batches(validation, 32):
        mean = model.encode(rgb * 2 - 1).latent_dist.mean
        latents.append(mean)
        reconstruction = reconstruction_losses(model.decode(mean).sample, rgb, 1.0)
        losses.append(torch.stack([reconstruction["ab"], reconstruction["lightness"]]))
        greys.append(split_lab(rgb_to_lab(rgb))[1].abs().mean())
    ab, lightness = torch.stack(losses).mean(dim=0).tolist()
    everything = torch.cat(latents)
    values = {"ab": ab, "coarse_lightness": lightness, "ab_of_grey": torch.stack(greys).mean().item()}
    for channel, deviation in enumerate(everything.std(dim=(0, 2, 3)).tolist()):
        values[f"latent_{channel}"] = deviation
    return 1 / everything.std().item(), values
