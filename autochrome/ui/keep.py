"""The last results of the sessions, so that a switch acts without the model: bounded in number, memory and time."""

import threading
import time
import uuid
from collections import OrderedDict

from autochrome.ui.coloring import Coloring
from autochrome.ui.limits import DEFAULT_LIMITS

MAX_KEPT = 64
MAX_KEPT_PIXELS = 100_000_000
KEEP_SECONDS = 30 * 60
"""Since the session last did something."""

MAX_AGE_SECONDS = DEFAULT_LIMITS.keep_files_seconds - 5 * 60
"""Since the run: a result goes before its files do."""


class LastResults:
    """Results by an unguessable token. A session's `gr.State` holds the token, never the pictures themselves.

    The oldest go first when there are more than `max_kept`, or when their photographs have more than `max_pixels`
    together; the newest always stays.
    """

    def __init__(
        self, max_kept: int = MAX_KEPT, max_pixels: int = MAX_KEPT_PIXELS, max_age_seconds: float = MAX_AGE_SECONDS
    ) -> None:
        self._max_kept = max_kept
        self._max_pixels = max_pixels
        self._max_age_seconds = max_age_seconds
        self._kept: OrderedDict[str, tuple[float, Coloring]] = OrderedDict()
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._kept)

    def put(self, coloring: Coloring) -> str:
        """Keep `coloring` and return its token."""
        token = uuid.uuid4().hex
        with self._lock:
            self._kept[token] = (time.monotonic(), coloring)
            self._drop_aged()
            while len(self._kept) > 1 and (len(self._kept) > self._max_kept or self._pixels() > self._max_pixels):
                self._kept.popitem(last=False)
        return token

    def get(self, token: str | None) -> Coloring | None:
        """The result of `token`, or None when there was none or it was forgotten."""
        with self._lock:
            self._drop_aged()
            if token is None or token not in self._kept:
                return None
            self._kept.move_to_end(token)
            return self._kept[token][1]

    def forget(self, token: str | None) -> None:
        """Drop the result of `token`; without one, nothing happens."""
        with self._lock:
            self._kept.pop(token or "", None)

    def _drop_aged(self) -> None:
        oldest = time.monotonic() - self._max_age_seconds
        for token in [token for token, (made, _) in self._kept.items() if made < oldest]:
            del self._kept[token]

    def _pixels(self) -> int:
        return sum(coloring.num_pixels for _, coloring in self._kept.values())
