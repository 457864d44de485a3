"""The kinds of models that a catalog row can name, and what loads each."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from autochrome.errors import SettingError
from autochrome.hub.model import CONFIG_NAME, takes_words
from autochrome.pipelines import (
    FeedforwardPipeline,
    Pipeline,
    ScribblesPipeline,
    SegmentsPipeline,
    Setting,
    SteerablePipeline,
)
from autochrome.pipelines.classic import ClassicPipeline


@dataclass(frozen=True)
class Kind:
    """Models that are folders of weights: the settings that all take, and what loads one.

    `load(folder, *, model_id, settings, device)` gives the pipeline.
    """

    settings: Mapping[str, Setting]
    load: Callable[..., Pipeline]


WITH_WEIGHTS: dict[str, Kind] = {
    "feedforward": Kind(FeedforwardPipeline.SETTINGS, FeedforwardPipeline.from_folder),
    "steerable": Kind(SteerablePipeline.SETTINGS, SteerablePipeline.from_folder),
}
"""For rows whose source is a folder or a repository of the Hub."""

CLASSIC: dict[str, type[ClassicPipeline]] = {"scribbles": ScribblesPipeline, "segments": SegmentsPipeline}
"""Source to class, for rows of kind `classic`: ways that need no weights."""

KINDS = (*WITH_WEIGHTS, "blend", "classic")


def load_folder(folder: Path, *, runtime: str = "torch", **options: Any) -> Pipeline:
    """The pipeline of a folder that no row names, by what its `config.json` says; `options` are those of `Kind.load`.

    Raises:
        SettingError: a runtime that is not for this model.
        ModelError: a file is missing or damaged.
    """
    if not takes_words(folder / CONFIG_NAME):
        return FeedforwardPipeline.from_folder(folder, runtime=runtime, **options)
    if runtime == "onnx":
        raise SettingError(f"runtime 'onnx' is for models that take no directions; run {folder} with 'torch'")
    return SteerablePipeline.from_folder(folder, **options)
