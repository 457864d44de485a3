"""The place for the photograph on the page."""

from pathlib import Path
from typing import Any

import gradio as gr

from autochrome.ui.files import uploaded_path
from autochrome.ui.guard import sentences


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


def photograph(**settings: Any) -> Photograph:
    """A place for a picture; `settings` are those of `gr.Image`."""
    # Not in a constructor of its own: Gradio reads the settings that it sends to the browser from the signature.
    return Photograph(type="filepath", image_mode=None, format="png", sources=["upload", "clipboard"], **settings)
