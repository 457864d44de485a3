"""Tasks for the tests of `autochrome.engines`; the engines' processes import them from here."""

import os
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import torch

from autochrome.files import replacing


@dataclass(frozen=True)
class Square:
    """Squares of numbers; the process that gets `deadly` is killed by it."""

    deadly: int = -1

    def __call__(self) -> Callable[[int], dict[str, int]]:
        return self._do

    def _do(self, number: int) -> dict[str, int]:
        if number == self.deadly:
            os.kill(os.getpid(), signal.SIGKILL)
        return {"square": number * number, "threads": torch.get_num_threads(), "process": os.getpid()}


def cannot_start() -> Callable[[int], Any]:
    raise ValueError("no model here")


def always_killed() -> Callable[[int], Any]:
    return lambda number: Square(deadly=number)._do(number)


@dataclass(frozen=True)
class WriteSlowly:
    """Files that take long to write."""

    folder: Path
    SECONDS: ClassVar[int] = 300

    def __call__(self) -> Callable[[int], str]:
        return self._do

    def _do(self, number: int) -> str:
        if number == 0:
            return "quick"
        with replacing(self.folder / f"{number}.txt") as temporary:
            temporary.write_text("begun")
            time.sleep(self.SECONDS)
        return "written"
