"""A catalog with models that take directions, small enough for tests."""

from dataclasses import replace
from pathlib import Path

import torch
from steered_models import STEERED
from tiny_text_encoder import write_text_encoder

from autochrome.catalog import Catalog, Row, load_catalog
from autochrome.models import Colorizer, ColorizerConfig, save_colorizer
from autochrome.pipelines import FeedforwardPipeline, SteerablePipeline
from autochrome.pipelines.steerable import TEXT_ENCODER_NAME

NARROW = 6.0
"""Of hints: a twentieth of the shorter side from one, it counts 1 / e."""


def write_steered_catalog(folder: Path) -> Catalog:
    """A tiny network without direction, one whose hints act where they are and nowhere else, and the two classic ways.

    The first is the default, as presets need one that takes candidates.
    """
    torch.manual_seed(0)
    model = Colorizer(STEERED)
    for name, parameter in model.named_parameters():
        if name.endswith("propagation.steepness"):
            torch.nn.init.constant_(parameter, NARROW)
    save_colorizer(model, folder / "steered")
    write_text_encoder(folder / "steered" / TEXT_ENCODER_NAME)
    save_colorizer(Colorizer(ColorizerConfig.tiny()), folder / "plain")
    plain = Row(
        id="tiny-plain",
        name="Tiny Plain",
        kind="feedforward",
        source=folder / "plain",
        license="Apache-2.0",
        description="Random colors.",
        device="cpu",
        settings=FeedforwardPipeline.SETTINGS,
    )
    steered = replace(
        plain,
        id="tiny-steered",
        name="Tiny Steered",
        kind="steerable",
        source=folder / "steered",
        settings=SteerablePipeline.SETTINGS,
    )
    everything = load_catalog()
    return Catalog((plain, steered, everything["scribbles"], everything["segments"]))
