"""Who does the chunks: processes of this machine, or Ray Data on several."""

import json
import multiprocessing
import os
import signal
import threading
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from itertools import islice
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import numpy as np
import torch

from autochrome.errors import DataError, UnavailableError
from dataset_builder.chunks import Job, Worker
from dataset_builder.config import BuildConfig
from dataset_builder.items import Item

Done = tuple[Job, Counter[str]]

_WAITING_PER_WORKER = 2
_RAY_WINDOW = 64


def run_jobs(config: BuildConfig, work_dir: Path, jobs: Iterator[Job]) -> Iterator[Done]:
    """Do all jobs, drawing only a few ahead; each comes back when it is finished, in any order, with its counts.

    Raises:
        DataError: a worker was ended from outside, or cannot write.
        UnavailableError: engine=ray without Ray.
    """
    if config.engine == "ray":
        return _run_on_ray(config, work_dir, jobs)
    num_workers = config.num_workers or os.cpu_count() or 1
    return _run_here(config, work_dir, jobs) if num_workers == 1 else _run_pool(config, work_dir, jobs, num_workers)


def _run_here(config: BuildConfig, work_dir: Path, jobs: Iterator[Job]) -> Iterator[Done]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # as in a worker: sums come out the same to the last bit
    keep_freed_memory()
    try:
        worker = Worker(config, work_dir)
        for job in jobs:
            yield job, worker.run(job)
    finally:
        torch.set_num_threads(threads)


def keep_freed_memory() -> None:
    """Let the C library keep the memory of a freed picture for the next one: with glibc a tenth of the time.

    Once something large was freed, it hands blocks up to that size (at most 32 MB) out of its own heap, and the system
    need not clear fresh pages for each picture (mallopt(3), M_MMAP_THRESHOLD). Elsewhere this does nothing.
    """
    np.empty(31 * 2**20, np.uint8)


_worker: Worker | None = None


def _start_worker(config: BuildConfig, work_dir: Path) -> None:
    global _worker
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the main process, which ends this one
    parent = multiprocessing.parent_process()
    assert parent is not None
    threading.Thread(target=_end_with, args=(parent,), daemon=True).start()
    torch.set_num_threads(1)
    keep_freed_memory()
    _worker = Worker(config, work_dir)


def _end_with(parent: BaseProcess) -> None:
    """A worker whose parent was killed would otherwise wait for work for ever."""
    parent.join()
    os._exit(1)


def _run_in_worker(job: Job) -> Counter[str]:
    assert _worker is not None
    return _worker.run(job)


def _run_pool(config: BuildConfig, work_dir: Path, jobs: Iterator[Job], num_workers: int) -> Iterator[Done]:
    # Not forked from here: torch's threads do not survive that. From a server that has imported all and done nothing.
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([__name__])
    pool = ProcessPoolExecutor(num_workers, context, _start_worker, (config, work_dir))
    running: dict[Future[Counter[str]], Job] = {}
    try:
        while True:
            for job in islice(jobs, max(0, num_workers * _WAITING_PER_WORKER - len(running))):
                running[pool.submit(_run_in_worker, job)] = job
            if not running:
                return
            for future in wait(running, return_when=FIRST_COMPLETED).done:
                yield running.pop(future), future.result()
    except BrokenProcessPool as error:
        chunks = ", ".join(str(job.index) for job in running.values())
        raise DataError(
            f"a worker process was ended from outside, perhaps for want of memory (chunks at work: {chunks}); what is "
            f"finished is kept: run the same command again, with a smaller num_workers or chunk_size"
        ) from error
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _run_on_ray(config: BuildConfig, work_dir: Path, jobs: Iterator[Job]) -> Iterator[Done]:
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    try:
        import ray
        import ray.data
    except ImportError as error:
        raise UnavailableError("engine=ray needs Ray Data; install it with: pip install 'ray[data]'") from error
    if not ray.is_initialized():
        ray.init(include_dashboard=False, log_to_driver=False, num_cpus=config.num_workers or None)
    ray.data.DataContext.get_current().enable_progress_bars = False
    while window := list(islice(jobs, _RAY_WINDOW)):
        waiting = {job.index: job for job in window}
        chunks = ray.data.from_items([_to_message(job) for job in window], override_num_blocks=len(window))
        done = chunks.map(_run_on_node, fn_kwargs={"config": config, "work_dir": str(work_dir.resolve())})
        for row in done.iter_rows():
            yield waiting.pop(row["index"]), Counter(json.loads(row["reasons"]))


def _to_message(job: Job) -> dict[str, Any]:
    """A job as plain values, which Arrow can carry."""
    items = json.dumps([item.to_dict() for item in job.items])
    return {"index": job.index, "source": job.source, "items": items, "path": str(job.path.resolve())}


def _run_on_node(message: dict[str, Any], config: BuildConfig, work_dir: str) -> dict[str, Any]:
    items = tuple(Item.from_dict(entry) for entry in json.loads(message["items"]))
    job = Job(int(message["index"]), int(message["source"]), items, Path(message["path"]))
    reasons = _worker_of(json.dumps(config.decisive()), config, Path(work_dir)).run(job)
    return {"index": job.index, "reasons": json.dumps(reasons)}


_WORKERS: dict[str, Worker] = {}


def _worker_of(key: str, config: BuildConfig, work_dir: Path) -> Worker:
    """The worker that this process keeps for a config: Ray uses one process for many tasks."""
    if key not in _WORKERS:
        torch.set_num_threads(1)
        _WORKERS.clear()
        _WORKERS[key] = Worker(config, work_dir)
    return _WORKERS[key]
