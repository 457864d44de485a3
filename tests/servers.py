"""A running demo for tests, in a process of its own."""

import multiprocessing
import os
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection
from pathlib import Path
from typing import TYPE_CHECKING

from autochrome.catalog import Catalog

if TYPE_CHECKING:
    from autochrome.ui import Limits

START_SECONDS = 600
"""Patience with a busy machine; on an idle one the demo answers after about 5."""

END_SECONDS = 60


@contextmanager
def serving(catalog: Catalog, folder: Path, limits: "Limits | None" = None) -> Iterator[str]:
    """The address of a demo with these models; its files go to `folder`."""
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe()
    process = context.Process(target=_serve, args=(catalog, folder, limits, there), daemon=True)
    process.start()
    there.close()
    try:
        assert here.poll(START_SECONDS), f"the demo did not start within {START_SECONDS} s"
        yield here.recv()
    finally:
        here.close()
        process.terminate()
        process.join(END_SECONDS)
        process.kill()
        process.join()
        process.close()


def _serve(catalog: Catalog, folder: Path, limits: "Limits | None", started: Connection) -> None:
    os.environ["GRADIO_TEMP_DIR"] = str(folder)
    from autochrome.ui import Limits, build_demo, launch_settings

    limits = limits or Limits()
    demo = build_demo(catalog, limits)
    _, url, _ = demo.launch(**launch_settings(limits), server_name="127.0.0.1", prevent_thread_lock=True, quiet=True)
    started.send(url)
    demo.block_thread()
