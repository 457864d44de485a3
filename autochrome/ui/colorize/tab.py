"""The tab Colorize: its layout, and which touch calls which handler."""

import json
from functools import partial
from typing import Any

import gradio as gr

from autochrome.ui.colorize.address import address_script
from autochrome.ui.colorize.controls import Controls, build_controls, unavailable_html
from autochrome.ui.colorize.examples import Example, draw_examples
from autochrome.ui.colorize.handlers import Handlers
from autochrome.ui.colorize.presets import Preset, read_presets
from autochrome.ui.colorize.runs import Runs
from autochrome.ui.colorize.sentences import CANCELLING_HTML, STARTING_OVER_HTML
from autochrome.ui.colorize.stage import Stage, build_history, build_stage
from autochrome.ui.keep import LastResults
from autochrome.ui.steering.asked import Uploads
from autochrome.ui.steering.component import tell_script
from autochrome.ui.studio import Studio
from autochrome.ui.uploads import check_uploads

QUIET = {"show_progress": "hidden", "api_visibility": "private"}
"""Programs have endpoints of their own; the events of the page are closed to them."""


def build_colorize_tab(demo: gr.Blocks, studio: Studio) -> tuple[Stage, Controls]:
    """Lay out the tab in the `gr.Blocks` that is being built, and connect it."""
    results = LastResults()
    examples, presets = draw_examples(), read_presets(studio.catalog)
    with gr.Row(elem_id="workbench"):
        with gr.Column(scale=7, min_width=320, elem_id="stage"):
            uploads = Uploads()
            parts = build_stage(studio, uploads, results)
            example_buttons = _build_examples(examples)
            stage = Stage(**parts, **build_history())
        with gr.Column(scale=4, min_width=300, elem_id="controls"):
            controls = build_controls(studio, presets)
            reasons = unavailable_html(studio)
            if reasons:
                gr.HTML(reasons, elem_id="unavailable")
    handlers = Handlers(studio, results, stage, controls)
    _wire_controls(demo, handlers, presets)
    _wire_runs(Runs(handlers, uploads), dict(zip(example_buttons, examples, strict=True)))
    _wire_looks(handlers)
    return stage, controls


def _build_examples(examples: list[Example]) -> list[gr.Button]:
    with gr.Column(elem_id="examples"):
        gr.HTML("<p>Or try one of these</p>")
        with gr.Row():
            buttons = [gr.Button(example.title, icon=str(example.grey), min_width=80) for example in examples]
    for button in buttons:
        button.keep_in_cache.add(button.icon["path"])  # or it would be deleted with the old uploads
    return buttons


def _wire_controls(demo: gr.Blocks, handlers: Handlers, presets: list[Preset]) -> None:
    stage, controls, studio = handlers.stage, handlers.controls, handlers.studio
    for place in (stage.photograph, controls.reference):
        check_uploads(place)
    # `input`, not `change`: a preset and the address set the model too, and bring settings of their own.
    controls.model.input(handlers.choose_model, controls.model, controls.outputs, **QUIET)
    controls.preset.input(partial(handlers.choose_preset, presets), controls.preset, controls.outputs, **QUIET)
    controls.candidates.change(
        handlers.choose_candidates,
        [controls.model, controls.candidates],
        [controls.seed, controls.keep_seed],
        trigger_mode="always_last",
        **QUIET,
    )
    settings = [controls.model, *controls.settings.values()]
    opened = demo.load(handlers.open_page, None, controls.outputs, **QUIET)
    # Only once the address was read: the first changes are those of the page's own defaults.
    write = {"fn": None, "inputs": settings, "js": address_script(studio.catalog, studio.default_row()), **QUIET}
    opened.then(**write)
    gr.on([each.change for each in settings], **write)
    told = [stage.photograph, *settings]
    tell: dict[str, Any] = {"fn": None, "inputs": told, "js": tell_script(list(controls.settings)), **QUIET}
    opened.then(**tell)
    gr.on([each.change for each in told], **tell)


def _wire_runs(runs: Runs, examples: dict[gr.Button, Example]) -> None:
    handlers = runs.handlers
    stage, controls = handlers.stage, handlers.controls
    # In the browser, so that who waits in the queue can cancel too; and before the run, whose end the browser awaits.
    starts = [controls.colorize.click, controls.prompt.submit, *(button.click for button in examples)]
    gr.on(starts, None, None, controls.cancel, js='() => ({__type__: "update", interactive: true})', **QUIET)
    coloring: dict[str, Any] = {
        "fn": runs.colorize,
        "inputs": {
            *(stage.photograph, stage.steering, stage.history, stage.token),
            *(controls.reference, controls.model, controls.keep_seed),
            *controls.settings.values(),
        },
        "outputs": [*stage.outputs, controls.seed, controls.cancel],
        "preprocess": False,
        "show_progress_on": [stage.photograph, stage.slider],
        "concurrency_limit": 1,
        "concurrency_id": "model",
        "trigger_mode": "once",
        "api_visibility": "private",
    }
    events = [gr.on([controls.colorize.click, controls.prompt.submit], **coloring)]
    followed = {**coloring, "fn": runs.follow, "trigger_mode": "always_last", "show_progress": "hidden"}
    events.append(stage.steering.submit(**followed))
    everything = [*stage.outputs, controls.reference]
    for button, example in examples.items():
        chosen = button.click(runs.chooser(example), None, everything, **QUIET)
        # Where the same example still runs, that run was just told to stop: this one is no second click.
        events.append(chosen.success(**{**coloring, "trigger_mode": "multiple"}))
    resting = [stage.photograph, stage.slider, stage.growing, stage.status, controls.cancel]
    for run in events:  # the toast has said it all: what was there before is back, without the word "Error" on it
        run.failure(runs.rest, [stage.token, stage.status], resting, **QUIET)
    # Gradio's script counts a cancelled run as failed, once it has let go of it: "Cancelled" is said only then.
    controls.cancel.click(None, None, stage.status, js=f"() => {json.dumps(CANCELLING_HTML)}", **QUIET)
    controls.cancel.click(runs.stop, stage.token, stage.status, cancels=events, queue=False, **QUIET)
    clears = [stage.another.click, stage.steering.clear, stage.photograph.clear]
    gr.on(clears, None, None, stage.status, js=f"() => {json.dumps(STARTING_OVER_HTML)}", **QUIET)
    gr.on(clears, runs.start_over, None, [*everything, controls.cancel], cancels=events, **QUIET)


def _wire_looks(handlers: Handlers) -> None:
    stage, controls = handlers.stage, handlers.controls
    looking: dict[str, Any] = {
        "inputs": {stage.token, stage.candidate, stage.history, controls.merge_lightness, controls.saturation},
        "outputs": stage.outputs,
        "trigger_mode": "always_last",
        "concurrency_limit": 2,
        "concurrency_id": "render",
        **QUIET,
    }
    gr.on([controls.merge_lightness.input, controls.saturation.input], handlers.render, **looking)
    stage.candidates.select(handlers.pick, **looking)
    stage.past.select(
        handlers.restore,
        stage.history,
        [*stage.outputs, *controls.outputs],
        concurrency_limit=2,
        concurrency_id="render",
        **QUIET,
    )
    stage.forget.click(handlers.forget, stage.history, [stage.history, stage.past, stage.forget], **QUIET)
