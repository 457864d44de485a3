"""Any dataset of the Hugging Face Hub that has a column of pictures, streamed."""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from omegaconf import MISSING

from autochrome.errors import DataError, UnavailableError
from autochrome.files import replacing
from dataset_builder.items import Item
from dataset_builder.sources.base import Source, SourceConfig


@dataclass
class HubConfig(SourceConfig):
    """A dataset of the Hub, by its id."""

    repo_id: str = MISSING
    """The dataset's id, e.g. `owner/name`, or a folder in one of the layouts that `datasets` reads."""
    subset: str | None = None
    """Name of the dataset's configuration, where it has several."""
    split: str = "train"
    """The dataset's split to take pictures from."""
    revision: str | None = None
    """Commit, branch or tag; a 40-hex commit makes builds repeatable."""
    image_column: str = "image"
    """Column with the pictures."""
    caption_column: str | None = None
    """Column with a caption or a list of captions."""
    label_column: str | None = None
    """Column with the class, as a name or as a number that the dataset knows the name of."""
    license_column: str | None = None
    """Column with each picture's license."""
    attribution_column: str | None = None
    """Column with whom to name for each picture."""


class HubSource(Source):
    """Pictures in the dataset's order; keys are their numbers. What is streamed waits on the disk for the workers."""

    config_class = HubConfig

    def __init__(self, config: HubConfig, work_dir: Path) -> None:
        super().__init__(config, work_dir)
        self.config = config
        self.columns = {
            name: column
            for name in ("image", "caption", "label", "license", "attribution")
            if (column := getattr(config, f"{name}_column")) is not None
        }

    def items(self) -> Iterator[Item]:
        """Raises UnavailableError: the dataset cannot be opened or read on; DataError: it lacks a column."""
        try:
            yield from self._stream()
        except (DataError, UnavailableError):
            raise
        # datasets, huggingface_hub, fsspec and httpx each have exceptions of their own for absent, private,
        # rate-limited and broken repositories; the person needs the name of the dataset and their words.
        except Exception as error:
            reason = (str(error).strip() or type(error).__name__).splitlines()[0]
            raise UnavailableError(
                f"source {self.name}: the dataset {self.config.repo_id} cannot be read ({reason}); check its id, split "
                f"and revision, the network, and HF_TOKEN if it is private or gated; run again to go on"
            ) from error

    def read(self, item: Item) -> bytes:
        try:
            return self._spooled(item.key).read_bytes()
        except OSError as error:
            raise DataError(f"picture {item.key} of {self.config.repo_id} was not stored: {error.strerror}") from error

    def release(self, items: Sequence[Item]) -> None:
        for item in items:
            self._spooled(item.key).unlink(missing_ok=True)

    def _spooled(self, key: str) -> Path:
        return self.work_dir / f"{hashlib.sha256(key.encode()).hexdigest()[:32]}.picture"

    def _stream(self) -> Iterator[Item]:
        import datasets  # here: it takes a second, and most builds do not need it in every worker

        dataset = datasets.load_dataset(
            self.config.repo_id,
            self.config.subset,
            split=self.config.split,
            revision=self.config.revision,
            streaming=True,
        )
        if dataset.features is None:
            dataset = dataset._resolve_features()
        features = dataset.features
        absent = [column for column in self.columns.values() if column not in features]
        if absent:
            raise DataError(
                f"source {self.name}: {self.config.repo_id} has no column {', '.join(absent)}; "
                f"it has {', '.join(features)}"
            )
        if isinstance(features[self.columns["image"]], datasets.Image):
            dataset = dataset.cast_column(self.columns["image"], datasets.Image(decode=False))
        names = None
        if "label" in self.columns and isinstance(features[self.columns["label"]], datasets.ClassLabel):
            names = features[self.columns["label"]].names
        for index, row in enumerate(dataset.select_columns(sorted(set(self.columns.values())))):
            yield self._store(f"{index:09d}", {name: row[column] for name, column in self.columns.items()}, names)

    def _store(self, key: str, entry: dict[str, Any], names: list[str] | None) -> Item:
        content = _picture_bytes(entry["image"])
        if content is not None:
            with replacing(self._spooled(key)) as temporary:
                temporary.write_bytes(content)
        caption, label = entry.get("caption"), entry.get("label")
        if names is not None and label is not None:
            label = names[label] if label >= 0 else None  # -1: unknown, as hidden test labels are
        return self.make_item(
            key,
            captions=[caption] if isinstance(caption, str) else list(caption or ()),
            label=str(label) if label not in (None, "") else None,
            license=entry.get("license"),
            attribution=entry.get("attribution"),
            problem=None if content is not None else f"row {int(key)} of {self.config.repo_id} has no picture",
        )


def _picture_bytes(value: Any) -> bytes | None:
    """The file behind an undecoded Image column, embedded or lying in the repository; None where there is none."""
    if isinstance(value, bytes):
        return value
    if not isinstance(value, dict):
        return None
    if value.get("bytes") is not None:
        return bytes(value["bytes"])
    if value.get("path") is None:
        return None
    import fsspec  # type: ignore[import-untyped]

    with fsspec.open(value["path"], "rb") as file:
        return bytes(file.read())
