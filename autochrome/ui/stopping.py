"""Cancelling from the page: what runs for each session, and how it is told to stop."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from autochrome.errors import Cancelled
from autochrome.pipelines import Progress

STOPPED = "this run was cancelled"


class Stops:
    """The runs of all sessions. Each looks at an event of its own between two steps."""

    def __init__(self) -> None:
        self._running: dict[str, set[threading.Event]] = {}
        self._lock = threading.Lock()

    @contextmanager
    def running(self, session: str | None) -> Iterator[threading.Event]:
        """While inside, `stop` of this session sets the event."""
        event = threading.Event()
        with self._lock:
            self._running.setdefault(str(session), set()).add(event)
        try:
            yield event
        finally:
            with self._lock:
                self._running[str(session)].discard(event)
                if not self._running[str(session)]:
                    del self._running[str(session)]

    def stop(self, session: str | None) -> bool:
        """Tell whatever runs for a session to stop at its next step, and say whether anything does."""
        with self._lock:
            running = self._running.get(str(session), set())
            for event in running:
                event.set()
            return bool(running)


def unless_stopped(stopped: threading.Event, progress: Progress | None = None) -> Progress:
    """A progress that ends the work, at its next step, once the event is set.

    What it returns raises `Cancelled`.
    """

    def report(share: float, step: str) -> None:
        if stopped.is_set():
            raise Cancelled(STOPPED)
        if progress is not None:
            progress(share, step)

    return report
