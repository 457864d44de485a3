"""The kinds of models that a catalog row can name, and what loads each."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from autochrome.pipelines import FeedforwardPipeline, Pipeline, ScribblesPipeline, SegmentsPipeline, Setting
from autochrome.pipelines.classic import ClassicPipeline


@dataclass(frozen=True)
class Kind:
    """Models that are folders of weights: the settings that all take, and what loads one.

    `load(folder, *, model_id, settings, device)` gives the pipeline.
    """

    settings: Mapping[str, Setting]
    load: Callable[..., Pipeline]


WITH_WEIGHTS: dict[str, Kind] = {"feedforward": Kind(FeedforwardPipeline.SETTINGS, FeedforwardPipeline.from_folder)}
"""For rows whose source is a folder or a repository of the Hub."""

CLASSIC: dict[str, type[ClassicPipeline]] = {"scribbles": ScribblesPipeline, "segments": SegmentsPipeline}
"""Source to class, for rows of kind `classic`: ways that need no weights."""

KINDS = (*WITH_WEIGHTS, "blend", "classic")
