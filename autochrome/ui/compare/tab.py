"""The tab Compare: its layout and handlers."""

from collections.abc import Iterator
from dataclasses import dataclass, fields
from typing import Any

import gradio as gr

from autochrome.errors import PictureError
from autochrome.ui.colorize.stage import Stage
from autochrome.ui.compare.contest import NO_COLOR, TRUTH, Contestant, compare
from autochrome.ui.compare.table import table_html
from autochrome.ui.files import uploaded_path
from autochrome.ui.guard import sentences, while_wanted
from autochrome.ui.keep import KEEP_SECONDS
from autochrome.ui.pacing import paced
from autochrome.ui.photograph import photograph
from autochrome.ui.studio import Studio
from autochrome.ui.uploads import check_uploads

Updates = dict[Any, Any]
INTRODUCTION = "<p>One photograph through every model, each with its own settings, beside no color at all.</p>"
QUIET = {"show_progress": "hidden", "api_visibility": "private"}


@dataclass(frozen=True)
class CompareTab:
    """The components of the tab, and what is done with them."""

    studio: Studio
    photograph: Any
    reference: Any
    borrow: Any
    start: Any
    status: Any
    gallery: Any
    table: Any
    choices: Any
    left: Any
    right: Any
    slider: Any
    pictures: Any

    @property
    def outputs(self) -> list[Any]:
        """What the handlers change."""
        inputs = {"studio", "borrow", "start"}
        return [getattr(self, field.name) for field in fields(self) if field.name not in inputs]

    @paced
    def run(
        self,
        upload: dict[str, Any] | None,
        reference: dict[str, Any] | None,
        progress: gr.Progress = gr.Progress(),  # noqa: B008  # Gradio finds it by this default
    ) -> Iterator[Updates]:
        """Color the photograph with every model, and show each as soon as it is ready."""
        with sentences(for_page=True):
            if upload is None:
                raise PictureError("There is no photograph yet: drop one here, or take the one of the tab Colorize.")
            paths = (
                uploaded_path(upload, "the photograph"),
                uploaded_path(reference, "the reference") if reference else None,
            )
            done: list[Contestant] = []
            yield {self.status: "<p>Reading the photograph.</p>", self.choices: gr.update(visible=False)}
            for contestant in compare(self.studio, *paths, while_wanted(progress)):
                done.append(contestant)
                yield {
                    self.status: f"<p>{len(_pictures(done))} pictures, more to come.</p>",
                    self.gallery: gr.update(value=_gallery(done), visible=True),
                    self.table: gr.update(value=table_html(done), visible=True),
                }
            yield self._finish(done)

    def _finish(self, done: list[Contestant]) -> Updates:
        pictures = _pictures(done)
        names = list(pictures)
        models = [name for name in names if name not in (NO_COLOR, TRUTH)]
        if not models:
            return {self.status: "<p>No model could color it here.</p>"}
        seconds = sum(each.seconds or 0.0 for each in done)
        return {
            self.status: f"<p>{len(models)} models took {seconds:.1f} s in all. Choose any two and drag the line.</p>",
            self.pictures: pictures,
            self.choices: gr.update(visible=True),
            self.left: gr.update(choices=names, value=NO_COLOR),
            self.right: gr.update(choices=names, value=models[0]),
            self.slider: (pictures[NO_COLOR], pictures[models[0]]),
        }

    def choose(self, pictures: dict[str, str], left: str | None, right: str | None) -> Any:
        """Two pictures under one line."""
        if left not in pictures or right not in pictures:
            return gr.skip()
        return pictures[left], pictures[right]


def _pictures(done: list[Contestant]) -> dict[str, str]:
    return {each.name: str(each.path) for each in done if each.path is not None}


def _gallery(done: list[Contestant]) -> list[tuple[str, str]]:
    return [(path, name) for name, path in _pictures(done).items()]


def build_compare_tab(studio: Studio, stage: Stage) -> None:
    """Lay out the tab in the `gr.Blocks` that is being built, and connect it.

    Args:
        studio: the models.
        stage: of the tab Colorize, whose photograph can be taken over.
    """
    gr.HTML(INTRODUCTION, elem_classes="intro")
    with gr.Row(elem_classes="compare-inputs"):
        place = photograph(
            label="Photograph",
            placeholder="Drop a photograph here",
            buttons=[],
            height=260,
            elem_id="compare-photograph",
        )
        reference = photograph(
            label="Reference: the same picture in color, if there is one",
            placeholder="Drop it here",
            buttons=[],
            height=260,
            elem_id="compare-reference",
        )
    with gr.Row(elem_classes="buttons"):
        start = gr.Button(
            "Compare all models", variant="primary", interactive=bool(studio.offered_rows()), elem_id="compare"
        )
        borrow = gr.Button("Take the photograph of Colorize", elem_id="borrow")
    tab = CompareTab(studio, place, reference, borrow, start, **_build_results())
    _wire(tab, stage)


def _build_results() -> dict[str, Any]:
    status = gr.HTML("", elem_id="compare-status")
    gallery = gr.Gallery(
        label="Side by side",
        format="png",
        columns=3,
        height="auto",
        object_fit="contain",
        buttons=["download", "fullscreen"],
        interactive=False,
        visible=False,
        elem_id="compare-gallery",
    )
    table = gr.HTML("", visible=False, elem_id="compare-table")
    with gr.Column(visible=False, elem_id="compare-choices") as choices:
        with gr.Row():
            left = gr.Dropdown([], label="Left", filterable=False, elem_id="compare-left")
            right = gr.Dropdown([], label="Right", filterable=False, elem_id="compare-right")
        slider = gr.ImageSlider(
            label="Two of them",
            show_label=False,
            format="png",
            type="filepath",
            buttons=["fullscreen"],
            interactive=False,
            max_height=4000,
            elem_id="compare-slider",
        )
    pictures = gr.State({}, time_to_live=KEEP_SECONDS)
    return {
        "status": status,
        "gallery": gallery,
        "table": table,
        "choices": choices,
        "left": left,
        "right": right,
        "slider": slider,
        "pictures": pictures,
    }


def _wire(tab: CompareTab, stage: Stage) -> None:
    for place in (tab.photograph, tab.reference):
        check_uploads(place)
    tab.start.click(
        tab.run,
        [tab.photograph, tab.reference],
        tab.outputs,
        preprocess=False,
        show_progress_on=[tab.gallery],
        concurrency_limit=1,
        concurrency_id="model",
        trigger_mode="once",
        api_visibility="private",
    )
    tab.borrow.click(
        lambda upload: upload["path"] if upload else None, stage.photograph, tab.photograph, preprocess=False, **QUIET
    )
    gr.on([tab.left.input, tab.right.input], tab.choose, [tab.pictures, tab.left, tab.right], tab.slider, **QUIET)
