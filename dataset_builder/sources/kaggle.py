"""The arrays of Kaggle's "Image Colorization" set: lightness and a*b* of 25,000 pictures of 224 x 224 pixels.

They hold OpenCV's 8-bit CIELAB (D65): 255 / 100 L*, a* + 128, b* + 128.
Source: https://www.kaggle.com/datasets/shravankumar9892/image-colorization (`l/gray_scale.npy`, `ab/ab/ab1.npy` ...).
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from omegaconf import MISSING
from PIL import Image

from autochrome.color import lab_to_gamut
from autochrome.errors import DataError
from autochrome.image import tensor_to_picture
from dataset_builder.items import Item
from dataset_builder.sources.base import Source, SourceConfig, file_fingerprint


@dataclass
class KaggleConfig(SourceConfig):
    """Kaggle's arrays of lightness and a*b*."""

    path: str = MISSING
    """The unpacked folder; the arrays may lie at any depth in it."""
    grey: str = "gray_scale.npy"
    """Name of the array of lightness: N x height x width, 8 bit."""
    ab: list[str] = field(default_factory=lambda: ["ab1.npy", "ab2.npy", "ab3.npy"])
    """Names of the arrays of a*b*: N x height x width x 2, 8 bit; one goes on where the one before ends. Pictures are
    made as far as they reach."""


class KaggleSource(Source):
    """Pictures by their number; keys are that number, e.g. `00012`."""

    config_class = KaggleConfig

    def __init__(self, config: KaggleConfig, work_dir: Path) -> None:
        super().__init__(config, work_dir)
        self.path = Path(config.path)
        self.grey = config.grey
        self.ab = list(config.ab)
        self._paths: dict[str, Path] = {}

    def items(self) -> Iterator[Item]:
        """Raises DataError: an array is missing, is no .npy file, or has another shape or type than it should."""
        grey = self._load(self.grey)
        if grey.ndim != 3:
            raise DataError(f"{self._find(self.grey)} has shape {grey.shape}; it must be N x height x width")
        count = 0
        for name in self.ab:
            ab = self._load(name)
            if ab.ndim != 4 or ab.shape[1:] != (*grey.shape[1:], 2):
                wanted = f"N x {grey.shape[1]} x {grey.shape[2]} x 2, to go with {self.grey} of shape {grey.shape}"
                raise DataError(f"{self._find(name)} has shape {ab.shape}; it must be {wanted}")
            count += len(ab)
        if count > len(grey):
            raise DataError(f"{', '.join(self.ab)} have {count} pictures together, {self.grey} has only {len(grey)}")
        yield from (self.make_item(f"{index:05d}") for index in range(count))

    def read(self, item: Item) -> Image.Image:
        index = int(item.key)
        lightness = np.array(self._load(self.grey)[index], np.float32) * (100 / 255)
        for name in self.ab:
            array = self._load(name)
            if index < len(array):
                break
            index -= len(array)
        ab = np.array(array[index], np.float32) - 128
        lab = torch.from_numpy(np.concatenate((lightness[None], ab.transpose(2, 0, 1))))
        return tensor_to_picture(lab_to_gamut(lab))

    def fingerprint(self) -> str:
        return file_fingerprint(*(self._find(name) for name in (self.grey, *self.ab)))

    def _load(self, name: str) -> npt.NDArray[np.uint8]:
        """Mapped anew each time: pages that were read once are then given back, and memory stays small."""
        path = self._find(name)
        try:
            array = np.load(path, mmap_mode="r")
        except (OSError, ValueError, EOFError) as error:
            raise DataError(f"{path} is no .npy array that can be read ({error}); get a complete copy") from error
        if not isinstance(array, np.ndarray) or array.dtype != np.uint8:
            kind = getattr(array, "dtype", type(array).__name__)
            raise DataError(f"{path} holds {kind}; it must hold one array of 8-bit values (uint8)")
        return array

    def _find(self, name: str) -> Path:
        if name not in self._paths:
            found = sorted(self.path.rglob(name))
            if not found:
                raise DataError(f"no {name} in {self.path} or a folder below; it should hold {self.grey} and {self.ab}")
            self._paths[name] = found[0]
        return self._paths[name]
