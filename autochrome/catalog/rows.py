"""The rows of the catalog, those of blends included, and how each becomes a pipeline."""

import difflib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from autochrome.catalog.kinds import CLASSIC, WITH_WEIGHTS
from autochrome.catalog.own_parts import CONTROLNET_VARIABLE, OwnParts, find_parts
from autochrome.errors import CatalogError, SettingError, UnavailableError
from autochrome.hub.model import is_cached, is_offline, pull_model
from autochrome.pipelines import BlendPipeline, FeedforwardPipeline, Pipeline, Setting, blend_settings, check_blend
from autochrome.pipelines.base import needs_sentence

PACKAGE_DIR = Path(__file__).resolve().parent.parent


@dataclass(frozen=True)
class HubSource:
    """Weights on the Hugging Face Hub, pinned to a commit."""

    repo_id: str
    revision: str


@dataclass(frozen=True)
class BlendSource:
    """The rows whose mean a blend is."""

    halves: "tuple[Row, ...]"


@dataclass(frozen=True)
class ClassicSource:
    """A way to color that needs no weights, by its name in `kinds.CLASSIC`."""

    way: str


Source = Path | HubSource | BlendSource | ClassicSource


@dataclass(frozen=True)
class Row:
    """One model of the catalog.

    `source` is a folder, a pinned repository of the Hub, the halves of a blend, or a way without weights.
    """

    id: str
    name: str
    kind: str
    source: Source
    license: str
    description: str
    device: str
    settings: Mapping[str, Setting]
    flip_average: bool = False
    needs_controlnet: bool = False

    @property
    def needs_directions(self) -> tuple[str, ...]:
        """Settings of which one at least must be given, or the model colors nothing; empty for most."""
        return CLASSIC[self.source.way].needs_directions if isinstance(self.source, ClassicSource) else ()

    def undirected_reason(self, given: Mapping[str, object]) -> str | None:
        """Why this model has nothing to do with these settings, as a sentence; None when it has.

        For lists of many models with the same settings: such a model is left out, and this is said of it.
        """
        if not self.needs_directions or any(given.get(name) for name in self.needs_directions):
            return None
        return f"It colors nothing by itself: {needs_sentence(self.needs_directions)}."

    def unavailable_reason(self, device: str | None = None, parts: OwnParts | None = None) -> str | None:
        """Why this model cannot be loaded here, as a sentence; None when it can.

        Args:
            device: the one that is asked for; who names one needs no GPU.
            parts: what a person brings to a row that needs a ControlNet, beside the environment.
        """
        if isinstance(self.source, BlendSource):
            reasons = [(half.id, half.unavailable_reason()) for half in self.source.halves]
            return next((f"Its half {name} is missing. {reason}" for name, reason in reasons if reason), None)
        if isinstance(self.source, ClassicSource):
            return None
        if self.device == "accelerator" and device is None and not torch.cuda.is_available():
            return "It needs a GPU, and there is none here."
        kind = WITH_WEIGHTS[self.kind]
        if self.needs_controlnet:
            own = (parts or OwnParts()).or_environment()
            if own.controlnet is None:
                return (
                    "It needs a ControlNet of yours, a folder or a repository of the Hub: --controlnet on the command "
                    f"line, controlnet= in Python, or the environment variable {CONTROLNET_VARIABLE}."
                )
            if own.base is not None:
                return None  # whether it can be had is seen when it is asked for
        if isinstance(self.source, HubSource):
            # Whether the Hub answers is seen when it is asked; a list of models does not wait for it.
            if is_offline() and not is_cached(self.source.repo_id, self.source.revision, kind.fetched):
                return f"Its weights are on the Hugging Face Hub ({self.source.repo_id}), and HF_HUB_OFFLINE is set."
            return None
        for name in kind.files:
            if not (self.source / name).is_file():
                return f"Its weights are not installed: there is no {_show_source(self.source)}/{name}."
        return None

    def load_pipeline(
        self, *, device: str | None = None, runtime: str = "torch", parts: OwnParts | None = None
    ) -> Pipeline:
        """Load the model; takes a moment, so keep the result. One of the Hub is fetched the first time.

        Args:
            device: a torch device.
            runtime: what runs the network.
            parts: what a person brings to a row that needs a ControlNet; what is absent is looked for in the
                environment.

        Raises:
            SettingError: the runtime (see `FeedforwardPipeline`) is not for this model or device, or the model takes no
                parts of a person's own.
            UnavailableError: it cannot be loaded here, or the Hub does not give it; the text says why.
            ModelError: its files are damaged.
        """
        if parts and not self.needs_controlnet:
            raise SettingError(f"{self.id} takes no controlnet and no base; they are for rows like controlnet-sd15")
        reason = self.unavailable_reason(device, parts)
        if reason is not None:
            raise UnavailableError(f"model {self.id} is not available: {reason}")
        if runtime == "onnx" and self.kind not in ("feedforward", "blend"):
            raise SettingError(f"runtime 'onnx' is for feedforward models and their blends; run {self.id} with 'torch'")
        if isinstance(self.source, BlendSource):
            halves = [half.load_pipeline(device=device, runtime=runtime) for half in self.source.halves]
            feedforward = [half for half in halves if isinstance(half, FeedforwardPipeline)]
            return BlendPipeline(feedforward, model_id=self.id, settings=self.settings)
        if isinstance(self.source, ClassicSource):
            return CLASSIC[self.source.way](model_id=self.id, settings=self.settings)
        folder, kind = self.source, WITH_WEIGHTS[self.kind]
        if self.needs_controlnet:
            return self._with_controlnet((parts or OwnParts()).or_environment(), device)
        if isinstance(folder, HubSource):
            folder = pull_model(folder.repo_id, folder.revision, kind.fetched).folder
        # Only feed-forward rows have a flip_average: reading the catalog sees to it.
        options: dict[str, Any] = {"flip_average": True} if self.flip_average else {}
        if self.kind == "feedforward":
            options["runtime"] = runtime
        return kind.load(folder, model_id=self.id, settings=self.settings, device=device, **options)

    def _with_controlnet(self, parts: OwnParts, device: str | None) -> Pipeline:
        """The model of a row whose source is a base only; its `model_id` names what was brought."""
        assert isinstance(self.source, Path | HubSource)
        source = self.source
        found = find_parts(
            self.id, parts, source if isinstance(source, Path) else f"{source.repo_id}@{source.revision}"
        )
        return WITH_WEIGHTS[self.kind].load(
            found.base,
            model_id=f"{self.id}@{found.name}",
            settings=self.settings,
            device=device,
            controlnet=found.controlnet,
        )

    def to_dict(self) -> dict[str, Any]:
        """The row as plain JSON values, with `available` and `reason`."""
        reason = self.unavailable_reason()
        return {
            "id": self.id,
            "name": self.name,
            "kind": self.kind,
            "source": _show_source(self.source),
            "license": self.license,
            "description": self.description,
            "device": self.device,
            "settings": {name: setting.to_dict() for name, setting in self.settings.items()},
            "needs_directions": list(self.needs_directions),
            "available": reason is None,
            "reason": reason,
        }


@dataclass(frozen=True)
class Catalog:
    """The rows of `models.yaml`, in order; iterate, or look one up with `catalog["gan-artistic"]`."""

    rows: tuple[Row, ...]

    def __iter__(self) -> Iterator[Row]:
        return iter(self.rows)

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, model_id: str) -> Row:
        """The row of a model; for ids joined by "+" one for their blend.

        Raises:
            CatalogError: there is no such model, the text lists those there are; or these cannot be blended.
        """
        for row in self.rows:
            if row.id == model_id:
                return row
        if "+" in model_id:
            return blend_rows([self[half.strip()] for half in model_id.split("+") if half.strip()])
        ids = [row.id for row in self.rows]
        close = difflib.get_close_matches(model_id, ids, n=1)
        hint = f"; did you mean {close[0]}?" if close else "."
        raise CatalogError(f"there is no model {model_id!r}{hint} There are: {', '.join(ids)}")

    @property
    def default(self) -> Row:
        """The model that is used when nobody names one."""
        return self.rows[0]

    def load_pipeline(
        self, model_id: str, *, device: str | None = None, runtime: str = "torch", parts: OwnParts | None = None
    ) -> Pipeline:
        """Load the model of a row; see `Row.load_pipeline`.

        Raises:
            CatalogError: there is no such model.
            UnavailableError: it cannot be loaded here.
            ModelError: its files are damaged.
        """
        return self[model_id].load_pipeline(device=device, runtime=runtime, parts=parts)


def blend_rows(halves: Sequence[Row]) -> Row:
    """The row of a blend, with what follows from its halves.

    Raises:
        CatalogError: they cannot be blended.
    """
    joined = "+".join(half.id for half in halves)
    for half in halves:
        if half.kind != "feedforward":
            raise CatalogError(f"{joined}: a blend is made of feedforward models; {half.id} is of kind {half.kind}")
    try:
        check_blend([half.id for half in halves])
        settings = blend_settings([half.settings for half in halves])
    except SettingError as error:
        raise CatalogError(str(error)) from error
    names = [half.name for half in halves]
    return Row(
        id=joined,
        name=" + ".join(names),
        kind="blend",
        source=BlendSource(tuple(halves)),
        license=" AND ".join(dict.fromkeys(half.license for half in halves)),
        description=f"The mean color of {', '.join(names[:-1])} and {names[-1]}.",
        device="accelerator" if any(half.device == "accelerator" for half in halves) else "cpu",
        settings=settings,
    )


def _show_source(source: Source) -> str | dict[str, str]:
    if isinstance(source, BlendSource):
        return "+".join(half.id for half in source.halves)
    if isinstance(source, ClassicSource):
        return source.way
    if isinstance(source, HubSource):
        return {"repo_id": source.repo_id, "revision": source.revision}
    return source.relative_to(PACKAGE_DIR).as_posix() if source.is_relative_to(PACKAGE_DIR) else str(source)
