"""COCO captions: a folder or .zip archive of pictures and `captions_*.json`, five captions a picture.

Source of the layout: X. Chen et al., "Microsoft COCO Captions" (2015, arXiv:1504.00325); https://cocodataset.org.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from omegaconf import MISSING

from autochrome.errors import DataError
from dataset_builder.items import Item
from dataset_builder.sources.base import Source, SourceConfig, file_fingerprint
from dataset_builder.sources.files import PictureFiles


@dataclass
class CocoConfig(SourceConfig):
    """COCO's pictures with their captions."""

    path: str = MISSING
    """Folder or .zip archive of pictures, e.g. train2017.zip; where in it a picture lies does not matter."""
    captions_path: str = MISSING
    """The caption file, e.g. annotations/captions_train2017.json."""


class CocoSource(Source):
    """Every picture that the caption file names, by its number; license and Flickr address come from there."""

    config_class = CocoConfig

    def __init__(self, config: CocoConfig, work_dir: Path) -> None:
        super().__init__(config, work_dir)
        self.files = PictureFiles(config.path)
        self.captions_path = Path(config.captions_path)

    def items(self) -> Iterator[Item]:
        """Raises DataError: no pictures, a caption file of another layout, or one that names none of the pictures."""
        images, captions, licenses = self._read_captions()
        files = {PurePosixPath(name).name: (name, problem) for name, problem in self.files.names()}
        if not any(image["file_name"] in files for image in images):
            raise DataError(
                f"{self.captions_path} names {len(images)} pictures, e.g. {images[0]['file_name']}, and none of them "
                f"is in {self.files.path}; give the captions of these pictures (train or val, 2014 or 2017)"
            )
        for image in images:
            name = image["file_name"]
            absent = (name, f"named in {self.captions_path.name}, but {self.files.path} has no picture {name}")
            key, problem = files.get(name, absent)
            yield self.make_item(
                key,
                captions=captions.get(image["id"], ()),
                license=licenses.get(image.get("license", -1)),
                attribution=image.get("flickr_url") or image.get("coco_url"),
                problem=problem,
            )

    def read(self, item: Item) -> bytes | Path:
        return self.files.read(item.key)

    def fingerprint(self) -> str:
        return file_fingerprint(self.files.path, self.captions_path)

    def _read_captions(self) -> tuple[list[dict[str, Any]], dict[int, list[str]], dict[int, str]]:
        """Pictures by rising number, captions of each number, names of the licenses."""
        try:
            with self.captions_path.open(encoding="utf-8") as file:
                content = json.load(file)
            captions: dict[int, list[str]] = {}
            for annotation in content["annotations"]:
                captions.setdefault(annotation["image_id"], []).append(annotation["caption"])
            images = sorted(content["images"], key=lambda image: int(image["id"]))
            names = [image["file_name"] for image in images]
            licenses = {entry["id"]: entry["name"] for entry in content.get("licenses", [])}
        except OSError as error:
            raise DataError(f"the caption file {self.captions_path} cannot be read: {error.strerror}") from error
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise DataError(
                f"{self.captions_path} is no COCO caption file ({type(error).__name__}: {error}); it has `images` with "
                f"`id` and `file_name`, and `annotations` with `image_id` and `caption`"
            ) from error
        if not names:
            raise DataError(f"{self.captions_path} names no pictures: its list `images` is empty")
        return images, captions, licenses
