"""Options of a command-line program, read from its parser, so that a recipe's typing error is a sentence."""

import argparse
import ast
import difflib
import importlib.util
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from autochrome.errors import DataError, SettingError

_TYPES: dict[str, type] = {"int": int, "float": float}
_NEEDED = {
    "use_8bit_adam": "bitsandbytes",
    "enable_xformers_memory_efficient_attention": "xformers",
    "use_deepspeed": "deepspeed",
}
"""Options that need a package of their own."""


@dataclass(frozen=True)
class Option:
    """One option: `--name VALUE`, or the flag `--name`."""

    name: str
    is_flag: bool = False
    type: str = "str"
    choices: tuple[str, ...] = ()
    takes_many: bool = False
    default: Any = None


def script_options(script: Path) -> dict[str, Option]:
    """The options of a script by name, from the calls of `add_argument` in its source; nothing of it is run.

    Raises:
        DataError: it is no Python, or has no such calls.
    """
    options = {}
    for node in ast.walk(_parsed(script)):
        if isinstance(node, ast.Call) and getattr(node.func, "attr", None) == "add_argument" and node.args:
            option = _from_call(node)
            if option is not None:
                options[option.name] = option
    if not options:
        raise DataError(f"'{script}' takes no options that could be read; script_path is an example of diffusers")
    return options


def parser_options(parser: argparse.ArgumentParser) -> dict[str, Option]:
    """The options of a parser by name."""
    options = {}
    for action in parser._actions:
        long = [text for text in action.option_strings if text.startswith("--")]
        if long:
            name = long[0][2:].replace("-", "_")
            choices = tuple(str(choice) for choice in action.choices or ())
            kind = getattr(action.type, "__name__", "str")
            options[name] = Option(name, action.nargs == 0, kind, choices, action.nargs in ("+", "*"), action.default)
    return options


def to_command(given: Mapping[str, Any], options: Mapping[str, Option], section: str) -> list[str]:
    """Checked values as words of a command: `--name value`, `--flag`; None and False are left out.

    Args:
        section: the recipe's entry that `given` stands in, for the messages.

    Raises:
        SettingError: an unknown name, or a value that the option does not take.
    """
    words: list[str] = []
    for name, value in given.items():
        if name not in options:
            near = difflib.get_close_matches(name, options, n=3)
            raise SettingError(
                f"{section}.{name}: no such option; {'did you mean ' + ' or '.join(near) if near else 'it knows'}"
                f"{'?' if near else ': ' + ', '.join(sorted(options))}"
            )
        if value is None or value is False:
            continue
        words += [f"--{name}", *_values(value, options[name], f"{section}.{name}")]
    return words


def missing_packages(given: Iterable[str], script: Path) -> list[str]:
    """A sentence, with how to install it, for each package that the script imports or a given option needs."""
    wanted = [_NEEDED[name] for name in given if name in _NEEDED]
    for node in _parsed(script).body:
        if isinstance(node, ast.Import):
            wanted += [alias.name.partition(".")[0] for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            wanted.append(node.module.partition(".")[0])
    missing = [package for package in dict.fromkeys(wanted) if importlib.util.find_spec(package) is None]
    return [f"{script.name} needs {package}, which is not installed: {_how_to_install(package)}" for package in missing]


def _how_to_install(package: str) -> str:
    # With its dependencies, torchvision would replace torch by one of its own choice.
    return f"pip install {'--no-deps ' if package == 'torchvision' else ''}{package}"


def _parsed(script: Path) -> ast.Module:
    try:
        return ast.parse(script.read_text(encoding="utf-8"))
    except (OSError, SyntaxError, ValueError) as error:
        raise DataError(f"'{script}' is no readable Python file: {error}") from error


def _from_call(node: ast.Call) -> Option | None:
    first = node.args[0]
    if not isinstance(first, ast.Constant) or not str(first.value).startswith("--"):
        return None
    given = {keyword.arg: keyword.value for keyword in node.keywords}
    choices = _literal(given.get("choices"))
    return Option(
        name=str(first.value)[2:].replace("-", "_"),
        is_flag=str(_literal(given.get("action"))).startswith("store_"),
        type=getattr(given.get("type"), "id", "str"),
        choices=tuple(map(str, choices)) if isinstance(choices, list | tuple) else (),
        takes_many=_literal(given.get("nargs")) in ("+", "*"),
        default=_literal(given.get("default")),
    )


def _literal(node: ast.expr | None) -> object:
    """The value of a constant expression; None for one that has to be computed."""
    try:
        return ast.literal_eval(node) if node is not None else None
    except ValueError:
        return None


def _values(value: Any, option: Option, name: str) -> list[str]:
    if option.is_flag or value is True:
        if not (option.is_flag and value is True):
            wanted = "a flag: true or false" if option.is_flag else "a value, not a flag"
            raise SettingError(f"{name} takes {wanted}; got {value!r}")
        return []
    values = list(value) if isinstance(value, list | tuple) else [value]
    if not values or (len(values) > 1 and not option.takes_many):
        raise SettingError(f"{name} takes {'at least one value' if option.takes_many else 'one value'}; got {value!r}")
    for one in values:
        if option.choices and str(one) not in option.choices:
            raise SettingError(f"{name} must be one of {', '.join(option.choices)}; got {one!r}")
        try:
            _TYPES.get(option.type, str)(str(one))
        except ValueError as error:
            raise SettingError(f"{name} must be of type {option.type}; got {one!r}") from error
    return [str(one) for one in values]
