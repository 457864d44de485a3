"""Runs of a model on the tab: begun, watched step by step, cancelled."""

import random
import threading
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import closing
from dataclasses import replace
from functools import partial
from html import escape
from typing import Any

import gradio as gr

from autochrome.errors import Cancelled, PictureError
from autochrome.ui.coloring import Coloring
from autochrome.ui.colorize.controls import SETTINGS, draws
from autochrome.ui.colorize.examples import Example
from autochrome.ui.colorize.growing import growing_html
from autochrome.ui.colorize.handlers import Given, Handlers, Updates
from autochrome.ui.colorize.history import make_entry
from autochrome.ui.colorize.sentences import CANCELLING_HTML, STARTING_OVER_HTML, cancelled_html, status_html
from autochrome.ui.files import uploaded_path
from autochrome.ui.guard import sentences
from autochrome.ui.pacing import paced
from autochrome.ui.steering.asked import Uploads
from autochrome.ui.steps import watched
from autochrome.ui.stopping import Stops, unless_stopped

MAX_SEED = 2**32 - 1


class Runs:
    """The handlers that run a model, for the page of `handlers`."""

    def __init__(self, handlers: Handlers, uploads: Uploads) -> None:
        self.handlers = handlers
        self.uploads = uploads
        self.stops = Stops()

    def colorize(
        self,
        given: Given,
        request: gr.Request,
        progress: gr.Progress = gr.Progress(),  # noqa: B008  # Gradio finds it by this default
    ) -> Iterator[Updates]:
        """Run the model and show the result; then write the file to download and measure it."""
        yield from self._colorize(given, request, progress, followed=False)

    def follow(
        self,
        given: Given,
        request: gr.Request,
        progress: gr.Progress = gr.Progress(),  # noqa: B008
    ) -> Iterator[Updates]:
        """The full run after a pause in drawing: of those in a row only the last stays in the history."""
        entries = given[self.handlers.stage.history]
        if entries and entries[0].followed and given[self.handlers.stage.token] == entries[0].token:
            self.handlers.results.forget(entries[0].token)
            given = {**given, self.handlers.stage.history: entries[1:]}
        yield from self._colorize(given, request, progress, followed=True)

    @paced
    def _colorize(
        self, given: Given, request: gr.Request, progress: gr.Progress, *, followed: bool
    ) -> Iterator[Updates]:
        stage, controls = self.handlers.stage, self.handlers.controls
        with sentences(for_page=True), self.stops.running(request.session_hash) as stopped:
            if given[stage.photograph] is None:
                raise PictureError("There is no photograph yet: drop one on the page, or choose an example.")
            row = self.handlers.studio.row(given[controls.model])
            photograph = uploaded_path(given[stage.photograph], "the photograph")
            reference = given[controls.reference]
            reference = uploaded_path(reference, "the reference") if reference else None
            # What this model does not take is not on the page: a value left from another model is no request.
            settings = {name: given[controls.settings[name]] for name in SETTINGS if name in row.settings}
            if draws(row, settings.get("candidates")) and not given[controls.keep_seed]:
                settings["seed"] = random.randint(0, MAX_SEED)
            drawn = given[stage.steering]
            if not isinstance(drawn, Mapping) or drawn.get("photograph") != given[stage.photograph].get("path"):
                drawn = None  # of the photograph before this one: the browser was not told yet
            settings |= self.uploads.directions(drawn, row)
            work = partial(
                self.handlers.studio.colorize,
                photograph,
                model=row.id,
                settings=settings,
                reference=reference,
                progress=unless_stopped(stopped, progress),
            )
            light = given[stage.photograph].get("url") if settings.get("merge_lightness") else None
            light = light if isinstance(light, str) else None
            try:
                coloring = yield from self._watch(work, stopped, light, row.name)
            except Cancelled:  # what the page then shows is for the touch that ended it
                yield {controls.cancel: gr.update(interactive=False)}
                return
            token = self.handlers.results.put(coloring)
            entry = make_entry(token, coloring, row, photograph, reference)
            entry = replace(entry, directions=drawn, followed=followed)
            first = {
                **self.handlers.remember(given[stage.history], entry),
                stage.photograph: gr.update(visible=False),
                stage.growing: "",
                stage.actions: gr.update(visible=True),
                stage.token: token,
                stage.candidate: 0,
                stage.status: status_html(coloring, row.name),
                controls.cancel: gr.update(interactive=False),
            }
            if "seed" in settings:
                first[controls.seed] = settings["seed"]
            for updates in self.handlers.look_at(coloring, coloring.look()):
                yield first | updates
                first = {}

    def _watch(
        self, work: partial[Coloring], stopped: threading.Event, light: str | None, name: str
    ) -> Generator[Updates, None, Coloring]:
        """Show the steps of a run, in place of whatever is on the stage; models of one pass have none.

        The style sheet hides the rest while there is something that grows: Gradio mounts what becomes visible in its
        own time, and of two changes within a moment the page kept the first.
        """
        stage = self.handlers.stage
        first: Updates = {
            stage.status: f"<p>{escape(name)} colors it, step by step.</p>",
            self.handlers.controls.cancel: gr.update(interactive=True),
        }
        with closing(watched(lambda preview: work(preview=preview), stopped)) as steps:
            while True:
                try:
                    step = next(steps)
                except StopIteration as end:
                    coloring: Coloring = end.value
                    return coloring
                yield first | {stage.growing: growing_html(step, light)}
                first = {}

    def stop(self, token: str | None, request: gr.Request) -> Any:
        """End this session's runs at their next step; the status where none had begun."""
        return gr.skip() if self.stops.stop(request.session_hash) else cancelled_html(before=token is not None)

    def start_over(self, request: gr.Request) -> Updates:
        """Back to the empty stage; what runs for it ends too."""
        self.stops.stop(request.session_hash)
        return {**self.handlers.start_over(), self.handlers.controls.cancel: gr.update(interactive=False)}

    def chooser(self, example: Example) -> Callable[[gr.Request], Updates]:
        """What puts an example on the stage, for the run that follows; what ran before ends."""

        def choose(request: gr.Request) -> Updates:  # by its annotation Gradio knows what to give it
            self.stops.stop(request.session_hash)
            return self.handlers.choose_example(example)

        return choose

    def rest(self, token: str | None, status: str) -> Updates:
        """The stage as it is when nothing runs: the last result, or else the photograph.

        For runs that failed or were cancelled; the browser asks for it once it has let go of the run. Where that was
        to start over, the stage is emptied at the same time: this one knows an older token and keeps out of it.
        """
        if status == STARTING_OVER_HTML:
            return {self.handlers.controls.cancel: gr.update(interactive=False)}
        cancelled = status == CANCELLING_HTML
        return {
            self.handlers.stage.photograph: gr.update(visible=token is None),
            self.handlers.stage.slider: gr.update(visible=token is not None),
            self.handlers.stage.growing: "",
            self.handlers.stage.status: cancelled_html(before=token is not None) if cancelled else gr.skip(),
            self.handlers.controls.cancel: gr.update(interactive=False),
        }
