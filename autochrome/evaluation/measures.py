"""Which measures are asked for: those of single pictures, and those of the set as a whole."""

from collections.abc import Iterable
from typing import NamedTuple

from autochrome.errors import SettingError
from autochrome.metrics import EXTRA_METRICS, METRICS, SET_METRICS, require_metrics
from autochrome.metrics.extras import require_extra

FRECHET_NAME = "frechet_mobilenet_v2"  # metrics.frechet has it too, and loads transformers, which takes seconds
ALL_MEASURES = (*METRICS, *EXTRA_METRICS, *SET_METRICS)


class Measures(NamedTuple):
    """Names without repetitions."""

    of_pictures: tuple[str, ...]
    of_set: tuple[str, ...]


def choose_measures(names: Iterable[str]) -> Measures:
    """Sort the names by what they measure.

    Raises:
        SettingError: a name is unknown, or there is none.
        UnavailableError: the extra that one needs is not installed.
    """
    chosen = list(dict.fromkeys(names))
    unknown = [name for name in chosen if name not in ALL_MEASURES]
    if unknown or not chosen:
        what = f"unknown metric {', '.join(map(repr, unknown))}" if unknown else "no metric given"
        raise SettingError(f"{what}; choose from {', '.join(ALL_MEASURES)}")
    of_set = tuple(name for name in chosen if name in SET_METRICS)
    for name in of_set:
        if name != FRECHET_NAME:
            require_extra(name)
    of_pictures = [name for name in chosen if name not in SET_METRICS]
    return Measures(tuple(require_metrics(of_pictures)) if of_pictures else (), of_set)
