"""Runs in steps: whose turn it is, what is seen of them, and how they end before their time."""

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import PIL.Image
import pytest
import skimage.data
from diffusion_catalogs import write_diffusion_catalog

from autochrome.catalog import Catalog
from autochrome.errors import Cancelled, SettingError
from autochrome.pipelines import Preview
from autochrome.ui.batch.choosing import choose
from autochrome.ui.batch.running import Batch
from autochrome.ui.colorize.growing import growing_html
from autochrome.ui.colorize.sentences import candidate_caption, picked_html, status_html
from autochrome.ui.compare.contest import compare
from autochrome.ui.steps import Step, watched
from autochrome.ui.stopping import STOPPED, Stops, unless_stopped
from autochrome.ui.studio import Studio
from autochrome.ui.turn import Turn

PATIENCE_SECONDS = 60
SMALL = PIL.Image.new("RGB", (8, 6), (200, 40, 40))


@pytest.fixture(autouse=True)
def _files_in_tmp(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path / "gradio"))


@pytest.fixture(scope="module")
def catalog(tmp_path_factory: pytest.TempPathFactory) -> Catalog:
    return write_diffusion_catalog(tmp_path_factory.mktemp("weights"))


@pytest.fixture(scope="module")
def studio(catalog: Catalog) -> Studio:
    return Studio(catalog)


@pytest.fixture
def source() -> PIL.Image.Image:
    return PIL.Image.fromarray(skimage.data.coffee()).resize((90, 60))


def wait_until(is_so: threading.Event) -> None:
    assert is_so.wait(PATIENCE_SECONDS), "it did not happen in time"


# Turns


def test_a_turn_is_given_in_the_order_of_asking_and_lent_between_steps() -> None:
    turn, order = Turn(), list[str]()

    def short(name: str) -> None:
        with turn:
            order.append(name)

    with turn:
        threads = []
        for name in ("first", "second"):
            threads.append(threading.Thread(target=short, args=(name,)))
            threads[-1].start()
            while len(turn._waiting) < len(threads):
                time.sleep(0.001)
        assert order == []
        turn.give_way()
        order.append("again")
        turn.give_way()  # nobody waits
    for thread in threads:
        thread.join(PATIENCE_SECONDS)
    assert order == ["first", "second", "again"]


def test_a_long_run_lets_other_models_through(studio: Studio, source: PIL.Image.Image) -> None:
    begun, order = threading.Event(), list[str]()

    def preview(number: int, total: int, picture: PIL.Image.Image) -> None:
        order.append(f"{number} of {total}")
        begun.set()

    def long_run() -> None:
        studio.run("tiny-diffusion", source, {"steps": 20}, preview=preview)
        order.append("long")

    studio.pipeline("tiny-plain")
    thread = threading.Thread(target=long_run)
    thread.start()
    wait_until(begun)
    studio.run("tiny-plain", source, {})
    order.append("short")
    assert "long" not in order
    # Another run of the same model waits for the first, which has its turn only between two steps: they do not meet.
    studio.run("tiny-diffusion", source, {"steps": 1})
    thread.join(PATIENCE_SECONDS)
    assert order.index("short") < order.index("long")
    assert [entry for entry in order if "of" in entry] == [f"{number} of 20" for number in range(1, 21)]


# What is seen


def steps_of(work_steps: int, stopped: threading.Event) -> Iterator[Step]:
    def work(show: Preview) -> str:
        for number in range(1, work_steps + 1):
            show(number, work_steps, SMALL)
            time.sleep(0.02)
        return "done"

    return watched(work, stopped)


def test_steps_come_out_and_then_the_result() -> None:
    seen: list[int] = []

    def follow() -> Iterator[str]:
        steps = steps_of(5, threading.Event())
        while True:
            try:
                seen.append(next(steps).number)
            except StopIteration as end:
                yield end.value
                return

    assert list(follow()) == ["done"]
    assert seen == sorted(set(seen))
    assert 1 <= len(seen) <= 5


def test_an_error_comes_out_and_so_does_a_stop() -> None:
    def fail(show: Preview) -> None:
        raise SettingError("seed must be an integer from 0 to 9, got 10")

    with pytest.raises(SettingError, match="seed must be an integer"):
        next(watched(fail, threading.Event()))
    stopped = threading.Event()
    steps = steps_of(500, stopped)
    next(steps)
    stopped.set()
    with pytest.raises(Cancelled, match=f"^{STOPPED}$"):
        next(steps)


def test_who_looks_away_ends_the_work_at_its_next_step() -> None:
    stopped, ended = threading.Event(), threading.Event()

    def work(show: Preview) -> None:
        try:
            for number in range(10_000):
                show(number, 10_000, SMALL)
                time.sleep(0.01)
        except Cancelled:
            ended.set()
            raise

    steps = watched(work, stopped)
    next(steps)
    steps.close()
    wait_until(ended)


def test_a_session_stops_its_own_runs_only() -> None:
    stops = Stops()
    with stops.running("mine") as first, stops.running("mine") as second, stops.running("other") as other:
        unless_stopped(first)(0.5, "step 1 of 2")
        stops.stop("mine")
        assert (first.is_set(), second.is_set(), other.is_set()) == (True, True, False)
        with pytest.raises(Cancelled, match=f"^{STOPPED}$"):
            unless_stopped(first, lambda share, step: None)(0.5, "step 1 of 2")
    stops.stop("mine")
    stops.stop(None)
    assert not stops._running


def test_the_growing_picture_is_laid_over_the_photograph() -> None:
    html = growing_html(Step(3, 8, SMALL), 'http://x/"><script>')
    assert "Step 3 of 8" in html
    assert 'width="37.5"' in html
    assert "<script>" not in html
    assert "--shape: 1.3333" in html
    assert "growing-light" in html
    assert "growing-light" not in growing_html(Step(3, 8, SMALL), None), "the model's own light"


# The model itself, behind the page


def test_a_run_shows_its_steps_and_is_what_it_is_without(studio: Studio, grey_photo: Path) -> None:
    settings = {"prompt": "a red sky", "candidates": 2, "seed": 7}
    seen: list[tuple[int, int, str]] = []
    told: list[str] = []
    watched_run = studio.colorize(
        grey_photo,
        model="tiny-diffusion",
        settings=settings,
        progress=lambda share, step: told.append(step),
        preview=lambda number, total, picture: seen.append((number, total, picture.mode)),
    )
    plain_run = studio.colorize(grey_photo, model="tiny-diffusion", settings=settings)
    assert seen == [(number, 6, "RGB") for number in range(1, 7)]
    assert "step 3 of 6" in told
    assert watched_run.output.images[0].tobytes() == plain_run.output.images[0].tobytes()
    assert "2 candidates: pick one" in status_html(plain_run, "Tiny")
    assert [candidate_caption(plain_run, number) for number in range(2)] == ["seed 7", "seed 8"]
    assert "Now candidate 2 of 2, drawn with seed 8. No model ran." in picked_html(plain_run, 1)
    assert "Now candidate 1 of 2, drawn with seed 7." in picked_html(plain_run, 0)


def test_a_run_stops_between_two_steps_and_the_next_one_begins(studio: Studio, source: PIL.Image.Image) -> None:
    stopped, seen = threading.Event(), list[int]()

    def preview(number: int, total: int, picture: PIL.Image.Image) -> None:
        seen.append(number)
        if number == 2:
            stopped.set()

    with pytest.raises(Cancelled, match=f"^{STOPPED}$"):
        studio.run("tiny-diffusion", source, {"steps": 500}, unless_stopped(stopped), preview)
    assert seen == [1, 2]
    assert studio.run("tiny-diffusion", source, {}).images[0].size == source.size


def test_words_beyond_what_is_read_are_said(studio: Studio, grey_photo: Path) -> None:
    coloring = studio.colorize(grey_photo, model="tiny-diffusion", settings={"prompt": "a red sky " * 60})
    assert "left out" in status_html(coloring, "Tiny")
    with pytest.raises(SettingError, match="prompt must be a text of at most 1,000 characters, got"):
        studio.colorize(grey_photo, model="tiny-diffusion", settings={"prompt": "red " * 400})


def test_a_batch_leaves_the_picture_at_its_next_step(studio: Studio, source: PIL.Image.Image, tmp_path: Path) -> None:
    for name in ("a.png", "b.png"):
        source.save(tmp_path / name)
    batch = Batch(choose([tmp_path / "a.png", tmp_path / "b.png"]), tmp_path / "out" / "autochrome.zip")
    stopped = threading.Event()
    jobs = batch.run(studio, "tiny-diffusion", {"steps": 1000}, stopped)
    next(jobs)
    threading.Timer(0.3, stopped.set).start()
    start = time.monotonic()
    assert list(jobs)[:1] != []
    assert [record.status for record in batch.records] == ["cancelled", "cancelled"]
    assert batch.records[0].reason == "the batch was cancelled"
    assert time.monotonic() - start < 10


def test_compare_tells_of_each_step(studio: Studio, source: PIL.Image.Image, tmp_path: Path) -> None:
    source.save(tmp_path / "cup.png")
    told: list[tuple[float, str]] = []
    names = {each.name: each for each in compare(studio, tmp_path / "cup.png", None, lambda *one: told.append(one))}
    assert names["Tiny Diffusion"].measures is not None
    assert "Its weights are not installed" in (names["Not Installed"].reason or "")
    shares = [share for share, _ in told]
    assert shares == sorted(shares)
    assert any(step == "Tiny Diffusion: step 2 of 3" and 1 / 3 < share < 2 / 3 for share, step in told)
