"""The page: a title, four tabs, and the endpoints for programs."""

import gradio as gr

from autochrome.catalog import Catalog
from autochrome.ui.about import build_about_tab
from autochrome.ui.api import add_endpoints
from autochrome.ui.batch.tab import build_batch_tab
from autochrome.ui.colorize.tab import build_colorize_tab
from autochrome.ui.compare.tab import build_compare_tab
from autochrome.ui.limits import DEFAULT_LIMITS, Limits
from autochrome.ui.studio import Studio

TITLE = """<div class="title"><h1><span class="grains" aria-hidden="true"><i></i><i></i><i></i></span>Autochrome</h1>
<p>Color for black-and-white photographs, with every shade of their own light kept.</p></div>"""

QUEUE_SLEEP_SECONDS = 0.005
"""Between two looks at the queue. Gradio looks a thousand times a second, which takes the models' time from them."""


def build_demo(catalog: Catalog, limits: Limits = DEFAULT_LIMITS) -> gr.Blocks:
    """Build the page and its API for the models of a catalog. The default model is loaded once the server listens.

    Launch it with `demo.launch(**launch_settings())`: in Gradio 6 the looks belong to the launch.
    """
    studio = Studio(catalog)

    async def warm() -> None:
        studio.warm()

    with gr.Blocks(title="Autochrome") as demo:
        add_endpoints(studio)  # first: Gradio numbers names that come twice, and these must keep theirs
        gr.HTML(TITLE, elem_id="title")
        with gr.Tabs(elem_id="tabs", overflow_behavior="wrap"):
            with gr.Tab("Colorize", id="colorize", elem_id="tab-colorize"):
                stage, controls = build_colorize_tab(demo, studio)
            with gr.Tab("Compare", id="compare", elem_id="tab-compare"):
                build_compare_tab(studio, stage)
            with gr.Tab("Batch", id="batch", elem_id="tab-batch") as batch:
                build_batch_tab(studio, controls, batch)
            with gr.Tab("About", id="about", elem_id="tab-about"):
                build_about_tab(catalog)
    # One queue: the model runs for one person at a time, and who finds it full is told so at once.
    # Closed but to the queue: a direct call would run beside it.
    demo.queue(max_size=limits.max_waiting, default_concurrency_limit=4, api_open=False)
    demo._queue.sleep_when_free = QUEUE_SLEEP_SECONDS
    demo.extra_startup_events.append(warm)
    return demo
