"""Between the phases: captions by a model for the pictures that came with neither caption nor label."""

import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from PIL import Image
from tqdm import tqdm

from autochrome.files import write_json
from dataset_builder.captions import CaptionConfig, make_captions
from dataset_builder.chunks import read_chunk
from dataset_builder.small_copy import SmallCopy

if TYPE_CHECKING:
    from dataset_builder.captions.captioner import Captioner

Captions = dict[int, tuple[str, str]]
"""Row of a chunk to its `text` and `text_color`."""


def caption_chunks(paths: list[Path], config: CaptionConfig) -> None:
    """Write the model's captions beside each finished chunk; those that are there are not made again.

    Without `captions.model` nothing is done. One model, in this process, batched: it is what takes the time.

    Raises:
        UnavailableError: the model, or transformers, is not here and cannot be fetched.
    """
    if config.model is None:
        return
    from dataset_builder.captions.captioner import Captioner  # here: transformers takes a second

    captioner = None
    for path in tqdm(paths, desc="captions", unit=" chunks", disable=None):
        if not _path(path).exists():
            captioner = captioner or Captioner(config)
            write_json(_caption_chunk(path, captioner, config), _path(path))


def read_captions(chunk: Path) -> Captions:
    """What `caption_chunks` wrote for a chunk; empty where it wrote nothing."""
    if not _path(chunk).exists():
        return {}
    return {int(row): (text, color) for row, (text, color) in json.loads(_path(chunk).read_text("utf-8")).items()}


def _caption_chunk(path: Path, captioner: "Captioner", config: CaptionConfig) -> Captions:
    captions: Captions = {}
    for batch in _batches(path, config.model_batch_size):
        pictures = [picture for _, picture in batch]
        for (row, picture), caption in zip(batch, captioner.caption(pictures), strict=True):
            captions[row] = make_captions([caption], None, SmallCopy.of(picture), config)
    return captions


def _batches(path: Path, size: int) -> Iterator[list[tuple[int, Image.Image]]]:
    """The pictures of a chunk that want a caption, with their rows."""
    batch: list[tuple[int, Image.Image]] = []
    for index, row in enumerate(read_chunk(path)):
        if row.reason is None and not row.item.captions and row.item.label is None:
            batch.append((index, Image.open(io.BytesIO(row.image)).convert("RGB")))
        if len(batch) == size:
            yield batch
            batch = []
    if batch:
        yield batch


def _path(chunk: Path) -> Path:
    return chunk.with_suffix(".captions.json")
