"""Recipes: a dataclass with a sentence under every field, filled from YAML and `key=value` on the command line."""

import ast
import inspect
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml
from omegaconf import MISSING, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from autochrome.errors import DataError, SettingError


@dataclass
class Phase:
    """A stretch of training at one picture size with one mixture of losses."""

    size_px: int = MISSING
    """Side of the square training crops, in pixels; a multiple of the backbone's coarsest stride."""
    num_kimg: float = MISSING
    """Length of the phase, in thousands of pictures seen."""
    learning_rate: float = MISSING
    """AdamW's learning rate at the start of the phase; falls along a cosine to `final_learning_rate`."""
    final_learning_rate: float = MISSING
    """The learning rate at the end of the phase."""
    losses: dict[str, float] = field(default_factory=dict)
    """Weight of each loss; the names are the functions of training/losses.py."""
    colorfulness_share: float = 0.5
    """Aim of the loss `colorfulness_floor`: mean colourfulness as a share of the truth's."""


@dataclass
class TrainConfig:
    """Everything that decides what a training run does."""

    name: str = MISSING
    """Name of the model; also the folder below `output_dir`."""
    photos: list[str] = MISSING
    """Colour photographs: .zip archives or folders of pictures."""
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
    validation_share: float = 0.02
    """Share of the photographs, chosen by hash of their names, that is kept for validation and never trained on."""
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
    seed: int = 0
    """Seed of weights, order and crops: the same seed on the same machine gives the same weights."""


def load_config(path: Path, overrides: list[str]) -> TrainConfig:
    """Read a recipe, apply `key=value` overrides and check every name, type and range.

    Raises:
        DataError: the file is missing or is not YAML.
        SettingError: an entry is unknown, missing, of the wrong type or out of range.
    """
    if not path.is_file():
        raise DataError(f"no recipe at {path}; recipes are YAML files, see training/configs/")
    try:
        recipe = OmegaConf.load(path)
    except yaml.YAMLError as error:
        raise DataError(f"{path} is not valid YAML: {error}") from error
    try:
        merged = OmegaConf.merge(OmegaConf.structured(TrainConfig), recipe)
        for override in overrides:
            key, separator, value = override.partition("=")
            if not separator:
                raise SettingError(f"{override!r} is no override; they look like key=value, e.g. seed=1")
            OmegaConf.update(merged, key, yaml.safe_load(value))
        missing = sorted(OmegaConf.missing_keys(merged))
        if missing:
            raise SettingError(f"{path} leaves open: {', '.join(missing)}; set them there or as KEY=VALUE")
        config = OmegaConf.to_object(merged)
    except SettingError:
        raise
    except (OmegaConfBaseException, yaml.YAMLError, TypeError, ValueError) as error:
        raise SettingError(f"recipe {path}: {str(error).splitlines()[0]}") from error
    assert isinstance(config, TrainConfig)
    _check(config)
    return config


def config_to_yaml(config: TrainConfig) -> str:
    """The resolved recipe, as it is printed before a run and kept beside its results."""
    return OmegaConf.to_yaml(OmegaConf.structured(config))


def describe_fields() -> str:
    """Every field of a recipe with its sentence, for `--help`."""
    lines = []
    for cls in (TrainConfig, Phase):
        lines.append(f"{cls.__name__}:")
        body = ast.parse(inspect.getsource(cls)).body[0]
        assert isinstance(body, ast.ClassDef)
        for entry, doc in zip(body.body, body.body[1:], strict=False):
            if isinstance(entry, ast.AnnAssign) and isinstance(doc, ast.Expr) and isinstance(doc.value, ast.Constant):
                default = f" = {ast.unparse(entry.value)}" if entry.value else ""
                lines.append(f"  {ast.unparse(entry.target)}: {ast.unparse(entry.annotation)}{default}")
                lines.append(f"      {doc.value.value!s}")
    return "\n".join(lines)


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
        "max_gradient_norm": config.max_gradient_norm,
    }
    for i, phase in enumerate(config.phases):
        positive |= {f"phases[{i}].{name}": getattr(phase, name) for name in ("size_px", "num_kimg", "learning_rate")}
        if not phase.losses:
            raise SettingError(f"phases[{i}].losses is empty; give at least one loss and its weight")
    for name, value in positive.items():
        if value <= 0:
            raise SettingError(f"{name} must be above 0, got {value}")
    allowed = {"mixed_precision": ("auto", "fp32", "bf16", "fp16"), "optimizer": ("adamw", "adam")}
    for name, choices in allowed.items():
        if getattr(config, name) not in choices:
            raise SettingError(f"{name} must be one of {', '.join(choices)}; got {getattr(config, name)!r}")
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
