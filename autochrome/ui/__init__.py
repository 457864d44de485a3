"""The Gradio page and its API. Only `app.py` imports this package."""

from autochrome.ui.blocks import build_demo
from autochrome.ui.limits import Limits
from autochrome.ui.serving import serve
from autochrome.ui.theme import launch_settings

__all__ = ["Limits", "build_demo", "launch_settings", "serve"]
