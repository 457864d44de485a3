"""The controls: model, words, the switches that act at once, and more settings."""

from dataclasses import dataclass, fields
from html import escape
from typing import Any

import gradio as gr

from autochrome.catalog import Row
from autochrome.ui.photograph import photograph
from autochrome.ui.studio import Studio

WORDS = ("prompt", "negative_prompt")
NUMBERS = ("saturation", "render_factor", "steps", "guidance_scale", "seed")


@dataclass(frozen=True)
class Controls:
    """The components on the right of the page."""

    model: Any
    note: Any
    prompt: Any
    negative_prompt: Any
    colorize: Any
    merge_lightness: Any
    saturation: Any
    render_factor: Any
    steps: Any
    guidance_scale: Any
    seed: Any
    reference: Any

    @property
    def inputs(self) -> list[Any]:
        """What `Handlers.colorize` takes after the pictures and the token, in its order."""
        return [self.model, self.merge_lightness, *(getattr(self, name) for name in (*WORDS, *NUMBERS))]

    @property
    def outputs(self) -> list[Any]:
        """What a change of the model changes."""
        return [getattr(self, field.name) for field in fields(self)]

    def updates_for(self, row: Row) -> dict[Any, Any]:
        """Fit all controls to a model."""
        return {getattr(self, name): gr.update(**values) for name, values in control_values(row).items()}


def build_controls(studio: Studio) -> Controls:
    """Lay out the controls in the `gr.Blocks` that is being built, as they fit the default model."""
    row = studio.default_row()
    values = control_values(row)
    loadable = [(each.name, each.id) for each in studio.catalog if each.unavailable_reason() is None]
    with gr.Group():
        model = gr.Dropdown(
            loadable,
            value=row.id if loadable else None,
            label="Model",
            filterable=False,
            interactive=bool(loadable),
            elem_id="model",
        )
        note = gr.HTML(**values["note"], elem_id="model-note", padding=True)
    prompt = gr.Textbox(label="Prompt", lines=2, max_lines=4, elem_id="prompt", **values["prompt"])
    negative_prompt = gr.Textbox(label="Not in the picture", elem_id="negative-prompt", **values["negative_prompt"])
    colorize = gr.Button("Colorize", variant="primary", size="lg", elem_id="colorize", interactive=bool(loadable))
    with gr.Group(elem_id="at-once"):
        merge_lightness = gr.Checkbox(
            value=True,
            label="Keep the photograph's own light",
            info="Lightness (L*) from your file, at its full size; only the color is the model's. Acts at once.",
            elem_id="merge-lightness",
        )
        saturation = gr.Slider(
            label="Saturation", info="0 is grey. Acts at once.", elem_id="saturation", **values["saturation"]
        )
    with gr.Accordion("More settings", open=False, elem_id="more"):
        render_factor = gr.Slider(
            label="Render factor",
            info="Working size in units of 16 pixels: lower is bolder, higher is calmer. Needs a new run.",
            elem_id="render-factor",
            **values["render_factor"],
        )
        steps = gr.Slider(label="Steps", info="More take longer.", elem_id="steps", **values["steps"])
        guidance_scale = gr.Slider(
            label="Guidance", info="How closely the prompt is followed.", elem_id="guidance", **values["guidance_scale"]
        )
        seed = gr.Number(
            label="Seed", info="The same seed gives the same picture.", precision=0, elem_id="seed", **values["seed"]
        )
        gr.HTML(
            "<strong>Reference</strong><p>The same picture in color, to measure the result with. No model sees it.</p>",
            elem_id="reference-note",
            padding=True,
        )
        reference = photograph(
            label="Reference", show_label=False, buttons=[], height=200, placeholder="Drop it here", elem_id="reference"
        )
    unavailable_html = _unavailable_html(studio)
    if unavailable_html:
        gr.HTML(unavailable_html, elem_id="unavailable")
    return Controls(
        model, note, prompt, negative_prompt, colorize, merge_lightness, saturation, render_factor, steps,
        guidance_scale, seed, reference,
    )  # fmt: skip


def control_values(row: Row) -> dict[str, dict[str, Any]]:
    """Values and limits of the controls for a model, by the control's name."""
    values: dict[str, dict[str, Any]] = {
        "note": {"value": f"<p>{escape(row.description)}</p>"},
        "prompt": {
            "interactive": "prompt" in row.settings,
            "placeholder": "A farmhouse in June, red door, blue shutters" if "prompt" in row.settings else "",
            "info": "What is in the picture, and in which colors."
            if "prompt" in row.settings
            else f"{row.name} does not listen to words: it decides on the colors by itself.",
        },
        "negative_prompt": {"visible": "negative_prompt" in row.settings},
    }
    for name in NUMBERS:
        values[name] = {"visible": False}
        # A network of one pass takes a seed, as every model does, but draws nothing: no control for that.
        if name in row.settings and not (name == "seed" and row.kind in ("feedforward", "blend")):
            setting = row.settings[name]
            values[name] = {
                "visible": True, "value": setting.default, "minimum": setting.minimum, "maximum": setting.maximum
            }  # fmt: skip
            if name != "seed":
                values[name]["step"] = 1 if isinstance(setting.default, int) else 0.05
    return values


def _unavailable_html(studio: Studio) -> str:
    """The models that cannot be loaded here, each with its reason."""
    reasons = [(row.name, row.unavailable_reason()) for row in studio.catalog]
    items = "".join(
        f"<li><strong>{escape(name)}</strong> {escape(reason)}</li>" for name, reason in reasons if reason is not None
    )
    return f"<p>Not available here</p><ul>{items}</ul>" if items else ""
