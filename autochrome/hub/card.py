"""Heads of cards: the YAML between two lines of three hyphens at the top of a README.md."""

import re
from pathlib import Path
from typing import Any

import yaml

from autochrome.errors import DataError

_HEAD = re.compile(r"---\n(.*?)\n---(?:\n|\Z)", re.DOTALL)


def read_card(path: Path) -> tuple[dict[str, Any], str]:
    """The head of a card as plain values, and the text below it.

    Raises:
        DataError: the file is missing, is not UTF-8, or has no head that is a YAML mapping.
    """
    try:
        text = path.read_text(encoding="utf-8").replace("\r\n", "\n")
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"'{path}' cannot be read ({error}); nothing goes to the Hub without a card") from error
    found = _HEAD.match(text)
    if found is None:
        raise DataError(f"'{path}' begins with no head: YAML between two lines of '---', with license and more")
    try:
        head = yaml.safe_load(found[1])
    except yaml.YAMLError as error:
        raise DataError(f"the head of '{path}' is not YAML: {error}") from error
    if not isinstance(head, dict):
        raise DataError(f"the head of '{path}' must be a mapping, like 'license: apache-2.0'")
    return head, text[found.end() :]
