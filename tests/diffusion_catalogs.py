"""A catalog with a diffusion model, small enough for tests."""

from collections.abc import Mapping
from pathlib import Path

import torch
from tiny_diffusion import make_pipeline

from autochrome.catalog import Catalog, Row
from autochrome.models import Colorizer, ColorizerConfig, save_colorizer
from autochrome.pipelines import DiffusionPipeline, FeedforwardPipeline, Setting


def write_diffusion_catalog(folder: Path) -> Catalog:
    """A tiny network of one pass, which is the default, a tiny diffusion model, and one that nobody has installed."""
    torch.manual_seed(0)
    save_colorizer(Colorizer(ColorizerConfig.tiny()), folder / "plain")
    make_pipeline(folder / "diffusion")
    drawing = {**DiffusionPipeline.SETTINGS, "steps": Setting("steps", 3, 1, 1000)}
    return Catalog(
        (
            _row("tiny-plain", "feedforward", folder / "plain", FeedforwardPipeline.SETTINGS),
            _row("tiny-diffusion", "diffusion", folder / "diffusion", drawing),
            _row("not-installed", "diffusion", folder / "nothing", drawing),
        )
    )


def _row(model_id: str, kind: str, source: Path, settings: Mapping[str, Setting]) -> Row:
    return Row(
        id=model_id,
        name=model_id.replace("-", " ").title(),
        kind=kind,
        source=source,
        license="Apache-2.0",
        description="Random colors.",
        device="cpu",
        settings=settings,
    )
