"""What several test modules need: a catalog of tiny models, and a server that runs the demo with them."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path

# Read by their libraries at import, as in app.py.
os.environ["OMP_WAIT_POLICY"] = "PASSIVE"
os.environ["OMP_NUM_THREADS"] = "1"  # the tests' models are tiny, and two processes test at a time
os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"

# A shell that starts the tests in the background has interrupts ignored, and every program that they start inherits it.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

import pytest
import torch
from browsing import CHROMIUM, FLAGS, open_page
from playwright.sync_api import Browser, Page, sync_playwright
from servers import serving

from autochrome.catalog import Catalog, Row
from autochrome.models import Colorizer, ColorizerConfig, save_colorizer
from autochrome.pipelines import FeedforwardPipeline


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What fails in the browser is tried once more, and the summary names it.

    Gradio's page has races of its own, which show on a machine that is busy with something else.
    """
    for item in items:
        if "browser" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.flaky(reruns=1))


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
    with serving(tiny_catalog, tmp_path_factory.mktemp("gradio")) as url:
        yield url


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


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Chromium, for one module of tests."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture
def page(browser: Browser, server_url: str) -> Iterator[Page]:
    """The loaded page of the running demo."""
    with open_page(browser, server_url) as page:
        yield page
