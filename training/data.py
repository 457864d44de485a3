"""Photographs for training: decoded once into one memory-mapped file, then cropped at random.

Decoding a photograph takes longer than training on it, so it is done once. Every crop is decided by (seed, position in
the run) alone: a resumed run sees exactly what an uninterrupted one would have seen.
"""

import hashlib
import json
import os
import shutil
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor
from torch.utils.data import Dataset
from tqdm import tqdm

from autochrome.errors import DataError, PictureError
from autochrome.image import PICTURE_SUFFIXES, read_picture


@dataclass
class PhotoStore:
    """Decoded photographs: sRGB, 8 bit, each of its own size, in one file."""

    names: list[str]
    sizes: np.ndarray
    """(height, width) of each, int64 `(N, 2)`."""
    offsets: np.ndarray
    """Where each begins in `pixels`, int64 `(N,)`."""
    pixels: np.ndarray
    """All pixels, uint8, memory-mapped."""

    def __len__(self) -> int:
        return len(self.names)

    def photo(self, index: int) -> Tensor:
        """One photograph, uint8 `(3, H, W)`, a view of the file in channels-last layout."""
        height, width = self.sizes[index]
        begin = self.offsets[index]
        block = self.pixels[begin : begin + height * width * 3].reshape(height, width, 3)
        return torch.from_numpy(np.array(block)).permute(2, 0, 1)


def open_photos(sources: Sequence[str], cache_dir: Path, side_px: int) -> PhotoStore:
    """Open the photographs of archives and folders, decoding them into `cache_dir` the first time.

    Unreadable pictures are left out and listed in `rejected.txt` beside the cache.

    Raises:
        DataError: a source is missing or no archive, or not one picture could be read.
    """
    key = json.dumps([side_px, *(_fingerprint(Path(source)) for source in sources)])
    folder = cache_dir / hashlib.sha256(key.encode()).hexdigest()[:16]
    if not folder.is_dir():
        _decode(sources, folder, side_px)
    index = json.loads((folder / "index.json").read_text(encoding="utf-8"))
    sizes = np.array(index["sizes"], dtype=np.int64)
    counts = sizes.prod(axis=1) * 3
    pixels = np.memmap(folder / "pixels.bin", dtype=np.uint8, mode="r")
    return PhotoStore(index["names"], sizes, np.cumsum(counts) - counts, pixels)


def split_photos(names: Sequence[str], validation_share: float) -> tuple[list[int], list[int]]:
    """Indices for training and validation, decided by a hash of each name, whatever the order or number of sources."""
    chosen: tuple[list[int], list[int]] = ([], [])
    for index, name in enumerate(names):
        position = int(hashlib.sha256(name.encode()).hexdigest()[:8], 16) / 2**32
        chosen[position < validation_share].append(index)
    return chosen


class Crops(Dataset[Tensor]):
    """Training batches by step: item `step` is uint8 `(B, 3, size, size)`, this process's share of the batch."""

    def __init__(
        self,
        store: PhotoStore,
        indices: Sequence[int],
        *,
        steps: Sequence[int],
        sizes_px: Sequence[int],
        batch_size: int,
        crop_scale: tuple[float, float],
        crop_aspect: float,
        seed: int,
        process: tuple[int, int] = (0, 1),
    ) -> None:
        """`steps` are the steps to make, `sizes_px` the side of each; `process` is (rank, number of processes)."""
        self.store = store
        self.indices = np.array(indices)
        self.steps = steps
        self.sizes_px = sizes_px
        self.batch_size = batch_size
        self.crop_scale = crop_scale
        self.crop_aspect = crop_aspect
        self.seed = seed
        self.process = process

    def __len__(self) -> int:
        return len(self.steps)

    def __getitem__(self, item: int) -> Tensor:
        step, size = self.steps[item], self.sizes_px[item]
        rank, num_processes = self.process
        positions = range(step * self.batch_size + rank, (step + 1) * self.batch_size, num_processes)
        return torch.stack([self._crop(position, size) for position in positions])

    def _crop(self, position: int, size: int) -> Tensor:
        epoch, place = divmod(position, len(self.indices))
        order = _epoch_order(self.seed, epoch, len(self.indices))
        rng = np.random.default_rng((self.seed, 1, position))
        photo = self.store.photo(int(self.indices[order[place]]))
        top, left, height, width = random_crop(rng, photo.shape[1:], self.crop_scale, self.crop_aspect)
        photo = photo[:, top : top + height, left : left + width]
        if rng.random() < 0.5:
            photo = photo.flip(2)
        return resize_uint8(photo, size, size)


def random_crop(
    rng: np.random.Generator, size: Sequence[int], scale: tuple[float, float], aspect: float
) -> tuple[int, int, int, int]:
    """(top, left, height, width) of a crop with a random share of the area, stretched by up to `aspect` either way."""
    full_height, full_width = int(size[0]), int(size[1])
    area = rng.uniform(*scale) * min(full_height, full_width) ** 2
    stretch = np.exp(rng.uniform(-1, 1) * np.log(aspect))
    height = min(full_height, max(1, round(float(np.sqrt(area * stretch)))))
    width = min(full_width, max(1, round(float(np.sqrt(area / stretch)))))
    top = int(rng.integers(full_height - height + 1))
    left = int(rng.integers(full_width - width + 1))
    return top, left, height, width


def centre_square(photo: Tensor, size: int) -> Tensor:
    """The largest central square of a uint8 `(3, H, W)` photograph at `size` pixels."""
    side = min(photo.shape[1:])
    top, left = (photo.shape[1] - side) // 2, (photo.shape[2] - side) // 2
    return resize_uint8(photo[:, top : top + side, left : left + side], size, size)


def resize_uint8(photo: Tensor, height: int, width: int) -> Tensor:
    """Resize uint8 `(3, H, W)` with antialiasing."""
    return F.interpolate(photo[None], (height, width), mode="bilinear", antialias=True, align_corners=False)[0]


_ORDERS: dict[tuple[int, int, int], np.ndarray] = {}


def _epoch_order(seed: int, epoch: int, count: int) -> np.ndarray:
    key = (seed, epoch, count)
    if key not in _ORDERS:
        while len(_ORDERS) > 1:
            _ORDERS.pop(next(iter(_ORDERS)))
        _ORDERS[key] = np.random.default_rng((seed, 0, epoch)).permutation(count)
    return _ORDERS[key]


def _fingerprint(source: Path) -> list[object]:
    if source.is_file():
        return [source.name, source.stat().st_size]
    if source.is_dir():
        files = sorted(path for path in source.rglob("*") if path.is_file())
        return [source.name, *([str(path.relative_to(source)), path.stat().st_size] for path in files)]
    raise DataError(f"no photographs at {source}: give .zip archives or folders as photos=[...]")


def iterate_pictures(source: Path) -> Iterator[tuple[str, bytes]]:
    """Name and bytes of every picture file of a folder or .zip archive, in the order of their names.

    Raises:
        DataError: the source is no readable archive.
    """
    if source.is_dir():
        for path in sorted(source.rglob("*")):
            if path.suffix.lower() in PICTURE_SUFFIXES and path.is_file():
                yield path.relative_to(source).as_posix(), path.read_bytes()
        return
    try:
        with zipfile.ZipFile(source) as archive:
            for name in sorted(archive.namelist()):
                if Path(name).suffix.lower() in PICTURE_SUFFIXES:
                    yield name, archive.read(name)
    except zipfile.BadZipFile as error:
        raise DataError(f"{source} is not a readable .zip archive: {error}") from error


def _decode(sources: Sequence[str], folder: Path, side_px: int) -> None:
    partial = folder.with_suffix(f".partial-{os.getpid()}")
    partial.mkdir(parents=True)
    try:
        _decode_into(partial, sources, side_px)
        partial.replace(folder)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def _decode_into(folder: Path, sources: Sequence[str], side_px: int) -> None:
    names: list[str] = []
    sizes: list[list[int]] = []
    rejected: list[str] = []
    with (folder / "pixels.bin").open("wb") as pixels, tqdm(desc="decoding photographs", unit=" pictures") as progress:
        for source in sources:
            for name, data in iterate_pictures(Path(source)):
                progress.update()
                try:
                    picture = _shrink(read_picture(data).convert("RGB"), side_px)
                except PictureError as error:
                    rejected.append(f"{name}: {error}")
                    continue
                pixels.write(picture.tobytes())
                names.append(name)
                sizes.append([picture.height, picture.width])
    if not names:
        raise DataError(f"not one readable picture in {', '.join(sources)}")
    (folder / "rejected.txt").write_text("\n".join(rejected), encoding="utf-8")
    (folder / "index.json").write_text(json.dumps({"names": names, "sizes": sizes}), encoding="utf-8")


def _shrink(picture: Image.Image, side_px: int) -> Image.Image:
    scale = side_px / min(picture.size)
    if scale >= 1:
        return picture
    size = (max(1, round(picture.width * scale)), max(1, round(picture.height * scale)))
    return picture.resize(size, Image.Resampling.BOX)
