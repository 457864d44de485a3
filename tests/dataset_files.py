"""Small sources for the tests of the dataset builder, each in its true layout."""

import io
import json
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import skimage.data
from omegaconf import OmegaConf
from PIL import Image

from dataset_builder.config import BuildConfig, load_config
from dataset_builder.sources import SOURCES, Source


def photo(seed: int, size: tuple[int, int] = (96, 72)) -> Image.Image:
    """A colorful picture of its own: a crop of a photograph under a gradient of its own."""
    random = np.random.default_rng(seed)
    source = skimage.data.astronaut() if seed % 2 else skimage.data.coffee()
    top, left = random.integers(0, 200, 2)
    pixels = source[top : top + 192, left : left + 256].astype(np.float64)
    ramp = np.linspace(0, 1, 256)[None, :, None] * random.uniform(-60, 60, 3)
    bands = np.where(np.arange(192)[:, None, None] // random.integers(20, 60) % 2, random.uniform(-50, 50, 3), 0)
    return Image.fromarray((pixels + ramp + bands).clip(0, 255).astype(np.uint8)).resize(size)


def encoded(picture: Image.Image, kind: str = "JPEG") -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, kind)
    return buffer.getvalue()


def write_zip(path: Path, members: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return path


def photo_zip(path: Path, count: int, **more: bytes) -> Path:
    """An imagefolder as .zip: `photos/00.jpg` ... with captions, source and license."""
    lines = [
        {
            "file_name": f"photos/{index:02d}.jpg",
            "source": "studio" if index % 2 else "street",
            "license": "CC0-1.0",
            "captions": [f"picture number {index}", "another caption"],
        }
        for index in range(count)
    ]
    members = {f"photos/{index:02d}.jpg": encoded(photo(index)) for index in range(count)}
    metadata = "\n".join(json.dumps(line) for line in lines).encode()
    return write_zip(path, {**members, "metadata.jsonl": metadata, **more})


def write_arrays(
    folder: Path, pictures: int, ab_pictures: list[int], side: int = 48, first: int = 0
) -> npt.NDArray[np.uint8]:
    """Kaggle's arrays, made by OpenCV as there; returns the pictures, N x side x side x 3."""
    import cv2

    truth = np.stack([np.asarray(photo(first + index, (side, side))) for index in range(pictures)])
    lab = np.stack([cv2.cvtColor(picture, cv2.COLOR_RGB2LAB) for picture in truth])
    (folder / "l").mkdir(parents=True)
    (folder / "ab" / "ab").mkdir(parents=True)
    np.save(folder / "l" / "gray_scale.npy", lab[..., 0])
    start = 0
    for number, count in enumerate(ab_pictures, start=1):
        np.save(folder / "ab" / "ab" / f"ab{number}.npy", lab[start : start + count, ..., 1:])
        start += count
    return truth


def make_config(folder: Path, sources: list[dict[str, Any]], *overrides: str) -> BuildConfig:
    """A config with these sources that writes to `folder / "built"`, in this process."""
    path = folder / "config.yaml"
    content = {"name": "test", "output_dir": str(folder / "built"), "sources": sources, "num_workers": 1}
    path.write_text(json.dumps(content), encoding="utf-8")
    return load_config(path, ["pictures.size=64", "filters.min_side=16", *overrides])


def folder_source(path: Path, name: str = "photos", **entries: Any) -> dict[str, Any]:
    return {"type": "imagefolder", "name": name, "path": str(path), **entries}


def fingerprint(built: Path) -> dict[str, bytes]:
    """Every file of a dataset but those that tell when and how it was built."""
    files = (path for path in sorted(built.rglob("*")) if path.is_file())
    return {
        path.relative_to(built).as_posix(): path.read_bytes()
        for path in files
        if path.name not in ("report.json", "config.yaml")
    }


def make_source(folder: Path, kind: str, **entries: Any) -> Source:
    config_class = SOURCES[kind].config_class
    given: dict[Any, Any] = {"type": kind, "name": kind, **entries}
    config = OmegaConf.to_object(OmegaConf.merge(OmegaConf.structured(config_class), given))
    assert isinstance(config, config_class)
    return SOURCES[kind](config, folder / "downloads")


def coco_captions(folder: Path, names: list[str]) -> Path:
    content = {
        "info": {},
        "licenses": [{"id": 4, "name": "Attribution License", "url": "http://creativecommons.org/licenses/by/2.0/"}],
        "images": [
            {"id": 9 - index, "file_name": name, "license": 4, "flickr_url": f"http://farm.example/{name}"}
            for index, name in enumerate(names)
        ],
        "annotations": [
            {"id": 10 * index + k, "image_id": 9 - index, "caption": f"Caption {k} of {name}. "}
            for index, name in enumerate(names)
            for k in range(5)
        ],
    }
    path = folder / "captions_val2017.json"
    path.write_text(json.dumps(content), encoding="utf-8")
    return path


def hub_folder(folder: Path, first: int = 0) -> Path:
    import datasets

    features = datasets.Features(
        {
            "picture": datasets.Image(),
            "words": datasets.Value("string"),
            "kind": datasets.ClassLabel(names=["cat", "dog"]),
        }
    )
    rows = {
        "picture": [{"bytes": encoded(photo(first + index)), "path": None} for index in range(3)] + [None],
        "words": ["one", "two", "", "four"],
        "kind": [1, 0, -1, 0],
    }
    (folder / "set").mkdir()
    datasets.Dataset.from_dict(rows, features).to_parquet(folder / "set" / "train-00000-of-00001.parquet")
    return folder / "set"
