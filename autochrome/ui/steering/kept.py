"""What was read from uploads, kept for a while under their paths: bounded in number and in time."""

import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Generic, TypeVar

from autochrome.ui.keep import KEEP_SECONDS

Read = TypeVar("Read")


class Kept(Generic[Read]):
    """`read(path)`, done once for each of the last few paths. Nothing stays longer than `seconds`, as uploads do not.

    Two that ask for one path at the same time may both read it.
    """

    def __init__(self, read: Callable[[Path], Read], max_kept: int, seconds: float = KEEP_SECONDS) -> None:
        self._read = read
        self._max_kept = max_kept
        self._seconds = seconds
        self._kept: OrderedDict[Path, tuple[float, Read]] = OrderedDict()
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._kept)

    def get(self, path: Path) -> Read:
        """What `read` gave for the path; whatever it raises is raised here."""
        now = time.monotonic()
        with self._lock:
            for old in [old for old, (when, _) in self._kept.items() if when < now - self._seconds]:
                del self._kept[old]
            if path in self._kept:
                self._kept.move_to_end(path)
                return self._kept[path][1]
        value = self._read(path)
        with self._lock:
            self._kept[path] = (now, value)
            while len(self._kept) > self._max_kept:
                self._kept.popitem(last=False)
        return value
