"""Whose turn it is to compute: one at a time, and a long run lets short ones through between its steps."""

import threading
from collections import deque
from types import TracebackType


class Turn:
    """A lock for `with`, given in the order in which it was asked for."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._waiting: deque[object] = deque()
        self._taken = False

    def __enter__(self) -> None:
        me = object()
        with self._changed:
            self._waiting.append(me)
            try:
                self._changed.wait_for(lambda: not self._taken and self._waiting[0] is me)
                self._taken = True
            finally:
                self._waiting.remove(me)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._changed:
            self._taken = False
            self._changed.notify_all()

    def give_way(self) -> None:
        """Let all that wait now go first, then go on; only for who has the turn."""
        if self._waiting:
            self.__exit__(None, None, None)
            self.__enter__()
