"""What a person can set: kinds and ranges, and the one place that refuses what a model has no use for."""

from collections.abc import Mapping
from dataclasses import dataclass
from numbers import Integral, Real
from typing import Any

from autochrome.errors import SettingError

SettingValue = bool | int | float


@dataclass(frozen=True)
class Setting:
    """A setting that a model takes: a switch, or a number with a range (both ends included)."""

    name: str
    default: SettingValue
    minimum: int | float = 0
    maximum: int | float = 1

    @property
    def allowed(self) -> str:
        """The allowed values in words."""
        if isinstance(self.default, bool):
            return "true or false"
        kind = "an integer" if isinstance(self.default, int) else "a number"
        return f"{kind} from {self.minimum} to {self.maximum}"

    def check(self, value: object) -> SettingValue:
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


def check_settings(model_id: str, taken: Mapping[str, Setting], given: Mapping[str, object]) -> dict[str, Any]:
    """All settings of one run: what was given, checked, and the model's defaults for the rest.

    `None`, an empty text and an empty list mean "not given", so that a form can be handed on as it is.

    Raises:
        SettingError: a setting that this model has no use for, of the wrong type, or out of range.
    """
    given = {name: value for name, value in given.items() if not _is_empty(value)}
    refused = [name for name in given if name not in taken]
    if refused:
        raise SettingError(f"{model_id} takes no {' and no '.join(refused)}; its settings are: {', '.join(taken)}")
    return {name: setting.check(given.get(name, setting.default)) for name, setting in taken.items()}


def _is_empty(value: object) -> bool:
    return value is None or (isinstance(value, str | list | tuple | dict) and not value)
