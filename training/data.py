"""Photographs for training: decoded once into one memory-mapped file, then cropped at random.

Decoding a photograph takes longer than training on it, so it is done once. Every crop is decided by (seed, position in
the run) alone: a resumed run sees exactly what an uninterrupted one would have seen.
"""

import hashlib
import json
import os
import shutil
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor
from torch.utils.data import Dataset
from tqdm import tqdm

from autochrome.errors import DataError, PictureError, SettingError
from autochrome.image import read_picture
from training.augment import Augmentation, conditioning_image, random_crop
from training.directions import Directed, DirectedBatch, DirectionMix, direct, gather
from training.sources import PhotoFilters, SourcePhoto, iterate_photos


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
    splits: list[str] = field(default_factory=list)
    """"train" or "validation" where a dataset has its own split, else ""; empty: nowhere."""
    captions: list[list[str]] = field(default_factory=list)
    """What is said of each; empty: it was not asked for."""

    def __len__(self) -> int:
        return len(self.names)

    def photo(self, index: int) -> Tensor:
        """One photograph, uint8 `(3, H, W)`, a view of the file in channels-last layout."""
        height, width = self.sizes[index]
        begin = self.offsets[index]
        block = self.pixels[begin : begin + height * width * 3].reshape(height, width, 3)
        return torch.from_numpy(np.array(block)).permute(2, 0, 1)


def open_photos(
    sources: Sequence[str],
    cache_dir: Path,
    side_px: int,
    filters: PhotoFilters | None = None,
    *,
    with_captions: bool = False,
) -> PhotoStore:
    """Open the photographs of archives, folders and datasets, decoding them into `cache_dir` the first time.

    Unreadable pictures and those that the filters leave out are counted, and listed in `rejected.txt` beside the cache.

    Raises:
        DataError: a source is missing or no archive, or not one picture could be used.
    """
    filters = filters or PhotoFilters()
    parts: list[object] = [side_px, *(_fingerprint(Path(source)) for source in sources)]
    if filters != PhotoFilters():
        parts.append(asdict(filters))
    if with_captions:
        parts.append("captions")
    folder = cache_dir / hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:16]
    if not folder.is_dir():
        _decode(sources, folder, side_px, filters, with_captions)
    index = json.loads((folder / "index.json").read_text(encoding="utf-8"))
    sizes = np.array(index["sizes"], dtype=np.int64)
    counts = sizes.prod(axis=1) * 3
    pixels = np.memmap(folder / "pixels.bin", dtype=np.uint8, mode="r")
    offsets = np.cumsum(counts) - counts
    return PhotoStore(
        index["names"],
        sizes,
        offsets,
        pixels,
        index.get("splits", []),
        index.get("captions", []),
    )


def training_and_validation(
    store: PhotoStore, validation_share: float, counts: Sequence[int] = ()
) -> tuple[list[int], list[int]]:
    """Indices to train and to validate with: exact `counts`, else a dataset's own split, else a share by hash of names.

    `counts` are numbers to train with, to validate with and to hold back; who is among them is decided by the hashes
    of the names too, and photographs beyond the three are not used.

    Raises:
        SettingError: `counts` are not three numbers, or the photographs have a split of their own.
        DataError: there are too few photographs.
    """
    if counts:
        return _exact_split(store, counts)
    own = store.splits or [""] * len(store)
    free = [index for index, split in enumerate(own) if not split]
    training, validation = split_photos([store.names[index] for index in free], validation_share)
    training = sorted([free[i] for i in training] + [i for i, split in enumerate(own) if split == "train"])
    validation = sorted([free[i] for i in validation] + [i for i, split in enumerate(own) if split == "validation"])
    if not training or not validation:
        raise DataError(
            f"{len(store)} photographs leave {len(training)} to train and {len(validation)} to validate; give more, "
            f"another validation_share, or exact split_counts"
        )
    return training, validation


def split_photos(names: Sequence[str], validation_share: float) -> tuple[list[int], list[int]]:
    """Indices for training and validation, decided by a hash of each name, whatever the order or number of sources."""
    chosen: tuple[list[int], list[int]] = ([], [])
    for index, name in enumerate(names):
        position = int(hashlib.sha256(name.encode()).hexdigest()[:8], 16) / 2**32
        chosen[position < validation_share].append(index)
    return chosen


def _exact_split(store: PhotoStore, counts: Sequence[int]) -> tuple[list[int], list[int]]:
    if len(counts) != 3 or min(counts) < 0 or min(counts[:2]) == 0:
        raise SettingError(
            f"split_counts must be three numbers, e.g. [134, 36, 30] to train, to validate and to hold back; "
            f"got {list(counts)}"
        )
    if any(store.splits):
        raise SettingError("split_counts contradicts the split of the dataset in photos; leave it empty")
    if sum(counts) > len(store):
        raise DataError(f"split_counts {list(counts)} need {sum(counts)} photographs, there are {len(store)}")
    order = sorted(range(len(store)), key=lambda index: (hashlib.sha256(store.names[index].encode()).digest(), index))
    return sorted(order[: counts[0]]), sorted(order[counts[0] : counts[0] + counts[1]])


class Batch(NamedTuple):
    """What a training step is made of."""

    photos: Tensor
    """The true colours: sRGB, uint8 `(B, 3, size, size)`."""
    conditioning: Tensor | None
    """The changed grey picture for the network, uint8 `(B, 1, size, size)`; None: the photographs' own L*."""
    directed: DirectedBatch | None = None
    """Directions for a network that takes some."""


class Crops(Dataset[Batch]):
    """Training batches by step: item `step` is this process's share of the batch of that step."""

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
        augmentation: Augmentation | None = None,
        directions: DirectionMix | None = None,
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
        self.augmentation = augmentation or Augmentation()
        self.directions = directions

    def __len__(self) -> int:
        return len(self.steps)

    def __getitem__(self, item: int) -> Batch:
        step, size = self.steps[item], self.sizes_px[item]
        rank, num_processes = self.process
        positions = range(step * self.batch_size + rank, (step + 1) * self.batch_size, num_processes)
        photos = [self._crop(position, size) for position in positions]
        directed: DirectedBatch | None = None
        if self.directions is not None:
            each = [self._direct(photo, position) for photo, position in zip(photos, positions, strict=True)]
            photos, directed = [one.photo for one in each], gather(each)
        if not self.augmentation.enabled:
            return Batch(torch.stack(photos), None, directed)
        changed = [
            conditioning_image(photo, self.augmentation, np.random.default_rng((self.seed, 2, position)))
            for photo, position in zip(photos, positions, strict=True)
        ]
        return Batch(torch.stack(photos), torch.stack(changed), directed)

    def _index(self, position: int) -> int:
        """Of the photograph that comes at a position of the run."""
        epoch, place = divmod(position, len(self.indices))
        return int(self.indices[_epoch_order(self.seed, epoch, len(self.indices))[place]])

    def _direct(self, photo: Tensor, position: int) -> Directed:
        assert self.directions is not None
        captions = self.store.captions[self._index(position)] if self.store.captions else []
        return direct(photo, captions, self.directions, np.random.default_rng((self.seed, 3, position)))

    def _crop(self, position: int, size: int) -> Tensor:
        rng = np.random.default_rng((self.seed, 1, position))
        photo = self.store.photo(self._index(position))
        top, left, height, width = random_crop(rng, photo.shape[1:], self.crop_scale, self.crop_aspect)
        photo = photo[:, top : top + height, left : left + width]
        if rng.random() < 0.5:
            photo = photo.flip(2)
        return resize_uint8(photo, size, size)


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


def _decode(sources: Sequence[str], folder: Path, side_px: int, filters: PhotoFilters, with_captions: bool) -> None:
    partial = folder.with_suffix(f".partial-{os.getpid()}")
    partial.mkdir(parents=True)
    try:
        _decode_into(partial, sources, side_px, filters, with_captions)
        try:
            partial.replace(folder)
        except OSError:
            if not folder.is_dir():
                raise
            # Another run was faster; its pictures are the same.
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def _decode_into(
    folder: Path, sources: Sequence[str], side_px: int, filters: PhotoFilters, with_captions: bool
) -> None:
    names: list[str] = []
    sizes: list[list[int]] = []
    splits: list[str] = []
    captions: list[list[str]] = []
    rejected: list[tuple[str, str, str]] = []
    with (folder / "pixels.bin").open("wb") as pixels, tqdm(desc="decoding photographs", unit=" pictures") as progress:
        for source in sources:
            refused: list[tuple[str, str]] = []
            asked = {"with_labels": bool(filters.labels), "with_captions": with_captions}
            for photo in iterate_photos(Path(source), refused, **asked):
                progress.update()
                picture = _use(photo, filters, side_px)
                if isinstance(picture, tuple):
                    rejected.append((photo.name, *picture))
                    continue
                pixels.write(picture.tobytes())
                names.append(photo.name)
                sizes.append([picture.height, picture.width])
                splits.append(photo.split)
                captions.append(list(photo.captions))
            rejected += [(name, "unreadable", reason) for name, reason in refused]
    left_out = Counter(kind for _, kind, _ in rejected)
    counts = ", ".join(f"{kind} {count}" for kind, count in sorted(left_out.items())) or "none"
    if not names:
        raise DataError(f"not one usable picture in {', '.join(sources)}; left out: {counts}")
    tqdm.write(f"{len(names)} photographs to use; left out: {counts}")
    lines = [f"{name}: {kind}: {reason}" for name, kind, reason in rejected]
    (folder / "rejected.txt").write_text("\n".join(lines), encoding="utf-8")
    index = {"names": names, "sizes": sizes, "splits": splits, "left_out": left_out}
    if with_captions:
        index["captions"] = captions
    (folder / "index.json").write_text(json.dumps(index), encoding="utf-8")


def _use(photo: SourcePhoto, filters: PhotoFilters, side_px: int) -> Image.Image | tuple[str, str]:
    """The picture, RGB at the size to keep, or the kind of reason and the reason why it is left out."""
    if filters.labels and photo.label not in filters.labels:
        return "other label", repr(photo.label)
    try:
        picture = _shrink(read_picture(photo.read()).convert("RGB"), side_px)
    except (PictureError, DataError) as error:
        return "unreadable", str(error)
    return filters.reason(picture) or picture


def _shrink(picture: Image.Image, side_px: int) -> Image.Image:
    scale = side_px / min(picture.size)
    if scale >= 1:
        return picture
    size = (max(1, round(picture.width * scale)), max(1, round(picture.height * scale)))
    return picture.resize(size, Image.Resampling.BOX)
