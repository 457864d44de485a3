"""Many pictures side by side: a pool of processes, one thread each, that never holds more than a few pictures."""

import multiprocessing
import os
import signal
import sys
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from typing import TypeVar

import torch

from autochrome.errors import AutochromeError, SettingError
from autochrome.evaluation.matching import Pair

Score = TypeVar("Score")

_PAIRS_WORTH_A_PROCESS = 12
"""A process takes seconds to start: by default each gets at least so many pictures."""

_AHEAD = 4
"""Pictures in the queue of each process."""


def num_processes(jobs: int | None, num_pairs: int) -> int:
    """How many processes to use: `jobs`, by default as many as there are cores, but no more than are of use.

    Raises:
        SettingError: `jobs` is below 1.
    """
    if jobs is None:
        cores = len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1
        return max(1, min(cores, num_pairs // _PAIRS_WORTH_A_PROCESS))
    if jobs < 1:
        raise SettingError(f"jobs must be at least 1, got {jobs}; leave it out to use every core")
    return max(1, min(jobs, num_pairs))


def score_pairs(pairs: Sequence[Pair], score: Callable[[Pair], Score], jobs: int) -> Iterator[tuple[str, Score | str]]:
    """Each pair's name with its score, or with the reason why there is none, in order.

    `score` must be picklable. What it gives does not depend on `jobs`: everywhere it runs on one thread.

    Raises:
        AutochromeError: a process was ended from outside, mostly for want of memory.
    """
    if jobs == 1:
        with _one_thread():
            yield from ((pair.name, _attempt(score, pair)) for pair in pairs)
        return
    context = multiprocessing.get_context("spawn")  # forking a process with threads may hang
    with ProcessPoolExecutor(jobs, mp_context=context, initializer=_start_process) as pool:
        waiting: deque[tuple[str, Future[Score | str]]] = deque()
        try:
            for pair in pairs:
                waiting.append((pair.name, pool.submit(_attempt, score, pair)))
                if len(waiting) >= _AHEAD * jobs:
                    yield _next(waiting)
            while waiting:
                yield _next(waiting)
        except BrokenProcessPool as error:
            raise AutochromeError(
                f"one of {jobs} scoring processes was ended from outside, mostly for want of memory; use fewer --jobs"
            ) from error
        finally:
            pool.shutdown(cancel_futures=True)


def _next(waiting: "deque[tuple[str, Future[Score | str]]]") -> tuple[str, Score | str]:
    name, future = waiting.popleft()
    return name, future.result()


def _attempt(score: Callable[[Pair], Score], pair: Pair) -> Score | str:
    try:
        return score(pair)
    except (AutochromeError, OSError) as error:
        return str(error)
    except Exception as error:  # a bug of ours, or no memory: thousands of pictures do not stop for one
        return f"unexpected {type(error).__name__}: {error}"


def _start_process() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the main process's to answer
    torch.set_num_threads(1)


@contextmanager
def _one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
