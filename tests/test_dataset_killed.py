"""A build that is killed, or loses a worker: what is said, that no process stays behind, what a rerun makes of it."""

import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil  # type: ignore[import-untyped]  # of accelerate
import pytest
from dataset_files import encoded, fingerprint, folder_source, make_config, photo, write_zip

from dataset_builder.build import build

ROOT = Path(__file__).parent.parent
PATIENCE_S = 300
"""Far more than any step takes, even on a busy machine: the tests end, whatever hangs."""


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Work for a second; most of it are copies, which are found in the end."""
    contents = [encoded(photo(seed, (800, 600))) for seed in range(4)]
    members = {f"{index:02d}.jpg": contents[index % 4] for index in range(40)}
    return write_zip(tmp_path_factory.mktemp("photos") / "photos.zip", members)


@pytest.fixture(scope="module")
def whole(archive: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """What a build that nobody disturbs gives."""
    folder = tmp_path_factory.mktemp("whole")
    build(make_config(folder, [folder_source(archive)], "pictures.size=600"))
    return fingerprint(folder / "built")


@contextmanager
def working_build(folder: Path) -> Iterator[tuple[psutil.Popen, list[psutil.Process]]]:
    """A build of two workers in a process of its own that has finished a chunk, and the workers."""
    command = [sys.executable, "-m", "dataset_builder", "build", str(folder / "config.yaml"), "num_workers=2"]
    command += ["pictures.size=600", "filters.min_side=16", "chunk_size=1"]
    process = psutil.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    others: list[psutil.Process] = []
    try:
        wait_for(lambda: process.poll() is not None or bool(chunks(folder)), "a chunk")
        assert process.poll() is None, "it ended before it could be disturbed"
        others = process.children(recursive=True)
        helpers = process.children()  # of multiprocessing; the workers are theirs
        workers = [other for other in others if other not in helpers]
        assert workers
        yield process, workers
        wait_for(lambda: not psutil.wait_procs(others, 0)[1], "the end of all its processes")
    finally:
        for one in (*others, process):
            if one.is_running():
                one.kill()
        process.communicate()


def wait_for(condition: Callable[[], bool], what: str) -> None:
    end = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < end, f"{what} did not come"
        time.sleep(0.005)


def chunks(folder: Path) -> list[Path]:
    return list((folder / "built" / ".work" / "chunks").glob("*.arrow"))


def test_a_worker_that_is_killed(tmp_path: Path, archive: Path, whole: dict[str, bytes]) -> None:
    config = make_config(tmp_path, [folder_source(archive)], "pictures.size=600", "chunk_size=1")
    with working_build(tmp_path) as (process, workers):
        workers[0].send_signal(signal.SIGKILL)
        _, errors = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 2
    assert "dataset_builder: a worker process was ended from outside, perhaps for want of memory (chunks at" in errors
    assert "what is finished is kept: run the same command again, with a smaller num_workers or chunk_size" in errors
    assert "Traceback" not in errors
    assert 0 < len(chunks(tmp_path)) < 40
    build(config)
    assert fingerprint(tmp_path / "built") == whole


def test_a_build_that_is_killed(tmp_path: Path, archive: Path, whole: dict[str, bytes]) -> None:
    """Its workers end with it, and nothing that they had finished is lost."""
    config = make_config(tmp_path, [folder_source(archive)], "pictures.size=600", "chunk_size=1")
    with working_build(tmp_path) as (process, _):
        process.send_signal(signal.SIGKILL)
        process.wait(PATIENCE_S)
    assert 0 < len(chunks(tmp_path)) < 40
    assert not (tmp_path / "built" / "report.json").exists()
    build(config)
    assert fingerprint(tmp_path / "built") == whole
