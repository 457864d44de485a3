"""The tab Batch: its layout and handlers."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from html import escape
from typing import Any

import gradio as gr

from autochrome.catalog import Row
from autochrome.image import PICTURE_SUFFIXES
from autochrome.ui.batch.choosing import MAX_PICTURES, choose
from autochrome.ui.batch.running import Batch
from autochrome.ui.batch.table import finished_html, progress_html, table_html
from autochrome.ui.colorize.controls import SETTINGS, Controls
from autochrome.ui.files import result_path, uploaded_path
from autochrome.ui.guard import sentences, stop_if_unwanted
from autochrome.ui.pacing import paced
from autochrome.ui.stopping import Stops
from autochrome.ui.studio import Studio

Updates = dict[Any, Any]
QUIET = {"show_progress": "hidden", "api_visibility": "private"}
INTRODUCTION = (
    f"<p>Up to {MAX_PICTURES} pictures at once, as files or in .zip archives. The results come as one .zip with the "
    "same names and a table of measures.</p>"
)


@dataclass(frozen=True)
class BatchTab:
    """The components of the tab, and what is done with them."""

    studio: Studio
    controls: Controls
    files: Any
    note: Any
    start: Any
    cancel: Any
    status: Any
    table: Any
    download: Any
    stops: Stops = field(default_factory=Stops)

    @property
    def outputs(self) -> list[Any]:
        """What the handlers change."""
        return [self.start, self.cancel, self.status, self.table, self.download]

    @paced
    def run(self, given: Mapping[Any, Any], request: gr.Request) -> Iterator[Updates]:
        """Color all files; a bad one is listed and stops nothing."""
        with sentences(for_page=True):
            choice = choose([uploaded_path(upload, "a file") for upload in given[self.files] or []])
            row = self.studio.row(given[self.controls.model])
            settings = self.studio.check_settings(row.id, self._settings(given, row))
            batch = Batch(choice, result_path("autochrome").with_suffix(".zip"))
            yield {
                self.start: gr.update(interactive=False),
                self.cancel: gr.update(interactive=True),
                self.download: gr.update(value=None, interactive=False),
                self.table: gr.update(value="", visible=False),
            }
            with self.stops.running(request.session_hash) as stopped:
                for job in batch.run(self.studio, row.id, settings, stopped):
                    stop_if_unwanted()
                    yield {
                        self.status: progress_html(batch, job.name),
                        self.table: gr.update(value=table_html(batch), visible=bool(batch.records)),
                    }
            yield {
                **self.rest(),
                self.status: finished_html(batch),
                self.table: gr.update(value=table_html(batch), visible=True),
                self.download: gr.update(value=str(batch.path), interactive=True) if batch.num_done else gr.skip(),
            }

    def rest(self) -> Updates:
        """Buttons as they are when nothing runs."""
        return {self.start: gr.update(interactive=True), self.cancel: gr.update(interactive=False)}

    def stop(self, request: gr.Request) -> Updates:
        """End at the next step of the picture that is being colored; what is done can be downloaded."""
        self.stops.stop(request.session_hash)
        return {self.cancel: gr.update(interactive=False), self.status: "<p>Stopping.</p>"}

    def describe(self, given: Mapping[Any, Any]) -> str:
        """The model and the settings that a batch will use, in words."""
        row = self.studio.row(given[self.controls.model])
        chosen = self._settings(given, row)
        changed = [
            _in_words(name, value) for name, value in chosen.items() if value not in (None, row.settings[name].default)
        ]
        words = f", {', '.join(changed)}" if changed else ", as it comes"
        return f"<p>Model: <strong>{escape(row.name)}</strong>{escape(words)}. Choose others on the tab Colorize.</p>"

    def _settings(self, given: Mapping[Any, Any], row: Row) -> dict[str, Any]:
        """The settings of the tab Colorize that the model takes; of several candidates a batch makes the first."""
        names = [name for name in SETTINGS if name in row.settings and name != "candidates"]
        return {name: given[self.controls.settings[name]] for name in names}


def _in_words(name: str, value: object) -> str:
    words = name.replace("_", " ")
    if value == "":
        return f"no {words}"
    return f"{words} {('off', 'on')[value] if isinstance(value, bool) else value}"


def build_batch_tab(studio: Studio, controls: Controls, tab: gr.Tab) -> None:
    """Lay out the tab in the `gr.Blocks` that is being built, and connect it.

    Args:
        studio: the models.
        controls: of the tab Colorize: a batch is done with the model and the settings there.
        tab: this tab, which says so when it is opened.
    """
    gr.HTML(INTRODUCTION, elem_classes="intro")
    files = gr.File(
        label="Pictures and .zip archives",
        file_count="multiple",
        file_types=[*sorted(PICTURE_SUFFIXES), ".zip"],
        height=220,
        elem_id="batch-files",
    )
    note = gr.HTML("", elem_id="batch-note")
    with gr.Row(elem_classes="buttons"):
        start = gr.Button(
            "Color all", variant="primary", interactive=bool(studio.offered_rows()), elem_id="batch-start"
        )
        cancel = gr.Button("Cancel", interactive=False, elem_id="batch-cancel")
        download = gr.DownloadButton("Download .zip", interactive=False, elem_id="batch-download")
    status = gr.HTML("", elem_id="batch-status")
    table = gr.HTML("", visible=False, elem_id="batch-table")
    _wire(BatchTab(studio, controls, files, note, start, cancel, status, table, download), tab)


def _wire(batch: BatchTab, tab: gr.Tab) -> None:
    settings = {batch.controls.model, *batch.controls.settings.values()}
    tab.select(batch.describe, settings, batch.note, **QUIET)
    run = batch.start.click(
        batch.run,
        {batch.files, *settings},
        batch.outputs,
        preprocess=False,
        # A lane of its own: the model itself is lent out picture by picture, so that others get their turn.
        concurrency_limit=1,
        concurrency_id="batch",
        trigger_mode="once",
        **QUIET,
    )
    run.failure(batch.rest, None, [batch.start, batch.cancel], **QUIET)
    batch.cancel.click(batch.stop, None, [batch.cancel, batch.status], queue=False, **QUIET)
