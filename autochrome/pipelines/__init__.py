"""Picture in, picture out: reading, sizes and rendering around the networks of `autochrome.models`."""

from autochrome.pipelines.base import ColorizationOutput, Picture, Pipeline, Progress, metadata
from autochrome.pipelines.feedforward import FeedforwardPipeline
from autochrome.pipelines.settings import Setting, check_settings

__all__ = [
    "ColorizationOutput",
    "FeedforwardPipeline",
    "Picture",
    "Pipeline",
    "Progress",
    "Setting",
    "check_settings",
    "metadata",
]
