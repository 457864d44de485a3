"""Coloring as page and API share it: model and picture in, a result that can be looked at, measured and saved."""

import dataclasses
import threading
from collections import OrderedDict, deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import PIL.Image

from autochrome.catalog import Catalog, Row
from autochrome.image import read_picture
from autochrome.pipelines import ColorizationOutput, Pipeline, Progress
from autochrome.ui.files import read_upload, result_path, save
from autochrome.ui.measure import Yardstick

MAX_LOADED_MODELS = 2
MAX_SHOWN_PX = 2048
"""Longest side of the pictures that the page shows; what is downloaded has the full size."""

MAX_FILES = 6
"""Files kept of one result's looks; two belong to each look."""


@dataclass(frozen=True)
class Look:
    """One way to look at a result: the settings that act without the model."""

    merge_lightness: bool
    saturation: float | None = None


@dataclass(frozen=True)
class Coloring:
    """A prediction, kept so that every `Look` at it is cheap."""

    output: ColorizationOutput
    shown_output: ColorizationOutput
    yardstick: Yardstick
    stem: str
    _files: deque[Path] = field(default_factory=deque)

    @property
    def num_pixels(self) -> int:
        """Pixels of the photograph, the measure of what keeping this costs."""
        return self.output.source.width * self.output.source.height

    @cached_property
    def grey_path(self) -> Path:
        """The photograph as the model sees it, without color, as a PNG of the size that the page shows."""
        picture = self.shown_output.render(merge_lightness=True, saturation=0.0)
        return save(picture, result_path(f"{self.stem}-grey"))

    def show(self, look: Look) -> Path:
        """The result as a PNG of the size that the page shows."""
        picture = self.shown_output.render(**dataclasses.asdict(look))
        return self._replace(save(picture, result_path(f"{self.stem}-shown")))

    def finish(self, look: Look) -> tuple[Path, dict[str, Any]]:
        """The result at full size as a PNG that says what it is, and its measures."""
        chosen = dataclasses.asdict(look)
        as_run = all(self.output.settings[name] == value for name, value in chosen.items())
        picture = self.output.images[0] if as_run else self.output.render(**chosen)
        path = save(picture, result_path(f"{self.stem}-autochrome"), self.output.metadata(**chosen))
        return self._replace(path), self.yardstick.measure(picture)

    def _replace(self, path: Path) -> Path:
        """Delete the files of looks before the last: the browser may still be loading that one, but none older."""
        self._files.append(path)
        while len(self._files) > MAX_FILES:
            self._files.popleft().unlink(missing_ok=True)
        return path


class Studio:
    """The models of a catalog, loaded when first asked for; the last few stay in memory."""

    def __init__(self, catalog: Catalog) -> None:
        self.catalog = catalog
        self._pipelines: OrderedDict[str, Pipeline] = OrderedDict()
        self._lock = threading.Lock()

    def default_row(self) -> Row:
        """The first model that can be loaded here; when none can, the first of all, whose reason the page shows."""
        return next((row for row in self.catalog if row.unavailable_reason() is None), self.catalog.default)

    def row(self, model_id: str | None) -> Row:
        """The row of a model; of the default one for None or an empty text.

        Raises:
            CatalogError: no such model.
        """
        return self.catalog[str(model_id)] if model_id else self.default_row()

    def pipeline(self, model_id: str) -> Pipeline:
        """The loaded model of a row.

        Raises:
            CatalogError: no such model.
            UnavailableError, ModelError: it cannot be loaded here.
        """
        with self._lock:
            if model_id not in self._pipelines:
                self._pipelines[model_id] = self.catalog.load_pipeline(model_id)
                while len(self._pipelines) > MAX_LOADED_MODELS:
                    self._pipelines.popitem(last=False)
            self._pipelines.move_to_end(model_id)
            return self._pipelines[model_id]

    def colorize(
        self,
        photograph: Path,
        *,
        model: str | None,
        settings: Mapping[str, object],
        reference: Path | None = None,
        progress: Progress | None = None,
    ) -> Coloring:
        """Color an uploaded photograph.

        Args:
            photograph: the uploaded file; its name becomes the result's.
            model: catalog id; empty or None for the default.
            settings: by name; None or an empty text means "not given", the model refuses those it has no use for.
            reference: the same picture in color, for the measures.
            progress: called with the share that is done and the step that begins.

        Raises:
            AutochromeError: a picture cannot be read, a setting is refused, or the model cannot be loaded.
        """
        pipeline = self.pipeline(self.row(model).id)
        settings = {name: _whole(value) for name, value in settings.items()}
        pipeline.check_inputs(**settings)  # before the time that reading takes
        source = read_picture(read_upload(photograph))
        yardstick = Yardstick(source, read_picture(read_upload(reference)) if reference is not None else None)
        output = pipeline(source, progress=progress, **settings)
        return Coloring(output, _shown(output), yardstick, photograph.stem)


def _whole(value: object) -> object:
    """JSON knows one kind of number, so 16.0 is a whole one to those who send it."""
    return int(value) if isinstance(value, float) and value.is_integer() and abs(value) < 2**53 else value


def _shown(output: ColorizationOutput) -> ColorizationOutput:
    """The same prediction over a smaller copy of the photograph, where that is larger than the page shows."""
    longest = max(output.source.size)
    if longest <= MAX_SHOWN_PX:
        return output
    width, height = (max(1, round(side * MAX_SHOWN_PX / longest)) for side in output.source.size)
    smaller = output.source.resize((width, height), PIL.Image.Resampling.BOX)
    return dataclasses.replace(output, source=smaller)
