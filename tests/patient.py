"""Clients of the tests' own servers, with patience: httpx and Gradio's client would wait for five seconds."""

from functools import partial
from pathlib import Path

import gradio_client
import httpx

PATIENCE_SECONDS = 120

get = partial(httpx.get, timeout=PATIENCE_SECONDS)
post = partial(httpx.post, timeout=PATIENCE_SECONDS)


def connect(url: str, downloads: Path) -> gradio_client.Client:
    """Gradio's own client; the results that it is given go to a folder."""
    kwargs = {"timeout": PATIENCE_SECONDS}
    return gradio_client.Client(url, verbose=False, download_files=downloads, httpx_kwargs=kwargs)
