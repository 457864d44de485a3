"""The page in a real browser, with a real server behind it."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import PIL.Image
import pytest
import skimage.data
from playwright.sync_api import Browser, Page, expect, sync_playwright

from autochrome.image import picture_to_lightness

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome", "chrome"))), None)
pytestmark = pytest.mark.skipif(
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


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture
def page(browser: Browser, server_url: str) -> Iterator[Page]:
    """The loaded page. Afterwards: no error in the console, no request to anywhere else."""
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    page = context.new_page()
    page.set_default_timeout(PATIENCE_MS)
    expect.set_options(timeout=PATIENCE_MS)
    troubles: list[str] = []
    page.on("console", lambda message: troubles.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: troubles.append(str(error)))
    page.on("request", lambda request: troubles.append(request.url) if _is_elsewhere(request.url, server_url) else None)
    page.goto(server_url)
    expect(page.locator("#colorize")).to_be_enabled()
    yield page
    context.close()
    assert troubles == []


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


def test_upload_color_and_toggle(page: Page, grey_photo: Path, tmp_path: Path) -> None:
    upload(page, grey_photo)
    colorize(page)
    expect(page.locator("#status")).to_contain_text("Colored by Tiny One")
    expect(page.locator("#before-after img")).to_have_count(2)
    assert measure(page, "Lightness error") < 0.3
    assert page.locator(".measure").count() == 2, "nothing to compare a grey upload with"

    with page.expect_download() as download:
        page.locator("#download").click()
    saved = tmp_path / download.value.suggested_filename
    download.value.save_as(saved)
    assert saved.name == "portrait-autochrome.png"
    with PIL.Image.open(saved) as result, PIL.Image.open(grey_photo) as photo:
        assert result.size == photo.size
        assert result.info["Comment"] == "AI-colorized"
        lightness = picture_to_lightness(photo.convert("RGB"))
        assert (picture_to_lightness(result.convert("RGB")) - lightness).abs().mean() < 0.3

    # The switch acts by itself, without the model: the sentence of the run stays as it is.
    sentence = page.locator("#status").inner_text()
    shown = page.locator("#before-after img").last.get_attribute("src")
    page.locator("#merge-lightness input").uncheck()
    expect(page.locator("#before-after img").last).not_to_have_attribute("src", shown or "")
    expect(page.locator(".measures")).to_contain_text("softer than the photograph")
    assert page.locator("#status").inner_text() == sentence


def test_saturation_acts_at_once(page: Page, grey_photo: Path) -> None:
    upload(page, grey_photo)
    colorize(page)
    assert measure(page, "Colorfulness") > 1
    page.locator("#saturation input[type=range]").focus()
    page.keyboard.press("Home")
    expect(page.locator(".measure:has-text('Colorfulness') .value")).to_have_text("0")


def test_a_color_upload_serves_as_its_own_truth(page: Page, tmp_path: Path) -> None:
    photo = tmp_path / "cup.png"
    PIL.Image.fromarray(skimage.data.coffee()).resize((150, 100)).save(photo)
    upload(page, photo)
    colorize(page)
    expect(page.locator(".measures")).to_contain_text("its own colors serve as the truth")
    for name in ("CIEDE2000", "PSNR", "SSIM"):
        expect(page.locator(f".measure:has-text('{name}')")).to_contain_text("without color")


def test_an_example_runs_by_one_click_and_is_compared(page: Page) -> None:
    page.get_by_role("button", name="Coffee").click()
    expect(page.locator("#download")).to_be_enabled()
    expect(page.locator(".measures")).to_contain_text("Compared with the reference picture")
    page.locator("#another").click()
    expect(page.locator("#photograph")).to_contain_text("Drop a black-and-white photograph")
    expect(page.locator("#before-after")).to_have_count(0)


def test_switching_the_model(page: Page, grey_photo: Path) -> None:
    expect(page.locator("#prompt textarea")).to_be_disabled()
    expect(page.locator("#prompt")).to_contain_text("Tiny One does not listen to words")
    expect(page.locator("#unavailable")).to_contain_text("Not Installed")
    upload(page, grey_photo)
    page.locator("#model input").click()
    page.get_by_role("option", name="Tiny Two").click()
    expect(page.locator("#prompt")).to_contain_text("Tiny Two does not listen to words")
    colorize(page)
    expect(page.locator("#status")).to_contain_text("Colored by Tiny Two")


def test_errors_are_sentences_and_the_page_goes_on(page: Page, grey_photo: Path, tmp_path: Path) -> None:
    page.locator("#colorize").click()
    expect(page.get_by_test_id("toast-body")).to_contain_text("There is no photograph yet")
    page.get_by_test_id("toast-close").click()
    fake = tmp_path / "fake.png"
    fake.write_text("not a picture")
    page.locator("#photograph input[type=file]").set_input_files(fake)
    expect(page.get_by_test_id("toast-body")).to_contain_text("cannot be read")
    expect(page.locator("#photograph")).to_contain_text("Drop a black-and-white photograph")
    upload(page, grey_photo)
    colorize(page)


def test_paste_and_keyboard(page: Page) -> None:
    page.evaluate(
        """async () => {
            const canvas = Object.assign(document.createElement("canvas"), { width: 60, height: 40 });
            canvas.getContext("2d").fillRect(10, 10, 20, 20);
            const blob = await new Promise((done) => canvas.toBlob(done, "image/png"));
            const clipboardData = new DataTransfer();
            clipboardData.items.add(new File([blob], "pasted.png", { type: "image/png" }));
            document.body.dispatchEvent(new ClipboardEvent("paste", { clipboardData, bubbles: true }));
        }"""
    )
    expect(page.locator("#photograph img")).to_be_visible()
    colorize(page)
    line = page.get_by_role("slider", name="Line between before and after")
    before = line.get_attribute("style") or ""
    line.focus()
    page.keyboard.press("ArrowRight")
    expect(line).not_to_have_attribute("style", before)


def test_tiff_and_phone_width(page: Page, grey_photo: Path, tmp_path: Path) -> None:
    """Browsers show no TIFF, so the page is given a PNG of it."""
    page.set_viewport_size({"width": 390, "height": 844})
    scan = tmp_path / "scan.tif"
    with PIL.Image.open(grey_photo) as photo:
        photo.save(scan)
    upload(page, scan)
    expect(page.locator("#photograph img[src$='scan.png']")).to_be_visible()
    colorize(page)
    assert page.evaluate("document.documentElement.scrollWidth") <= 390, "the page is wider than the phone"
