"""The Gradio page and its API. Only `app.py` imports this package."""

from autochrome.ui.blocks import build_demo
from autochrome.ui.theme import launch_settings

__all__ = ["build_demo", "launch_settings"]
