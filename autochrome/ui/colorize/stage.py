"""The stage: the photograph, the result over it, the candidates, and what was done in this session."""

from dataclasses import dataclass, fields
from typing import Any

import gradio as gr

from autochrome.ui.colorize.history import Entry
from autochrome.ui.keep import KEEP_SECONDS, LastResults
from autochrome.ui.photograph import photograph
from autochrome.ui.steering.asked import Uploads
from autochrome.ui.steering.component import build_easel
from autochrome.ui.studio import Studio

PLACEHOLDER = """# Drop a black-and-white photograph here
or click to choose one, or paste it (Ctrl+V).
JPEG, PNG, TIFF, WebP, BMP or GIF, up to 100 megapixels. It stays on this server and is deleted within two hours."""


@dataclass(frozen=True)
class Stage:
    """The components on the left of the tab."""

    steering: Any
    photograph: Any
    slider: Any
    growing: Any
    status: Any
    candidates: Any
    actions: Any
    download: Any
    another: Any
    panel: Any
    past: Any
    forget: Any
    history: Any
    token: Any
    candidate: Any

    @property
    def outputs(self) -> list[Any]:
        """What the handlers change."""
        return [getattr(self, field.name) for field in fields(self) if field.name != "another"]


def build_stage(studio: Studio, uploads: Uploads, results: LastResults) -> dict[str, Any]:
    """Lay out photograph, result and measures in the `gr.Blocks` that is being built."""

    def forget(entries: list[Entry]) -> None:
        for entry in entries:
            results.forget(entry.token)

    return {
        "token": gr.State(None, time_to_live=KEEP_SECONDS),
        "candidate": gr.State(0, time_to_live=KEEP_SECONDS),
        "history": gr.State([], time_to_live=KEEP_SECONDS, delete_callback=forget),
        "steering": build_easel(studio, uploads),
        "photograph": photograph(
            label="Photograph",
            show_label=False,
            buttons=["fullscreen"],
            placeholder=PLACEHOLDER,
            height="100%",
            elem_id="photograph",
        ),
        "slider": gr.ImageSlider(
            label="Before and after",
            show_label=False,
            format="png",
            type="filepath",
            buttons=["fullscreen"],
            interactive=False,
            visible=False,
            max_height=4000,  # the style sheet limits it by the window's height
            elem_id="before-after",
        ),
        "growing": gr.HTML("", elem_id="growing"),
        **_build_below(),
    }


def _build_below() -> dict[str, Any]:
    # Not inside what comes and goes: a screen reader reads changes of what was there before.
    status = gr.HTML("", elem_id="status")
    candidates = gr.Gallery(
        label="Candidates: pick one",
        format="png",
        columns=6,
        height="auto",
        object_fit="cover",
        allow_preview=False,
        buttons=[],
        interactive=False,
        visible=False,
        elem_id="candidate-gallery",
    )
    with gr.Row(visible=False, elem_id="actions") as actions:
        download = gr.DownloadButton("Download PNG", interactive=False, min_width=150, elem_id="download")
        another = gr.Button("Another photograph", min_width=170, elem_id="another")
    panel = gr.HTML("", visible=False, elem_id="panel")
    return {
        "status": status,
        "candidates": candidates,
        "actions": actions,
        "download": download,
        "another": another,
        "panel": panel,
    }


def build_history() -> dict[str, Any]:
    """Lay out the results of this session: a click brings one back."""
    past = gr.Gallery(
        label="This session: click one to bring it back",
        format="png",
        columns=6,
        height="auto",
        object_fit="cover",
        allow_preview=False,
        buttons=[],
        interactive=False,
        visible=False,
        elem_id="history",
    )
    forget = gr.Button("Forget these", size="sm", visible=False, elem_id="forget")
    return {"past": past, "forget": forget}
