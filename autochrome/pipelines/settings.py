"""What a person can set: kinds and ranges, and the one place that refuses what a model has no use for."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from numbers import Integral, Real
from typing import Any

from autochrome.errors import SettingError
from autochrome.pipelines import directions
from autochrome.pipelines.exemplar import exemplar_notes, parse_exemplar

SettingValue = bool | int | float
MAX_TEXT_LENGTH = 1000


@dataclass(frozen=True)
class Setting:
    """A setting that a model takes: a switch, or a number with a range (both ends included)."""

    name: str
    default: Any
    minimum: int | float = 0
    maximum: int | float = 1

    @property
    def allowed(self) -> str:
        """The allowed values in words."""
        if isinstance(self.default, bool):
            return "true or false"
        kind = "an integer" if isinstance(self.default, int) else "a number"
        return f"{kind} from {self.minimum} to {self.maximum}"

    def check(self, value: object) -> Any:
        """Return `value` as the plain Python type of the default.

        Raises:
            SettingError: it is of another type, not a number (NaN), or out of range.
        """
        number: SettingValue | None = None
        if isinstance(value, bool) or isinstance(self.default, bool):
            number = value if isinstance(value, bool) and isinstance(self.default, bool) else None
        elif isinstance(self.default, int) and isinstance(value, Integral):
            number = int(value)
        elif isinstance(self.default, float) and isinstance(value, Real):
            number = float(value)
        # Not `number < minimum or number > maximum`: NaN is neither.
        if number is None or not self.minimum <= number <= self.maximum:
            raise SettingError(f"{self.name} must be {self.allowed}, got {value!r}")
        return number

    def notes(self, value: Any) -> tuple[str, ...]:
        """Sentences for the person about a checked value that is taken, but not as they may think."""
        return ()

    def to_dict(self) -> dict[str, Any]:
        """Default and range as plain JSON values."""
        if isinstance(self.default, bool):
            return {"default": self.default}
        return {"default": self.default, "min": self.minimum, "max": self.maximum}


@dataclass(frozen=True)
class Direction(Setting):
    """A setting that is a text, a list or a picture: nothing by default; the range is that of its length."""

    default: Any = ()

    def to_dict(self) -> dict[str, Any]:
        """What is allowed, in words; there is nothing to choose a default from."""
        return {"default": None, "allowed": self.allowed}


@dataclass(frozen=True)
class TextSetting(Direction):
    """Words, e.g. a prompt; spaces around them are taken off. With a default, an empty text means no words at all."""

    default: str = ""
    maximum: int = MAX_TEXT_LENGTH

    @property
    def allowed(self) -> str:
        """The allowed values in words."""
        return f"a text of at most {self.maximum:,} characters"

    def check(self, value: object) -> str:
        """Return the text.

        Raises:
            SettingError: it is no text, or too long; never cut in silence.
        """
        if not isinstance(value, str):
            raise SettingError(f"{self.name} must be {self.allowed}, got {value!r}")
        if len(value.strip()) > self.maximum:
            raise SettingError(f"{self.name} must be {self.allowed}, got {len(value.strip()):,}; say it in fewer words")
        return value.strip()

    def to_dict(self) -> dict[str, Any]:
        """The default, if there is one, and what is allowed, in words."""
        return {"default": self.default or None, "allowed": self.allowed}


@dataclass(frozen=True)
class HintsSetting(Direction):
    """Points and strokes of color: `directions.parse_hints`."""

    name: str = "hints"
    maximum: int = directions.MAX_HINTS

    @property
    def allowed(self) -> str:
        """The allowed values in words."""
        return f'a list of at most {self.maximum:,} {{"x", "y", "color", "radius"}}'

    def check(self, value: object) -> tuple[directions.Hint, ...]:
        """Return the hints. Raises SettingError: see `directions.parse_hints`."""
        return directions.parse_hints(value)

    def notes(self, value: Any) -> tuple[str, ...]:
        """Of two hints of different color at one place the later wins."""
        return directions.hint_notes(value)


@dataclass(frozen=True)
class PaletteSetting(Direction):
    """Colors with weights: `directions.parse_palette`."""

    name: str = "palette"
    maximum: int = directions.MAX_PALETTE

    @property
    def allowed(self) -> str:
        """The allowed values in words."""
        return f'at most {self.maximum} colors, "#rrggbb" or {{"color", "weight"}}'

    def check(self, value: object) -> tuple[directions.PaletteColor, ...]:
        """Return the palette. Raises SettingError: see `directions.parse_palette`."""
        return directions.parse_palette(value) if value != () else ()

    def notes(self, value: Any) -> tuple[str, ...]:
        """A palette of greys, or of one color."""
        return directions.palette_notes(value)


@dataclass(frozen=True)
class ExemplarSetting(Direction):
    """A color picture to take colors from: `exemplar.parse_exemplar`."""

    name: str = "exemplar"
    default: Any = None

    @property
    def allowed(self) -> str:
        """The allowed values in words."""
        return "a picture in color"

    def check(self, value: object) -> Any:
        """Return the `Exemplar`, or None. Raises SettingError, PictureError: see `exemplar.parse_exemplar`."""
        return None if value is None else parse_exemplar(value)

    def notes(self, value: Any) -> tuple[str, ...]:
        """An exemplar of one tint."""
        return exemplar_notes(value)


def check_settings(model_id: str, taken: Mapping[str, Setting], given: Mapping[str, object]) -> dict[str, Any]:
    """All settings of one run: what was given, checked, and the model's defaults for the rest.

    `None`, an empty text and an empty list mean "not given", so that a form can be handed on as it is; but where the
    default is a text, an empty one is given: it means "none". What comes out can be given again, and comes out the
    same.

    Raises:
        SettingError: a setting that this model has no use for, of the wrong type, or out of range.
        PictureError: an exemplar that cannot be read.
    """
    given = {name: value for name, value in given.items() if not _is_empty(value) or _is_none(value, taken.get(name))}
    refused = [name for name in given if name not in taken]
    if refused:
        raise SettingError(f"{model_id} takes no {' and no '.join(refused)}; its settings are: {', '.join(taken)}")
    return {name: setting.check(given.get(name, setting.default)) for name, setting in taken.items()}


def settings_notes(taken: Mapping[str, Setting], settings: Mapping[str, Any]) -> tuple[str, ...]:
    """Sentences for the person about the checked settings of a run, for `ColorizationOutput.notes`."""
    return tuple(note for name, value in settings.items() if name in taken for note in taken[name].notes(value))


def settings_to_json(settings: Mapping[str, Any]) -> dict[str, Any]:
    """The checked settings of a run as plain JSON values: hints and palette as people write them, an exemplar as its
    digest."""
    return {name: _plain(value) for name, value in settings.items()}


def _plain(value: Any) -> Any:
    if isinstance(value, tuple):
        return [_plain(entry) for entry in value]
    to_json: Callable[[], Any] | None = getattr(value, "to_json", None)
    return to_json() if to_json is not None else value


def _is_none(value: object, setting: Setting | None) -> bool:
    """Whether a person took away the words that a setting has by default."""
    return value == "" and isinstance(setting, TextSetting) and bool(setting.default)


def _is_empty(value: object) -> bool:
    return value is None or (isinstance(value, str | list | tuple | dict) and not value)
