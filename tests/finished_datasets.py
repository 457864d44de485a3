"""Small finished datasets, written by hand, for the tests of card, verify and push."""

import hashlib
import io
import json
from functools import cache
from pathlib import Path
from typing import Any

import pyarrow
import pyarrow.parquet
import skimage.data
import torch
import yaml
from PIL import Image

from autochrome import color
from autochrome.image import picture_to_lightness
from dataset_builder.card import write_card
from dataset_builder.config import BuildConfig
from dataset_builder.writer import make_schema

Row = dict[str, Any]
MEASURES = ("chroma", "lightness", "colorfulness", "text_words")
NUM_ROWS = {"train": 5, "validation": 2, "test": 1}


def encode(picture: Image.Image, kind: str) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, format=kind, quality=95)
    return buffer.getvalue()


def grey_of(picture: Image.Image) -> Image.Image:
    """The conditioning image, made here a second time."""
    levels = color.lightness_to_grey(picture_to_lightness(picture)).mul(255).round().to(torch.uint8)
    return Image.fromarray(levels[0, 0].numpy())


@cache
def piece(index: int) -> Image.Image:
    """A piece of a photograph, 160 x 120 pixels, another one for another index below 12."""
    photo = Image.fromarray(skimage.data.coffee() if index % 2 else skimage.data.astronaut())
    left, top = 150 * (index // 2 % 3), 180 * (index // 6)
    return photo.crop((left, top, left + 160, top + 120))


@cache
def encoded_pair(index: int) -> tuple[bytes, bytes]:
    return encode(piece(index), "JPEG"), encode(grey_of(piece(index)), "PNG")


def make_row(index: int, **changes: Any) -> Row:
    """A correct row; `changes` are other values of its columns."""
    image, grey = encoded_pair(index)
    row = {
        "image": {"bytes": image, "path": f"{index}.jpg"},
        "conditioning_image": {"bytes": grey, "path": f"{index}.png"},
        "text": f"a picture of number {index}",
        "text_color": f"a brown picture of number {index}",
        "source": "pieces",
        "license": "CC0",
        "attribution": "",
        "width": 160,
        "height": 120,
        "sha256": hashlib.sha256(image).hexdigest(),
    }
    return {**row, **changes}


def default_rows() -> dict[str, list[Row]]:
    numbers = iter(range(12))
    return {split: [make_row(next(numbers)) for _ in range(count)] for split, count in NUM_ROWS.items()}


def write_rows(path: Path, rows: list[Row], schema: pyarrow.Schema | None = None) -> None:
    """A shard with two rows in each row group."""
    path.parent.mkdir(parents=True, exist_ok=True)
    table = pyarrow.Table.from_pylist(rows, schema or make_schema())
    pyarrow.parquet.write_table(table, path, row_group_size=2)


def make_report(splits: dict[str, list[Row]], *measures: str) -> dict[str, Any]:
    """What the build counts, for these rows; with a histogram of each of the measures."""
    rows = [row for those in splits.values() for row in those]
    sources: dict[str, Any] = {}
    for row in rows:
        entry = sources.setdefault(row["source"], {"kept": 0, "rejected": 0, "licenses": {}})
        entry["kept"] += 1
        entry["licenses"][row["license"]] = entry["licenses"].get(row["license"], 0) + 1
    histogram = {"mean": 2.5, "edges": [0.0, 2.0, 4.0], "counts": [3, len(rows)]}
    return {
        "pictures": len(rows),
        "rejected": 3,
        "splits": {split: len(those) for split, those in splits.items()},
        "reasons": {"near_grey": 2, "unreadable": 1},
        "sources": sources,
        "measures": dict.fromkeys(measures, histogram),
        "config": BuildConfig(name="pieces of photographs", output_dir="out", sources=[]).decisive(),
    }


def write_dataset(folder: Path, splits: dict[str, list[Row]] | None = None, *measures: str) -> dict[str, Any]:
    """A finished dataset of `splits`, by default of 8 correct rows, with plots of `measures`; returns its report."""
    splits = default_rows() if splits is None else splits
    for split, rows in splits.items():
        write_rows(folder / "data" / f"{split}-00000-of-00001.parquet", rows)
    report = make_report(splits, *measures)
    rejected = [{"source": "pieces", "key": f"{n}.jpg", "reason": "near_grey", "detail": "1 < 3"} for n in range(3)]
    (folder / "rejected.jsonl").write_text("".join(json.dumps(one) + "\n" for one in rejected), encoding="utf-8")
    (folder / "config.yaml").write_text(yaml.safe_dump(report["config"]), encoding="utf-8")
    (folder / "report.json").write_text(json.dumps(report), encoding="utf-8")
    write_card(folder, report)
    return report
