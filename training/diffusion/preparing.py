"""A copy of a built dataset as the example scripts want it: small squares, and a list of captions to draw from.

The scripts decode, resize and crop every picture at every step; at 128 px that would cost more than a small U-Net. And
they take one caption column, but where it holds lists they draw one of each list: so words, color words and no words
are mixed by a list that repeats each as often as the recipe says.
"""

import hashlib
import io
import json
import os
import shutil
import uuid
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow
import pyarrow.parquet
from PIL import Image, ImageOps
from tqdm import tqdm

from autochrome.errors import DataError, PictureError, SettingError
from autochrome.files import write_json
from autochrome.image import read_picture
from training.diffusion.teaching import Teacher

CAPTIONS_COLUMN = "captions"
"""The list column that the scripts draw a caption from."""
EMPTY = "empty"
"""The share, in a recipe's `captions`, of no words at all."""
SETTINGS_NAME = "prepared.json"
"""What a prepared folder was made from; written last, so a folder that has it is whole."""

_SPLITS = ("train", "validation")
_CAPTION_SOURCES = ("text", "text_color")
_COPIED = (*_CAPTION_SOURCES, "source", "license")
_VERSION = 1
_ROWS_AT_ONCE = 64
# Half the chroma resolution, JPEG's habit, would be a quarter of what is to be learned.
_JPEG = {"format": "JPEG", "quality": 97, "subsampling": 0}


def check_captions(captions: Mapping[str, int], field: str = "captions") -> None:
    """Refuse shares that no list can hold; `field` is what the recipe calls them.

    Raises:
        SettingError: an unknown name, a share that is no whole number from 0 to 20, or all of them 0.
    """
    allowed = (*_CAPTION_SOURCES, EMPTY)
    unknown = sorted(set(captions) - set(allowed))
    if unknown:
        raise SettingError(f"{field}: unknown {', '.join(unknown)}; shares are given to {', '.join(allowed)}")
    for name, share in captions.items():
        if not isinstance(share, int) or isinstance(share, bool) or not 0 <= share <= 20:
            raise SettingError(f"{field}.{name} must be a whole number from 0 to 20, got {share!r}")
    if not any(captions.values()):
        raise SettingError(f"{field} leaves nothing to draw from; give a share to one of {', '.join(allowed)}")


def prepare(
    dataset_dir: Path, cache_dir: Path, *, size_px: int, captions: Mapping[str, int], teacher: Teacher | None = None
) -> Path:
    """The prepared copy of a dataset, made the first time, then found again; several processes may ask at once.

    Args:
        dataset_dir: a folder of dataset_builder, with `data/train-*.parquet` and embedded pictures.
        cache_dir: where prepared folders lie, each named by what it was made from.
        size_px: side of the squares: pictures are scaled to it by their short side and cropped around their center.
        captions: how often each column, or `empty`, stands in a picture's list; a row without words has what is left.
        teacher: colors every training picture once more, for a row of its own after the picture's.

    Returns:
        A folder for `load_dataset`: splits train and validation (never test) with `image` (JPEG without chroma
        subsampling), `conditioning_image` (PNG, mode L; the scripts make RGB of it), `captions` (list of strings),
        and `text`, `text_color`, `source`, `license` as they were.

    Raises:
        DataError: no dataset is there, a column is missing, a picture is damaged, or it cannot be written.
        SettingError: the shares of the captions are none.
        UnavailableError, ModelError: the teacher cannot be loaded.
    """
    folder = prepared_folder(dataset_dir, cache_dir, size_px=size_px, captions=captions, teacher=teacher)
    if (folder / SETTINGS_NAME).is_file():
        return folder
    partial_folder = folder.with_name(f".{folder.name}.{uuid.uuid4().hex}.tmp")
    try:
        _write_all(dataset_files(dataset_dir), partial_folder / "data", partial(_small_row, size_px, captions), teacher)
        settings: dict[str, Any] = {
            "size_px": size_px,
            "captions": dict(captions),
            "dataset_dir": str(dataset_dir),
        }
        if teacher is not None:
            settings |= {"teacher": teacher.model, "teacher_captions": dict(teacher.captions)}
        write_json(settings, partial_folder / SETTINGS_NAME)
        try:
            partial_folder.replace(folder)
        except OSError:
            if not (folder / SETTINGS_NAME).is_file():  # else another process was faster, with the same content
                raise
    except OSError as error:
        raise DataError(f"cannot prepare the dataset in '{folder}': {error}; give another cache_dir") from error
    finally:
        shutil.rmtree(partial_folder, ignore_errors=True)
    return folder


def prepared_folder(
    dataset_dir: Path, cache_dir: Path, *, size_px: int, captions: Mapping[str, int], teacher: Teacher | None = None
) -> Path:
    """Where `prepare` puts the copy of a dataset as it is now; the folder need not be there.

    Raises:
        DataError: no dataset is there.
        SettingError: the shares of the captions are none.
    """
    check_captions(captions)
    settings = {
        "version": _VERSION,
        "size_px": size_px,
        "captions": _given(captions),
        "files": [[path.name, path.stat().st_size, path.stat().st_mtime_ns] for path in dataset_files(dataset_dir)],
    }
    if teacher is not None:
        check_captions(teacher.captions, "teacher_captions")
        settings["teacher"] = [teacher.model, _given(teacher.captions)]
    key = hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()[:12]
    return cache_dir / f"{dataset_dir.resolve().name}-{size_px}px-{key}"


def _given(captions: Mapping[str, int]) -> dict[str, int]:
    """The shares that count, in one order whatever the recipe's."""
    return {name: share for name, share in sorted(captions.items()) if share}


def dataset_files(dataset_dir: Path) -> list[Path]:
    """The Parquet files of the splits train and validation, in order.

    Raises:
        DataError: there is no training file.
    """
    files = [path for split in _SPLITS for path in sorted((dataset_dir / "data").glob(f"{split}-*.parquet"))]
    if not files or not files[0].name.startswith("train-"):
        raise DataError(
            f"no dataset in '{dataset_dir}': data/train-*.parquet is missing; "
            f"dataset_dir is a folder made by: python -m dataset_builder build"
        )
    return files


def require_columns(path: Path, columns: tuple[str, ...]) -> int:
    """Refuse a Parquet file that lacks a column; the number of its rows.

    Raises:
        DataError: a column is missing, or it is no Parquet file.
    """
    try:
        with pyarrow.parquet.ParquetFile(path) as file:
            names, num_rows = file.schema_arrow.names, int(file.metadata.num_rows)
    except (pyarrow.ArrowException, OSError) as error:
        raise DataError(f"'{path}' is not a readable Parquet file: {error}") from error
    missing = [name for name in columns if name not in names]
    if missing:
        raise DataError(f"'{path}' has no column {', '.join(missing)}; it has: {', '.join(names)}")
    return num_rows


def caption_list(row: Mapping[str, Any], captions: Mapping[str, int]) -> list[str]:
    """A row's captions, each as often as its share; without words what is left, and "" where nothing is."""
    listed: list[str] = []
    for name, share in captions.items():
        words = "" if name == EMPTY else (row[name] or "").strip()
        if words or name == EMPTY:
            listed += [words] * share
    return listed or [""]


def _write_all(
    files: list[Path], folder: Path, make: Callable[[dict[str, Any]], dict[str, Any]], teacher: Teacher | None
) -> None:
    columns = ("image", "conditioning_image", *_COPIED)
    total = sum(require_columns(path, columns) for path in files)
    folder.mkdir(parents=True)
    # Pillow, zlib and torch let other threads run while they work.
    with ThreadPoolExecutor(os.cpu_count()) as pool, tqdm(total=total, desc="preparing", unit="picture") as progress:
        for path in files:
            taught = teacher if path.name.startswith("train-") else None
            with pyarrow.parquet.ParquetWriter(folder / path.name, _schema()) as writer:
                for name, rows in _batches(path, columns):
                    try:
                        made = list(pool.map(make, rows))
                    except PictureError as error:
                        raise DataError(f"a picture of '{name}' cannot be read: {error}; build it again") from error
                    if taught is not None:
                        colored = pool.map(partial(_taught_row, taught), made)
                        made = [row for pair in zip(made, colored, strict=True) for row in pair]
                    writer.write_table(pyarrow.Table.from_pylist(made, schema=_schema()))
                    progress.update(len(rows))


def _batches(path: Path, columns: tuple[str, ...]) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    try:
        with pyarrow.parquet.ParquetFile(path) as file:
            for batch in file.iter_batches(batch_size=_ROWS_AT_ONCE, columns=list(columns)):
                yield path.name, batch.to_pylist()
    except (pyarrow.ArrowException, OSError) as error:
        raise DataError(f"'{path}' is damaged: {' '.join(str(error).split())}; build the dataset again") from error


def _small_row(size_px: int, captions: Mapping[str, int], row: dict[str, Any]) -> dict[str, Any]:
    image, conditioning = (_square(row[name], size_px) for name in ("image", "conditioning_image"))
    return {
        "image": {"bytes": _encode(image, **_JPEG), "path": None},
        "conditioning_image": {"bytes": _encode(conditioning.convert("L"), format="PNG"), "path": None},
        CAPTIONS_COLUMN: caption_list(row, captions),
        **{name: row[name] for name in _COPIED},
    }


def _taught_row(teacher: Teacher, row: dict[str, Any]) -> dict[str, Any]:
    """A prepared row, with the teacher's colors in place of the photograph's own."""
    image = teacher.color(read_picture(row["conditioning_image"]["bytes"]))
    return {
        **row,
        "image": {"bytes": _encode(image, **_JPEG), "path": None},
        CAPTIONS_COLUMN: caption_list(row, teacher.captions),
    }


def _square(cell: Mapping[str, Any] | None, size_px: int) -> Image.Image:
    data = cell and cell.get("bytes")
    if not isinstance(data, bytes):
        raise DataError("the dataset has pictures that are not embedded; build it again with dataset_builder")
    picture = read_picture(data).convert("RGB")
    return ImageOps.fit(picture, (size_px, size_px), Image.Resampling.LANCZOS)


def _encode(picture: Image.Image, **options: Any) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, **options)
    return buffer.getvalue()


def _schema() -> pyarrow.Schema:
    from datasets import Features, Image, List, Value

    text = {name: Value("string") for name in _COPIED}
    features = {"image": Image(), "conditioning_image": Image(), CAPTIONS_COLUMN: List(Value("string")), **text}
    return Features(features).arrow_schema
