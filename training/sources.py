"""Where training photographs come from (.zip archives, folders, built datasets), and which of them are used."""

import functools
import json
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

import torch.nn.functional as F
from PIL import Image

from autochrome.color import rgb_to_lightness
from autochrome.errors import DataError, SettingError, UnavailableError
from autochrome.image import picture_to_tensor
from autochrome.inputs import Item, printable, select
from autochrome.metrics.colorfulness import colorfulness

LABEL_CAPTION = "a photo of "
"""How a caption begins that is made from a label."""

_MEASURED_SIDE_PX = 64
_ROWS_AT_ONCE = 64


@dataclass
class PhotoFilters:
    """Which photographs a recipe uses; the defaults use all."""

    min_brightness: float = 0.0
    """Photographs with a lower mean L* (0..100) are left out."""
    max_brightness: float = 100.0
    """Photographs with a higher mean L* (0..100) are left out."""
    min_colorfulness: float = 0.0
    """Photographs less colourful than this are left out (Hasler and Süsstrunk: grey 0, dull 20, vivid 80)."""
    labels: list[str] = field(default_factory=list)
    """Only photographs of these classes, by `label` in metadata.jsonl or else the folder they lie in; empty: all."""

    def check(self) -> None:
        """Raises `SettingError` where the limits contradict each other."""
        if not 0 <= self.min_brightness < self.max_brightness <= 100:
            raise SettingError(
                f"photo_filters.min_brightness and max_brightness must rise within 0..100, "
                f"got {self.min_brightness} and {self.max_brightness}"
            )
        if self.min_colorfulness < 0:
            raise SettingError(f"photo_filters.min_colorfulness must be at least 0, got {self.min_colorfulness}")

    def reason(self, picture: Image.Image) -> tuple[str, str] | None:
        """Why a picture (mode RGB) is left out, e.g. ("too dark", "mean L* 4.2 < 10"), or None; by a small copy."""
        if (self.min_brightness, self.max_brightness, self.min_colorfulness) == (0, 100, 0):
            return None
        rgb = picture_to_tensor(picture)
        if max(picture.size) > _MEASURED_SIDE_PX:
            rgb = F.interpolate(rgb, (_MEASURED_SIDE_PX, _MEASURED_SIDE_PX), mode="bilinear", antialias=True)
        brightness = rgb_to_lightness(rgb).mean().item()
        if brightness < self.min_brightness:
            return "too dark", f"mean L* {brightness:.1f} < {self.min_brightness:g}"
        if brightness > self.max_brightness:
            return "too bright", f"mean L* {brightness:.1f} > {self.max_brightness:g}"
        vividness = colorfulness(rgb).item()
        if vividness < self.min_colorfulness:
            return "too dull", f"colorfulness {vividness:.1f} < {self.min_colorfulness:g}"
        return None


@dataclass(frozen=True)
class SourcePhoto:
    """One picture of a source, not yet read."""

    name: str
    """Unique within its source: its path there."""
    read: Callable[[], Path | bytes]
    """What `read_picture` takes; raises `DataError` where an archive is damaged."""
    label: str | None = None
    split: str = ""
    """"train" or "validation" where a dataset says so."""
    captions: tuple[str, ...] = ()
    """What is said of it, where it was asked for."""


def iterate_photos(
    source: Path, refused: list[tuple[str, str]], *, with_labels: bool = False, with_captions: bool = False
) -> Iterator[SourcePhoto]:
    """Every picture of a .zip archive, a folder or a built dataset, in the order of their names.

    What cannot be opened at all is appended to `refused` with its reason. A dataset's test pictures are never given.
    Captions are those of `metadata.jsonl` (`captions`, else "a photo of" its `label`) or a dataset's `text_color`.

    Raises:
        DataError: the source holds no pictures or is no readable archive, or its labels were asked for and it has none.
        UnavailableError: it is a dataset, and pyarrow is not installed.
    """
    if source.is_dir() and any((source / "data").glob("*.parquet")):
        yield from _from_dataset(source, with_labels, with_captions)
    else:
        yield from _from_files(source, refused, with_labels, with_captions)


def _from_files(
    source: Path, refused: list[tuple[str, str]], with_labels: bool, with_captions: bool
) -> Iterator[SourcePhoto]:
    selection = select([source])
    for name, reason in selection.refused:
        if name == printable(str(source)):
            raise DataError(f"{source} is not a readable .zip archive: {reason}")
    refused.extend(selection.refused)
    names = _names(source, selection.items)
    rows = _metadata(source) if with_labels or with_captions else {}
    for name, item in sorted(zip(names, selection.items, strict=True), key=lambda pair: _order(source, pair[0])):
        row = rows.get(name, {})
        label = str(row.get("label", PurePosixPath(name).parent.name)) if with_labels else None
        yield SourcePhoto(name, item.read, label, captions=_captions(row) if with_captions else ())


def _names(source: Path, items: list[Item]) -> list[str]:
    """The path of each picture inside its source, as it is written there."""
    if source.is_dir():
        return [item.path.relative_to(source).as_posix() for item in items]
    with zipfile.ZipFile(source) as archive:
        members = archive.infolist()
    return [members[item.member].filename for item in items if item.member is not None]


def _order(source: Path, name: str) -> tuple[str, ...]:
    """A folder is read in the order of its paths, an archive in that of its members' names: unpacking changes both."""
    return PurePosixPath(name).parts if source.is_dir() else (name,)


def _captions(row: dict[str, object]) -> tuple[str, ...]:
    given = row.get("captions")
    if given:
        return tuple(str(caption) for caption in given) if isinstance(given, list) else (str(given),)
    return (f"{LABEL_CAPTION}{str(row['label']).replace('_', ' ')}",) if "label" in row else ()


def _metadata(source: Path) -> dict[str, dict[str, object]]:
    """The lines of the metadata.jsonl of a folder or archive by `file_name`; empty where there is none."""
    if source.is_dir():
        path = source / "metadata.jsonl"
        text = path.read_text(encoding="utf-8") if path.is_file() else ""
    else:
        with zipfile.ZipFile(source) as archive:
            listed = "metadata.jsonl" in archive.namelist()
            text = archive.read("metadata.jsonl").decode("utf-8") if listed else ""
    rows: dict[str, dict[str, object]] = {}
    for number, line in enumerate(text.splitlines(), start=1):
        try:
            row = json.loads(line)
            if "label" in row or "captions" in row:
                rows[str(row["file_name"])] = dict(row)
        except (json.JSONDecodeError, KeyError, TypeError) as error:
            raise DataError(
                f"line {number} of metadata.jsonl in {source} is no JSON object with file_name and label or captions "
                f"({error}); mend it, or do without labels and captions"
            ) from error
    return rows


def _from_dataset(folder: Path, with_labels: bool, with_captions: bool) -> Iterator[SourcePhoto]:
    try:
        import pyarrow
        from pyarrow import parquet
    except ImportError as error:
        raise UnavailableError(f"{folder} is a dataset; reading it needs pyarrow: pip install pyarrow") from error
    columns = ["image", *(["label"] if with_labels else []), *(["text_color"] if with_captions else [])]
    shards = {split: sorted((folder / "data").glob(f"{split}-*.parquet")) for split in ("train", "validation")}
    if not shards["train"]:
        raise DataError(f"the dataset {folder} has no data/train-*.parquet; build it again with dataset_builder")
    for split, paths in shards.items():
        for path in paths:
            try:
                with parquet.ParquetFile(path) as shard:
                    missing = set(columns) - set(shard.schema_arrow.names)
                    if missing:
                        raise DataError(
                            f"{path} has no column {', '.join(sorted(missing))}; "
                            f"it has: {', '.join(shard.schema_arrow.names)}"
                        )
                    row = 0
                    for batch in shard.iter_batches(batch_size=_ROWS_AT_ONCE, columns=columns):
                        for values in batch.to_pylist():
                            yield _from_row(f"{path.name}:{row}", values, split if shards["validation"] else "")
                            row += 1
            except (pyarrow.ArrowException, OSError) as error:
                raise DataError(f"{path} is not a readable Parquet file: {error}") from error


def _from_row(name: str, values: dict[str, object], split: str) -> SourcePhoto:
    image = values["image"]
    data = image.get("bytes") if isinstance(image, dict) else None
    label = values.get("label")
    text = values.get("text_color")
    captions = (str(text),) if text else ()
    return SourcePhoto(name, functools.partial(_given, data), None if label is None else str(label), split, captions)


def _given(data: object) -> bytes:
    if not isinstance(data, bytes):
        raise DataError("the column image holds no bytes here; build the dataset with embedded pictures")
    return data
