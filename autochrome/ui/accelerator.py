"""ZeroGPU: a graphics card for some seconds at a time. Everywhere else nothing here has any effect.

On ZeroGPU (the environment then has SPACES_ZERO_GPU) a function that needs the card is decorated with `spaces.GPU`. It
runs in a fork of the program, so its arguments and what it returns are pickled, and the models must be loaded before.
Source: https://huggingface.co/docs/hub/spaces-zerogpu
"""

import importlib
import math
import os
from collections.abc import Callable, Mapping
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
R = TypeVar("R")

START_SECONDS = 5.0
"""For the fork, and for moving the model."""

SECONDS_A_STEP = 0.5
MAX_SECONDS = 120


def wants_zero_gpu() -> bool:
    """Whether this is a ZeroGPU Space."""
    return os.environ.get("SPACES_ZERO_GPU", "").lower() in ("1", "t", "true")


def on_accelerator(function: Callable[P, R], seconds: Callable[P, int]) -> Callable[P, R]:
    """`function` itself; on ZeroGPU so decorated that it runs where the card is.

    Args:
        function: its arguments and its result can be pickled.
        seconds: from the same arguments, how long it may take; the shorter, the sooner it gets its turn.
    """
    if not wants_zero_gpu():
        return function
    spaces = importlib.import_module("spaces")  # installed on such Spaces alone; it must come before CUDA is used
    decorated: Callable[P, R] = spaces.GPU(duration=seconds)(function)
    return decorated


def gpu_seconds(kind: str, settings: Mapping[str, object]) -> int:
    """How long a run may take: by the model's kind, the number of candidates and the steps of each."""
    candidates = _number(settings.get("candidates"))
    steps = _number(settings.get("steps"), otherwise=20) if kind == "diffusion" else 1
    return min(MAX_SECONDS, math.ceil(START_SECONDS + SECONDS_A_STEP * candidates * steps))


def _number(value: object, otherwise: float = 1) -> float:
    """A setting as it came: what is no number is refused later, by the model."""
    return value if isinstance(value, int | float) and value > 0 else otherwise
