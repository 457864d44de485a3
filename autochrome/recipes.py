"""What recipes and configs have in common: dataclasses with a sentence under every field, from YAML and `key=value`."""

import ast
import inspect
from pathlib import Path
from typing import TypeVar

import yaml
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from autochrome.errors import DataError, SettingError

_Part = TypeVar("_Part")


def load(part: type[_Part], path: Path, overrides: list[str], *, noun: str, folder: str) -> _Part:
    """Read a dataclass from YAML, apply `key=value` overrides (dotted: `sources.0.path=x.zip`), check names and types.

    `noun` ("recipe", "config") and the `folder` with examples are for the messages.

    Raises:
        DataError: the file is missing or is not YAML.
        SettingError: an entry is unknown, missing or of the wrong type; or what the dataclass itself refuses.
    """
    if not path.is_file():
        raise DataError(f"no {noun} at {path}; {noun}s are YAML files, see {folder}")
    try:
        given = OmegaConf.load(path)
    except yaml.YAMLError as error:
        raise DataError(f"{path} is not valid YAML: {error}") from error
    if not isinstance(given, DictConfig):
        raise DataError(f"{path} holds no entries like `name: photos`; see {folder}")
    try:
        for override in overrides:
            key, separator, value = override.partition("=")
            if not separator:
                raise SettingError(f"{override!r} is no override; they look like key=value, e.g. seed=1")
            OmegaConf.update(given, key, yaml.safe_load(value))
        merged = OmegaConf.merge(OmegaConf.structured(part), given)
        missing = sorted(OmegaConf.missing_keys(merged))
        if missing:
            raise SettingError(f"{path} leaves open: {', '.join(missing)}; set them there or as KEY=VALUE")
        filled = OmegaConf.to_object(merged)
    except SettingError:
        raise
    except (OmegaConfBaseException, yaml.YAMLError, IndexError, TypeError, ValueError) as error:
        raise SettingError(f"{noun} {path}: {str(error).splitlines()[0]}") from error
    assert isinstance(filled, part)
    return filled


def describe_fields(part: type, title: str) -> list[str]:
    """Every field of a dataclass with its type, default and the sentence under it, as lines for `--help`."""
    lines = [f"{title}:"]
    body = ast.parse(inspect.getsource(part)).body[0]
    assert isinstance(body, ast.ClassDef)
    for entry, doc in zip(body.body, body.body[1:], strict=False):
        if isinstance(entry, ast.AnnAssign) and isinstance(doc, ast.Expr) and isinstance(doc.value, ast.Constant):
            default = f" = {ast.unparse(entry.value)}" if entry.value else ""
            sentence = " ".join(str(doc.value.value).split())
            lines += [f"  {ast.unparse(entry.target)}: {ast.unparse(entry.annotation)}{default}", f"      {sentence}"]
    return lines
