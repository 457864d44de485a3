"""The page: title, stage, controls, examples, and which touch calls which handler."""

from functools import partial

import gradio as gr

from autochrome.catalog import Catalog
from autochrome.ui.api import add_endpoints
from autochrome.ui.controls import Controls, build_controls
from autochrome.ui.examples import Example, draw_examples
from autochrome.ui.handlers import Handlers
from autochrome.ui.keep import LastResults
from autochrome.ui.stage import Stage, build_stage
from autochrome.ui.studio import Studio

MAX_WAITING = 40
CLEAN_EVERY_SECONDS = 10 * 60
KEEP_FILES_SECONDS = 60 * 60

TITLE = """<div class="title"><h1><span class="grains" aria-hidden="true"><i></i><i></i><i></i></span>Autochrome</h1>
<p>Color for black-and-white photographs, with every shade of their own light kept.</p></div>"""


def build_demo(catalog: Catalog) -> gr.Blocks:
    """Build the page and its API for the models of a catalog; no model is loaded yet.

    Launch it with `demo.launch(**launch_settings())`: in Gradio 6 the looks belong to the launch.
    """
    studio = Studio(catalog)
    results = LastResults()
    examples = draw_examples()
    with gr.Blocks(title="Autochrome", delete_cache=(CLEAN_EVERY_SECONDS, KEEP_FILES_SECONDS)) as demo:
        gr.HTML(TITLE, elem_id="title")
        with gr.Row(elem_id="workbench"):
            with gr.Column(scale=7, min_width=320, elem_id="stage"):
                stage = build_stage(results)
                example_buttons = _build_examples(examples)
            with gr.Column(scale=4, min_width=300, elem_id="controls"):
                controls = build_controls(studio)
        add_endpoints(studio)  # first: Gradio numbers names that come twice, and these must keep theirs
        _wire(Handlers(studio, results, examples, stage, controls), stage, controls, example_buttons)
    # One queue: the model runs for one person at a time, and who finds it full is told so at once.
    demo.queue(max_size=MAX_WAITING, default_concurrency_limit=4)
    return demo


def _build_examples(examples: list[Example]) -> list[gr.Button]:
    with gr.Column(elem_id="examples"):
        gr.HTML("<p>Or try one of these</p>")
        with gr.Row():
            buttons = [gr.Button(example.title, icon=str(example.grey), min_width=80) for example in examples]
    for button in buttons:
        button.keep_in_cache.add(button.icon["path"])  # or it would be deleted with the old uploads
    return buttons


def _wire(handlers: Handlers, stage: Stage, controls: Controls, examples: list[gr.Button]) -> None:
    """Connect the page. All of it is private: programs have endpoints of their own."""
    for place in (stage.photograph, controls.reference):
        accepted = place.upload(handlers.accept, place, place, preprocess=False, api_visibility="private")
        accepted.failure(lambda: None, None, place, show_progress="hidden", api_visibility="private")
    controls.model.change(
        handlers.choose_model, controls.model, controls.outputs, show_progress="hidden", api_visibility="private"
    )
    coloring = {
        "fn": handlers.colorize,
        "inputs": [stage.photograph, controls.reference, stage.token, *controls.inputs],
        "outputs": stage.outputs,
        "preprocess": False,
        "show_progress_on": [stage.photograph, stage.slider],
        "concurrency_limit": 1,
        "concurrency_id": "model",
        "trigger_mode": "once",
        "api_visibility": "private",
    }
    runs = [gr.on([controls.colorize.click, controls.prompt.submit], **coloring)]
    everything = [*stage.outputs, controls.reference]
    for index, button in enumerate(examples):
        choose = partial(handlers.choose_example, index)
        chosen = button.click(choose, stage.token, everything, show_progress="hidden", api_visibility="private")
        runs.append(chosen.success(**coloring))
    for run in runs:  # the toast has said it all: take the word "Error" off the picture
        run.failure(
            lambda: (gr.skip(), gr.skip()),
            None,
            [stage.photograph, stage.slider],
            show_progress="hidden",
            api_visibility="private",
        )
    gr.on(
        [stage.another.click, stage.photograph.clear],
        handlers.start_over,
        stage.token,
        everything,
        show_progress="hidden",
        api_visibility="private",
    )
    gr.on(
        [controls.merge_lightness.input, controls.saturation.input],
        handlers.render,
        [stage.token, controls.merge_lightness, controls.saturation],
        stage.outputs,
        show_progress="hidden",
        trigger_mode="always_last",
        concurrency_limit=2,
        concurrency_id="render",
        api_visibility="private",
    )
