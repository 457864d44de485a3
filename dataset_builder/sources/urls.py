"""A list of web addresses of pictures: a text, CSV or Parquet file."""

import csv
import hashlib
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow
import pyarrow.parquet
from omegaconf import MISSING

from autochrome import __version__
from autochrome.errors import DataError, SettingError
from autochrome.files import replacing
from dataset_builder.items import Item
from dataset_builder.sources.base import Source, SourceConfig, file_fingerprint
from dataset_builder.sources.downloads import Downloader, Limits, url_problem


@dataclass
class UrlConfig(SourceConfig):
    """Pictures from the web."""

    path: str = MISSING
    """The list: .txt (an address a line, `#` begins a comment), .csv or .parquet."""
    url_column: str = "url"
    """Column of a .csv or .parquet with the addresses."""
    caption_column: str | None = None
    """Column with captions."""
    label_column: str | None = None
    """Column with the name of the class."""
    license_column: str | None = None
    """Column with each picture's license."""
    attribution_column: str | None = None
    """Column with whom to name for each picture."""
    max_mb: float = 20.0
    """Larger files are left out, in megabytes."""
    timeout_s: float = 20.0
    """Wait for a connection or for the next bytes, in seconds; a whole file may take four times as long."""
    retries: int = 3
    """Further attempts after a failure that may pass (429, 5xx, no answer); `Retry-After` is kept."""
    connections: int = 16
    """Downloads at the same time."""
    connections_per_host: int = 2
    """Downloads from one host at the same time."""
    allow_private: bool = False
    """Whether private and loopback addresses may be asked: only for a list that you wrote yourself."""
    user_agent: str = f"autochrome-dataset-builder/{__version__}"
    """What servers are told; adding an address where you can be reached is good manners."""


class UrlSource(Source):
    """Pictures in the list's order; keys are the addresses. They are downloaded a chunk at a time, then dropped."""

    config_class = UrlConfig

    def __init__(self, config: UrlConfig, work_dir: Path) -> None:
        super().__init__(config, work_dir)
        for name in ("max_mb", "timeout_s", "connections", "connections_per_host"):
            if getattr(config, name) <= 0:
                raise SettingError(f"{config.name}: {name} must be above 0, got {getattr(config, name)}")
        if config.retries < 0:
            raise SettingError(f"{config.name}: retries must be 0 or more, got {config.retries}")
        self.config = config
        self.path = Path(config.path)
        self.limits = Limits(
            max_bytes=int(config.max_mb * 1e6),
            timeout_s=config.timeout_s,
            retries=config.retries,
            connections_per_host=config.connections_per_host,
            allow_private=config.allow_private,
            user_agent=config.user_agent,
        )

    def items(self) -> Iterator[Item]:
        """Raises DataError: the list is missing, of another kind, lacks a column or holds no address."""
        seen: set[bytes] = set()
        for row in self._rows():
            url = str(row.get(self.config.url_column) or "").strip()
            if not url:
                continue
            digest = hashlib.sha256(url.encode()).digest()[:12]
            problem = f"{url} is in the list twice" if digest in seen else url_problem(url)
            seen.add(digest)
            entry = {
                name: row.get(column)
                for name in ("caption", "label", "license", "attribution")
                if (column := getattr(self.config, f"{name}_column")) is not None
            }
            caption = entry.get("caption")
            yield self.make_item(
                url,
                captions=[caption] if isinstance(caption, str) else list(caption or ()),
                label=entry.get("label"),
                license=entry.get("license"),
                attribution=entry.get("attribution"),
                problem=problem,
            )
        if not seen:
            raise DataError(f"{self.path} holds no addresses; give one a line, or a column {self.config.url_column!r}")

    def fetch(self, items: Sequence[Item]) -> None:
        """Download what is not there yet; a failure is kept in place of the picture, for `read` to tell."""
        wanted = [item.key for item in items if item.problem is None and not self._file(item.key, "picture").exists()]
        downloader = Downloader(self.limits, self.config.connections)
        try:
            with ThreadPoolExecutor(self.config.connections) as threads:
                list(threads.map(lambda url: self._download(downloader, url), wanted))
        finally:
            downloader.close()

    def read(self, item: Item) -> bytes:
        picture, failure = self._file(item.key, "picture"), self._file(item.key, "failure")
        if picture.exists():
            return picture.read_bytes()
        raise DataError(failure.read_text("utf-8") if failure.exists() else f"{item.key} was not downloaded")

    def release(self, items: Sequence[Item]) -> None:
        for item in items:
            self._file(item.key, "picture").unlink(missing_ok=True)
            self._file(item.key, "failure").unlink(missing_ok=True)

    def fingerprint(self) -> str:
        return file_fingerprint(self.path)

    def _file(self, url: str, kind: str) -> Path:
        return self.work_dir / f"{hashlib.sha256(url.encode()).hexdigest()[:32]}.{kind}"

    def _download(self, downloader: Downloader, url: str) -> None:
        kind = "picture"
        try:
            content = downloader.get(url)
        except DataError as error:
            kind, content = "failure", str(error).encode()
        with replacing(self._file(url, kind)) as temporary:
            temporary.write_bytes(content)

    def _rows(self) -> Iterator[dict[str, Any]]:
        kind = self.path.suffix.lower()
        if kind not in (".txt", ".csv", ".parquet"):
            raise DataError(f"{self.path} is no list of addresses that is read; give .txt, .csv or .parquet")
        try:
            if kind == ".parquet":
                yield from self._parquet_rows()
                return
            with self.path.open(encoding="utf-8-sig", newline="") as file:
                if kind == ".txt":
                    yield from ({self.config.url_column: line.partition(" #")[0]} for line in file if line[0] != "#")
                    return
                reader = csv.DictReader(file)
                self._require(list(reader.fieldnames or ()))
                yield from reader
        except (OSError, UnicodeDecodeError, csv.Error, pyarrow.ArrowException) as error:
            raise DataError(f"the list {self.path} cannot be read: {error}") from error

    def _parquet_rows(self) -> Iterator[dict[str, Any]]:
        with pyarrow.parquet.ParquetFile(self.path) as table:
            columns = self._require(table.schema_arrow.names)
            for batch in table.iter_batches(batch_size=1024, columns=columns):
                yield from batch.to_pylist()

    def _require(self, present: list[str]) -> list[str]:
        """The columns that the config names; each must be there."""
        named = [self.config.url_column]
        for name in ("caption", "label", "license", "attribution"):
            column = getattr(self.config, f"{name}_column")
            named += [column] if column is not None else []
        absent = [column for column in named if column not in present]
        if absent:
            raise DataError(f"{self.path} has no column {', '.join(absent)}; it has {', '.join(present) or 'none'}")
        return list(dict.fromkeys(named))
