"""One finished run, kept so that every look at it is cheap: shown, measured and written without the model."""

import dataclasses
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import PIL.Image

from autochrome.pipelines import ColorizationOutput
from autochrome.ui.files import result_path, save
from autochrome.ui.measure import Yardstick

MAX_SHOWN_PX = 2048
"""Longest side of the pictures that the page shows; what is downloaded has the full size."""

THUMBNAIL_PX = 320

MAX_FILES = 6
"""Files kept of one result's looks; two belong to each look."""


@dataclass(frozen=True)
class Look:
    """One way to look at a result: the settings that act without the model, and which candidate."""

    merge_lightness: bool
    saturation: float | None = None
    candidate: int = 0


@dataclass(frozen=True)
class Coloring:
    """A prediction, kept so that every `Look` at it is cheap."""

    output: ColorizationOutput
    shown_output: ColorizationOutput
    yardstick: Yardstick
    stem: str
    _files: deque[Path] = field(default_factory=deque)
    _thumbnails: deque[Path] = field(default_factory=deque)

    @property
    def num_pixels(self) -> int:
        """Pixels of the photograph, the measure of what keeping this costs."""
        return self.output.source.width * self.output.source.height

    @property
    def num_candidates(self) -> int:
        """How many pictures there are to choose from."""
        return len(self.output.images)

    @cached_property
    def grey_path(self) -> Path:
        """The photograph as the model sees it, without color, as a PNG of the size that the page shows."""
        picture = self.shown_output.render(merge_lightness=True, saturation=0.0)
        return save(picture, result_path(f"{self.stem}-grey"))

    def look(self, candidate: int = 0) -> Look:
        """A candidate as the run's own settings show it."""
        settings = self.output.settings
        return Look(settings["merge_lightness"], settings["saturation"], candidate)

    def show(self, look: Look) -> Path:
        """The result as a PNG of the size that the page shows."""
        picture = self.shown_output.render(**dataclasses.asdict(look))
        return _replace(self._files, save(picture, result_path(f"{self.stem}-shown")), MAX_FILES)

    def thumbnails(self, look: Look) -> list[Path]:
        """Every candidate, small, with the light and the saturation of `look`."""
        limit = 2 * self.num_candidates  # the browser may still be loading those before
        small = _smaller(self.output, THUMBNAIL_PX)
        pictures = [
            small.render(merge_lightness=look.merge_lightness, saturation=look.saturation, candidate=number)
            for number in range(self.num_candidates)
        ]
        return [
            _replace(self._thumbnails, save(picture, result_path(f"{self.stem}-candidate-{number}")), limit)
            for number, picture in enumerate(pictures, start=1)
        ]

    def thumbnail(self) -> Path:
        """The first candidate, small, in a file that stays when looks go."""
        return save(_smaller(self.output, THUMBNAIL_PX).render(), result_path(f"{self.stem}-thumbnail"))

    def finish(self, look: Look) -> tuple[Path, dict[str, Any]]:
        """The result at full size as a PNG that says what it is, and its measures."""
        picture = self.picture(look)
        number = f"-{look.candidate + 1}" if look.candidate else ""
        path = result_path(f"{self.stem}-autochrome{number}")
        save(picture, path, self.output.metadata(**dataclasses.asdict(look)))
        return _replace(self._files, path, MAX_FILES), self.yardstick.measure(picture)

    def picture(self, look: Look) -> PIL.Image.Image:
        """The result at full size; the run's own first picture is not rendered again."""
        return self.output.images[0] if look == self.look() else self.output.render(**dataclasses.asdict(look))

    def candidate_settings(self, candidate: int) -> Mapping[str, Any]:
        """The settings in which a candidate differs from the first; empty for the first."""
        return self.output.others[candidate - 1].settings if candidate else {}


def make_coloring(output: ColorizationOutput, yardstick: Yardstick, stem: str) -> Coloring:
    """Keep a run; where its photograph is larger than the page shows, with a smaller copy beside."""
    return Coloring(output, _smaller(output, MAX_SHOWN_PX), yardstick, stem)


def _replace(files: deque[Path], path: Path, limit: int) -> Path:
    """Delete the files of looks before the last: the browser may still be loading that one, but none older."""
    files.append(path)
    while len(files) > limit:
        files.popleft().unlink(missing_ok=True)
    return path


def _smaller(output: ColorizationOutput, max_side_px: int) -> ColorizationOutput:
    """The same predictions over a copy of the photograph whose longest side is at most `max_side_px`."""
    longest = max(output.source.size)
    if longest <= max_side_px:
        return output
    width, height = (max(1, round(side * max_side_px / longest)) for side in output.source.size)
    return dataclasses.replace(output, source=output.source.resize((width, height), PIL.Image.Resampling.BOX))
