"""Updates of the page with a moment between them."""

import time
from collections.abc import Callable, Generator, Iterator
from contextlib import closing
from functools import wraps
from typing import Any, ParamSpec, cast

MOMENT_SECONDS = 0.15
"""Of two updates of a component within less, Gradio's page now and then keeps the first (6.31, fast models)."""

P = ParamSpec("P")


def paced(updates: Callable[P, Iterator[Any]]) -> Callable[P, Iterator[Any]]:
    """A generator of updates that waits, where one comes right after another; the first comes at once."""

    @wraps(updates)
    def slower(*args: P.args, **kwargs: P.kwargs) -> Iterator[Any]:
        last = -MOMENT_SECONDS
        with closing(cast(Generator[Any, None, None], updates(*args, **kwargs))) as found:
            for update in found:
                time.sleep(max(0.0, last + MOMENT_SECONDS - time.monotonic()))
                yield update
                last = time.monotonic()

    return slower
