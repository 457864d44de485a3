"""The page in a real browser, with a real server behind it: the tab Colorize."""

import re
from pathlib import Path

import PIL.Image
import skimage.data
from browsing import (
    CHROMIUM,
    FLAGS,
    PATIENCE_MS,
    choose,
    colorize,
    expect_to_fit,
    measure,
    needs_browser,
    open_page,
    save_download,
    set_number,
    shown,
    small_pictures,
    upload,
)
from playwright.sync_api import Browser, Page, expect

from autochrome.image import picture_to_lightness

__all__ = ["CHROMIUM", "FLAGS", "PATIENCE_MS"]
pytestmark = needs_browser


def test_upload_color_and_toggle(page: Page, grey_photo: Path, tmp_path: Path) -> None:
    upload(page, grey_photo)
    colorize(page)
    expect(page.locator("#status")).to_contain_text("Colored by Tiny One")
    expect(page.locator("#before-after img")).to_have_count(2)
    assert measure(page, "Lightness error") < 0.3
    assert page.locator(".measure").count() == 2, "nothing to compare a grey upload with"

    saved = save_download(page, "#download", tmp_path)
    assert saved.name == "portrait-autochrome.png"
    with PIL.Image.open(saved) as result, PIL.Image.open(grey_photo) as photo:
        assert result.size == photo.size
        assert result.info["Comment"] == "AI-colorized"
        lightness = picture_to_lightness(photo.convert("RGB"))
        assert (picture_to_lightness(result.convert("RGB")) - lightness).abs().mean() < 0.3

    # The switch acts by itself, without the model: the sentence of the run stays as it is.
    sentence = page.locator("#status").inner_text()
    before = shown(page)
    page.locator("#merge-lightness input").uncheck()
    expect(page.locator("#before-after img").last).not_to_have_attribute("src", before)
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
    expect(page.locator("#prompt")).to_have_count(0)
    expect(page.locator("#unavailable")).to_contain_text("Not Installed")
    upload(page, grey_photo)
    choose(page, "#model", "Tiny Two")
    expect(page.locator("#model-note")).to_contain_text("Random colors, number 2.")
    colorize(page)
    expect(page.locator("#status")).to_contain_text("Colored by Tiny Two")


def test_candidates_are_picked_without_the_model(page: Page, grey_photo: Path, tmp_path: Path) -> None:
    upload(page, grey_photo)
    expect(page.locator("#candidate-gallery")).to_have_count(0)
    choose(page, "#preset", "Four to choose from")
    expect(page.locator("#model-note")).to_contain_text("The plain result and three others")
    set_number(page, "#candidates", 3)
    colorize(page)
    expect(small_pictures(page, "#candidate-gallery")).to_have_count(3)
    plain, first = shown(page), save_download(page, "#download", tmp_path).read_bytes()
    pick = small_pictures(page, "#candidate-gallery").nth(2)
    expect(pick).to_have_attribute("aria-label", re.compile(r"^calmer \("))
    pick.focus()
    page.keyboard.press("Enter")
    expect(page.locator("#status")).to_contain_text("Now candidate 3 of 3")
    expect(page.locator("#before-after img").last).not_to_have_attribute("src", plain)
    expect(page.locator("#download")).to_be_enabled()
    saved = save_download(page, "#download", tmp_path)
    assert saved.name == "portrait-autochrome-3.png"
    assert saved.read_bytes() != first
    # It stays the result when a switch is touched.
    picked = shown(page)
    page.locator("#merge-lightness input").uncheck()
    expect(page.locator("#before-after img").last).not_to_have_attribute("src", picked)
    expect(page.locator("#download")).to_be_enabled()
    assert save_download(page, "#download", tmp_path).name == "portrait-autochrome-3.png"


def test_a_seed_is_kept_or_drawn_anew(page: Page, grey_photo: Path) -> None:
    upload(page, grey_photo)
    page.locator("#more > button").click()
    expect(page.locator("#render-factor")).to_be_visible()
    expect(page.locator("#seed")).to_have_count(0)
    set_number(page, "#candidates", 2)
    expect(page.locator("#seed input")).to_have_value("0")
    colorize(page)
    expect(page.locator("#seed input")).to_have_value("0")
    page.locator("#keep-seed input").uncheck()
    page.locator("#colorize").click()
    expect(page.locator("#seed input")).not_to_have_value("0")


def test_the_history_brings_picture_and_settings_back(page: Page, grey_photo: Path) -> None:
    upload(page, grey_photo)
    colorize(page)
    expect(small_pictures(page, "#history")).to_have_count(1)
    colorfulness = measure(page, "Colorfulness")
    page.locator("#saturation input[type=range]").focus()
    page.keyboard.press("Home")
    expect(page.locator(".measure:has-text('Colorfulness') .value")).to_have_text("0")
    choose(page, "#model", "Tiny Two")
    expect(page.locator("#saturation input[type=number]")).to_have_value("1")  # the model's own is there
    colorize(page)
    expect(small_pictures(page, "#history")).to_have_count(2)
    expect(page.locator("#status")).to_contain_text("Colored by Tiny Two")
    page.locator("#another").click()
    expect(page.locator("#before-after")).to_have_count(0)

    small_pictures(page, "#history").nth(1).click()
    expect(page.locator("#status")).to_contain_text("Back again: Tiny One, portrait. No model ran.")
    expect(page.locator("#model input")).to_have_value("Tiny One")
    expect(page.locator("#saturation input[type=number]")).to_have_value("0")
    expect(page.locator("#before-after img")).to_have_count(2)
    expect(page.locator(".measure:has-text('Colorfulness') .value")).to_have_text("0")
    page.locator("#another").click()
    small_pictures(page, "#history").nth(1).click()
    expect(page.locator("#status")).to_contain_text("Back again: Tiny Two")
    expect(page.locator(".measure:has-text('Colorfulness') .value")).not_to_have_text("0")
    assert measure(page, "Colorfulness") > 1
    assert colorfulness > 1
    page.locator("#forget").click()
    expect(page.locator("#history")).to_have_count(0)


def test_the_address_keeps_the_settings_and_never_the_picture(
    browser: Browser, server_url: str, grey_photo: Path
) -> None:
    with open_page(browser, server_url, "?__theme=light") as page:
        upload(page, grey_photo)
        choose(page, "#model", "Tiny Two")
        expect(page.locator("#model-note")).to_contain_text("Random colors, number 2.")
        page.wait_for_url("**model=tiny-two*")
        set_number(page, "#candidates", 2)
        page.wait_for_url("**candidates=2*")
        page.locator("#merge-lightness input").uncheck()
        page.wait_for_url("**model=tiny-two*merge_lightness=false*candidates=2*")
        assert "__theme=light" in page.url, "what is not ours stays"
        assert "portrait" not in page.url
        query = page.url.removeprefix(server_url)
    # Opened anew rather than reloaded: Gradio writes errors of its own to the console when a page is left.
    with open_page(browser, server_url, query) as page:
        expect(page.locator("#model input")).to_have_value("Tiny Two")
        expect(page.locator("#candidates input[type=number]")).to_have_value("2")
        expect(page.locator("#merge-lightness input")).not_to_be_checked()
        expect(page.locator("#photograph")).to_contain_text("Drop a black-and-white photograph")
        choose(page, "#model", "Tiny One")
        page.wait_for_url(lambda url: "tiny" not in url and "candidates" not in url)


def test_markup_in_an_address_is_text(browser: Browser, server_url: str) -> None:
    with open_page(browser, server_url, "?model=%3Cimg+src%3Dx+onerror%3Dalert(1)%3E&saturation=2") as page:
        expect(page.get_by_test_id("toast-body")).to_contain_text("there is no model '<img src=x onerror=alert(1)>'")
        expect(page.locator("#saturation input[type=number]")).to_have_value("2")
        assert page.locator("img[src=x]").count() == 0


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
    line = page.get_by_role("slider", name="Line between left and right picture")
    expect(line).to_be_visible()
    expect(page.locator("#before-after img").last).to_have_js_property("complete", True)
    box = line.bounding_box()
    line.focus()
    page.keyboard.press("ArrowRight")
    page.wait_for_function(
        "before => document.querySelector('#before-after [data-testid=slider]').getBoundingClientRect().x > before",
        arg=(box or {"x": 0.0})["x"],
    )


def test_tiff_and_phone_width(page: Page, grey_photo: Path, tmp_path: Path) -> None:
    """Browsers show no TIFF, so the page is given a PNG of it."""
    page.set_viewport_size({"width": 390, "height": 844})
    scan = tmp_path / "scan.tif"
    with PIL.Image.open(grey_photo) as photo:
        photo.save(scan)
    upload(page, scan)
    expect(page.locator("#photograph img[src$='scan.png']")).to_be_visible()
    colorize(page)
    expect_to_fit(page, 390)
