"""What a person can ask of a model: hints (points and strokes of color) and a palette, read strictly.

The forms that people write are in docs/directions.md. What is wrong is refused in one sentence that names the place.
"""

import functools
import json
import math
import re
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from numbers import Real
from typing import Any, cast

import torch

from autochrome.color import rgb_to_lab
from autochrome.errors import SettingError

SESSION_VERSION = 1
"""Of the JSON in which a session's directions are kept."""

MAX_HINTS = 10_000
DEFAULT_RADIUS = 0.01
MAX_RADIUS = 0.5
MAX_PALETTE = 8
MAX_WEIGHT = 1_000_000

MIN_CHROMA = 5.0
"""Below this chroma (Lab units) a color is called a grey in notes; photographs' "white" and "grey" things reach it."""

_COLOR = re.compile(r"#[0-9a-fA-F]{6}")
_PLACE_DIGITS = 4
"""Two hints are at one place when their coordinates agree to a ten-thousandth of the picture's side."""

_SESSION_ENTRIES = ("hints", "palette", "prompt")


@functools.lru_cache(maxsize=4096)
def color_to_lab(color: str) -> tuple[float, float, float]:
    """CIELAB (D65) of "#rrggbb": L* 0..100, a* and b* in Lab units."""
    levels = [int(color[start : start + 2], 16) / 255 for start in (1, 3, 5)]
    lightness, a, b = rgb_to_lab(torch.tensor(levels, dtype=torch.float64).view(3, 1, 1)).flatten().tolist()
    return lightness, a, b


@dataclass(frozen=True)
class Hint:
    """A point of color; a stroke is a run of them.

    Attributes:
        x: share of the picture's width, 0 (left) to 1.
        y: share of its height, 0 (top) to 1.
        color: "#rrggbb", lower case; only its a*b* matter, the lightness stays the picture's.
        radius: share of the shorter side, 0 to 0.5.
    """

    x: float
    y: float
    color: str
    radius: float = DEFAULT_RADIUS

    @property
    def ab(self) -> tuple[float, float]:
        """a*b* of the color, in Lab units."""
        return color_to_lab(self.color)[1:]

    def to_json(self) -> dict[str, Any]:
        """The form that people write."""
        return {"x": self.x, "y": self.y, "color": self.color, "radius": self.radius}


@dataclass(frozen=True)
class PaletteColor:
    """A color of a palette: "#rrggbb", lower case, and its share of the palette, above 0 to 1."""

    color: str
    weight: float

    @property
    def ab(self) -> tuple[float, float]:
        """a*b* of the color, in Lab units."""
        return color_to_lab(self.color)[1:]

    def to_json(self) -> dict[str, Any]:
        """The form that people write."""
        return {"color": self.color, "weight": self.weight}


def parse_hints(value: object) -> tuple[Hint, ...]:
    """Read a list of `{"x", "y", "color", "radius"}` (`radius` is optional) or of `Hint`; the order is kept.

    Raises:
        SettingError: no such list, more than `MAX_HINTS`, or a hint is wrong: the text names its number, from 0.
    """
    if isinstance(value, Mapping):
        parse_directions(value)  # of another version, or damaged: that is the better sentence
        raise SettingError("hints must be a list; this is a whole session: give its entries hints and palette apart")
    if isinstance(value, str | bytes) or not isinstance(value, Sequence):
        raise SettingError(f'hints must be a list of {{"x", "y", "color", "radius"}}, got {_short(value)}')
    if len(value) > MAX_HINTS:
        raise SettingError(f"at most {MAX_HINTS:,} hints are taken, got {len(value):,}; give strokes fewer points")
    return tuple(_read_hint(entry, f"hint {index}") for index, entry in enumerate(value))


def parse_palette(value: object) -> tuple[PaletteColor, ...]:
    """Read 1 to 8 colors: "#rrggbb" or `{"color", "weight"}` in a list, or one text with commas between them.

    Weights are positive numbers, by default 1, and come out as shares that sum to 1. The order means nothing, so the
    result is sorted by color; a color that is there twice has the sum of its weights.

    Raises:
        SettingError: no such list, no colors or too many, or an entry is wrong: the text names its number, from 0.
    """
    if isinstance(value, str):
        value = [color.strip() for color in value.split(",") if color.strip()]
    if isinstance(value, bytes | Mapping) or not isinstance(value, Sequence):
        raise SettingError(f'a palette must be a list of "#rrggbb" or {{"color", "weight"}}, got {_short(value)}')
    weights: dict[str, float] = {}
    for index, entry in enumerate(value):
        color, weight = _read_palette_color(entry, f"palette color {index}")
        weights[color] = weights.get(color, 0.0) + weight
    if not 1 <= len(weights) <= MAX_PALETTE:
        raise SettingError(f"a palette has 1 to {MAX_PALETTE} different colors, got {len(weights)}")
    total = math.fsum(weights.values())
    # What was a palette already comes out as it is, to the last digit.
    scale = 1.0 if abs(total - 1) < 1e-9 else total
    return tuple(PaletteColor(color, weights[color] / scale) for color in sorted(weights))


def parse_directions(value: object) -> dict[str, Any]:
    """Read a session's JSON, `{"version": 1, "hints": [...], "palette": [...], "prompt": "..."}`, or a list of hints.

    Returns the settings in it, by name, those that are empty left out; a prompt is checked by who takes it.

    Raises:
        SettingError: it is of another version, has an unknown entry, or hints or palette are wrong.
    """
    if not isinstance(value, Mapping):
        return {"hints": parse_hints(value)}
    version = value.get("version")
    if isinstance(version, bool) or version != SESSION_VERSION:
        came = "no version" if version is None else f"version {_short(version)}"
        raise SettingError(f"a session must be of version {SESSION_VERSION}, got {came}; save it again from here")
    unknown = sorted(str(name) for name in set(value) - {"version", *_SESSION_ENTRIES})
    if unknown:
        known = ", ".join(("version", *_SESSION_ENTRIES))
        raise SettingError(f"a session has the entries {known}; unknown: {', '.join(unknown)}")
    found = {name: value[name] for name in _SESSION_ENTRIES if value.get(name) not in (None, "", [])}
    readers = {"hints": parse_hints, "palette": parse_palette}
    return {name: readers[name](entry) if name in readers else entry for name, entry in found.items()}


def directions_to_json(
    hints: Sequence[Hint] = (), palette: Sequence[PaletteColor] = (), prompt: str = ""
) -> dict[str, Any]:
    """A session as plain JSON values, as `parse_directions` reads it."""
    return {
        "version": SESSION_VERSION,
        "hints": [hint.to_json() for hint in hints],
        "palette": [color.to_json() for color in palette],
        "prompt": prompt,
    }


def hint_notes(hints: Sequence[Hint]) -> tuple[str, ...]:
    """Sentences for the person about hints that are taken, but not all seen: two of different color at one place."""
    last: dict[tuple[float, float], int] = {}
    beaten = []
    for index, hint in enumerate(hints):
        place = (round(hint.x, _PLACE_DIGITS), round(hint.y, _PLACE_DIGITS))
        if place in last and hints[last[place]].color != hint.color:
            beaten.append((last[place], index))
        last[place] = index
    if not beaten:
        return ()
    first, second = beaten[0]
    more = f" So it is at {len(beaten) - 1:,} more places." if len(beaten) > 1 else ""
    return (
        f"Hints {first} ({hints[first].color}) and {second} ({hints[second].color}) are at one place; "
        f"the later one wins.{more}",
    )


def palette_notes(palette: Sequence[PaletteColor]) -> tuple[str, ...]:
    """Sentences for the person about a palette that leaves little to choose from."""
    if palette and all(math.hypot(*color.ab) < MIN_CHROMA for color in palette):
        return ("The palette has only greys, so the picture stays nearly grey.",)
    if len(palette) == 1:
        return (f"The palette has one color, so {palette[0].color} tints the whole picture.",)
    return ()


def _read_hint(entry: object, where: str) -> Hint:
    if isinstance(entry, Hint):
        entry = entry.to_json()
    if not isinstance(entry, Mapping):
        raise SettingError(f'{where} must be {{"x", "y", "color", "radius"}}, got {_short(entry)}')
    names = ("x", "y", "color", "radius")
    unknown = sorted(str(name) for name in set(entry) - set(names))
    missing = [name for name in names[:3] if name not in entry]
    if unknown or missing:
        wrong = f"has no {', '.join(missing)}" if missing else f"has unknown entries: {', '.join(unknown)}"
        raise SettingError(f"{where} {wrong}; its entries are {', '.join(names)}")
    for name in ("x", "y"):
        if not _is_within(entry[name], 0, 1):
            raise SettingError(
                f"{where} is outside the picture, or nowhere: {name} must be a number from 0 to 1 "
                f"(a share of the {'width' if name == 'x' else 'height'}), got {_short(entry[name])}"
            )
    radius = entry.get("radius", DEFAULT_RADIUS)
    if not _is_within(radius, 0, MAX_RADIUS):
        raise SettingError(
            f"{where}: radius must be a number from 0 to {MAX_RADIUS} (a share of the shorter side), "
            f"got {_short(radius)}"
        )
    return Hint(float(entry["x"]), float(entry["y"]), _read_color(entry["color"], where), float(radius))


def _read_palette_color(entry: object, where: str) -> tuple[str, float]:
    if isinstance(entry, str):
        return _read_color(entry, where), 1.0
    if isinstance(entry, PaletteColor):
        entry = entry.to_json()
    if not isinstance(entry, Mapping) or "color" not in entry or not set(entry) <= {"color", "weight"}:
        raise SettingError(f'{where} must be "#rrggbb" or {{"color", "weight"}}, got {_short(entry)}')
    weight = entry.get("weight", 1.0)
    if not _is_within(weight, sys.float_info.min, MAX_WEIGHT):
        raise SettingError(f"{where}: weight must be a number above 0, at most {MAX_WEIGHT:,}, got {_short(weight)}")
    return _read_color(entry["color"], where), float(weight)


def _read_color(value: object, where: str) -> str:
    if not isinstance(value, str) or not _COLOR.fullmatch(value):
        raise SettingError(f'{where}: color must be "#rrggbb", six hexadecimal digits, got {_short(value)}')
    return value.lower()


def _is_within(value: Any, low: float, high: float) -> bool:
    """Whether it is a number in the range, both ends included; NaN and switches are none."""
    return not isinstance(value, bool) and isinstance(value, Real) and low <= cast(float, value) <= high


def _short(value: object) -> str:
    """What came, as JSON where it is, cut to what a sentence can hold."""
    try:
        text = json.dumps(value)
    except (TypeError, ValueError):
        text = repr(value)
    return text if len(text) <= 80 else f"{text[:77]}..."
