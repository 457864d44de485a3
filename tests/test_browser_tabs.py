"""The page in a real browser: the tabs Compare, Batch and About."""

import io
import zipfile
from pathlib import Path

import PIL.Image
import skimage.data
from browsing import eventually, expect_to_fit, needs_browser, open_tab, save_download, small_pictures, upload
from playwright.sync_api import Page, expect

pytestmark = needs_browser


def save_cup(folder: Path, name: str = "cup.png") -> Path:
    path = folder / name
    PIL.Image.fromarray(skimage.data.coffee()).resize((150, 100)).save(path)
    return path


def test_all_models_side_by_side(page: Page, tmp_path: Path) -> None:
    upload(page, save_cup(tmp_path))
    open_tab(page, "Compare")
    page.locator("#compare").click()
    expect(page.get_by_test_id("toast-body")).to_contain_text("There is no photograph yet")
    page.get_by_test_id("toast-close").click()
    page.locator("#borrow").click()
    expect(page.locator("#compare-photograph img")).to_be_visible()
    page.locator("#compare").click()
    expect(page.locator("#compare-status")).to_contain_text("2 models took")
    expect(small_pictures(page, "#compare-gallery")).to_have_count(4)
    table = page.locator("#compare-table")
    for name in ("No color", "Tiny One", "Tiny Two", "Not Installed"):
        expect(table).to_contain_text(name)
    expect(table.locator("tbody tr")).to_have_count(3)
    # One line between any two.
    line = page.locator("#compare-slider img")
    expect(line).to_have_count(2)
    sources = [line.nth(index).get_attribute("src") for index in range(2)]
    page.locator("#compare-left input").click()
    page.get_by_role("option", name="True colors").click()
    expect(line.first).not_to_have_attribute("src", sources[0] or "")
    expect(line.last).to_have_attribute("src", sources[1] or "")
    page.set_viewport_size({"width": 390, "height": 844})
    expect_to_fit(page, 390)


def test_a_batch_of_three_with_one_broken_file(page: Page, tmp_path: Path) -> None:
    broken = tmp_path / "broken.png"
    broken.write_text("not a picture")
    member = save_cup(tmp_path, "inside.png")
    packed = tmp_path / "packed.zip"
    with zipfile.ZipFile(packed, "w") as archive:
        archive.write(member, "town/inside.png")
        archive.write(member, "../outside.png")
    open_tab(page, "Batch")
    expect(page.locator("#batch-note")).to_contain_text("Model: Tiny One, as it comes.")
    page.locator("#batch-start").click()
    expect(page.get_by_test_id("toast-body")).to_contain_text("There are no files yet")
    page.get_by_test_id("toast-close").click()
    expect(page.locator("#batch-start")).to_be_enabled()
    page.locator("#batch-files input[type=file]").set_input_files([save_cup(tmp_path), broken, packed])
    expect(page.locator("#batch-files .file-preview")).to_contain_text("packed")
    page.locator("#batch-start").click()
    expect(page.locator("#batch-status")).to_contain_text("2 colored, 2 failed.")
    expect(page.locator("#batch-table tr[data-status=failed]")).to_have_count(2)
    expect(page.locator("#batch-table")).to_contain_text("its name leads out of the archive")
    expect(page.locator("#batch-download")).to_be_enabled()
    with zipfile.ZipFile(save_download(page, "#batch-download", tmp_path)) as results:
        assert sorted(results.namelist()) == ["cup.png", "metrics.csv", "town/inside.png"]
        with PIL.Image.open(io.BytesIO(results.read("cup.png"))) as picture:
            assert picture.size == (150, 100)
            assert picture.info["Comment"] == "AI-colorized"
        assert results.read("cup.png") == results.read("town/inside.png"), "the same picture, the same bytes"


def test_a_batch_is_cancelled(page: Page, tmp_path: Path) -> None:
    large = tmp_path / "large.jpg"
    PIL.Image.fromarray(skimage.data.coffee()).resize((1500, 1000)).save(large)
    packed = tmp_path / "packed.zip"
    with zipfile.ZipFile(packed, "w") as archive:
        for number in range(60):
            archive.write(large, f"{number}.jpg")
    open_tab(page, "Batch")
    page.locator("#batch-files input[type=file]").set_input_files(packed)
    expect(page.locator("#batch-files .file-preview")).to_contain_text("packed")
    page.locator("#batch-start").click()
    expect(page.locator("#batch-table tr[data-status=done]").first).to_be_visible()
    page.locator("#batch-cancel").click()
    expect(page.locator("#batch-status")).to_contain_text("cancelled")
    expect(page.locator("#batch-start")).to_be_enabled()
    with zipfile.ZipFile(save_download(page, "#batch-download", tmp_path)) as results:
        assert 2 <= len(results.namelist()) < 60


def test_about_and_the_keyboard(page: Page) -> None:
    page.get_by_role("tab", name="Colorize").focus()
    page.keyboard.press("Tab")
    page.get_by_role("tab", name="About").press("Enter")
    for words in ("Do not take them for", "Not available here", "tiny-two", "close at a glance", "/colorize"):
        expect(page.locator("#tab-about")).to_contain_text(words)
    for place in ("#status", "#compare-status", "#batch-status"):
        open_tab(page, {"#status": "Colorize", "#compare-status": "Compare", "#batch-status": "Batch"}[place])
        expect(page.locator(place)).to_have_attribute("aria-live", "polite")


def test_every_control_has_a_name(page: Page) -> None:
    """What a screen reader would say of each button, box and slider that can be seen."""
    nameless = """() => [...document.querySelectorAll("button, input:not([type=file]), textarea, [role=slider]")]
        .filter((each) => each.offsetParent)
        .filter((each) => !(each.textContent.trim() || each.ariaLabel || each.title || each.labels?.length
            || each.getAttribute("aria-labelledby") || each.placeholder))
        .map((each) => each.outerHTML.slice(0, 160))"""
    for tab, button in (("Colorize", "#colorize"), ("Compare", "#compare"), ("Batch", "#batch-start")):
        open_tab(page, tab)
        expect(page.locator(button)).to_be_visible()
        assert eventually(page, lambda: page.evaluate(nameless), []) == [], tab
