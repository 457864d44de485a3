"""Engines: every task done once, on one thread; processes that are killed, cannot start, or are told to stop."""

import sys
import time
from pathlib import Path

import pytest
import torch
from engine_tasks import Square, WriteSlowly, always_killed, cannot_start

from autochrome.engines import Lost, run_here, run_on_ray, run_pool
from autochrome.errors import AutochromeError, UnavailableError


def test_here_one_after_another_on_one_thread() -> None:
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        done = list(run_here(Square(), iter([3, 1, 2])))
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)
    assert [(number, result["square"]) for number, result in done] == [(3, 9), (1, 1), (2, 4)]
    assert {result["threads"] for _, result in done} == {1}


def test_a_killed_process_loses_its_task_and_no_other() -> None:
    done = dict(run_pool(Square(deadly=7), iter(range(40)), 2))
    assert sorted(done) == list(range(40))
    assert done[7] == Lost("a worker process was ended by signal 9, mostly for want of memory")
    results = [result for result in done.values() if not isinstance(result, Lost)]
    assert sorted(result["square"] for result in results) == [number**2 for number in range(40) if number != 7]
    assert {result["threads"] for result in results} == {1}
    assert len({result["process"] for result in results}) >= 2


def test_a_process_that_cannot_start_is_an_error(capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(AutochromeError, match="a worker process ended with code 1; what is done is kept, run the same"):
        list(run_pool(cannot_start, [1], 1))
    assert "ValueError: no model here" in capfd.readouterr().err


def test_processes_killed_one_after_another_are_an_error() -> None:
    results = run_pool(always_killed, range(100), 1)
    lost = Lost("a worker process was ended by signal 9, mostly for want of memory")
    assert [next(results), next(results)] == [(0, lost), (1, lost)]
    with pytest.raises(AutochromeError, match="ended by signal 9, mostly for want of memory; what is done is kept"):
        next(results)


def test_closing_ends_processes_at_once_and_nothing_is_left(tmp_path: Path) -> None:
    results = run_pool(WriteSlowly(tmp_path), range(10), 1)
    assert next(results) == (0, "quick")
    deadline = time.monotonic() + 120
    while not list(tmp_path.iterdir()) and time.monotonic() < deadline:
        time.sleep(0.01)
    [half_written] = tmp_path.iterdir()
    assert half_written.suffix == ".tmp"
    begun = time.monotonic()
    results.close()
    assert time.monotonic() - begun < WriteSlowly.SECONDS / 2, "it did not wait for the slow one"
    assert list(tmp_path.iterdir()) == []


def test_without_ray_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(
        UnavailableError, match=r"engine ray needs Ray Data; install it with: pip install 'autochrome\[ray"
    ):
        list(run_on_ray(Square(), [1]))
