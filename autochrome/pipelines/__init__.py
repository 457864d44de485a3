"""Picture in, picture out: reading, sizes and rendering around the networks of `autochrome.models`."""

from autochrome.pipelines.base import ColorizationOutput, Picture, Pipeline, Progress, metadata
from autochrome.pipelines.blend import BlendPipeline, blend_settings, check_blend
from autochrome.pipelines.feedforward import FeedforwardPipeline
from autochrome.pipelines.settings import Setting, check_settings

__all__ = [
    "BlendPipeline",
    "ColorizationOutput",
    "FeedforwardPipeline",
    "Picture",
    "Pipeline",
    "Progress",
    "Setting",
    "blend_settings",
    "check_blend",
    "check_settings",
    "metadata",
]
