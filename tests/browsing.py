"""For the tests in a real browser: where it is, a page of the demo, and what people do on it."""

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Locator, Page, expect

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome", "chrome"))), None)
needs_browser = pytest.mark.skipif(
    CHROMIUM is None, reason="no browser here; install one (on Debian: apt-get install chromium) to run these tests"
)
FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
PATIENCE_MS = 60_000


@contextmanager
def open_page(browser: Browser, server_url: str, query: str = "") -> Iterator[Page]:
    """The loaded page. Afterwards: no error in the console, no request to anywhere else."""
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    page = context.new_page()
    page.set_default_timeout(PATIENCE_MS)
    expect.set_options(timeout=PATIENCE_MS)
    troubles: list[str] = []
    page.on("console", lambda message: troubles.append(_told(message)) if _is_trouble(message) else None)
    page.on("pageerror", lambda error: troubles.append(str(error)))
    page.on("request", lambda request: troubles.append(request.url) if _is_elsewhere(request.url, server_url) else None)
    page.goto(server_url + query)
    expect(page.locator("#colorize")).to_be_enabled()
    yield page
    found = list(troubles)  # before the page is left: Gradio then logs that it ends its own connection
    context.close()
    assert found == [], "\n".join(found)


def _is_trouble(message: ConsoleMessage) -> bool:
    """Gradio's script may cancel a run before it was told the run's name, which the server refuses as 422."""
    too_early = message.location["url"].endswith("/gradio_api/cancel") and "422" in message.text
    return message.type == "error" and not too_early


def _told(message: ConsoleMessage) -> str:
    return f"{message.text} ({message.location['url']})"


def _is_elsewhere(url: str, server_url: str) -> bool:
    return not url.startswith((server_url, "data:", "blob:"))


def upload(page: Page, photo: Path) -> None:
    page.locator("#photograph input[type=file]").set_input_files(photo)
    expect(page.locator("#photograph img")).to_be_visible()


def colorize(page: Page) -> None:
    page.locator("#colorize").click()
    expect(page.locator("#download")).to_be_enabled()
    expect(page.locator(".measures")).to_be_visible()


def measure(page: Page, name: str) -> float:
    value = page.locator(f".measure:has-text('{name}') .value").inner_text()
    return float(value.removesuffix(" dB"))


def set_number(page: Page, place: str, value: int) -> None:
    """Type a number into the box of a slider and leave it."""
    box = page.locator(f"{place} input[type=number]")
    box.fill(str(value))
    box.press("Tab")


def choose(page: Page, place: str, option: str) -> None:
    """Choose from a drop-down list."""
    page.locator(f"{place} input").click()
    page.get_by_role("option", name=option).click()


def shown(page: Page) -> str:
    """Where the result's picture comes from."""
    return page.locator("#before-after img").last.get_attribute("src") or ""


def small_pictures(page: Page, gallery: str) -> Locator:
    """The buttons of a gallery."""
    return page.locator(f"{gallery} .thumbnail-item")


def open_tab(page: Page, name: str) -> None:
    page.get_by_role("tab", name=name).click()


def save_download(page: Page, button: str, folder: Path) -> Path:
    with page.expect_download() as download:
        page.locator(button).click()
    saved = folder / download.value.suggested_filename
    download.value.save_as(saved)
    return saved


def expect_to_fit(page: Page, width: int) -> None:
    """The page is no wider than a window of this width, once it has settled there."""
    page.wait_for_function("width => document.documentElement.scrollWidth <= width", arg=width)


def eventually(page: Page, read: Callable[[], object], expected: object) -> object:
    """What `read` gives, as soon as it is what is expected; when that never comes, what it gave last."""
    for _ in range(PATIENCE_MS // 100):
        if read() == expected:
            break
        page.wait_for_timeout(100)
    return read()
