"""The endpoints for programs: /colorize, /evaluate and /models; hints and docstrings are their documentation.

Every endpoint waits in the queue with the page: the model, and the measuring of large pictures, run for one at a time.
Two colorings are in work, so that one is read, measured and written while the model runs for the other.
"""

from pathlib import Path
from typing import Any

import gradio as gr

from autochrome.pipelines.settings import settings_to_json
from autochrome.ui.coloring import Coloring
from autochrome.ui.files import read_upload, uploaded_path
from autochrome.ui.guard import sentences, stop_if_unwanted
from autochrome.ui.measure import evaluate as evaluate_pictures
from autochrome.ui.studio import Studio


def add_endpoints(studio: Studio) -> None:
    """Add the endpoints to the `gr.Blocks` that is being built."""

    def colorize(
        image: gr.FileData,
        model: str | None = None,
        prompt: str | None = None,
        negative_prompt: str | None = None,
        merge_lightness: bool | None = None,
        render_factor: int | None = None,
        saturation: float | None = None,
        steps: int | None = None,
        guidance_scale: float | None = None,
        seed: int | None = None,
        reference: gr.FileData | None = None,
        candidates: int | None = None,
        hints: list[dict[str, Any]] | None = None,
        palette: list[Any] | None = None,
        exemplar: gr.FileData | None = None,
        conditioning_scale: float | None = None,
    ) -> tuple[gr.FileData, dict[str, Any]]:
        """Color a black-and-white photograph.

        The result is a lossless PNG of the size of the picture. A setting that the model has no use for is refused;
        /models lists those that each model takes. None means "not given"; so does an empty text, but for a negative
        prompt that a model has by default: then there is none.

        Args:
            image: The photograph: JPEG, PNG, TIFF, WebP, BMP or GIF.
            model: Id of the model, by default the first that can be loaded.
            prompt: What is in the picture and which colors it has, for models that listen to words.
            negative_prompt: What should not be there, for models that listen to words.
            merge_lightness: Keep the photograph's own lightness (L*) at its full size.
            render_factor: Size at which the model works, in units of 16 pixels.
            saturation: Factor on the colors; 0 is grey.
            steps: Steps of a diffusion model.
            guidance_scale: How closely a diffusion model follows the prompt.
            seed: Start of the random numbers of models that draw some.
            reference: The same picture in color, to measure the result with.
            candidates: How many answers to give; the further ones are in the dictionary under "candidates".
            hints: Points of color, each {"x", "y", "color", "radius"}: shares of width and height, and "#rrggbb".
            palette: Colors to use, each "#rrggbb" or {"color", "weight"}.
            exemplar: Another picture in color, whose colors are taken over.
            conditioning_scale: How closely a diffusion model follows the photograph's shapes.

        Returns:
            The colored picture, and a dictionary of what was done and measured.
        """
        with sentences():
            settings = {
                "prompt": prompt,
                "negative_prompt": negative_prompt,
                "merge_lightness": merge_lightness,
                "render_factor": render_factor,
                "saturation": saturation,
                "steps": steps,
                "guidance_scale": guidance_scale,
                "conditioning_scale": conditioning_scale,
                "seed": seed,
                "candidates": candidates,
                "hints": hints,
                "palette": palette,
                "exemplar": read_upload(uploaded_path(exemplar, "exemplar")) if exemplar else None,
            }
            coloring = studio.colorize(
                uploaded_path(image, "image"),
                model=model,
                settings=settings,
                reference=uploaded_path(reference, "reference") if reference else None,
            )
            output = coloring.output
            path, measures = coloring.finish(coloring.look())
            report = {
                "model": output.model,
                "settings": settings_to_json(output.settings),
                "seconds": output.seconds,
                "notes": list(output.notes),
                **measures,
            }
            if coloring.num_candidates > 1:
                report["candidates"] = [_further(coloring, number) for number in range(1, coloring.num_candidates)]
            return _png(path), report

    def evaluate(prediction: gr.FileData, reference: gr.FileData) -> dict[str, Any]:
        """Measure a colored picture against the true one, at full size.

        Args:
            prediction: The colored picture, by whatever program.
            reference: The same picture in its true colors, of the same size.

        Returns:
            Each metric by name; under "baselines" the same for no color at all ("grey") and for one tint ("tint").
        """
        with sentences():
            return evaluate_pictures(
                read_upload(uploaded_path(prediction, "prediction")),
                read_upload(uploaded_path(reference, "reference")),
            )

    def models() -> list[dict[str, Any]]:
        """List the models: id, name, license, settings with defaults and ranges, and whether each can be used here."""
        with sentences():
            return [row.to_dict() for row in studio.catalog]

    gr.api(colorize, api_name="colorize", concurrency_limit=2, concurrency_id="programs")
    gr.api(evaluate, api_name="evaluate", concurrency_limit=1, concurrency_id="model")
    gr.api(models, api_name="models")


def _further(coloring: Coloring, number: int) -> dict[str, Any]:
    """A further candidate: its file, the settings in which it differs from the first, and its measures."""
    stop_if_unwanted()
    path, measures = coloring.finish(coloring.look(number))
    return {"picture": _png(path), "settings": dict(coloring.candidate_settings(number)), **measures}


def _png(path: Path) -> gr.FileData:
    return gr.FileData(path=str(path), orig_name=path.name, mime_type="image/png")
