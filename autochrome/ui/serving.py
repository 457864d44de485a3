"""Serving from start to end: a port that may be taken, and a clean end when the program is told to stop."""

import signal
import sys
from types import FrameType

import gradio as gr

from autochrome.ui.limits import DEFAULT_LIMITS, Limits
from autochrome.ui.theme import launch_settings


def serve(demo: gr.Blocks, limits: Limits = DEFAULT_LIMITS) -> None:
    """Serve until Ctrl-C or SIGTERM.

    GRADIO_SERVER_NAME and GRADIO_SERVER_PORT say where. Ends the program with a sentence when that port is taken.
    """
    signal.signal(signal.SIGTERM, _stop)
    try:
        demo.launch(**launch_settings(limits))
    except OSError as error:
        if "empty port" not in str(error):
            raise
        sys.exit(
            "autochrome: the port is taken, perhaps by an Autochrome that already runs. Open that one, stop it, or "
            "choose another port: GRADIO_SERVER_PORT=7870 python app.py"
        )


def _stop(number: int, frame: FrameType | None) -> None:
    """What Ctrl-C does, which Gradio waits for."""
    del number, frame
    raise KeyboardInterrupt
