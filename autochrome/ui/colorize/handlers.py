"""What happens on the tab: each handler takes values of components and returns updates, by component."""

from collections.abc import Iterator, Mapping
from html import escape
from pathlib import Path
from typing import Any

import gradio as gr

from autochrome.ui.coloring import Coloring, Look
from autochrome.ui.colorize.address import read_address
from autochrome.ui.colorize.controls import SETTINGS, Controls, draws
from autochrome.ui.colorize.examples import Example
from autochrome.ui.colorize.history import Entry, as_gallery, look_again, put_first
from autochrome.ui.colorize.presets import Preset
from autochrome.ui.colorize.sentences import candidate_caption, picked_html, restored_html
from autochrome.ui.colorize.stage import Stage
from autochrome.ui.guard import sentences
from autochrome.ui.keep import LastResults
from autochrome.ui.panel import panel_html
from autochrome.ui.steering.component import restored_value
from autochrome.ui.studio import Studio

Updates = dict[Any, Any]
Given = Mapping[Any, Any]
"""The values of the components that an event takes."""


class Handlers:
    """The handlers of one page: its stage and controls, and the studio that does the work."""

    def __init__(self, studio: Studio, results: LastResults, stage: Stage, controls: Controls) -> None:
        self.studio = studio
        self.results = results
        self.stage = stage
        self.controls = controls

    def choose_example(self, example: Example) -> Updates:
        """An example: its grey picture on the stage, its own colors as the reference."""
        return {
            **self.start_over(),
            self.stage.photograph: gr.update(value=str(example.grey), visible=True),
            self.controls.reference: str(example.reference),
        }

    def start_over(self) -> Updates:
        """Back to the empty stage; the results of this session stay in its history."""
        stage = self.stage
        return {
            stage.photograph: gr.update(value=None, visible=True),
            stage.slider: gr.update(value=None, visible=False),
            stage.growing: "",
            stage.candidates: gr.update(value=None, visible=False),
            stage.panel: gr.update(visible=False),
            stage.actions: gr.update(visible=False),
            stage.download: gr.update(value=None, interactive=False),
            stage.status: "",
            stage.token: None,
            stage.candidate: 0,
            self.controls.reference: None,
        }

    def choose_model(self, model: str | None) -> Updates:
        """Another model: what it is, and the settings that it takes."""
        with sentences(for_page=True):
            return {**self.controls.updates_for(self.studio.row(model)), self.controls.preset: None}

    def choose_preset(self, presets: list[Preset], index: int | None) -> Updates:
        """A preset: its model, with its settings, and its sentence in place of the model's."""
        if index is None or not 0 <= index < len(presets):
            return {self.controls.preset: None}
        preset = presets[index]
        updates = self.controls.updates_for(self.studio.row(preset.model), dict(preset.settings))
        return {**updates, self.controls.note: f"<p>{escape(preset.sentence)}</p>"}

    def choose_candidates(self, model: str | None, num_candidates: int) -> Updates:
        """The seed is shown where it draws something."""
        matters = draws(self.studio.row(model), num_candidates)
        return {self.controls.seed: gr.update(visible=matters), self.controls.keep_seed: gr.update(visible=matters)}

    def open_page(self, request: gr.Request) -> Updates:
        """Model and settings of the address, as a reload or a link brings them."""
        with sentences(for_page=True):
            found = read_address(self.studio, request.query_params)
            if found is None:
                return {self.controls.preset: gr.skip()}
            row, settings, complaints = found
            if complaints:
                gr.Warning(f"Left out of this page's address: {escape('; '.join(complaints), quote=False)}.")
            return self.controls.updates_for(row, settings)

    def render(self, given: Given) -> Iterator[Updates]:
        """Another look at the last result; no model runs."""
        with sentences(for_page=True):
            yield from self._look_again(given, given[self.stage.candidate])

    def pick(self, given: Given, event: gr.SelectData) -> Iterator[Updates]:
        """Another candidate becomes the result; no model runs."""
        with sentences(for_page=True):
            coloring = self.results.get(given[self.stage.token])
            candidate = int(event.index)
            first: Updates = {self.stage.candidate: candidate}
            if coloring is not None:
                first[self.stage.status] = picked_html(coloring, candidate)
            for updates in self._look_again(given, candidate):
                yield first | updates
                first = {}

    def restore(self, entries: list[Entry], event: gr.SelectData) -> Iterator[Updates]:
        """A result of this session comes back, with its picture and settings; no model runs."""
        with sentences(for_page=True):
            entry = entries[int(event.index)]
            stage, look = self.stage, entry.look
            settings = {name: entry.settings[name] for name in SETTINGS if name in entry.settings}
            settings |= {"merge_lightness": look.merge_lightness, "saturation": look.saturation}
            coloring = self.results.get(entry.token)
            first = {
                **self.start_over(),
                **self.controls.updates_for(self.studio.row(entry.model), settings),
                **self.remember(entries, entry),
                stage.photograph: gr.update(value=_still_there(entry.photograph), visible=coloring is None),
                self.controls.reference: _still_there(entry.reference),
                self.controls.preset: None,
                stage.steering: restored_value(_still_there(entry.photograph), entry.directions),
                stage.status: restored_html(entry.caption, kept=coloring is not None),
            }
            if coloring is None:
                yield first
                return
            first |= {stage.actions: gr.update(visible=True), stage.token: entry.token, stage.candidate: look.candidate}
            for updates in self.look_at(coloring, look):
                yield first | updates
                first = {}

    def forget(self, entries: list[Entry]) -> Updates:
        """The history of this session is emptied, and what it kept is gone; the result on the stage stays."""
        for entry in entries:
            self.results.forget(entry.token)
            entry.thumbnail.unlink(missing_ok=True)
        return {
            self.stage.history: [],
            self.stage.past: gr.update(value=None, visible=False),
            self.stage.forget: gr.update(visible=False),
        }

    def remember(self, entries: list[Entry], entry: Entry) -> Updates:
        """A result is the first of the session's history."""
        kept, dropped = put_first(entries, entry)
        for old in dropped:
            self.results.forget(old.token)
        kept = [each for each in kept if each.thumbnail.exists()]
        return {
            self.stage.history: kept,
            self.stage.past: gr.update(value=as_gallery(kept), selected_index=None, visible=True),
            self.stage.forget: gr.update(visible=True),
        }

    def _look_again(self, given: Given, candidate: int) -> Iterator[Updates]:
        token = given[self.stage.token]
        coloring = self.results.get(token)
        if coloring is None:
            if token is not None:
                gr.Info("That result is no longer kept; press Colorize once more.")
            yield {self.stage.token: None}
            return
        controls = self.controls
        look = Look(given[controls.merge_lightness], float(given[controls.saturation]), candidate)
        first = {self.stage.history: look_again(given[self.stage.history], token, look)}
        for updates in self.look_at(coloring, look):
            yield first | updates
            first = {}

    def look_at(self, coloring: Coloring, look: Look) -> Iterator[Updates]:
        """First the picture, which people wait for; then the file at full size, its measures and the candidates."""
        stage = self.stage
        shown = coloring.show(look)
        yield {
            stage.slider: gr.update(value=(str(coloring.grey_path), str(shown)), visible=True),
            stage.download: gr.update(interactive=False),
        }
        path, measures = coloring.finish(look)
        yield {
            stage.download: gr.update(value=str(path), interactive=True),
            stage.panel: gr.update(value=panel_html(measures), visible=True),
            stage.candidates: self._candidates(coloring, look),
        }

    def _candidates(self, coloring: Coloring, look: Look) -> Any:
        if coloring.num_candidates == 1:
            return gr.update(value=None, visible=False)
        captions = [candidate_caption(coloring, number) for number in range(coloring.num_candidates)]
        pictures = [(str(path), words) for path, words in zip(coloring.thumbnails(look), captions, strict=True)]
        return gr.update(value=pictures, selected_index=look.candidate, visible=True)


def _still_there(path: Path | None) -> str | None:
    """The path of an upload that was not deleted yet."""
    return str(path) if path is not None and path.exists() else None
