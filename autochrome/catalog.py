"""The catalog: the models on offer, and the only place that turns a row of `models.yaml` into a pipeline.

A row (`space_config/models.yaml`):

    - id: gan-artistic                 lower case, digits and hyphens; what every door calls the model
      name: Artistic                   what people read
      kind: feedforward
      source: weights/gan-artistic     a folder of the package, or {repo_id: owner/name, revision: <40 hex digits>}
      license: Apache-2.0
      description: One sentence.
      device: cpu                      or accelerator: too slow to offer without one
      flip_average: false              optional: mean of the picture and its mirror image, twice the time
      settings:                        what the model takes; optional where the pipeline's own defaults are right
        render_factor: {default: 16, min: 7, max: 45}

The order of the rows is the order people see; the first is the default.
"""

import difflib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import torch
import yaml

from autochrome.errors import CatalogError, SettingError, UnavailableError
from autochrome.models.checkpoint import CONFIG_NAME, WEIGHTS_NAME
from autochrome.pipelines import FeedforwardPipeline, Pipeline, Setting

PACKAGE_DIR = Path(__file__).resolve().parent
CATALOG_PATH = PACKAGE_DIR.parent / "space_config" / "models.yaml"
"""Beside the package, in a clone and in an installed wheel alike."""

KINDS = {"feedforward": FeedforwardPipeline}
DEVICES = ("cpu", "accelerator")
_REQUIRED = {"id", "name", "kind", "source", "license", "description", "device"}
_OPTIONAL = {"settings", "flip_average"}


@dataclass(frozen=True)
class HubSource:
    """Weights on the Hugging Face Hub, pinned to a commit."""

    repo_id: str
    revision: str


@dataclass(frozen=True)
class Row:
    """One model of the catalog. `source` is a folder, or a pinned repository of the Hub."""

    id: str
    name: str
    kind: str
    source: Path | HubSource
    license: str
    description: str
    device: str
    settings: Mapping[str, Setting]
    flip_average: bool = False

    def unavailable_reason(self) -> str | None:
        """Why this model cannot be loaded here, as a sentence; None when it can."""
        if isinstance(self.source, HubSource):
            return (
                f"Its weights are on the Hugging Face Hub ({self.source.repo_id}); this version reads none from there."
            )
        if self.device == "accelerator" and not torch.cuda.is_available():
            return "It needs a GPU, and there is none here."
        for name in (CONFIG_NAME, WEIGHTS_NAME):
            if not (self.source / name).is_file():
                return f"Its weights are not installed: there is no {_show_source(self.source)}/{name}."
        return None

    def load_pipeline(self, *, device: str | None = None) -> Pipeline:
        """Load the model; takes a moment, so keep the result.

        Raises:
            UnavailableError: it cannot be loaded here; the text says why.
            ModelError: its files are damaged.
        """
        reason = self.unavailable_reason()
        if reason is not None or isinstance(self.source, HubSource):
            raise UnavailableError(f"model {self.id} is not available: {reason}")
        return KINDS[self.kind].from_folder(
            self.source, model_id=self.id, settings=self.settings, device=device, flip_average=self.flip_average
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
            "settings": {
                name: {"default": setting.default}
                if isinstance(setting.default, bool)
                else {"default": setting.default, "min": setting.minimum, "max": setting.maximum}
                for name, setting in self.settings.items()
            },
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
        """The row of a model.

        Raises:
            CatalogError: there is no such model; the text lists those there are.
        """
        for row in self.rows:
            if row.id == model_id:
                return row
        ids = [row.id for row in self.rows]
        close = difflib.get_close_matches(model_id, ids, n=1)
        hint = f"; did you mean {close[0]}?" if close else "."
        raise CatalogError(f"there is no model {model_id!r}{hint} There are: {', '.join(ids)}")

    @property
    def default(self) -> Row:
        """The model that is used when nobody names one."""
        return self.rows[0]

    def load_pipeline(self, model_id: str, *, device: str | None = None) -> Pipeline:
        """Load the model of a row; see `Row.load_pipeline`.

        Raises:
            CatalogError: there is no such model.
            UnavailableError: it cannot be loaded here.
            ModelError: its files are damaged.
        """
        return self[model_id].load_pipeline(device=device)


def load_pipeline(model: str | Path | None = None, *, device: str | None = None) -> Pipeline:
    """Load a model by its catalog id, or from a folder with `config.json` and `model.safetensors`.

    Args:
        model: an id, a folder, or None for the first model of the catalog.
        device: a torch device; by default "cuda" where there is one, else "cpu".

    Raises:
        CatalogError: neither an id nor a folder.
        UnavailableError: the model cannot be loaded here.
        ModelError: its files are missing or damaged.
    """
    catalog = load_catalog()
    if model is None:
        return catalog.default.load_pipeline(device=device)
    if any(row.id == model for row in catalog) or not Path(model).is_dir():
        return catalog.load_pipeline(str(model), device=device)
    return FeedforwardPipeline.from_folder(Path(model), device=device)


def load_catalog(path: Path | None = None) -> Catalog:
    """Read and check a catalog, by default the one that comes with the package.

    Raises:
        CatalogError: the file cannot be read, or a row is wrong; the text names the row and the entry.
    """
    path = path or CATALOG_PATH
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise CatalogError(f"the catalog {path} cannot be read: {error}") from error
    if not isinstance(content, dict) or set(content) != {"models"} or not isinstance(content["models"], list):
        raise CatalogError(f"the catalog {path} must hold one entry, `models`, with a list of rows")
    rows = tuple(_read_row(values, number) for number, values in enumerate(content["models"], start=1))
    if not rows:
        raise CatalogError(f"the catalog {path} has no rows; it needs at least one model")
    ids = [row.id for row in rows]
    doubled = sorted({model_id for model_id in ids if ids.count(model_id) > 1})
    if doubled:
        raise CatalogError(f"the catalog {path} has the id {doubled[0]} more than once")
    return Catalog(rows)


def _read_row(values: object, number: int) -> Row:
    if not isinstance(values, dict):
        raise CatalogError(f"row {number} of the catalog must be a mapping, got {values!r}")
    where = f"catalog row {values.get('id', number)}"
    missing = sorted(_REQUIRED - set(values))
    unknown = sorted(str(name) for name in set(values) - _REQUIRED - _OPTIONAL)
    if missing or unknown:
        raise CatalogError(f"{where}: missing entries: {missing}, unknown entries: {unknown}")
    for name in sorted(_REQUIRED - {"source"}):
        if not isinstance(values[name], str) or not values[name].strip():
            raise CatalogError(f"{where}: {name} must be a text, got {values[name]!r}")
    if not re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", values["id"]):
        raise CatalogError(f"{where}: id must be lower case letters, digits and hyphens")
    for name, allowed in (("kind", tuple(KINDS)), ("device", DEVICES)):
        if values[name] not in allowed:
            raise CatalogError(f"{where}: {name} must be one of {', '.join(allowed)}, got {values[name]!r}")
    if not isinstance(values.get("flip_average", False), bool):
        raise CatalogError(f"{where}: flip_average must be true or false, got {values['flip_average']!r}")
    source = _read_source(values["source"], where)
    settings = _read_settings(values.get("settings", {}), KINDS[values["kind"]].SETTINGS, where)
    return Row(**{**values, "source": source, "settings": settings})


def _read_source(value: object, where: str) -> Path | HubSource:
    if isinstance(value, str):
        folder = PurePosixPath(value)
        if folder.is_absolute() or ".." in folder.parts or not folder.parts:
            raise CatalogError(f"{where}: source must be a folder inside the package, got {value!r}")
        return PACKAGE_DIR / folder
    if not isinstance(value, dict) or set(value) != {"repo_id", "revision"}:
        raise CatalogError(f"{where}: source must be a folder, or a mapping with repo_id and revision, got {value!r}")
    repo_id, revision = str(value["repo_id"]), str(value["revision"])
    if not re.fullmatch(r"[\w.-]+/[\w.-]+", repo_id):
        raise CatalogError(f"{where}: repo_id must be owner/name, got {repo_id!r}")
    if not re.fullmatch(r"[0-9a-f]{40}", revision):
        raise CatalogError(
            f"{where}: revision must be a commit of 40 hex digits, not a branch or tag, got {revision!r}"
        )
    return HubSource(repo_id, revision)


def _show_source(source: Path | HubSource) -> str | dict[str, str]:
    if isinstance(source, HubSource):
        return {"repo_id": source.repo_id, "revision": source.revision}
    return source.relative_to(PACKAGE_DIR).as_posix() if source.is_relative_to(PACKAGE_DIR) else str(source)


def _read_settings(values: object, known: Mapping[str, Setting], where: str) -> dict[str, Setting]:
    if not isinstance(values, dict) or not set(values) <= set(known):
        raise CatalogError(f"{where}: settings must be a mapping with some of {', '.join(known)}, got {values!r}")
    return {
        name: _read_setting(name, values[name], setting, where) if name in values else setting
        for name, setting in known.items()
    }


def _read_setting(name: str, value: object, known: Setting, where: str) -> Setting:
    entries = {"default"} if isinstance(known.default, bool) else {"default", "min", "max"}
    if not isinstance(value, dict) or set(value) != entries:
        raise CatalogError(f"{where}: setting {name} must have the entries {sorted(entries)}, got {value!r}")
    numbers = [value["default"], value.get("min", 0), value.get("max", 1)]
    if isinstance(known.default, float):
        numbers = [float(number) if isinstance(number, int) else number for number in numbers]
    setting = Setting(name, *numbers)
    try:
        # The pipeline's own range holds too: it is what the working sizes were made for.
        for number in numbers if len(entries) == 3 else numbers[:1]:
            known.check(number)
        setting.check(setting.default)
    except SettingError as error:
        raise CatalogError(f"{where}: {error}") from error
    return setting
