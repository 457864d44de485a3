"""The controls: preset, model, words, the switches that act at once, and more settings."""

from dataclasses import dataclass, fields
from html import escape
from typing import Any

import gradio as gr

from autochrome.catalog import Row
from autochrome.ui.colorize.presets import Preset
from autochrome.ui.photograph import photograph
from autochrome.ui.steering.component import build_side
from autochrome.ui.studio import Studio

WORDS = ("prompt", "negative_prompt")
NUMBERS = ("saturation", "render_factor", "steps", "guidance_scale", "conditioning_scale", "candidates", "seed")
SETTINGS = ("merge_lightness", *WORDS, *NUMBERS)
"""The settings that have a control here, by their names at every door."""


@dataclass(frozen=True)
class Controls:
    """The components on the right of the tab."""

    preset: Any
    model: Any
    note: Any
    prompt: Any
    negative_prompt: Any
    candidates: Any
    colorize: Any
    cancel: Any
    merge_lightness: Any
    saturation: Any
    render_factor: Any
    steps: Any
    guidance_scale: Any
    conditioning_scale: Any
    seed: Any
    keep_seed: Any
    reference: Any

    @property
    def settings(self) -> dict[str, Any]:
        """The component of each setting, by its name."""
        return {name: getattr(self, name) for name in SETTINGS}

    @property
    def outputs(self) -> list[Any]:
        """What a change of the model changes."""
        return [getattr(self, field.name) for field in fields(self)]

    def updates_for(self, row: Row, settings: dict[str, Any] | None = None) -> dict[Any, Any]:
        """Fit all controls to a model, with its defaults and these settings."""
        updates = {getattr(self, name): gr.update(**values) for name, values in control_values(row, settings).items()}
        return {**updates, self.model: row.id}


def build_controls(studio: Studio, presets: list[Preset]) -> Controls:
    """Lay out the controls in the `gr.Blocks` that is being built, as they fit the default model."""
    row = studio.default_row()
    values = control_values(row)
    loadable = [(each.name, each.id) for each in studio.offered_rows(directed=True)]
    with gr.Group():
        preset = gr.Dropdown(
            [(each.name, index) for index, each in enumerate(presets)],
            value=None,
            label="Preset",
            info="A model and settings, ready-made.",
            filterable=False,
            interactive=True,
            visible=bool(presets),
            elem_id="preset",
        )
        model = gr.Dropdown(
            loadable,
            value=row.id if loadable else None,
            label="Model",
            filterable=False,
            interactive=bool(loadable),
            elem_id="model",
        )
        note = gr.HTML(**values["note"], elem_id="model-note", padding=True)
    prompt = gr.Textbox(
        label="Prompt",
        info="What is in the picture, and in which colors.",
        placeholder="A farmhouse in June, red door, blue shutters",
        lines=2,
        max_lines=4,
        elem_id="prompt",
        **values["prompt"],
    )
    negative_prompt = gr.Textbox(label="Not in the picture", elem_id="negative-prompt", **values["negative_prompt"])
    build_side()
    candidates = gr.Slider(
        label="Candidates",
        info="How many pictures to choose from; each takes a moment more.",
        elem_id="candidates",
        **values["candidates"],
    )
    with gr.Row(elem_id="run"):
        colorize = gr.Button(
            "Colorize",
            variant="primary",
            size="lg",
            scale=3,
            min_width=140,
            elem_id="colorize",
            interactive=bool(loadable),
        )
        cancel = gr.Button("Cancel", size="lg", scale=1, min_width=90, elem_id="cancel", interactive=False)
    with gr.Group(elem_id="at-once"):
        merge_lightness = gr.Checkbox(
            label="Keep the photograph's own light",
            info="Lightness (L*) from your file, at its full size; only the color is the model's. Acts at once.",
            elem_id="merge-lightness",
            **values["merge_lightness"],
        )
        saturation = gr.Slider(
            label="Saturation", info="0 is grey. Acts at once.", elem_id="saturation", **values["saturation"]
        )
    return Controls(
        preset=preset,
        model=model,
        note=note,
        prompt=prompt,
        negative_prompt=negative_prompt,
        candidates=candidates,
        colorize=colorize,
        cancel=cancel,
        merge_lightness=merge_lightness,
        saturation=saturation,
        **_build_more(values),
    )


def _build_more(values: dict[str, dict[str, Any]]) -> dict[str, Any]:
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
        conditioning_scale = gr.Slider(
            label="Conditioning",
            info="How closely the shapes of the photograph are followed.",
            elem_id="conditioning",
            **values["conditioning_scale"],
        )
        seed = gr.Number(
            label="Seed", info="The same seed gives the same pictures.", precision=0, elem_id="seed", **values["seed"]
        )
        keep_seed = gr.Checkbox(
            value=True,
            label="Keep this seed",
            info="Without it every run draws a new one, and with it other pictures.",
            elem_id="keep-seed",
            **values["keep_seed"],
        )
        gr.HTML(
            "<strong>Reference</strong><p>The same picture in color, to measure the result with. No model sees it.</p>",
            elem_id="reference-note",
            padding=True,
        )
        reference = photograph(
            label="Reference", show_label=False, buttons=[], height=200, placeholder="Drop it here", elem_id="reference"
        )
    return {
        "render_factor": render_factor,
        "steps": steps,
        "guidance_scale": guidance_scale,
        "conditioning_scale": conditioning_scale,
        "seed": seed,
        "keep_seed": keep_seed,
        "reference": reference,
    }


def draws(row: Row, num_candidates: object) -> bool:
    """Whether the seed changes anything: networks of one pass draw only the candidates after the first."""
    several = isinstance(num_candidates, int | float) and num_candidates > 1
    return "seed" in row.settings and (several or row.kind == "diffusion")


def control_values(row: Row, settings: dict[str, Any] | None = None) -> dict[str, dict[str, Any]]:
    """Values and limits of the controls for a model, by the control's name; only what it takes is visible."""
    chosen = {name: setting.default for name, setting in row.settings.items()} | (settings or {})
    merge = {"visible": "merge_lightness" in row.settings, "value": chosen.get("merge_lightness", True)}
    values: dict[str, dict[str, Any]] = {
        "note": {"value": f"<p>{escape(row.description)}</p>"},
        "merge_lightness": merge,
    }
    for name in WORDS:
        values[name] = {"visible": name in row.settings, "value": chosen.get(name) or ""}
    for name in NUMBERS:
        values[name] = {"visible": False}
        if name in row.settings:
            setting = row.settings[name]
            values[name] = {
                "visible": True, "value": chosen[name], "minimum": setting.minimum, "maximum": setting.maximum
            }  # fmt: skip
            if name != "seed":
                values[name]["step"] = 1 if isinstance(setting.default, int) else 0.05
    seed_matters = draws(row, chosen.get("candidates", 1))
    values["seed"]["visible"] = seed_matters
    values["keep_seed"] = {"visible": seed_matters}
    return values


def unavailable_html(studio: Studio) -> str:
    """The models that are not offered here, each with its reason."""
    reasons = [(row.name, studio.absent_reason(row, directed=True)) for row in studio.catalog]
    items = "".join(
        f"<li><strong>{escape(name)}</strong> {escape(reason)}</li>" for name, reason in reasons if reason is not None
    )
    return f"<p>Not available here</p><ul>{items}</ul>" if items else ""
