"""What happens to a picture as soon as it is dropped on the page."""

from typing import Any

import gradio as gr

from autochrome.image import read_picture
from autochrome.ui.files import read_upload, result_path, save, uploaded_path
from autochrome.ui.guard import sentences

SHOWN_BY_BROWSERS = {".png", ".jpg", ".jpeg", ".webp", ".gif", ".bmp"}


def check_uploads(place: Any) -> None:
    """Have every upload to a `ui.photograph` looked at; what is no picture is taken away again, with a sentence."""
    accepted = place.upload(accept, place, place, preprocess=False, api_visibility="private")
    accepted.failure(lambda: None, None, place, show_progress="hidden", api_visibility="private")


def accept(upload: dict[str, Any] | None) -> Any:
    """A new upload: say now if it is no picture, and make a PNG of what browsers cannot show (TIFF, CMYK)."""
    if upload is None:
        return gr.skip()
    with sentences(for_page=True):
        path = uploaded_path(upload, "the picture")
        picture = read_picture(read_upload(path))
        if path.suffix.lower() in SHOWN_BY_BROWSERS:
            return gr.skip()
        return str(save(picture, result_path(path.stem)))
