"""The small pictures of a prepared dataset and their captions, all in memory."""

import io
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow.parquet
import torch
from PIL import Image
from torch import Tensor

from autochrome.errors import DataError


@dataclass(frozen=True)
class Captioned:
    """One split of a prepared dataset.

    Attributes:
        pictures: sRGB, uint8 `(N, 3, side, side)`.
        text: captions without color words; empty where there is none.
        text_color: captions with color words.
    """

    pictures: Tensor
    text: list[str]
    text_color: list[str]


def load_split(prepared_dir: Path, split: str) -> Captioned:
    """Read one split of a folder that `training.diffusion.preparing` wrote.

    Raises:
        DataError: the split is not there.
    """
    files = sorted((prepared_dir / "data").glob(f"{split}-*.parquet"))
    if not files:
        raise DataError(f"no split {split!r} in '{prepared_dir}'; build the dataset with a share for it")
    columns = ["image", "text", "text_color"]
    rows = [row for path in files for row in pyarrow.parquet.read_table(path, columns=columns).to_pylist()]
    pictures = np.stack([np.asarray(Image.open(io.BytesIO(row["image"]["bytes"])).convert("RGB")) for row in rows])
    return Captioned(
        torch.from_numpy(pictures).permute(0, 3, 1, 2).contiguous(),
        [(row["text"] or "").strip() for row in rows],
        [(row["text_color"] or "").strip() for row in rows],
    )


def to_rgb(pictures: Tensor) -> Tensor:
    """uint8 pictures to float sRGB in 0..1."""
    return pictures.float() / 255


def step_generator(seed: int, step: int) -> torch.Generator:
    """Random numbers that belong to one step of one run, so that a resumed run draws what a whole one would."""
    return torch.Generator().manual_seed(seed * 1_000_003 + step)


def crops(pictures: Tensor, step: int, *, seed: int, batch_size: int, side: int) -> Tensor:
    """The random crops of one step, half of them mirrored: float sRGB `(batch_size, 3, side, side)` in 0..1."""
    generator = step_generator(seed, step)
    chosen = torch.randint(len(pictures), (batch_size,), generator=generator)
    span = pictures.shape[-1] - side + 1
    tops, lefts = torch.randint(span, (2, batch_size), generator=generator)
    mirrored = torch.rand(batch_size, generator=generator) < 0.5
    cut = [pictures[i, :, y : y + side, x : x + side] for i, y, x in zip(chosen, tops, lefts, strict=True)]
    return to_rgb(torch.stack([c.flip(-1) if flip else c for c, flip in zip(cut, mirrored, strict=True)]))


def batches(pictures: Tensor, batch_size: int) -> Iterator[Tensor]:
    """All pictures in order, as float sRGB in 0..1."""
    for start in range(0, len(pictures), batch_size):
        yield to_rgb(pictures[start : start + batch_size])
