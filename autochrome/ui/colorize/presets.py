"""The presets: a model and its settings by a name that says what for, from `space_config/presets.yaml`."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from autochrome.catalog import Catalog
from autochrome.errors import CatalogError, SettingError

PRESETS_PATH = Path(__file__).resolve().parents[3] / "space_config" / "presets.yaml"
_ENTRIES = {"name", "model", "settings", "sentence"}


@dataclass(frozen=True)
class Preset:
    """A choice ready-made: `model` is a catalog id, `settings` those that differ from its defaults."""

    name: str
    sentence: str
    model: str
    settings: Mapping[str, Any]


def read_presets(catalog: Catalog, path: Path = PRESETS_PATH) -> list[Preset]:
    """The presets for the models of a catalog that can be loaded here; one without a model is for the first of them.

    Those for a model that is not in the catalog, or cannot be loaded, are left out.

    Raises:
        CatalogError: the file cannot be read, or a preset has a setting that its model does not take.
    """
    try:
        listed = yaml.safe_load(path.read_text(encoding="utf-8"))["presets"]
        wrong = [entry for entry in listed if not {"name", "sentence"} <= set(entry) <= _ENTRIES]
    except (OSError, UnicodeDecodeError, yaml.YAMLError, TypeError, KeyError) as error:
        raise CatalogError(f"{path} must have a list `presets`; got {error!r}") from error
    if wrong:
        raise CatalogError(f"{path}: a preset has name and sentence, and maybe model and settings; got {wrong[0]!r}")
    loadable = {row.id: row for row in catalog if row.unavailable_reason() is None and not row.needs_directions}
    presets = []
    for entry in listed:
        row = loadable.get(entry.get("model") or next(iter(loadable), ""))
        if row is None:
            continue
        settings = entry.get("settings") or {}
        unknown = sorted(set(settings) - set(row.settings))
        if unknown:
            raise CatalogError(f"{path}: preset {entry['name']!r}: {row.id} takes no {', '.join(unknown)}")
        try:
            checked = {name: row.settings[name].check(value) for name, value in settings.items()}
        except SettingError as error:
            raise CatalogError(f"{path}: preset {entry['name']!r}: {error}") from error
        presets.append(Preset(entry["name"], entry["sentence"], row.id, checked))
    return presets
