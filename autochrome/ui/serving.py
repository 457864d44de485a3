"""Serving from start to end: a port that may be taken, and a clean end when the program is told to stop."""

import atexit
import os
import signal
import socket
import sys
import time
from types import FrameType

import gradio as gr

from autochrome.ui.limits import DEFAULT_LIMITS, Limits
from autochrome.ui.theme import launch_settings


def serve(demo: gr.Blocks, limits: Limits = DEFAULT_LIMITS) -> None:
    """Serve until Ctrl-C or SIGTERM, which end the program, whatever a model does at that moment.

    GRADIO_SERVER_NAME and GRADIO_SERVER_PORT say where; without them it is the first free port from 7860 on. Ends the
    program with a sentence when that port is taken, or none is free.
    """
    port = os.environ.get("GRADIO_SERVER_PORT", "")
    if port.isdigit() and is_taken(int(port)):
        sys.exit(
            f"autochrome: port {port} is taken, perhaps by an Autochrome that already runs. Open that one, stop it, or "
            "choose another port: GRADIO_SERVER_PORT=7870 python app.py"
        )
    try:
        demo.launch(**launch_settings(limits), prevent_thread_lock=True)
        signal.signal(signal.SIGTERM, _stop)
        while not demo.server.should_exit:
            time.sleep(0.1)
    except KeyboardInterrupt:
        demo.close(verbose=False)
    except OSError as error:
        if "empty port" not in str(error):
            raise
        sys.exit(
            "autochrome: the server could not be started: no port is free, or this machine is too busy to start it "
            "within five seconds. Try again, or choose a port: GRADIO_SERVER_PORT=7870 python app.py"
        )
    _end()


def is_taken(port: int) -> bool:
    """Whether somebody listens at a port of this machine; asked by calling, as not every system refuses a second."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=1):
            return True
    except (OSError, OverflowError):
        return False


def _stop(number: int, frame: FrameType | None) -> None:
    """What Ctrl-C does."""
    del number, frame
    raise KeyboardInterrupt


def _end() -> None:
    """End the program with all its threads, after what was registered for its end.

    A thread inside a model cannot be stopped, and Python's own end takes the interpreter from under it: in a model's
    C++ that is "terminate called without an active exception" and a crash.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)
