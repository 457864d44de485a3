"""Picture in, picture out: reading, sizes and rendering around the networks of `autochrome.models`."""

from autochrome.pipelines.base import ColorizationOutput, Pipeline, Preview, Progress, metadata
from autochrome.pipelines.blend import BlendPipeline, blend_settings, check_blend
from autochrome.pipelines.diffusion import DiffusionPipeline
from autochrome.pipelines.directions import Hint, PaletteColor, parse_directions, parse_hints, parse_palette
from autochrome.pipelines.exemplar import Exemplar, parse_exemplar
from autochrome.pipelines.feedforward import FeedforwardPipeline
from autochrome.pipelines.pictures import Picture
from autochrome.pipelines.rasterizing import rasterize
from autochrome.pipelines.scribbles import ScribblesPipeline
from autochrome.pipelines.segments import SegmentsPipeline
from autochrome.pipelines.settings import (
    Direction,
    ExemplarSetting,
    HintsSetting,
    PaletteSetting,
    Setting,
    TextSetting,
    check_settings,
    settings_notes,
    settings_to_json,
)
from autochrome.pipelines.steerable import SteerablePipeline
from autochrome.pipelines.suggesting import suggest_points

__all__ = [
    "BlendPipeline",
    "ColorizationOutput",
    "DiffusionPipeline",
    "Direction",
    "Exemplar",
    "ExemplarSetting",
    "FeedforwardPipeline",
    "Hint",
    "HintsSetting",
    "PaletteColor",
    "PaletteSetting",
    "Picture",
    "Pipeline",
    "Preview",
    "Progress",
    "ScribblesPipeline",
    "SegmentsPipeline",
    "Setting",
    "SteerablePipeline",
    "TextSetting",
    "blend_settings",
    "check_blend",
    "check_settings",
    "metadata",
    "parse_directions",
    "parse_exemplar",
    "parse_hints",
    "parse_palette",
    "rasterize",
    "settings_notes",
    "settings_to_json",
    "suggest_points",
]
