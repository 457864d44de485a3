"""The photographs that directions are tried on, and how results are scored."""

import json
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import torch
from torch import Tensor

from autochrome.color import lab_to_rgb, rgb_to_lab
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


def true_hints(photo: Photo, places: np.ndarray, radius: float = 0.008) -> list[dict[str, Any]]:
    """Hints in the truth's own colours (mean of 3 x 3 pixels) at places `(N, 2)`, as people write them."""
    height, width = photo.lab.shape[-2:]
    ab = torch.nn.functional.avg_pool2d(photo.lab[:, 1:], 3, 1, 1, count_include_pad=False)[0]
    hints = []
    for x, y in places:
        row, column = min(int(y * height), height - 1), min(int(x * width), width - 1)
        lab = torch.cat([photo.lab[0, :1, row, column], ab[:, row, column]])
        hints.append({"x": float(x), "y": float(y), "color": to_hex(lab), "radius": radius})
    return hints


def to_hex(lab: Tensor) -> str:
    """The nearest "#rrggbb" to one Lab colour `(3,)`."""
    levels = lab_to_rgb(lab.view(3, 1, 1)).clamp(0, 1).mul(255).round().flatten().int().tolist()
    return "#{:02x}{:02x}{:02x}".format(*levels)
