"""Pictures sorted into classes, by their folders or by their file names.

Layouts: Linnaeus 5 (`train/berry/1_256.jpg`), Oxford-IIIT Pet (`images/basset_hound_12.jpg`), ImageNet-like folders.
"""

import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from omegaconf import MISSING

from autochrome.errors import DataError, SettingError
from dataset_builder.items import SPLITS, Item
from dataset_builder.sources.base import Source, SourceConfig, file_fingerprint
from dataset_builder.sources.files import PictureFiles

_NUMBER = re.compile(r"[\s_.-]*\d+$")
_SPLIT_FOLDERS = {
    "train": "train",
    "val": "validation",
    "valid": "validation",
    "validation": "validation",
    "test": "test",
}


@dataclass
class ClassConfig(SourceConfig):
    """Pictures whose class is told by a folder or a file name."""

    path: str = MISSING
    """Folder or .zip archive of pictures."""
    label_from: str = "folder"
    """`folder`: the class is the folder a picture lies in; `file_name`: its name without the number at the end."""
    classes: list[str] = field(default_factory=list)
    """Only these classes, upper and lower case and `_` for a space being the same; empty: all."""
    exact_split: dict[str, int] = field(default_factory=dict)
    """Exactly so many pictures for `train`, `validation` and `test`, chosen by hash of their names (before filters and
    duplicates: switch those off where none may be missing); empty: the build's shares decide."""
    split_folders: bool = False
    """Whether a folder called train, val, validation or test above a picture decides its split."""


class ClassSource(Source):
    """Pictures in the order of their names, each with its class as label."""

    config_class = ClassConfig

    def __init__(self, config: ClassConfig, work_dir: Path) -> None:
        super().__init__(config, work_dir)
        if config.label_from not in ("folder", "file_name"):
            raise SettingError(f"{config.name}: label_from must be folder or file_name, got {config.label_from!r}")
        if set(config.exact_split) - set(SPLITS) or min(config.exact_split.values(), default=0) < 0:
            raise SettingError(
                f"{config.name}: exact_split gives numbers for {', '.join(SPLITS)}; got {config.exact_split}"
            )
        if config.exact_split and (config.share < 1 or config.limit is not None or config.split_folders):
            raise SettingError(f"{config.name}: exact_split cannot go with share, limit or split_folders; drop one")
        self.files = PictureFiles(config.path)
        self.label_from = config.label_from
        self.classes = [_plain(name) for name in config.classes]
        self.exact_split = dict(config.exact_split)
        self.split_folders = config.split_folders

    def items(self) -> Iterator[Item]:
        """Raises DataError: no pictures, a class without pictures, or fewer pictures than the exact split asks for."""
        chosen: list[tuple[str, str, str | None]] = []
        found: set[str] = set()
        for name, problem in self.files.names():
            label = self._label(PurePosixPath(name))
            found.add(_plain(label))
            if not self.classes or _plain(label) in self.classes:
                chosen.append((name, label, problem))
        absent = sorted(set(self.classes) - found)
        if absent:
            some = ", ".join(sorted(found)[:8])
            raise DataError(f"{self.files.path} has no pictures of {', '.join(absent)}; its classes are {some} ...")
        splits = self._exact_split([name for name, _, _ in chosen])
        for name, label, problem in chosen:
            if not self.exact_split or name in splits:
                split = splits.get(name) or self._folder_split(PurePosixPath(name))
                yield self.make_item(name, label=label, split=split, problem=problem)

    def read(self, item: Item) -> bytes | Path:
        return self.files.read(item.key)

    def fingerprint(self) -> str:
        return file_fingerprint(self.files.path)

    def _label(self, name: PurePosixPath) -> str:
        if self.label_from == "file_name":
            return _NUMBER.sub("", name.stem).replace("_", " ").strip() or name.stem
        folder = name.parent.name or self.files.path.stem
        return folder.replace("_", " ").strip()

    def _folder_split(self, name: PurePosixPath) -> str | None:
        if not self.split_folders:
            return None
        return next((split for part in name.parts[:-1] if (split := _SPLIT_FOLDERS.get(part.lower()))), None)

    def _exact_split(self, names: list[str]) -> dict[str, str]:
        if not self.exact_split:
            return {}
        total = sum(self.exact_split.values())
        if total > len(names):
            raise DataError(
                f"{self.name}: exact_split asks for {total} pictures, {self.files.path} has {len(names)} of those"
            )
        drawn = sorted(names, key=lambda name: hashlib.sha256(name.encode()).digest())
        order = [split for split in SPLITS for _ in range(self.exact_split.get(split, 0))]
        return dict(zip(drawn, order, strict=False))


def _plain(label: str) -> str:
    return label.replace("_", " ").strip().casefold()
