"""What the server keeps, and for how long: files by age and size, results by age."""

import os
import shutil
import time
from pathlib import Path

import pytest

from autochrome.catalog import Catalog
from autochrome.ui.coloring import Coloring
from autochrome.ui.keep import MAX_AGE_SECONDS, LastResults
from autochrome.ui.limits import DEFAULT_LIMITS
from autochrome.ui.studio import Studio
from autochrome.ui.sweeping import sweep


def write(folder: Path, name: str, size: int = 10) -> Path:
    path = folder / name / "picture.png"
    path.parent.mkdir(parents=True)
    path.write_bytes(b"x" * size)
    return path


def test_old_files_go_and_their_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    old, kept = write(tmp_path, "old"), write(tmp_path, "kept")
    time.sleep(0.1)
    new = write(tmp_path, "new")
    os.utime(new, (0, 0))  # a copy of an old photograph has that one's time, and is new all the same
    now = new.stat().st_ctime + 60
    with monkeypatch.context() as clock:
        clock.setattr(time, "time", lambda: now)
        assert sweep(tmp_path, keep_seconds=60.05, max_bytes=1000, kept={kept}) == 1
    assert not old.parent.exists()
    assert kept.exists()
    assert new.exists()
    assert sweep(tmp_path, keep_seconds=3600, max_bytes=1000) == 0


def test_too_much_goes_from_the_oldest_on(tmp_path: Path) -> None:
    paths = []
    for number in range(4):
        paths.append(write(tmp_path, str(number), size=100))
        time.sleep(0.02)
    assert sweep(tmp_path, keep_seconds=3600, max_bytes=250) == 2
    assert [path.exists() for path in paths] == [False, False, True, True]


def test_links_are_deleted_and_not_followed(tmp_path: Path) -> None:
    target = write(tmp_path / "elsewhere", "a")
    folder = tmp_path / "swept"
    folder.mkdir()
    (folder / "link").symlink_to(target.parent)
    time.sleep(0.02)
    assert sweep(folder, keep_seconds=0.0, max_bytes=1000) == 1
    assert target.exists()


def test_a_folder_that_goes_in_the_meantime_is_passed_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As when Gradio deletes it, or a person's last result: the sweep goes on, and the next ones come."""
    one, other = write(tmp_path, "one"), write(tmp_path, "other")
    look = Path.lstat

    def look_as_the_other_goes(path: Path) -> os.stat_result:
        if path in (one, other):  # whichever comes first
            shutil.rmtree((other if path == one else one).parent, ignore_errors=True)
        return look(path)

    with monkeypatch.context() as meantime:
        meantime.setattr(Path, "lstat", look_as_the_other_goes)
        time.sleep(0.02)
        assert sweep(tmp_path, keep_seconds=0.0, max_bytes=1000) == 1
    assert not list(tmp_path.iterdir())


@pytest.fixture
def coloring(tiny_catalog: Catalog, grey_photo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Coloring:
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path / "gradio"))
    return Studio(tiny_catalog).colorize(grey_photo, model=None, settings={})


def test_results_go_before_their_files(coloring: Coloring, monkeypatch: pytest.MonkeyPatch) -> None:
    assert DEFAULT_LIMITS.keep_files_seconds > MAX_AGE_SECONDS
    results = LastResults(max_age_seconds=3600)
    token = results.put(coloring)
    assert results.get(token) is coloring
    later = time.monotonic() + 3601
    monkeypatch.setattr(time, "monotonic", lambda: later)
    assert results.get(token) is None
    assert len(results) == 0
