"""Updates of the page with a moment between them."""

import time
from collections.abc import Iterator

from autochrome.ui.pacing import MOMENT_SECONDS, paced


def test_updates_come_apart_in_order_and_the_first_at_once() -> None:
    @paced
    def count() -> Iterator[int]:
        yield from range(3)

    began = time.monotonic()
    times = [(update, time.monotonic() - began) for update in count()]
    assert [update for update, _ in times] == [0, 1, 2]
    assert times[0][1] < times[1][1]
    assert times[1][1] - times[0][1] >= 0.99 * MOMENT_SECONDS
    assert times[2][1] - times[1][1] >= 0.99 * MOMENT_SECONDS


def test_whoever_stops_watching_ends_the_work() -> None:
    ended = []

    @paced
    def work(name: str) -> Iterator[str]:
        try:
            yield name
            yield "never"
        finally:
            ended.append(name)

    updates = iter(work("a"))
    assert next(updates) == "a"
    updates.close()  # type: ignore[attr-defined]
    assert ended == ["a"]
