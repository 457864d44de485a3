"""Coloring as page and API share it: model and picture in, a result that can be looked at, measured and saved."""

import logging
import threading
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import PIL.Image

from autochrome.catalog import Catalog, Row
from autochrome.errors import AutochromeError
from autochrome.image import read_picture
from autochrome.pipelines import ColorizationOutput, Pipeline, Preview, Progress
from autochrome.ui.accelerator import gpu_seconds, on_accelerator, wants_zero_gpu
from autochrome.ui.coloring import Coloring, make_coloring
from autochrome.ui.files import read_upload
from autochrome.ui.guard import stop_if_unwanted, while_wanted
from autochrome.ui.measure import Yardstick
from autochrome.ui.turn import Turn

MAX_LOADED_MODELS = 4

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Loaded:
    """A model in memory, and the lock of its runs: a run that gives way must not meet another of the same model."""

    pipeline: Pipeline
    runs: threading.Lock = field(default_factory=threading.Lock)


class Studio:
    """The models of a catalog, loaded when first asked for; the last few stay in memory."""

    def __init__(self, catalog: Catalog) -> None:
        self.catalog = catalog
        self._pipelines: OrderedDict[str, Loaded] = OrderedDict()
        self._lock = threading.Lock()
        self._loading = threading.Lock()
        self._turn = Turn()
        self._on_gpu = on_accelerator(self._run_on_gpu, self._gpu_seconds)

    def absent_reason(self, row: Row, *, directed: bool = False) -> str | None:
        """Why a tab does not offer a model, as a sentence; None when it does.

        A way that colors nothing by itself is offered only where a person can direct it.
        """
        return row.unavailable_reason() or (None if directed else row.undirected_reason({}))

    def offered_rows(self, *, directed: bool = False) -> list[Row]:
        """The models that a tab offers, in order: see `absent_reason`."""
        return [row for row in self.catalog if self.absent_reason(row, directed=directed) is None]

    def default_row(self) -> Row:
        """The first model that is offered here; when none is, the first of all, whose reason the page shows."""
        return next(iter(self.offered_rows()), self.catalog.default)

    def row(self, model_id: str | None) -> Row:
        """The row of a model; of the default one for None or an empty text.

        Raises:
            CatalogError: no such model.
        """
        return self.catalog[str(model_id)] if model_id else self.default_row()

    def warm(self) -> threading.Thread:
        """Load the default model in a thread and let it run once, so that the first person does not wait for that."""

        def load() -> None:
            try:
                self.run(self.default_row().id, PIL.Image.new("RGB", (256, 256), "grey"), {})
            except AutochromeError as error:  # who asks for it is told
                log.info("the default model was not loaded in advance: %s", error)

        thread = threading.Thread(target=load, name="warm", daemon=True)
        thread.start()
        return thread

    def pipeline(self, model_id: str) -> Pipeline:
        """The loaded model of a row.

        Raises:
            CatalogError: no such model.
            UnavailableError, ModelError: it cannot be loaded here.
        """
        return self._loaded(model_id).pipeline

    def _loaded(self, model_id: str) -> Loaded:
        loaded = self._kept(model_id)
        if loaded is None:
            with self._loading:  # one at a time; who wants a loaded model does not wait for it
                loaded = self._kept(model_id)
                if loaded is None:
                    loaded = Loaded(self.catalog.load_pipeline(model_id))
                    self._keep(model_id, loaded)
        return loaded

    def _kept(self, model_id: str) -> Loaded | None:
        with self._lock:
            if model_id in self._pipelines:
                self._pipelines.move_to_end(model_id)
            return self._pipelines.get(model_id)

    def _keep(self, model_id: str, loaded: Loaded) -> None:
        with self._lock:
            self._pipelines[model_id] = loaded
            while len(self._pipelines) > MAX_LOADED_MODELS:
                self._pipelines.popitem(last=False)

    def run(
        self,
        model_id: str,
        source: PIL.Image.Image,
        settings: Mapping[str, object],
        progress: Progress | None = None,
        preview: Preview | None = None,
    ) -> ColorizationOutput:
        """Color a picture as `read_picture` gives it: the one place where a model runs, one picture at a time.

        A model that works in steps gives way between them to runs of other models that wait.

        Args:
            model_id: catalog id.
            source: RGB or RGBA.
            settings: by name.
            progress: called with the share that is done and the step that begins; what it raises ends the run.
            preview: given each step of a model that shows its steps; never called by the others.

        Raises:
            AutochromeError: a setting is refused, or the model cannot be loaded.
        """
        loaded = self._loaded(model_id)
        pipeline = loaded.pipeline
        with loaded.runs, self._turn:
            stop_if_unwanted()
            if wants_zero_gpu() and self.row(model_id).device == "accelerator":
                if progress is not None:
                    progress(0.0, "on the graphics card")
                return self._on_gpu(model_id, source, settings)
            report = while_wanted(progress)
            if not pipeline.gives_previews:
                return pipeline(source, progress=report, **settings)

            def between_steps(share: float, step: str) -> None:
                self._turn.give_way()
                report(share, step)

            return pipeline(source, progress=between_steps, preview=preview, **settings)

    def _run_on_gpu(self, model_id: str, source: PIL.Image.Image, settings: Mapping[str, Any]) -> ColorizationOutput:
        # In a fork: what goes in is pickled, and functions of this process, such as a preview, are none of it.
        return self.pipeline(model_id)(source, **settings)

    def _gpu_seconds(self, model_id: str, source: PIL.Image.Image, settings: Mapping[str, Any]) -> int:
        del source
        return gpu_seconds(self.row(model_id).kind, settings)

    def colorize(
        self,
        photograph: Path,
        *,
        model: str | None,
        settings: Mapping[str, object],
        reference: Path | None = None,
        progress: Progress | None = None,
        preview: Preview | None = None,
    ) -> Coloring:
        """Color an uploaded photograph.

        Args:
            photograph: the uploaded file; its name becomes the result's.
            model: catalog id; empty or None for the default.
            settings: by name, as a pipeline's `check_settings` takes them; the model refuses those it has no use for.
            reference: the same picture in color, for the measures.
            progress, preview: see `run`.

        Raises:
            AutochromeError: a picture cannot be read, a setting is refused, or the model cannot be loaded.
        """
        row = self.row(model)
        model_id = row.id
        if progress is not None and self._kept(model_id) is None:
            progress(0.0, f"loading {row.name}")
        settings = self.check_settings(model_id, settings)  # before the time that reading takes
        source = read_picture(read_upload(photograph))
        yardstick = Yardstick(source, read_picture(read_upload(reference)) if reference is not None else None)
        return make_coloring(self.run(model_id, source, settings, progress, preview), yardstick, photograph.stem)

    def check_settings(self, model_id: str, settings: Mapping[str, object]) -> dict[str, object]:
        """The settings as given, with whole numbers whole, once the model has agreed to them.

        Raises:
            AutochromeError: one is refused, or the model cannot be loaded.
        """
        given = {name: _whole(value) for name, value in settings.items()}
        self.pipeline(model_id).check_inputs(**given)
        return given


def _whole(value: object) -> object:
    """JSON knows one kind of number, so 16.0 is a whole one to those who send it."""
    return int(value) if isinstance(value, float) and value.is_integer() and abs(value) < 2**53 else value
