"""Pictures in a folder or a .zip archive, and what `metadata.jsonl` says of them: the Hub's imagefolder layout."""

import csv
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from omegaconf import MISSING

from autochrome.errors import DataError
from dataset_builder.items import Item
from dataset_builder.sources.base import Source, SourceConfig, file_fingerprint
from dataset_builder.sources.files import PictureFiles

_CAPTION_COLUMNS = ("captions", "caption", "text")


@dataclass
class ImageFolderConfig(SourceConfig):
    """Pictures in a folder or .zip archive, with or without metadata."""

    path: str = MISSING
    """Folder or .zip archive; every metadata.jsonl (or metadata.csv) in it is read, its `file_name` relative to it."""
    caption_column: str | None = None
    """Metadata entry with a caption or a list of them; null: `captions`, `caption` or `text`, whichever there is."""
    label_column: str = "label"
    """Metadata entry with the name of the picture's class, used where there is no caption."""


class ImageFolderSource(Source):
    """Pictures in the order of the metadata, then those that it does not name; `source` and `license` come from it."""

    config_class = ImageFolderConfig

    def __init__(self, config: ImageFolderConfig, work_dir: Path) -> None:
        super().__init__(config, work_dir)
        self.files = PictureFiles(config.path)
        self.caption_column = config.caption_column
        self.label_column = config.label_column

    def items(self) -> Iterator[Item]:
        """Raises DataError: no pictures, metadata that is no JSON or lacks `file_name` or the caption column."""
        waiting = dict(self.files.names())
        named = set()
        for name, entry in self._metadata():
            if name in named:
                problem = f"{name} is named twice in the metadata; the first entry was taken"
                yield self.make_item(name, problem=problem)
                continue
            named.add(name)
            absent = f"named in the metadata, but {self.files.path} has no picture {name}"
            yield self._item(name, entry, waiting.pop(name, absent))
        for name, fault in waiting.items():
            yield self._item(name, {}, fault)

    def read(self, item: Item) -> bytes | Path:
        return self.files.read(item.key)

    def fingerprint(self) -> str:
        return file_fingerprint(self.files.path)

    def _item(self, name: str, entry: dict[str, Any], problem: str | None) -> Item:
        columns = [self.caption_column] if self.caption_column else _CAPTION_COLUMNS
        given = next((entry[column] for column in columns if entry.get(column)), ())
        label = entry.get(self.label_column)
        return self.make_item(
            name,
            source=entry.get("source"),
            captions=[given] if isinstance(given, str) else list(given),
            label=str(label) if label not in (None, "") else None,
            license=entry.get("license"),
            attribution=entry.get("attribution"),
            problem=problem,
        )

    def _metadata(self) -> Iterator[tuple[str, dict[str, Any]]]:
        """Name of the picture and all that one line says of it."""
        caption_seen = self.caption_column is None
        documents = self.files.find("metadata.jsonl", "metadata.csv")
        for document in documents:
            for number, entry in self._entries(document):
                if not isinstance(entry.get("file_name"), str):
                    where = f"{self.files.path}/{document}, line {number}"
                    raise DataError(f"{where} has no `file_name`; every line names its picture there")
                caption_seen = caption_seen or self.caption_column in entry
                yield (PurePosixPath(document).parent / entry["file_name"]).as_posix(), entry
        if not caption_seen:
            where = ", ".join(documents) or "a metadata.jsonl, which it lacks"
            raise DataError(f"{self.files.path}: no entry {self.caption_column!r} (caption_column) in {where}")

    def _entries(self, document: str) -> Iterator[tuple[int, dict[str, Any]]]:
        lines = self.files.read_lines(document)
        if document.endswith(".csv"):
            yield from enumerate(csv.DictReader(lines), start=2)
            return
        for number, line in enumerate(lines, start=1):
            try:
                entry = json.loads(line) if line.strip() else None
            except json.JSONDecodeError as error:
                raise DataError(f"{self.files.path}/{document}, line {number} is no JSON: {error}") from error
            if entry is not None and not isinstance(entry, dict):
                raise DataError(f"{self.files.path}/{document}, line {number} is no object like {{...}}")
            if entry is not None:
                yield number, entry
