"""What a finished dataset consists of: Parquet shards, the imagefolder, rejected.jsonl and report.json.

report.json: `pictures` and `rejected` (numbers), `splits` {split: number}, `reasons` {reason: number},
`sources` {source: {"kept", "rejected", "licenses": {license: number}}}, `not_selected` {source: number left out by its
share}, `measures` {measure: {"mean", "edges", "counts"}} of the kept pictures (a histogram; `text_words` is the length
of the caption), `config`, `versions`, `seconds`.
"""

import json
from array import array
from collections import Counter, defaultdict
from pathlib import Path
from types import TracebackType
from typing import Any, TextIO

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from dataset_builder.items import SPLITS, Row

SUFFIXES = {"jpeg": ".jpg", "webp": ".webp", "png": ".png"}
"""File name suffix of each format of the config."""

_GROUP_ROWS = 100
_GROUP_BYTES = 32 * 2**20
_BINS = 40


def make_schema() -> pa.Schema:
    """The columns, with the metadata by which `datasets` knows that two of them are pictures."""
    from datasets import Features, Image, Value  # here: workers do not need it, and it takes a second

    strings = {name: Value("string") for name in ("text", "text_color", "source", "license", "attribution")}
    sizes = {name: Value("int32") for name in ("width", "height")}
    features = {"image": Image(), "conditioning_image": Image(), **strings, **sizes, "sha256": Value("string")}
    return Features(features).arrow_schema


class ShardWriter:
    """Shards of one split. They get their final names at the end, when their number is known."""

    def __init__(self, folder: Path, split: str, shard_bytes: int) -> None:
        self.folder = folder
        self.split = split
        self.shard_bytes = shard_bytes
        self.num_rows = 0
        self._schema = make_schema()
        self._num_shards = 0
        self._shard_size = 0
        self._group: list[dict[str, Any]] = []
        self._group_size = 0
        self._writer: pq.ParquetWriter | None = None

    def add(self, row: Row, suffix: str, conditioning_suffix: str) -> None:
        """Append a pair; `suffix` is that of the file format, e.g. ".jpg"."""
        self._group.append(to_record(row, suffix, conditioning_suffix))
        self._group_size += len(row.image) + len(row.conditioning_image)
        self.num_rows += 1
        if self._shard_size + self._group_size >= self.shard_bytes:
            self.close()
        elif len(self._group) >= _GROUP_ROWS or self._group_size >= _GROUP_BYTES:
            self._flush()

    def close(self) -> None:
        """Write what is waiting and end the shard."""
        self._flush()
        if self._writer is not None:
            self._writer.close()
            self._writer, self._shard_size = None, 0

    def finish(self, data_dir: Path) -> list[Path]:
        """End the last shard and move all into `data_dir`, as `train-00000-of-00003.parquet`."""
        self.close()
        data_dir.mkdir(parents=True, exist_ok=True)
        paths = []
        for index in range(self._num_shards):
            paths.append(data_dir / f"{self.split}-{index:05d}-of-{self._num_shards:05d}.parquet")
            self._path(index).replace(paths[-1])
        return paths

    def _flush(self) -> None:
        if not self._group:
            return
        if self._writer is None:
            self._writer = pq.ParquetWriter(
                self._path(self._num_shards),
                self._schema,
                compression={name: "NONE" if name in ("image", "conditioning_image") else "ZSTD" for name in _leaves()},
                use_dictionary=["source", "license", "attribution"],
                write_page_index=True,
                use_content_defined_chunking=True,  # a later version of the dataset uploads only what is new in it
            )
            self._num_shards += 1
        self._writer.write_table(pa.Table.from_pylist(self._group, self._schema))
        self._shard_size += self._group_size
        self._group, self._group_size = [], 0

    def _path(self, index: int) -> Path:
        return self.folder / f"{self.split}-{index:05d}.parquet"


class FolderWriter:
    """One split as an imagefolder: files, and metadata.jsonl that tells which belong together."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.num_rows = 0
        self._metadata: TextIO | None = None

    def add(self, row: Row, suffix: str, conditioning_suffix: str) -> None:
        if self._metadata is None:
            self.folder.mkdir(parents=True, exist_ok=True)
            self._metadata = (self.folder / "metadata.jsonl").open("w", encoding="utf-8")
        names = f"{self.num_rows:08d}{suffix}", f"{self.num_rows:08d}_conditioning{conditioning_suffix}"
        (self.folder / names[0]).write_bytes(row.image)
        (self.folder / names[1]).write_bytes(row.conditioning_image)
        record = to_record(row, suffix, conditioning_suffix)
        del record["image"], record["conditioning_image"]
        entry = {"file_name": names[0], "conditioning_image_file_name": names[1], **record}
        self._metadata.write(json.dumps(entry, ensure_ascii=False) + "\n")
        self.num_rows += 1

    def close(self) -> None:
        if self._metadata is not None:
            self._metadata.close()


class Tally:
    """Counts and distributions of a build, and the list of what was left out."""

    def __init__(self, rejected_path: Path) -> None:
        self.splits: Counter[str] = Counter()
        self.reasons: Counter[str] = Counter()
        self.sources: dict[str, dict[str, Any]] = defaultdict(lambda: {"kept": 0, "rejected": 0, "licenses": Counter()})
        self.measures: dict[str, array[float]] = defaultdict(lambda: array("f"))
        self._rejected_path = rejected_path

    def __enter__(self) -> "Tally":
        self._rejected = self._rejected_path.open("w", encoding="utf-8")
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._rejected.close()

    def keep(self, row: Row, split: str) -> None:
        self.splits[split] += 1
        self.sources[row.item.source]["kept"] += 1
        self.sources[row.item.source]["licenses"][row.item.license] += 1
        for name, value in {**row.measures, "text_words": len(row.text.split())}.items():
            self.measures[name].append(value)

    def reject(self, row: Row, reason: str, detail: str) -> None:
        self.reasons[reason] += 1
        self.sources[row.item.source]["rejected"] += 1
        entry = {"source": row.item.source, "key": row.item.key, "reason": reason, "detail": detail}
        self._rejected.write(json.dumps(entry, ensure_ascii=False) + "\n")

    def to_dict(self) -> dict[str, Any]:
        """The counted part of report.json."""
        return {
            "pictures": self.splits.total(),
            "rejected": self.reasons.total(),
            "splits": {split: self.splits[split] for split in SPLITS},
            "reasons": dict(self.reasons.most_common()),
            "sources": {name: {**entry, "licenses": dict(entry["licenses"])} for name, entry in self.sources.items()},
            "measures": {name: _histogram(values) for name, values in self.measures.items()},
        }


def to_record(row: Row, suffix: str, conditioning_suffix: str) -> dict[str, Any]:
    """A row as the dataset's columns; the pictures' `path` is where they come from, with the new suffix."""
    name = f"{row.item.source}/{row.item.key}"
    return {
        "image": {"bytes": row.image, "path": name + suffix},
        "conditioning_image": {"bytes": row.conditioning_image, "path": f"{name}.conditioning{conditioning_suffix}"},
        "text": row.text,
        "text_color": row.text_color,
        "source": row.item.source,
        "license": row.item.license,
        "attribution": row.item.attribution,
        "width": row.width,
        "height": row.height,
        "sha256": row.sha256,
    }


def _leaves() -> list[str]:
    return ["image", "conditioning_image", "text", "text_color", "source", "license", "attribution", "sha256"]


def _histogram(values: "array[float]") -> dict[str, Any]:
    numbers = np.frombuffer(values, np.float32)
    counts, edges = np.histogram(numbers, bins=_BINS)
    return {"mean": float(numbers.mean(dtype=np.float64)), "edges": edges.tolist(), "counts": counts.tolist()}
