"""What happens on the page: each handler takes values of components and returns updates, by component."""

from collections.abc import Iterator
from typing import Any

import gradio as gr

from autochrome.errors import PictureError
from autochrome.image import read_picture
from autochrome.ui.controls import NUMBERS, WORDS, Controls
from autochrome.ui.examples import Example
from autochrome.ui.files import read_upload, result_path, save, uploaded_path
from autochrome.ui.guard import sentences
from autochrome.ui.keep import LastResults
from autochrome.ui.panel import panel_html, status_html
from autochrome.ui.stage import Stage
from autochrome.ui.studio import Look, Studio

SHOWN_BY_BROWSERS = {".png", ".jpg", ".jpeg", ".webp", ".gif", ".bmp"}

Updates = dict[Any, Any]
Upload = dict[str, Any] | None
"""A file as Gradio describes it, not yet looked at: see `ui.photograph`."""


class Handlers:
    """The handlers of one page: its stage and controls, and the studio that does the work."""

    def __init__(
        self, studio: Studio, results: LastResults, examples: list[Example], stage: Stage, controls: Controls
    ) -> None:
        self.studio = studio
        self.results = results
        self.examples = examples
        self.stage = stage
        self.controls = controls

    def accept(self, upload: Upload) -> Any:
        """A new upload: say now if it is no picture, and make a PNG of what browsers cannot show (TIFF, CMYK)."""
        if upload is None:
            return gr.skip()
        with sentences(for_page=True):
            path = uploaded_path(upload, "the picture")
            picture = read_picture(read_upload(path))
            if path.suffix.lower() in SHOWN_BY_BROWSERS:
                return gr.skip()
            return str(save(picture, result_path(path.stem)))

    def choose_example(self, index: int, token: str | None) -> Updates:
        """An example: its grey picture on the stage, its own colors as the reference."""
        example = self.examples[index]
        return {
            **self.start_over(token),
            self.stage.photograph: gr.update(value=str(example.grey), visible=True),
            self.controls.reference: str(example.reference),
        }

    def start_over(self, token: str | None) -> Updates:
        """Back to the empty stage; the last result is forgotten."""
        self.results.forget(token)
        stage = self.stage
        return {
            stage.photograph: gr.update(value=None, visible=True),
            stage.slider: gr.update(value=None, visible=False),
            stage.panel: gr.update(visible=False),
            stage.actions: gr.update(visible=False),
            stage.download: gr.update(value=None, interactive=False),
            stage.token: None,
            self.controls.reference: None,
        }

    def choose_model(self, model: str | None) -> Updates:
        """Another model: what it is, and the settings that it takes."""
        return self.controls.updates_for(self.studio.row(model))

    def colorize(
        self,
        photograph: Upload,
        reference: Upload,
        token: str | None,
        model: str | None,
        merge_lightness: bool,
        progress: gr.Progress = gr.Progress(),  # noqa: B008  # Gradio finds it by this default, and only before *values
        *values: Any,
    ) -> Iterator[Updates]:
        """Run the model and show the result; then write the file to download and measure it."""
        with sentences(for_page=True):
            if photograph is None:
                raise PictureError("There is no photograph yet: drop one on the page, or choose an example.")
            row = self.studio.row(model)
            settings = dict(zip((*WORDS, *NUMBERS), values, strict=True))
            # What this model does not take is not on the page: a value left from another model is no request.
            settings = {name: value for name, value in settings.items() if name in row.settings}
            coloring = self.studio.colorize(
                uploaded_path(photograph, "the photograph"),
                model=row.id,
                settings={**settings, "merge_lightness": merge_lightness},
                reference=uploaded_path(reference, "the reference") if reference else None,
                progress=progress,
            )
            self.results.forget(token)
            token = self.results.put(coloring)
            stage = self.stage
            first = {stage.photograph: gr.update(visible=False), stage.actions: gr.update(visible=True)}
            first |= {stage.token: token, stage.status: status_html(coloring, row.name)}
            look = Look(merge_lightness, coloring.output.settings["saturation"])
            for updates in self._look(token, look):
                yield first | updates
                first = {}

    def render(self, token: str | None, merge_lightness: bool, saturation: float) -> Iterator[Updates]:
        """Another look at the last result; no model runs."""
        with sentences(for_page=True):
            yield from self._look(token, Look(merge_lightness, saturation))

    def _look(self, token: str | None, look: Look) -> Iterator[Updates]:
        """First the picture, which people wait for; then its file at full size and its measures."""
        stage = self.stage
        coloring = self.results.get(token)
        if coloring is None:
            if token is not None:
                gr.Info("That result is no longer kept; press Colorize once more.")
            yield {stage.token: None}
            return
        shown = coloring.show(look)
        yield {
            stage.slider: gr.update(value=(str(coloring.grey_path), str(shown)), visible=True),
            stage.download: gr.update(interactive=False),
        }
        path, measures = coloring.finish(look)
        yield {
            stage.download: gr.update(value=str(path), interactive=True),
            stage.panel: gr.update(value=panel_html(measures), visible=True),
        }
