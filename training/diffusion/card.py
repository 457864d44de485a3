"""The model card of a finished run, in place of the script's card: it has one license for everything."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from autochrome.files import replacing
from training.diffusion.recipe import DiffusionRecipe

CARD_NAME = "README.md"
_KINDS = {
    "controlnet": (
        "A ControlNet for Stable Diffusion pipelines: given a grey picture (its L*), it makes them draw that picture "
        "in color, as the words say or, without any, by itself."
    ),
    "text_to_image": "A text-to-image base, to train a colorizing ControlNet on; by itself it colors nothing.",
}


def write_card(recipe: DiffusionRecipe, report: Mapping[str, Any], folder: Path) -> None:
    """Write the model card `README.md` anew.

    Args:
        report: what `training/train_controlnet.py` writes to report.json.

    Raises:
        DataError: it cannot be written.
    """
    head = yaml.safe_dump(_head(recipe, report, folder.name), sort_keys=False, allow_unicode=True)
    with replacing(folder / CARD_NAME) as temporary:
        temporary.write_text(f"---\n{head}---\n\n{_body(recipe, report, folder.name)}", encoding="utf-8")


def _head(recipe: DiffusionRecipe, report: Mapping[str, Any], name: str) -> dict[str, Any]:
    is_controlnet = recipe.script == "controlnet"
    head: dict[str, Any] = {
        "license": recipe.license,
        "library_name": "diffusers",
        "pipeline_tag": "image-to-image" if is_controlnet else "text-to-image",
        "tags": ["stable-diffusion", "diffusers", *(["controlnet", "colorization"] if is_controlnet else [])],
    }
    base = recipe.copied_base()
    if re.fullmatch(r"[\w.-]+/[\w.-]+", base) and not Path(base).exists():  # the Hub refuses a folder of ours
        head["base_model"] = base
    if recipe.dataset_id is not None:
        head["datasets"] = [recipe.dataset_id]
    measured = report.get("measured")
    if measured:
        head["metrics"] = ["ciede2000"]
        head["model-index"] = [{"name": name, "results": [_result(measured, report["dataset"]["name"])]}]
    return head


def _result(measured: Mapping[str, Any], dataset: str) -> dict[str, Any]:
    colors, condition = measured["ciede2000"], measured["condition"]
    values = [
        ("ciede2000", colors["no_prompt"], "CIEDE2000, mean, no prompt"),
        ("ciede2000_share", colors["no_prompt_share"], "CIEDE2000, share of plain grey's, no prompt"),
        ("ciede2000_share_words", colors["color_caption_share"], "CIEDE2000, share of plain grey's, color caption"),
        ("condition_correlation", condition["correlation"], "Correlation of the raw output's L* with the input's"),
    ]
    return {
        "task": {"type": "image-to-image", "name": "Colorization"},
        "dataset": {"name": f"{dataset}, {measured['num_pictures']} validation pictures", "type": dataset},
        "metrics": [{"type": kind, "value": value, "name": text} for kind, value, text in values],
    }


def _body(recipe: DiffusionRecipe, report: Mapping[str, Any], name: str) -> str:
    parts = [f"# {name}", _KINDS[recipe.script]]
    measured = report.get("measured")
    if measured:
        parts += [_condition(measured), _colors(measured)]
    parts += ["## How it was trained", _training(recipe, report)]
    parts += [f"**License:** {recipe.license}, for these weights; the pictures keep their own.", ""]
    return "\n\n".join(parts)


def _shown(model: str) -> str:
    """A model as others may see it: of a folder its name, for the rest of the path is this machine's."""
    return Path(model).resolve().name if Path(model).exists() else model


def _condition(measured: Mapping[str, Any]) -> str:
    condition = measured["condition"]
    return (
        "## Is the condition followed?\n\n"
        "L* of the raw output, before the L* merge, against the L* that it was given:\n\n"
        "| against | correlation | mean \\|ΔL*\\| |\n| --- | --- | --- |\n"
        f"| its own input | {condition['correlation']:.3f} | {condition['mean_abs_error']:.1f} |\n"
        f"| another picture's input | {condition['correlation_shuffled']:.3f} | "
        f"{condition['mean_abs_error_shuffled']:.1f} |"
    )


def _colors(measured: Mapping[str, Any]) -> str:
    colors = measured["ciede2000"]
    rows = (("grey", "no color at all"), ("tint", "one constant tint"), ("no_prompt", "no prompt"),
            ("color_caption", "the color caption"))  # fmt: skip
    lines = [f"| {text} | {colors[key]:.2f} | {colors[key] / colors['grey']:.1%} |" for key, text in rows]
    return (
        "## How near are the colors?\n\n"
        "|  | CIEDE2000 | share of grey's |\n| --- | --- | --- |\n" + "\n".join(lines) + "\n\n"
        f"{measured['num_pictures']} validation pictures at their full size with the L* merge, {measured['steps']} "
        f"steps, {measured['seconds_per_picture']:.1f} s a picture where it was trained. The color caption is better "
        f"than no prompt on {colors['better_with_words']:.0%} of the pictures that have one."
    )


def _training(recipe: DiffusionRecipe, report: Mapping[str, Any]) -> str:
    script, dataset = report["script"], report["dataset"]
    kept = ("resolution", "learning_rate", "lr_scheduler", "lr_warmup_steps", "proportion_empty_prompts", "seed")
    settings = ", ".join(f"{key} {recipe.arguments[key]}" for key in kept if recipe.arguments.get(key) is not None)
    words = ", ".join(f"{key} {share}" for key, share in recipe.captions.items() if share)
    return "\n".join(
        [
            f"- diffusers' `{script['name']}` ({script['origin']}), base `{_shown(recipe.copied_base())}`"
            + (f", from `{_shown(recipe.init_from)}`" if recipe.init_from else ""),
            f"- dataset `{recipe.dataset_id or dataset['name']}`: {dataset['num_pictures']:,} training pictures"
            + (f"; captions drawn as {words}" if words else "")
            + (f"; half of the pictures as `{_shown(recipe.teacher)}` colors them" if recipe.teacher else ""),
            f"- {report['num_steps']:,} optimizer steps of {report['batch_size']} pictures, "
            f"{report['mixed_precision']} precision, {report['seconds'] / 60:,.0f} minutes in the last sitting",
            f"- {settings}",
        ]
    )
