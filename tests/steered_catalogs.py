"""A catalog with models that take directions, small enough for tests."""

from pathlib import Path

import torch
from steered_models import STEERED
from tiny_text_encoder import write_text_encoder

from autochrome.catalog import Catalog, Row, load_catalog
from autochrome.models import Colorizer, save_colorizer
from autochrome.pipelines import SteerablePipeline
from autochrome.pipelines.steerable import TEXT_ENCODER_NAME

NARROW = 6.0
"""Of hints: a twentieth of the shorter side from one, it counts 1 / e."""


def write_steered_catalog(folder: Path) -> Catalog:
    """A tiny network whose hints act where they are and nowhere else, and the two ways that need no network."""
    torch.manual_seed(0)
    model = Colorizer(STEERED)
    for name, parameter in model.named_parameters():
        if name.endswith("propagation.steepness"):
            torch.nn.init.constant_(parameter, NARROW)
    save_colorizer(model, folder)
    write_text_encoder(folder / TEXT_ENCODER_NAME)
    row = Row(
        id="tiny-steered",
        name="Tiny Steered",
        kind="steerable",
        source=folder,
        license="Apache-2.0",
        description="Random colors, that take direction.",
        device="cpu",
        settings=SteerablePipeline.SETTINGS,
    )
    everything = load_catalog()
    return Catalog((row, everything["scribbles"], everything["segments"]))
