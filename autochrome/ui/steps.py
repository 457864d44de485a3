"""A run that is watched: it works in a thread, and each step's small picture comes out as soon as there is one."""

import contextvars
import queue
import threading
from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import TypeVar

import PIL.Image

from autochrome.errors import Cancelled
from autochrome.pipelines import Preview
from autochrome.ui.guard import stop_if_unwanted
from autochrome.ui.stopping import STOPPED

LOOK_EVERY_SECONDS = 0.1
"""How soon it is noticed that nobody waits any more; the work itself ends at its next step."""

R = TypeVar("R")


@dataclass(frozen=True)
class Step:
    """How far a run has come: `number` of `total` steps, and what the picture looks like."""

    number: int
    total: int
    picture: PIL.Image.Image


@dataclass(frozen=True)
class _End:
    result: object = None
    error: BaseException | None = None


def watched(work: Callable[[Preview], R], stopped: threading.Event) -> Generator[Step, None, R]:
    """Yield the steps of `work`, the latest one where several came at once, and return what it returns.

    The thread has the caller's context, so that progress and cancelling of Gradio's queue work in it. Whoever closes
    this generator, or sets the event, does not wait for the thread: that ends at its next step.

    Args:
        work: takes a function to give each step to: number, total, picture. Models without steps never call it.
        stopped: set here when nobody watches any more; it ends the work at its next step.

    Raises:
        Cancelled: the event was set.
        gr.Error: nobody waits for the result.
        BaseException: whatever `work` raises.
    """
    news: queue.SimpleQueue[Step | _End] = queue.SimpleQueue()

    def show(number: int, total: int, picture: PIL.Image.Image) -> None:
        if stopped.is_set():
            raise Cancelled(STOPPED)
        news.put(Step(number, total, picture))

    def run() -> None:
        try:
            news.put(_End(work(show)))
        except BaseException as error:  # it is raised where the run is watched
            news.put(_End(error=error))

    threading.Thread(target=contextvars.copy_context().run, args=(run,), name="run", daemon=True).start()
    try:
        while True:
            step = _latest(news)
            if stopped.is_set():
                raise Cancelled(STOPPED)
            if step is None:
                stop_if_unwanted()
            elif isinstance(step, Step):
                yield step
            elif step.error is not None:
                raise step.error
            else:
                return step.result  # type: ignore[return-value]  # of `work`
    finally:
        stopped.set()


def _latest(news: "queue.SimpleQueue[Step | _End]") -> "Step | _End | None":
    """The last that came, or None after a moment without any."""
    try:
        found = news.get(timeout=LOOK_EVERY_SECONDS)
        while not news.empty():
            found = news.get()
    except queue.Empty:
        return None
    return found
