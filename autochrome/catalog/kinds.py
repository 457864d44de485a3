"""The kinds of models that a catalog row can name, and what loads each."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from autochrome.errors import ModelError, SettingError
from autochrome.hub.diffusion import DIFFUSION_FILES, MODEL_INDEX
from autochrome.hub.model import CONFIG_NAME, FETCHED, takes_words
from autochrome.models.diffusion import is_controlnet_folder, is_diffusion_folder
from autochrome.pipelines import (
    DiffusionPipeline,
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
    """Models that are folders of weights: the settings that all take, what loads one, and files that each has.

    `load(folder, *, model_id, settings, device)` gives the pipeline. `fetched` are all files that one may have on the
    Hub, where that is not for its config.json to say.
    """

    settings: Mapping[str, Setting]
    load: Callable[..., Pipeline]
    files: tuple[str, ...] = FETCHED
    fetched: tuple[str, ...] | None = None


WITH_WEIGHTS: dict[str, Kind] = {
    "feedforward": Kind(FeedforwardPipeline.SETTINGS, FeedforwardPipeline.from_folder),
    "steerable": Kind(SteerablePipeline.SETTINGS, SteerablePipeline.from_folder),
    "diffusion": Kind(DiffusionPipeline.SETTINGS, DiffusionPipeline.from_folder, (MODEL_INDEX,), DIFFUSION_FILES),
}
"""For rows whose source is a folder or a repository of the Hub."""

CLASSIC: dict[str, type[ClassicPipeline]] = {"scribbles": ScribblesPipeline, "segments": SegmentsPipeline}
"""Source to class, for rows of kind `classic`: ways that need no weights."""

KINDS = (*WITH_WEIGHTS, "blend", "classic")


def load_folder(folder: Path, *, runtime: str = "torch", **options: Any) -> Pipeline:
    """The pipeline of a folder that no row names, by what is in it; `options` are those of `Kind.load`.

    Raises:
        SettingError: a runtime that is not for this model.
        ModelError: a file is missing or damaged, or it is a ControlNet without its base.
    """
    if is_diffusion_folder(folder):
        if runtime == "onnx":
            raise SettingError(f"runtime 'onnx' is for models that take no directions; run {folder} with 'torch'")
        return DiffusionPipeline.from_folder(folder, **options)
    if is_controlnet_folder(folder):
        raise ModelError(
            f"'{folder}' is a ControlNet, and works with the base on which it was trained: "
            f"load_pipeline('controlnet-sd15', controlnet='{folder}', base=...)"
        )
    if not takes_words(folder / CONFIG_NAME):
        return FeedforwardPipeline.from_folder(folder, runtime=runtime, **options)
    if runtime == "onnx":
        raise SettingError(f"runtime 'onnx' is for models that take no directions; run {folder} with 'torch'")
    return SteerablePipeline.from_folder(folder, **options)
