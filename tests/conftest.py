"""What several test modules need: a catalog of tiny models, and a server that runs the demo with them."""

import multiprocessing
import os
from collections.abc import Iterator
from multiprocessing.connection import Connection
from pathlib import Path

# Read by their libraries at import, as in app.py.
os.environ["OMP_WAIT_POLICY"] = "PASSIVE"
os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"

import pytest
import torch

from autochrome.catalog import Catalog, Row
from autochrome.models import Colorizer, ColorizerConfig, save_colorizer
from autochrome.pipelines import FeedforwardPipeline

START_SECONDS = 180
"""Patience with a busy machine; on an idle one the demo answers after about 5."""


@pytest.fixture(scope="session")
def tiny_catalog(tmp_path_factory: pytest.TempPathFactory) -> Catalog:
    """Two small random models that can be loaded, and a row whose weights are missing."""
    folder = tmp_path_factory.mktemp("weights")
    torch.manual_seed(0)
    for name in ("tiny-one", "tiny-two"):
        save_colorizer(Colorizer(ColorizerConfig.tiny()), folder / name)
    return Catalog(
        tuple(
            Row(
                id=name,
                name=name.replace("-", " ").title(),
                kind="feedforward",
                source=folder / name,
                license="Apache-2.0",
                description=f"Random colors, number {number}.",
                device="cpu",
                settings=FeedforwardPipeline.SETTINGS,
            )
            for number, name in enumerate(("tiny-one", "tiny-two", "not-installed"), start=1)
        )
    )


@pytest.fixture(scope="session")
def server_url(tiny_catalog: Catalog, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a running demo, in a process of its own; its files go to a folder of the test run."""
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe()
    process = context.Process(target=_serve, args=(tiny_catalog, tmp_path_factory.mktemp("gradio"), there), daemon=True)
    process.start()
    there.close()
    assert here.poll(START_SECONDS), f"the demo did not start within {START_SECONDS} s"
    yield here.recv()
    here.close()
    process.terminate()
    process.join(10)
    process.close()


def _serve(catalog: Catalog, temp_dir: Path, started: Connection) -> None:
    os.environ["GRADIO_TEMP_DIR"] = str(temp_dir)
    from autochrome.ui import build_demo, launch_settings

    demo = build_demo(catalog)
    _, url, _ = demo.launch(**launch_settings(), server_name="127.0.0.1", prevent_thread_lock=True, quiet=True)
    started.send(url)
    demo.block_thread()


@pytest.fixture
def grey_photo(tmp_path: Path) -> Path:
    """A grey PNG of an odd size, with edges and gradients."""
    import numpy as np
    import PIL.Image
    import skimage.data

    grey = PIL.Image.fromarray(skimage.data.astronaut()).convert("L").resize((203, 131))
    path = tmp_path / "portrait.png"
    PIL.Image.fromarray(np.asarray(grey)).save(path)
    return path
