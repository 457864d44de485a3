"""What every source offers the engine."""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from omegaconf import MISSING
from PIL import Image

from dataset_builder.items import Item


@dataclass
class SourceConfig:
    """What can be said of every source, whatever its type."""

    type: str = MISSING
    """Kind of the source: a name in dataset_builder/sources/__init__.py."""
    name: str = MISSING
    """The source's name: the column `source` of its pictures, unless the source itself names a finer one."""
    share: float = 1.0
    """Share of its pictures that is taken, 0..1, chosen by hash of their keys."""
    limit: int | None = None
    """At most so many pictures, the first in the source's order; null: all."""
    license: str | None = None
    """License of its pictures; null: what the source states for each, else `unknown`."""
    attribution: str = ""
    """Whom to name for pictures for which the source names nobody."""
    split: str | None = None
    """Split that all its pictures go to: `train`, `validation` or `test`; null: a hash decides."""


class Source(ABC):
    """Pictures in a fixed order. It is sent to other processes: it holds settings, and opens files when first asked."""

    config_class: ClassVar[type[SourceConfig]]
    """The settings of this type of source, a sentence under every field."""

    def __init__(self, config: SourceConfig, work_dir: Path) -> None:
        """Take the settings; nothing is opened. `work_dir` is a folder of this source's own for what it downloads."""
        self.name = config.name
        self.license = config.license
        self.attribution = config.attribution
        self.split = config.split
        self.work_dir = work_dir

    @abstractmethod
    def items(self) -> Iterator[Item]:
        """Every picture, always in the same order.

        Raises:
            DataError: the source as a whole is not what it should be.
            UnavailableError: the network is needed and is not here.
        """

    @abstractmethod
    def read(self, item: Item) -> bytes | Path | Image.Image:
        """The picture as bytes of a file, as a path or decoded; called in workers.

        Raises:
            DataError: this one cannot be had.
            PictureError: it is no picture.
        """

    def fetch(self, items: Sequence[Item]) -> None:  # noqa: B027 - most sources have nothing to do here
        """Bring what `read` will need for these items onto the disk; called in the main process."""

    def release(self, items: Sequence[Item]) -> None:  # noqa: B027
        """Give back what `fetch` or `items` left on the disk for these items; they are finished."""

    def fingerprint(self) -> str:
        """Changes when the files behind the source change, as far as that is cheap to see."""
        return ""

    def make_item(
        self,
        key: str,
        *,
        source: str | None = None,
        captions: Sequence[str] = (),
        label: str | None = None,
        license: str | None = None,  # noqa: A002 - the column's name
        attribution: str | None = None,
        split: str | None = None,
        problem: str | None = None,
    ) -> Item:
        """An item with the config's word on license and attribution: the license there wins, the attribution fills."""
        return Item(
            source=source or self.name,
            key=key,
            captions=tuple(caption for caption in (str(caption).strip() for caption in captions) if caption),
            label=label,
            license=self.license or license or "unknown",
            attribution=attribution or self.attribution,
            split=split or self.split,
            problem=problem,
        )


def file_fingerprint(*paths: Path | None) -> str:
    """Size and time of change of some files, as one string."""
    states = [path.stat() for path in paths if path is not None and path.is_file()]
    return " ".join(f"{state.st_size}/{state.st_mtime_ns}" for state in states)
