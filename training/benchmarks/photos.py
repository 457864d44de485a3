"""Photographs with what people said of them, from an archive with metadata.jsonl."""

import json
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import PIL.Image
import torch
from torch import Tensor

from autochrome.color import rgb_to_lab
from autochrome.errors import DataError
from autochrome.image import picture_to_tensor, read_picture
from autochrome.metrics.ciede2000 import ciede2000_lab
from autochrome.naming import list_in_words, name_main_colors

MAX_CAPTION_LENGTH = 300
"""Longer ones are whole descriptions, which nobody types as a prompt, and of which an encoder reads the beginning."""


@dataclass
class Photo:
    """A colour photograph with what people said of it."""

    name: str
    picture: PIL.Image.Image
    captions: tuple[str, ...]

    @cached_property
    def lab(self) -> Tensor:
        """Lab `(1, 3, H, W)`."""
        return rgb_to_lab(picture_to_tensor(self.picture))

    @cached_property
    def grey_difference(self) -> float:
        """Mean CIEDE2000 of no colour at all."""
        return self.difference(torch.cat([self.lab[:, :1], torch.zeros_like(self.lab[:, 1:])], dim=1))

    @property
    def pixels(self) -> np.ndarray:
        """A small copy as Lab `(N, 3)`, for main colours."""
        small = torch.nn.functional.interpolate(self.lab, (32, 32), mode="area")[0]
        found: np.ndarray = small.flatten(1).T.numpy().astype(np.float64)
        return found

    def difference(self, lab: Tensor) -> float:
        """Mean CIEDE2000 from the truth."""
        return float(ciede2000_lab(lab, self.lab).mean())

    def difference_of(self, result: PIL.Image.Image) -> float:
        """The same for a finished picture."""
        return self.difference(rgb_to_lab(picture_to_tensor(result.convert("RGB"))))

    def named_colors(self) -> str:
        """A sentence with the names of its main colours."""
        names = name_main_colors(self.pixels, min_share=0.05, max_colors=5)
        return f"Mainly {list_in_words(names)}." if names else ""


def read_photos(archive: Path, limit: int | None = None) -> Iterator[Photo]:
    """The photographs of a .zip with metadata.jsonl, evenly spaced where `limit` leaves some out.

    Raises:
        DataError: it is no such archive.
    """
    try:
        with zipfile.ZipFile(archive) as opened:
            rows = [json.loads(line) for line in opened.read("metadata.jsonl").decode().splitlines()]
            step = max(1, len(rows) // (limit or len(rows)))
            for row in rows[::step][:limit]:
                picture = read_picture(opened.read(row["file_name"])).convert("RGB")
                captions = (caption for caption in row.get("captions") or () if len(caption) <= MAX_CAPTION_LENGTH)
                yield Photo(row["file_name"], picture, tuple(captions))
    except (OSError, KeyError, zipfile.BadZipFile, json.JSONDecodeError) as error:
        raise DataError(f"{archive} is no .zip with metadata.jsonl and its pictures: {error}") from error
