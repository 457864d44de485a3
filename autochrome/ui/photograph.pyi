"""The place for the photograph on the page."""

from pathlib import Path
from typing import Any

import gradio as gr

from autochrome.ui.files import uploaded_path
from autochrome.ui.guard import sentences

from gradio.events import Dependency

class Photograph(gr.Image):  # type: ignore[misc]  # Gradio is untyped to mypy
    """`gr.Image` that hands over the uploaded file as it is.

    `gr.Image` decodes what comes in: no pixel limit, 16 bits and color profiles lost, and a stack trace for a file
    that is no picture. `autochrome.image.read_picture` does this better.
    """

    is_template = True  # the browser shows it as the gr.Image that it is

    def preprocess(self, payload: Any) -> Path | None:
        """The path of the upload, or None."""
        if payload is None:
            return None
        with sentences(for_page=True):
            return uploaded_path({"path": payload.path}, "the photograph")
    from typing import Callable, Literal, Sequence, Any, TYPE_CHECKING
    from gradio.blocks import Block
    if TYPE_CHECKING:
        from gradio.components import Timer
        from gradio.components.base import Component