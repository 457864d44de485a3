"""Reading `models.yaml`, strictly: whatever is wrong is named with its row and its entry."""

import re
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import Any

import yaml

from autochrome.catalog.kinds import CLASSIC, KINDS, WITH_WEIGHTS
from autochrome.catalog.rows import PACKAGE_DIR, Catalog, ClassicSource, HubSource, Row, Source
from autochrome.errors import CatalogError, SettingError
from autochrome.pipelines import Direction, Setting, TextSetting

CATALOG_PATH = PACKAGE_DIR.parent / "space_config" / "models.yaml"
"""Beside the package, in a clone and in an installed wheel alike."""

DEVICES = ("cpu", "accelerator")
_REQUIRED = {"id", "name", "kind", "source", "license", "description", "device"}
_OPTIONAL = {"settings", "flip_average", "needs_controlnet"}


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
    # Blends last, wherever they stand: their halves are other rows.
    numbered = sorted(enumerate(content["models"], start=1), key=lambda entry: _is_blend(entry[1]))
    found: dict[int, Row] = {}
    for number, values in numbered:
        found[number] = _read_row(values, number, Catalog(tuple(found.values())))
    rows = tuple(found[number] for number in sorted(found))
    if not rows:
        raise CatalogError(f"the catalog {path} has no rows; it needs at least one model")
    ids = [row.id for row in rows]
    doubled = sorted({model_id for model_id in ids if ids.count(model_id) > 1})
    if doubled:
        raise CatalogError(f"the catalog {path} has the id {doubled[0]} more than once")
    return Catalog(rows)


def _is_blend(values: object) -> bool:
    return isinstance(values, dict) and values.get("kind") == "blend"


def _read_row(values: object, number: int, others: Catalog) -> Row:
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
    for name, allowed in (("kind", KINDS), ("device", DEVICES)):
        if values[name] not in allowed:
            raise CatalogError(f"{where}: {name} must be one of {', '.join(allowed)}, got {values[name]!r}")
    for name in ("flip_average", "needs_controlnet"):
        if not isinstance(values.get(name, False), bool):
            raise CatalogError(f"{where}: {name} must be true or false, got {values[name]!r}")
    source, known = _read_kind(values, where, others)
    if values.get("flip_average") and values["kind"] != "feedforward":
        raise CatalogError(f"{where}: flip_average belongs to feedforward rows, this one is of kind {values['kind']}")
    if values.get("needs_controlnet") and values["kind"] != "diffusion":
        raise CatalogError(f"{where}: needs_controlnet belongs to diffusion rows, this one is of kind {values['kind']}")
    settings = _read_settings(values.get("settings", {}), known, where)
    return Row(**{**values, "source": source, "settings": settings})


def _read_kind(values: Mapping[str, Any], where: str, others: Catalog) -> tuple[Source, Mapping[str, Setting]]:
    """What the row's model is made of, and the settings that models of its kind take."""
    if values["kind"] == "blend":
        blend = _read_blend(values, where, others)
        return blend.source, blend.settings
    if values["kind"] == "classic":
        way = values["source"]
        if not isinstance(way, str) or way not in CLASSIC:
            raise CatalogError(f"{where}: source of a classic way must be one of {', '.join(CLASSIC)}, got {way!r}")
        return ClassicSource(way), CLASSIC[way].SETTINGS
    return _read_source(values["source"], where), WITH_WEIGHTS[values["kind"]].settings


def _read_blend(values: Mapping[str, Any], where: str, others: Catalog) -> Row:
    """The row as its halves alone make it."""
    if not isinstance(values["source"], str) or "+" not in values["source"]:
        raise CatalogError(f"{where}: source of a blend must be ids joined by '+', got {values['source']!r}")
    if values.get("flip_average"):
        raise CatalogError(f"{where}: flip_average belongs to the rows that are blended")
    try:
        return others[values["source"]]
    except CatalogError as error:
        raise CatalogError(f"{where}: {error}") from error


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


def _read_settings(values: object, known: Mapping[str, Setting], where: str) -> dict[str, Setting]:
    open_to_rows = [name for name, setting in known.items() if setting.default or not isinstance(setting, Direction)]
    if not isinstance(values, dict) or not set(values) <= set(open_to_rows):
        allowed = ", ".join(open_to_rows)
        raise CatalogError(f"{where}: settings must be a mapping with some of {allowed}, got {values!r}")
    return {
        name: _read_setting(name, values[name], setting, where) if name in values else setting
        for name, setting in known.items()
    }


def _read_setting(name: str, value: object, known: Setting, where: str) -> Setting:
    entries = {"default"} if isinstance(known.default, bool | str) else {"default", "min", "max"}
    if not isinstance(value, dict) or set(value) != entries:
        raise CatalogError(f"{where}: setting {name} must have the entries {sorted(entries)}, got {value!r}")
    if isinstance(known, TextSetting):
        return TextSetting(name, _checked(known, value["default"], where))
    numbers = [value["default"], value.get("min", 0), value.get("max", 1)]
    if isinstance(known.default, float):
        numbers = [float(number) if isinstance(number, int) else number for number in numbers]
    setting = Setting(name, *numbers)
    # The pipeline's own range holds too: it is what the working sizes were made for.
    for number in numbers if len(entries) == 3 else numbers[:1]:
        _checked(known, number, where)
    _checked(setting, setting.default, where)
    return setting


def _checked(setting: Setting, value: object, where: str) -> Any:
    try:
        return setting.check(value)
    except SettingError as error:
        raise CatalogError(f"{where}: {error}") from error
