"""The kinds of models that a catalog row can name, and the pipeline class of each."""

from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

from autochrome.pipelines import FeedforwardPipeline, Pipeline, ScribblesPipeline, SegmentsPipeline, Setting
from autochrome.pipelines.classic import ClassicPipeline


class Loadable(Protocol):
    """A pipeline class whose model is a folder of weights."""

    @property
    def SETTINGS(self) -> Mapping[str, Setting]:  # noqa: N802
        """What every model of the kind takes, with defaults and ranges."""

    def from_folder(
        self,
        folder: Path,
        *,
        model_id: str | None = None,
        settings: Mapping[str, Setting] | None = None,
        device: str | None = None,
    ) -> Pipeline:
        """Load the model."""


WITH_WEIGHTS: dict[str, Loadable] = {"feedforward": FeedforwardPipeline}
"""Kind to class, for rows whose source is a folder or a repository of the Hub."""

CLASSIC: dict[str, type[ClassicPipeline]] = {"scribbles": ScribblesPipeline, "segments": SegmentsPipeline}
"""Source to class, for rows of kind `classic`: ways that need no weights."""

KINDS = (*WITH_WEIGHTS, "blend", "classic")
