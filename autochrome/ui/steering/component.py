"""The two parts of the page where a person draws and picks, and what tells them of photograph, model and settings."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import gradio as gr

from autochrome.pipelines.directions import DEFAULT_RADIUS, MAX_HINTS, MAX_PALETTE
from autochrome.ui.steering.answers import Answers, server_functions
from autochrome.ui.steering.asked import DIRECTIONS, Uploads
from autochrome.ui.steering.markup import EASEL, SIDE
from autochrome.ui.studio import Studio

SCRIPT_DIR = Path(__file__).resolve().parents[3] / "space_config" / "steering"
"""Its files, in the order of their names, are one script: Gradio takes the body of one function."""


def build_easel(studio: Studio, uploads: Uploads) -> gr.HTML:
    """Lay out the picture to draw on. It is seen once there is a photograph and the model takes hints.

    Its value is what a full run takes: `{"photograph", "hints", "palette", "exemplar"}`, pictures as the paths of their
    uploads. It triggers `submit` when the person pauses, and `clear` when another photograph is wanted.
    """
    return gr.HTML(
        value=None,
        html_template=EASEL,
        js_on_load="".join(path.read_text(encoding="utf-8") for path in sorted(SCRIPT_DIR.glob("*.js"))),
        server_functions=server_functions(Answers(studio, uploads)),
        apply_default_css=False,
        elem_id="steering",
        models={
            row.id: {"name": row.name, "takes": [name for name in row.settings if name in (*DIRECTIONS, "prompt")]}
            for row in studio.catalog
        },
        limits={"hints": MAX_HINTS, "palette": MAX_PALETTE, "radius": DEFAULT_RADIUS},
    )


def build_side() -> gr.HTML:
    """Lay out the list of points, the palette, the exemplar and the session; the easel's script fills them."""
    return gr.HTML(html_template=SIDE, js_on_load=None, apply_default_css=False, elem_id="steering-side")


def tell_script(names: Sequence[str]) -> str:
    """JavaScript for the browser: a function of photograph, model and then the settings of these names.

    It tells the easel, which may be there later; no request is made.
    """
    return f"""(photograph, model, ...values) => {{
      const names = {json.dumps(list(names))};
      window.autochromeTold = {{
        photograph: photograph?.path ?? null, model,
        settings: Object.fromEntries(names.map((name, index) => [name, values[index]])),
      }};
      document.dispatchEvent(new CustomEvent("autochrome:told"));
    }}"""


def restored_value(photograph: str | None, directions: Any) -> Any:
    """The easel's value when a result of the session comes back, with the directions that made it."""
    if photograph is None:
        return None
    held = directions if isinstance(directions, dict) else {}
    return {"photograph": photograph, **{name: held.get(name) for name in DIRECTIONS}}
