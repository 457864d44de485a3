"""The demo: a catalog of models, a page for them, and the door open.

Run it with `python app.py`; GRADIO_SERVER_NAME and GRADIO_SERVER_PORT say where it listens.
"""

import os

# Both are read when their library is imported. PASSIVE: idle threads of torch sleep and leave the core to others
# instead of spinning, which on a busy machine made a pass ten times slower.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")

from autochrome.catalog import load_catalog
from autochrome.ui import build_demo, launch_settings

demo = build_demo(load_catalog())

if __name__ == "__main__":
    demo.launch(**launch_settings())
