"""Many tasks side by side: a pool of processes on this machine, or Ray Data on several.

Both take `start`, which is called once in each process, loads what is needed and returns the function that does a
task. Each process computes on one thread, so what comes out does not depend on how many there are. Tasks are drawn
only as they are needed, and results come in the order in which they are finished.
"""

import importlib
import json
import math
import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnContext
from typing import Any, Generic, TypeVar

import torch

from autochrome.errors import AutochromeError, UnavailableError

Task = TypeVar("Task")
Result = TypeVar("Result")
Start = Callable[[], Callable[[Task], Result]]

MAX_LOSSES = 4
"""Processes that may be ended from outside one after another, without a result between, before the pool gives up."""

_PATIENCE_S = 5.0
"""How long a process that was told to stop may tidy up."""
_ROWS_PER_BLOCK = 16


@dataclass(frozen=True)
class Lost:
    """In place of a result: the process that did the task was ended from outside."""

    reason: str


def run_here(start: "Start[Task, Result]", tasks: Iterable[Task]) -> Iterator[tuple[Task, Result]]:
    """Do the tasks in this process, on one thread as the other engines do."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        do = start()
        for task in tasks:
            yield task, do(task)
    finally:
        torch.set_num_threads(threads)


def run_pool(
    start: "Start[Task, Result]", tasks: Iterable[Task], num_processes: int
) -> Iterator[tuple[Task, Result | Lost]]:
    """Do the tasks in processes of this machine, each of which holds one task at a time.

    A process that is ended from outside, mostly for want of memory, loses the task that it held and no other; another
    process takes its place. Closing the iterator, as an interrupt does, ends all of them at once.

    Args:
        start: picklable; called in each process.
        tasks: picklable, as are the results.
        num_processes: how many, from 1.

    Raises:
        AutochromeError: a process does not start, or several in a row were ended from outside.
    """
    todo = iter(tasks)
    context = multiprocessing.get_context("spawn")  # forking a process with threads may hang
    processes = {process.connection: process for process in (_Process(context, start) for _ in range(num_processes))}
    losses = 0
    try:
        while processes:
            for connection in wait(list(processes)):
                assert isinstance(connection, Connection)
                process = processes.pop(connection)
                was_ready, held = process.is_ready, process.held
                answer = process.receive()
                if isinstance(answer, Lost):
                    losses += 1
                    if not was_ready or losses > MAX_LOSSES:
                        raise AutochromeError(f"{answer.reason}; what is done is kept: run the same command again")
                    process = _Process(context, start)
                elif not process.give(todo):
                    process.dismiss()
                    process = None
                if process is not None:
                    processes[process.connection] = process
                if was_ready:
                    assert held
                    losses = losses if isinstance(answer, Lost) else 0
                    yield held[0], answer
    finally:
        for process in processes.values():
            process.end()


class _Process(Generic[Task, Result]):
    """One process of a pool, seen from outside."""

    def __init__(self, context: SpawnContext, start: "Start[Task, Result]") -> None:
        self.connection, theirs = context.Pipe()
        self.is_ready = False
        self.held: list[Task] = []
        self._process = context.Process(target=_serve, args=(theirs, start), daemon=True)
        with _deaf_to_interrupts():
            self._process.start()
        theirs.close()
