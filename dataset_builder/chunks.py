"""The work on single pictures: a worker turns a chunk of items into one Arrow file of pairs and rejections."""

import hashlib
import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
from PIL import Image

from autochrome.errors import AutochromeError, PictureError
from autochrome.files import replacing
from autochrome.image import read_picture
from dataset_builder import ageing, captions, duplicates, filters, pictures
from dataset_builder.config import BuildConfig, source_configs
from dataset_builder.items import Item, Row
from dataset_builder.small_copy import SmallCopy
from dataset_builder.sources import SOURCES, Source

UNREADABLE = "unreadable"
"""Reason: the file is no picture, or a damaged one."""
UNAVAILABLE = "unavailable"
"""Reason: the source could not hand the picture over (absent, damaged archive, dead address)."""
READ_FAILURES = (UNREADABLE, UNAVAILABLE)

_GROUP_BYTES = 4 * 2**20
_SCHEMA = pa.schema(
    {
        "item": pa.string(),
        "reason": pa.string(),
        "detail": pa.string(),
        "image": pa.binary(),
        "conditioning_image": pa.binary(),
        "text": pa.string(),
        "text_color": pa.string(),
        "width": pa.int32(),
        "height": pa.int32(),
        "sha256": pa.string(),
        "perceptual_hash": pa.uint64(),
        "measures": pa.string(),
    }
)


@dataclass(frozen=True)
class Job:
    """A chunk to do.

    Attributes:
        index: its place in the order of the build.
        source: index of the source in the config.
        items: pictures of that source.
        path: the file to write; its name changes with all that decides its content.
    """

    index: int
    source: int
    items: tuple[Item, ...]
    path: Path


class Worker:
    """Does chunks, one after another, with sources that stay open between them."""

    def __init__(self, config: BuildConfig, work_dir: Path) -> None:
        self.config = config
        self.sources = make_sources(config, work_dir)

    def run(self, job: Job) -> Counter[str]:
        """Write the chunk's file, whole or not at all.

        Returns the number of rejections by reason; under "" those that were kept.
        Raises DataError: the file cannot be written, e.g. because the disk is full.
        """
        source, reasons = self.sources[job.source], Counter[str]()
        with (
            replacing(job.path) as temporary,
            pa.OSFile(str(temporary), "wb") as file,
            pa.ipc.new_file(file, _SCHEMA) as writer,
        ):
            group: list[dict[str, Any]] = []
            size = 0
            for item in job.items:
                row = make_row(source, item, self.config)
                reasons[row.reason or ""] += 1
                group.append(_to_record(row))
                size += len(row.image) + len(row.conditioning_image)
                if size >= _GROUP_BYTES:
                    writer.write_batch(pa.RecordBatch.from_pylist(group, _SCHEMA))
                    group, size = [], 0
            if group:
                writer.write_batch(pa.RecordBatch.from_pylist(group, _SCHEMA))
        return reasons


def make_sources(config: BuildConfig, work_dir: Path) -> list[Source]:
    """The sources of a config; what they download goes into folders of their own below `work_dir`."""
    return [
        SOURCES[entry.type](entry, work_dir / "downloads" / str(index))
        for index, entry in enumerate(source_configs(config))
    ]


def make_row(source: Source, item: Item, config: BuildConfig) -> Row:
    """Everything that is done to one picture: read, judge, bring to size, make grey, caption, encode, hash.

    It is decoded once; measures and main colors are taken from one small copy. Never raises for a bad
    picture: the row says why there is none.
    """
    if item.problem is not None:
        return Row(item, UNAVAILABLE, item.problem)
    try:
        picture = _opaque(read_picture(source.read(item)))
    except AutochromeError as error:
        return Row(item, UNREADABLE if isinstance(error, PictureError) else UNAVAILABLE, str(error))
    small = SmallCopy.of(picture)
    measures = filters.measure(small)
    rejection = filters.reject(*picture.size, measures, config.filters)
    if rejection is not None:
        return Row(item, *rejection, measures=measures)
    text, text_color = captions.make_captions(item.captions, item.label, small, config.captions)
    prepared = pictures.prepare(picture, config.pictures)
    grey = pictures.conditioning_image(prepared)
    perceptual_hash = duplicates.perceptual_hash(grey)
    if config.ageing.share > 0:
        grey = ageing.age(grey, config.ageing, picture_seed(config.seed, item))
    image = pictures.encode(prepared, config.pictures)
    return Row(
        item,
        image=image,
        conditioning_image=pictures.encode_conditioning(grey, config.pictures),
        text=text,
        text_color=text_color,
        width=prepared.width,
        height=prepared.height,
        sha256=hashlib.sha256(image).hexdigest(),
        perceptual_hash=perceptual_hash,
        measures=measures,
    )


def picture_seed(seed: int, item: Item) -> int:
    """A seed of 63 bits that belongs to this picture, whoever works on it and when."""
    return int.from_bytes(hashlib.sha256(f"{seed}/{item.source}/{item.key}".encode()).digest()[:8], "big") >> 1


def read_chunk(path: Path) -> Iterator[Row]:
    """The rows of a finished chunk; a few megabytes of them are in memory at a time."""
    with pa.memory_map(str(path)) as file, pa.ipc.open_file(file) as reader:
        for index in range(reader.num_record_batches):
            for record in reader.get_batch(index).to_pylist():
                item, measures = json.loads(record.pop("item")), json.loads(record.pop("measures"))
                yield Row(Item.from_dict(item), measures=measures, **record)


def _to_record(row: Row) -> dict[str, Any]:
    record = {name: getattr(row, name) for name in _SCHEMA.names}
    return record | {
        "item": json.dumps(row.item.to_dict(), ensure_ascii=False),
        "measures": json.dumps(row.measures),
    }


def _opaque(picture: Image.Image) -> Image.Image:
    """Transparent pictures as they look on white paper."""
    if picture.mode == "RGB":
        return picture
    return Image.alpha_composite(Image.new("RGBA", picture.size, "white"), picture).convert("RGB")
