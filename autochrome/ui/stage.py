"""The stage: the photograph, the result over it, and what can be done with that."""

from dataclasses import dataclass
from typing import Any

import gradio as gr

from autochrome.ui.keep import KEEP_SECONDS, LastResults
from autochrome.ui.photograph import photograph

PLACEHOLDER = """# Drop a black-and-white photograph here
or click to choose one, or paste it (Ctrl+V).
JPEG, PNG, TIFF, WebP, BMP or GIF, up to 100 megapixels. It stays on this server and is deleted within two hours."""


@dataclass(frozen=True)
class Stage:
    """The components on the left of the page."""

    photograph: Any
    slider: Any
    status: Any
    actions: Any
    download: Any
    another: Any
    panel: Any
    token: Any

    @property
    def outputs(self) -> list[Any]:
        """What the handlers change."""
        return [
            self.photograph,
            self.slider,
            self.status,
            self.actions,
            self.download,
            self.panel,
            self.token,
        ]


def build_stage(results: LastResults) -> Stage:
    """Lay out the stage in the `gr.Blocks` that is being built."""
    return Stage(
        token=gr.State(None, time_to_live=KEEP_SECONDS, delete_callback=results.forget),
        photograph=photograph(
            label="Photograph",
            show_label=False,
            buttons=["fullscreen"],
            placeholder=PLACEHOLDER,
            height="100%",
            elem_id="photograph",
        ),
        slider=gr.ImageSlider(
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
        **_build_below(),
    )


def _build_below() -> dict[str, Any]:
    with gr.Row(visible=False, elem_id="actions") as actions:
        status = gr.HTML("", elem_id="status")
        download = gr.DownloadButton("Download PNG", interactive=False, min_width=150, elem_id="download")
        another = gr.Button("Another photograph", min_width=170, elem_id="another")
    panel = gr.HTML("", visible=False, elem_id="panel")
    return {"status": status, "actions": actions, "download": download, "another": another, "panel": panel}
