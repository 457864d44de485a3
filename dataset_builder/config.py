"""The config of a build: a dataclass with a sentence under every field, from YAML and `key=value` overrides."""

from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from omegaconf import MISSING, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from autochrome import recipes
from autochrome.errors import SettingError
from dataset_builder.ageing import AgeingConfig
from dataset_builder.captions import CaptionConfig
from dataset_builder.filters import FilterConfig
from dataset_builder.items import SPLITS
from dataset_builder.pictures import PictureConfig
from dataset_builder.sources import SOURCES, SourceConfig

ENGINES = ("pool", "ray")


@dataclass
class SplitConfig:
    """How many pictures go where; the rest are for training."""

    validation: float = 0.05
    """Share of the pictures, chosen by hash of their pixels, that becomes the split `validation`."""
    test: float = 0.05
    """The same for the split `test`."""


@dataclass
class BuildConfig:
    """Everything that decides what a dataset holds."""

    name: str = MISSING
    """Name of the dataset, for its card."""
    output_dir: str = MISSING
    """The folder that it is written to; empty, new, or with an unfinished build of the same config."""
    sources: list[dict[str, Any]] = MISSING
    """Where pictures come from, in order of preference: of duplicates the first is kept. Each has a `type` and a
    `name`; the other entries depend on the type and are listed below."""
    filters: FilterConfig = field(default_factory=FilterConfig)
    """Which pictures are left out."""
    pictures: PictureConfig = field(default_factory=PictureConfig)
    """Size and file format of the pictures."""
    ageing: AgeingConfig = field(default_factory=AgeingConfig)
    """Whether and how the conditioning images are made to look old."""
    captions: CaptionConfig = field(default_factory=CaptionConfig)
    """Where the two captions come from."""
    splits: SplitConfig = field(default_factory=SplitConfig)
    """Shares of validation and test, unless a source demands an exact split."""
    shard_mb: int = 200
    """Size that a Parquet shard reaches before the next one is begun, in megabytes."""
    imagefolder: bool = False
    """Write every picture as a file of its own too, with metadata.jsonl beside."""
    num_workers: int = 0
    """Processes; 0: one for each core. The result is the same for any number."""
    engine: str = "pool"
    """`pool`: processes of this machine; `ray`: Ray Data, for several machines with one file system."""
    seed: int = 0
    """Seed of shares, splits and ageing."""
    chunk_size: int = 32
    """Pictures that a worker does at a time; after an interruption finished chunks are not done again."""

    def decisive(self) -> dict[str, Any]:
        """All that decides the bytes of the result: everything but where it goes and who does which piece of it."""
        indifferent = ("output_dir", "num_workers", "engine", "chunk_size")
        return {name: value for name, value in asdict(self).items() if name not in indifferent}


def load_config(path: Path, overrides: list[str]) -> BuildConfig:
    """Read a config, apply `key=value` overrides (dotted: `sources.0.path=x.zip`), check every name, type and range.

    Raises:
        DataError: the file is missing or is not YAML.
        SettingError: an entry is unknown, missing, of the wrong type or out of range.
    """
    config = recipes.load(BuildConfig, path, overrides, noun="config", folder="dataset_builder/configs/")
    config.sources = [asdict(_source_config(entries, index)) for index, entries in enumerate(config.sources)]
    _check(config)
    return config


def source_configs(config: BuildConfig) -> list[SourceConfig]:
    """The settings of each source as its own dataclass."""
    return [_source_config(entries, index) for index, entries in enumerate(config.sources)]


def config_to_yaml(config: BuildConfig) -> str:
    """The resolved config, as it is printed before a build and kept beside its result."""
    return OmegaConf.to_yaml(OmegaConf.structured(config))


def describe_fields() -> str:
    """Every entry of a config with its sentence, for `--help`."""
    parts: list[type] = [BuildConfig, FilterConfig, PictureConfig, AgeingConfig, CaptionConfig, SplitConfig]
    lines = [line for part in parts for line in recipes.describe_fields(part, part.__name__)]
    lines += recipes.describe_fields(SourceConfig, "sources.N, of every type")
    for name, source in SOURCES.items():
        lines += recipes.describe_fields(source.config_class, f"sources.N, type: {name}")
    return "\n".join(lines)


def _source_config(entries: dict[str, Any], index: int) -> SourceConfig:
    kind = entries.get("type")
    if kind not in SOURCES:
        raise SettingError(f"sources.{index}.type must be one of {', '.join(SOURCES)}; got {kind!r}")
    try:
        merged = OmegaConf.merge(OmegaConf.structured(SOURCES[kind].config_class), entries)
        missing = sorted(OmegaConf.missing_keys(merged))
        if missing:
            raise SettingError(f"sources.{index} ({kind}) leaves open: {', '.join(missing)}")
        config = OmegaConf.to_object(merged)
    except (OmegaConfBaseException, TypeError, ValueError) as error:
        if isinstance(error, SettingError):
            raise
        raise SettingError(f"sources.{index} ({kind}): {str(error).splitlines()[0]}") from error
    assert isinstance(config, SourceConfig)
    return config


def _check(config: BuildConfig) -> None:
    if not config.sources:
        raise SettingError("sources is empty; a dataset has at least one")
    names = [source["name"] for source in config.sources]
    if len(set(names)) < len(names):
        raise SettingError(f"every source needs a name of its own, got {', '.join(names)}")
    for index, source in enumerate(config.sources):
        if not 0 < source["share"] <= 1:
            raise SettingError(f"sources.{index}.share must lie above 0 and be at most 1, got {source['share']}")
        if source["split"] not in (None, *SPLITS):
            raise SettingError(f"sources.{index}.split must be null or {', '.join(SPLITS)}; got {source['split']!r}")
        if source["limit"] is not None and source["limit"] < 1:
            raise SettingError(f"sources.{index}.limit must be at least 1 or null, got {source['limit']}")
    for name in ("shard_mb", "chunk_size"):
        if getattr(config, name) < 1:
            raise SettingError(f"{name} must be at least 1, got {getattr(config, name)}")
    if config.num_workers < 0:
        raise SettingError(f"num_workers must be 0 (one for each core) or more, got {config.num_workers}")
    if config.engine not in ENGINES:
        raise SettingError(f"engine must be one of {', '.join(ENGINES)}; got {config.engine!r}")
    shares = config.splits
    if min(shares.validation, shares.test) < 0 or shares.validation + shares.test >= 1:
        raise SettingError(
            f"splits.validation and splits.test must be shares whose sum is below 1, "
            f"got {shares.validation} and {shares.test}"
        )
