"""Recipes: a dataclass with a sentence under every field, filled from YAML and `key=value` on the command line."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from omegaconf import MISSING, OmegaConf

from autochrome import recipes
from autochrome.errors import SettingError
from training.augment import Augmentation
from training.directions import DirectionMix
from training.losses import CLASSIFICATION_LOSSES, GAN_LOSSES, LOSSES
from training.sources import PhotoFilters

_STAGES = ("generator", "discriminator", "adversarial")
_DISCRIMINATORS = ("patch", "multiscale", "deep")
_NORMALIZATIONS = ("spectral", "instance", "none")


@dataclass
class DiscriminatorConfig:
    """The network that learns to tell photographs from colorized ones; it never ships."""

    kind: str = "patch"
    """`patch` (Isola et al. 2017), `multiscale` (the same at several sizes: Wang et al. 2018) or `deep` (DeOldify)."""
    channels: int = 64
    """Width of the first layer; doubled at each halving, up to eight times."""
    num_halvings: int = 3
    """Layers of stride 2; a patch is 70 of the prediction's pixels wide with 3, 34 with 2, 16 with 1."""
    num_scales: int = 3
    """Sizes that `multiscale` looks at, each half the one before."""
    normalization: str = "spectral"
    """`spectral` (Miyato et al. 2018), `instance` or `none`."""


@dataclass
class Phase:
    """A stretch of training at one picture size with one mixture of losses."""

    stage: str = "generator"
    """Who learns: `generator`; `discriminator`, on the frozen generator's averaged weights; `adversarial`: a step each.
    NoGAN is these three one after another with a short last one; the plain joint schedule begins with the last."""
    size_px: int = MISSING
    """Side of the square training crops, in pixels; a multiple of the backbone's coarsest stride."""
    num_kimg: float = MISSING
    """Length of the phase, in thousands of pictures seen."""
    learning_rate: float = MISSING
    """Learning rate at the start of the phase, of the network that learns (of the generator, where both do)."""
    final_learning_rate: float = MISSING
    """The learning rate at the end of the phase; between them it falls along a cosine."""
    losses: dict[str, float] = field(default_factory=dict)
    """Weight of each loss of the generator; the names are the functions of training/losses.py."""
    colorfulness_share: float = 0.5
    """Mean colourfulness to aim at, as a share of the truth's: by `colorfulness_floor`, and in choosing a snapshot."""
    adversarial_weight: float = 0.0
    """Weight of the discriminator's verdict in an adversarial phase."""
    feature_matching_weight: float = 0.0
    """Weight of the distance between the discriminator's features of truth and prediction (`multiscale` only)."""
    discriminator_learning_rate: float | None = None
    """The discriminator's in an adversarial phase, falling as the generator's does; null: 5 times that, as DeOldify."""
    ema_halflife_kimg: float | None = None
    """Half-life of the averaged weights within this phase; null: the recipe's. A short phase needs a shorter one."""


@dataclass
class TrainConfig:
    """Everything that decides what a training run does."""

    name: str = MISSING
    """Name of the model; also the folder below `output_dir`."""
    photos: list[str] = MISSING
    """Colour photographs: .zip archives, folders of pictures, or datasets made by dataset_builder (folders with
    data/train-*.parquet)."""
    photo_filters: PhotoFilters = field(default_factory=PhotoFilters)
    """Which photographs are used at all; the others are counted and listed in `rejected.txt` beside the cache."""
    output_dir: str = "runs"
    """Where checkpoints, logs and the finished model go, in a folder called `name`."""
    cache_dir: str = "runs/cache"
    """Where the photographs are kept decoded, once for all recipes that use the same ones."""
    cache_side_px: int = 224
    """Short side at which photographs are kept; larger ones are shrunk, smaller ones left."""
    architecture: dict[str, Any] = field(default_factory=dict)
    """Entries of ColorizerConfig that differ from its defaults."""
    backbone_weights: str | None = None
    """Folder with the pretrained backbone in transformers' layout; without it the backbone starts from scratch."""
    init_from: str | None = None
    """Folder of a finished model (config.json, model.safetensors) to start from, ours or downloaded from the Hub."""
    frozen_stages: int = 0
    """How many of the backbone's first stages stay as they are: the finest cost most and learn least."""
    backbone_learning_rate_scale: float = 1.0
    """Learning rate of the backbone as a share of the decoder's."""
    phases: list[Phase] = MISSING
    """The stretches of training, one after another."""
    discriminator: DiscriminatorConfig | None = None
    """The critic of the phases that have one; null where none has."""
    gan_loss: str = "hinge"
    """`hinge` (Lim and Ye 2017), `least_squares` (Mao et al. 2017) or `logistic` (Goodfellow et al. 2014)."""
    snapshot_every_kimg: float | None = None
    """How often adversarial phases keep the averaged weights to choose from; null: every 0.1 % of the photographs, or
    20 times in all where that would be more."""
    num_snapshot_pictures: int = 256
    """At most so many validation pictures judge each snapshot."""
    skin_hue_limit_deg: float = 6.0
    """A snapshot whose mean hue of skin-toned pixels turned further than this, away from the truth, is refused."""
    skin_chroma_limit: float = 6.0
    """A snapshot whose mean chroma of skin-toned pixels rose by more than this, past the truth's, is refused."""
    batch_size: int = 32
    """Pictures a step, over all devices."""
    optimizer: str = "adamw"
    """`adamw` or `adam`."""
    weight_decay: float = 0.02
    """AdamW's decoupled weight decay."""
    warmup_steps: int = 200
    """Steps at the very beginning over which the learning rate rises from 0."""
    max_gradient_norm: float = 50.0
    """Gradients are scaled down to this norm when theirs is larger."""
    ema_halflife_kimg: float = 5.0
    """Half-life of the averaged weights, in thousands of pictures; those are the ones that are shipped."""
    crop_scale: list[float] = field(default_factory=lambda: [0.4, 1.0])
    """Smallest and largest area of a random crop, as a share of the picture."""
    crop_aspect: float = 1.333
    """Crops are stretched by up to this factor either way: many small sets were squashed to squares."""
    directions: DirectionMix | None = None
    """Which directions pictures come with, for `decoder: steered_unet`; null: none."""
    text_encoder: str | None = None
    """Folder of the text encoder (see training/trim_text_encoder.py) whose words the model reads; it stays as it is and
    is copied into the finished model."""
    augmentation: Augmentation = field(default_factory=Augmentation)
    """Changes of the grey picture that the network is given, beside flips and crops; off by default."""
    validation_share: float = 0.02
    """Share of the photographs, chosen by hash of their names, that is kept for validation and never trained on."""
    split_counts: list[int] = field(default_factory=list)
    """Exact numbers of photographs to train with, to validate with and to hold back, e.g. [134, 36, 30], in place of
    `validation_share`; empty: by share."""
    validate_on_training: bool = False
    """Score the photographs that are trained on, without keeping any back: to see a handful of them overfitted."""
    num_validation: int = 256
    """At most so many validation pictures are scored each time."""
    validate_every_kimg: float = 20.0
    """How often the averaged weights are scored, in thousands of pictures."""
    checkpoint_every_kimg: float = 20.0
    """How often a checkpoint to resume from is written, in thousands of pictures."""
    mixed_precision: str = "auto"
    """`fp32`, `bf16`, `fp16`, or `auto`: bf16 where the device has it (asked, never assumed), else fp32."""
    channels_last: bool = True
    """Keep tensors channels-last: much faster on CPUs and tensor cores."""
    compile: bool = False
    """Compile the generator (torch.compile): pays on GPUs in long runs; the first steps take minutes."""
    seed: int = 0
    """Seed of weights, order and crops: the same seed on the same machine gives the same weights."""


SECTIONS = (TrainConfig, Phase, DiscriminatorConfig, PhotoFilters, Augmentation, DirectionMix)
"""Every part of a recipe, as `--help` lists them."""


def load_config(path: Path, overrides: list[str]) -> TrainConfig:
    """Read a recipe, apply `key=value` overrides and check every name, type and range.

    Raises:
        DataError: the file is missing or is not YAML.
        SettingError: an entry is unknown, missing, of the wrong type or out of range.
    """
    config = recipes.load(TrainConfig, path, overrides, noun="recipe", folder="training/configs/")
    _check(config)
    return config


def config_to_yaml(config: TrainConfig) -> str:
    """The resolved recipe, as it is printed before a run and kept beside its results."""
    return OmegaConf.to_yaml(OmegaConf.structured(config))


def describe_fields() -> str:
    """Every field of a recipe with its sentence, for `--help`."""
    return "\n".join(line for part in SECTIONS for line in recipes.describe_fields(part, part.__name__))


def _check(config: TrainConfig) -> None:
    if not config.phases:
        raise SettingError("phases is empty; a recipe has at least one")
    positive = {
        "batch_size": config.batch_size,
        "cache_side_px": config.cache_side_px,
        "ema_halflife_kimg": config.ema_halflife_kimg,
        "checkpoint_every_kimg": config.checkpoint_every_kimg,
        "validate_every_kimg": config.validate_every_kimg,
        "num_validation": config.num_validation,
        "num_snapshot_pictures": config.num_snapshot_pictures,
        "snapshot_every_kimg": config.snapshot_every_kimg,
        "skin_hue_limit_deg": config.skin_hue_limit_deg,
        "skin_chroma_limit": config.skin_chroma_limit,
        "max_gradient_norm": config.max_gradient_norm,
    }
    allowed = {
        "mixed_precision": (config.mixed_precision, ("auto", "fp32", "bf16", "fp16")),
        "optimizer": (config.optimizer, ("adamw", "adam")),
        "gan_loss": (config.gan_loss, tuple(GAN_LOSSES)),
    }
    if critic := config.discriminator:
        for name in ("channels", "num_halvings", "num_scales"):
            positive[f"discriminator.{name}"] = getattr(critic, name)
        allowed["discriminator.kind"] = (critic.kind, _DISCRIMINATORS)
        allowed["discriminator.normalization"] = (critic.normalization, _NORMALIZATIONS)
    for i, phase in enumerate(config.phases):
        for name in ("size_px", "num_kimg", "learning_rate", "discriminator_learning_rate", "ema_halflife_kimg"):
            positive[f"phases[{i}].{name}"] = getattr(phase, name)
        allowed[f"phases[{i}].stage"] = (phase.stage, _STAGES)
    for name, number in positive.items():
        if number is not None and number <= 0:
            raise SettingError(f"{name} must be above 0, got {number}")
    for name, (value, choices) in allowed.items():
        if value not in choices:
            raise SettingError(f"{name} must be one of {', '.join(choices)}; got {value!r}")
    if not 0 < config.validation_share < 1:
        raise SettingError(f"validation_share must lie between 0 and 1, got {config.validation_share}")
    low, high = config.crop_scale if len(config.crop_scale) == 2 else (0.0, 0.0)
    if not 0 < low <= high <= 1 or config.crop_aspect < 1:
        raise SettingError(
            f"crop_scale must be two rising shares in 0..1 and crop_aspect at least 1, "
            f"got {config.crop_scale} and {config.crop_aspect}"
        )
    if config.init_from is not None and config.backbone_weights is not None:
        raise SettingError("init_from and backbone_weights contradict each other: a whole model brings its backbone")
    if config.split_counts and (len(config.split_counts) != 3 or min(config.split_counts) < 0):
        raise SettingError(f"split_counts must be empty or three numbers, got {config.split_counts}")
    config.photo_filters.check()
    config.augmentation.check()
    _check_directions(config)
    for i, phase in enumerate(config.phases):
        _check_losses(config, phase, f"phases[{i}]")
        _check_stage(config, phase, f"phases[{i}]")
    _check_order(config)


def _check_directions(config: TrainConfig) -> None:
    if config.directions is None:
        if config.text_encoder is not None:
            raise SettingError("text_encoder is given, but the recipe has no directions: give it some")
        return
    config.directions.check()
    if config.init_from is None and config.architecture.get("decoder") != "steered_unet":
        raise SettingError("directions need architecture.decoder 'steered_unet', which this recipe does not have")
    if config.directions.words_share and config.text_encoder is None:
        raise SettingError("directions.words_share needs text_encoder, the folder of one; or set it to 0")


def _check_losses(config: TrainConfig, phase: Phase, name: str) -> None:
    for loss in phase.losses:
        if loss not in LOSSES:
            raise SettingError(f"{name}.losses: no loss is called {loss!r}; there are: {', '.join(LOSSES)}")
        if loss in CLASSIFICATION_LOSSES and config.init_from is None and config.architecture.get("head") != "bins":
            raise SettingError(f"{name}.losses: {loss} needs architecture.head 'bins', which this recipe does not have")


def _check_stage(config: TrainConfig, phase: Phase, name: str) -> None:
    """Refuse what contradicts the phase's stage."""
    critic, stage = config.discriminator, phase.stage
    if stage != "generator" and critic is None:
        raise SettingError(f"{name} has stage {stage!r}, but the recipe has no discriminator: give it one")
    if stage == "generator" and not phase.losses:
        raise SettingError(f"{name}.losses is empty; give at least one loss and its weight")
    if stage == "discriminator" and phase.losses:
        raise SettingError(f"{name}.losses are the generator's, which stands still in stage 'discriminator': drop them")
    if stage == "adversarial" and phase.adversarial_weight <= 0:
        raise SettingError(
            f"{name}.adversarial_weight must be above 0 in stage 'adversarial', got {phase.adversarial_weight}; "
            f"without it, stage 'generator' is meant"
        )
    if phase.feature_matching_weight < 0:
        raise SettingError(f"{name}.feature_matching_weight must not be below 0, got {phase.feature_matching_weight}")
    if stage != "adversarial":
        for entry in ("adversarial_weight", "feature_matching_weight", "discriminator_learning_rate"):
            if getattr(phase, entry):
                raise SettingError(f"{name}.{entry} belongs to stage 'adversarial', and this one is {stage!r}")
    elif phase.feature_matching_weight and critic and critic.kind != "multiscale":
        raise SettingError(
            f"{name}.feature_matching_weight needs discriminator.kind 'multiscale', got {critic.kind!r} "
            f"(one scale is num_scales: 1)"
        )


def _check_order(config: TrainConfig) -> None:
    """Refuse stages that come too early, and a discriminator that none of them uses."""
    stages = [phase.stage for phase in config.phases]
    if stages[-1] == "discriminator":
        raise SettingError(
            "the last phase has stage 'discriminator', which is of use only to an adversarial one after it"
        )
    if config.discriminator is not None and set(stages) == {"generator"}:
        raise SettingError("discriminator is given, but no phase has stage 'discriminator' or 'adversarial'")
    if stages[0] == "discriminator" and config.init_from is None:
        raise SettingError(
            "phases[0] has stage 'discriminator', but nothing has trained a generator yet: "
            "begin with stage 'generator', or give init_from"
        )
