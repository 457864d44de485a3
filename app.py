"""The demo: a catalog of models, a page for them, and the door open.

Run it with `python app.py`; GRADIO_SERVER_NAME and GRADIO_SERVER_PORT say where it listens.
"""

import atexit
import os
import shutil
import signal
import tempfile
from pathlib import Path

# All are read when their library is imported. PASSIVE: idle threads of torch sleep and leave the core to others
# instead of spinning, which on a busy machine made a pass ten times slower. The other two: Gradio keeps statistics of
# ten thousand requests, which nobody looks at, and works through all of them after each one.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")
os.environ.setdefault("GRADIO_ANALYTICS_MAX_EVENTS", "1")
os.environ.setdefault("GRADIO_ANALYTICS_CACHE_FREQUENCY", "1000000000")

# A folder of its own for uploads and results: the default is one for all that run Gradio on a machine.
parent = Path(os.environ.get("GRADIO_TEMP_DIR") or tempfile.gettempdir())
parent.mkdir(parents=True, exist_ok=True)
os.environ["GRADIO_TEMP_DIR"] = tempfile.mkdtemp(prefix="autochrome-", dir=parent)
atexit.register(shutil.rmtree, os.environ["GRADIO_TEMP_DIR"], ignore_errors=True)


def leave(*_: object) -> None:
    """End at once, with success. What an exception would do is not known: some of the imports below swallow it."""
    shutil.rmtree(os.environ["GRADIO_TEMP_DIR"], ignore_errors=True)
    os._exit(0)


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, leave)  # until it serves

from autochrome.catalog import load_catalog  # noqa: E402
from autochrome.ui import build_demo, serve  # noqa: E402

demo = build_demo(load_catalog())

if __name__ == "__main__":
    serve(demo)
