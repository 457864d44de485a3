"""A place for a picture on the page."""

from typing import Any

import gradio as gr


def photograph(**settings: Any) -> gr.Image:
    """An input for a picture; `settings` are those of `gr.Image`.

    Events that take it must be added with `preprocess=False`: the handler is then given the uploaded file itself, and
    `files.uploaded_path` makes a path of it. `gr.Image` would decode it first: no pixel limit, 16 bits and color
    profiles lost, a stack trace for a file that is no picture. (A subclass that does not is no way out: Gradio writes
    a stub file beside the module of every component class, and that folder may be read-only.)
    """
    return gr.Image(type="filepath", format="png", sources=["upload", "clipboard"], **settings)
