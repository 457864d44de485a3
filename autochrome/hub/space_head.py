"""The front matter of a Space, checked against the Hub's reference before the Hub is asked.

Source: https://huggingface.co/docs/hub/spaces-config-reference. The Hub ignores an entry that it does not know, so a
misspelt one would fail in silence; here it is refused.
"""

import difflib
import re
from collections.abc import Callable, Container, Mapping
from typing import Any

from autochrome.errors import DataError

REQUIRED = ("title", "sdk", "sdk_version", "app_file", "license")
COLORS = ("red", "yellow", "green", "blue", "indigo", "purple", "pink", "gray")
MAX_DESCRIPTION = 60
"""Characters of `short_description`; the Hub refuses a longer one."""

Check = Callable[[object], bool]


def check_space_head(head: Mapping[str, Any], files: Container[str]) -> None:
    """Refuse a front matter that the Hub would refuse, ignore, or build something else from.

    Args:
        head: the front matter as plain values.
        files: paths of the Space's files.

    Raises:
        DataError: the text names the entry, its value and what is allowed.
    """
    for name in REQUIRED:
        if name not in head:
            raise DataError(f"the front matter of README.md lacks {name}; a Gradio Space needs: {', '.join(REQUIRED)}")
    for name, value in head.items():
        if name not in _ENTRIES:
            close = difflib.get_close_matches(str(name), _ENTRIES, n=1)
            hint = f"; did you mean {close[0]}?" if close else f"; it knows: {', '.join(_ENTRIES)}"
            raise DataError(f"the front matter of README.md has {name}, which the Hub does not know{hint}")
        allowed, check = _ENTRIES[name]
        if not check(value):
            raise DataError(f"{name} in the front matter of README.md must be {allowed}, got {value!r}")
    if head["app_file"] not in files:
        raise DataError(f"app_file in the front matter of README.md names {head['app_file']!r}, which is not deployed")


def _text(pattern: str) -> Check:
    return lambda value: isinstance(value, str) and re.fullmatch(pattern, value) is not None


def _list_of(pattern: str) -> Check:
    check = _text(pattern)
    return lambda value: isinstance(value, list) and all(map(check, value))


def _is_flag(value: object) -> bool:
    return isinstance(value, bool)


def _is_hardware(value: object) -> bool:
    from huggingface_hub import SpaceHardware

    return value in {flavor.value for flavor in SpaceHardware}


def _are_headers(value: object) -> bool:
    names = {f"cross-origin-{name}-policy" for name in ("embedder", "opener", "resource")}
    return isinstance(value, dict) and set(value) <= names and all(map(_text("[a-z-]+"), value.values()))


_FLAG: tuple[str, Check] = ("true or false", _is_flag)
_COLOR: tuple[str, Check] = (f"one of {', '.join(COLORS)}", _text("|".join(COLORS)))
_REPOS: tuple[str, Check] = ("a list of owner/name", _list_of(r"[\w.-]+(/[\w.-]+)?"))
_ENTRIES: dict[str, tuple[str, Check]] = {
    "title": ("a text", _text(r".+")),
    "emoji": ("one emoji", _text(r"[^\x00-\x7f]{1,8}")),
    "colorFrom": _COLOR,
    "colorTo": _COLOR,
    "sdk": ("gradio", _text("gradio")),
    "sdk_version": ("a whole version of Gradio in a text, like 6.31.0", _text(r"\d+\.\d+\.\d+")),
    "python_version": ('a version in quotes, like "3.11"', _text(r"3\.\d+(\.\d+)?")),
    "app_file": ("a path of the Space", _text(r"[\w./-]+")),
    "base_path": ("a path that begins with /", _text(r"/.*")),
    "fullWidth": _FLAG,
    "header": ("mini or default", _text("mini|default")),
    "short_description": (f"a text of at most {MAX_DESCRIPTION} characters", _text(rf".{{1,{MAX_DESCRIPTION}}}")),
    "thumbnail": ("an address", _text(r"https://\S+")),
    "models": _REPOS,
    "datasets": _REPOS,
    "tags": ("a list of texts", _list_of(r".+")),
    "license": ("the Hub's name of a license, like apache-2.0", _text(r"[a-z0-9.-]+")),
    "pinned": _FLAG,
    "suggested_hardware": ("hardware of the Hub, like cpu-basic or zero-a10g", _is_hardware),
    "startup_duration_timeout": ("a duration, like 30m or 1h", _text(r"\d+[smh]")),
    "disable_embedding": _FLAG,
    "custom_headers": ("COEP, COOP and CORP headers in small letters", _are_headers),
    "preload_from_hub": (
        "a list of 'owner/name', 'owner/name file,file' or 'owner/name file,file commit'",
        _list_of(r"[\w.-]+/[\w.-]+( [^\s,]+(,[^\s,]+)*( [0-9a-f]{40})?)?"),
    ),
    "hf_oauth": _FLAG,
    "hf_oauth_scopes": ("a list of texts", _list_of(r"\S+")),
    "hf_oauth_expiration_minutes": ("minutes up to 43200", lambda v: isinstance(v, int) and 0 < v <= 43200),
}
