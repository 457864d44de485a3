"""Many tasks side by side: in this process, in a pool of processes, or with Ray Data on several machines.

Each engine takes `start`, which is called once in every process, loads what is needed and returns the function that
does a task. A process computes on one thread, so what comes out does not depend on how many of them there are.
"""

import json
import logging
import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnContext
from typing import Any, TypeVar

import torch

from autochrome.errors import AutochromeError, UnavailableError

Task = TypeVar("Task")
Result = TypeVar("Result")
Start = Callable[[], Callable[[Task], Result]]

_NOTHING = object()
_PATIENCE_S = 5.0
"""How long a process that was told to stop may tidy up."""
_MAX_TASKS_PER_BLOCK = 16
_ON_RAY = {"OMP_WAIT_POLICY": "PASSIVE"}


@dataclass(frozen=True)
class Lost:
    """In place of a result: the process that did the task was ended from outside."""

    reason: str


def run_here(start: "Start[Task, Result]", tasks: Iterable[Task]) -> Iterator[tuple[Task, Result]]:
    """Do the tasks one after another in this process, on one thread as the other engines do."""
    with one_thread():
        do = start()
        for task in tasks:
            yield task, do(task)


@contextmanager
def one_thread() -> Iterator[None]:
    """Let torch compute on one thread here: with another number sums come out differently in their last bit."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def run_pool(
    start: "Start[Task, Result]", tasks: Iterable[Task], num_processes: int
) -> Generator[tuple[Task, Result | Lost], None, None]:
    """Do the tasks in processes of this machine; each result comes when it is finished.

    A process holds one task at a time, so memory does not grow with their number, and a process that is ended from
    outside loses one task; another takes its place. Closing the iterator, as an interrupt does, ends them all at once.

    Args:
        start: picklable, as are tasks and results.
        tasks: drawn when a process is free.
        num_processes: from 1.

    Raises:
        AutochromeError: a process cannot start, or several in a row were ended from outside.
    """
    todo = iter(tasks)
    context = multiprocessing.get_context("spawn")  # forking a process with threads may hang
    everyone: list[_Process] = []
    losses = 0
    try:
        everyone += [_Process(context, start) for _ in range(num_processes)]
        while working := {process.connection: process for process in everyone if not process.is_dismissed}:
            for connection in wait(list(working)):
                assert isinstance(connection, Connection)
                process = working[connection]
                held, said = process.held, process.listen()
                if isinstance(said, Lost):
                    losses += 1
                    if held is _NOTHING or losses > num_processes + 1:
                        raise AutochromeError(f"{said.reason}; what is done is kept, run the same command again")
                    everyone.remove(process)
                    everyone.append(_Process(context, start))
                else:
                    process.give(next(todo, _NOTHING))
                if held is not _NOTHING:  # else it said that it is ready
                    losses = losses if isinstance(said, Lost) else 0
                    yield held, said
    finally:
        for process in everyone:
            process.stop()
        for process in everyone:
            process.bury()


class _Process:
    """One process of a pool, seen from outside."""

    def __init__(self, context: SpawnContext, start: "Start[Any, Any]") -> None:
        self.connection, theirs = context.Pipe()
        self.held: Any = _NOTHING
        self.is_dismissed = False
        self._process = context.Process(target=_serve, args=(theirs, start), daemon=True)
        with _interrupts_ignored():
            self._process.start()
        theirs.close()

    def listen(self) -> Any:
        """A result, None from a process that is ready for its first task, or `Lost`."""
        try:
            return self.connection.recv()
        except (EOFError, OSError):
            self.bury()
            code = self._process.exitcode or 0
            how = f"was ended by signal {-code}, mostly for want of memory" if code < 0 else f"ended with code {code}"
            return Lost(f"a worker process {how}")

    def give(self, task: Any) -> None:
        """Hand over the next task, or let the process go where there is none."""
        self.held = task
        if task is _NOTHING:
            self.connection.close()
            self.is_dismissed = True
        else:
            with suppress(OSError):  # it has ended meanwhile, and the next `listen` says so
                self.connection.send(task)

    def stop(self) -> None:
        """Tell a process that is still at work to end now."""
        if not self.is_dismissed:
            self._process.terminate()

    def bury(self) -> None:
        """Wait until it has ended, not for ever."""
        self._process.join(_PATIENCE_S)
        if self._process.is_alive():
            self._process.kill()
            self._process.join()
        self.connection.close()


@contextmanager
def _interrupts_ignored() -> Iterator[None]:
    """A process that starts here ignores Ctrl-C from its first moment: the main process answers it."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def _serve(connection: Connection, start: "Start[Any, Any]") -> None:
    """What a process of a pool does: tasks in, results out, until the main process has no more or is gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, _leave)
    torch.set_num_threads(1)
    do = start()
    said = None
    while True:
        try:
            connection.send(said)
            task = connection.recv()
        except (EOFError, OSError):
            return
        said = do(task)


def _leave(*_: object) -> None:
    raise SystemExit(1)  # not at once: half-written files are removed on the way out


def run_on_ray(
    start: "Start[Task, Result]", tasks: Sequence[Task], num_processes: int | None = None
) -> Iterator[tuple[Task, Result]]:
    """Do the tasks with Ray Data: on the cluster that RAY_ADDRESS names, or that runs here, or else on this machine.

    Every machine needs this package, and whatever the tasks name at the same path.

    Args:
        start: picklable, as are the tasks.
        tasks: their results are plain JSON values.
        num_processes: by default as many as the cluster has cores, but for one: Ray Data may hang without it.

    Raises:
        UnavailableError: Ray is not installed.
        AutochromeError: Ray gave up.
    """
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    try:
        import ray
        import ray.data
    except ImportError as error:
        raise UnavailableError("engine ray needs Ray Data; install it with: pip install 'autochrome[ray]'") from error
    if not tasks:
        return
    is_ours = not ray.is_initialized()
    if is_ours:
        ray.init(
            include_dashboard=False, log_to_driver=False, logging_level="warning", runtime_env={"env_vars": _ON_RAY}
        )
    try:
        ray.data.DataContext.get_current().enable_progress_bars = False
        logging.getLogger("ray.data").setLevel(logging.WARNING)
        free = max(1, int(ray.cluster_resources().get("CPU", 1)) - 1)
        processes = min(num_processes or free, free, len(tasks))
        per_block = min(_MAX_TASKS_PER_BLOCK, max(1, len(tasks) // (4 * processes)))
        numbers = ray.data.from_items(list(range(len(tasks))), override_num_blocks=-(-len(tasks) // per_block))
        done = numbers.map_batches(
            _OnRay,
            fn_constructor_args=(start, ray.put(tasks)),
            batch_size=per_block,
            compute=ray.data.ActorPoolStrategy(size=processes),
            num_cpus=1,
        )
        for row in done.iter_rows():
            yield tasks[row["task"]], json.loads(row["result"])
    except ray.exceptions.RayError as error:
        reason = str(error).strip().splitlines()[-1]
        raise AutochromeError(f"Ray gave up: {reason}; what is done is kept, run the same command again") from error
    finally:
        if is_ours:
            ray.shutdown()


class _OnRay:
    """One process of a Ray cluster: batches of the tasks' numbers in, the same with results as JSON out."""

    def __init__(self, start: "Start[Any, Any]", tasks: Any) -> None:
        import ray

        torch.set_num_threads(1)
        self._tasks = ray.get(tasks)
        self._do = start()

    def __call__(self, batch: dict[str, Any]) -> dict[str, Any]:
        numbers = batch["item"].tolist()
        return {"task": numbers, "result": [json.dumps(self._do(self._tasks[number])) for number in numbers]}
