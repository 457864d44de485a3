"""Direction in a real browser: a point is put and the picture changes there; strokes, undo, palette, sessions, keys."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import PIL.Image
import pytest
import skimage.data
from browsing import choose, eventually, expect_to_fit, needs_browser, open_page, save_download
from playwright.sync_api import Browser, Locator, Page, expect
from servers import serving
from steered_catalogs import write_steered_catalog

pytestmark = needs_browser

Pixel = tuple[int, int, int]


@pytest.fixture(scope="module")
def steered_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    catalog = write_steered_catalog(tmp_path_factory.mktemp("weights"))
    with serving(catalog, tmp_path_factory.mktemp("gradio")) as url:
        yield url


@pytest.fixture
def page(browser: Browser, steered_url: str) -> Iterator[Page]:
    with open_page(browser, steered_url, "?model=tiny-steered") as page:
        yield page


def save_cup(folder: Path, mode: str = "L") -> Path:
    path = folder / f"cup-{mode}.png"
    PIL.Image.fromarray(skimage.data.coffee()).resize((240, 160)).convert(mode).convert("RGB").save(path)
    return path


def begin(page: Page, folder: Path) -> None:
    """Upload a photograph and wait for the first preview."""
    page.locator("#photograph input[type=file]").set_input_files(save_cup(folder))
    expect(page.locator(".easel-result")).to_be_visible()
    settle(page)


def settle(page: Page) -> None:
    """Wait until no preview is wanted or under way."""
    expect(page.locator(".easel-picture")).to_have_attribute("aria-busy", "false")


def previews(page: Page) -> int:
    return int(page.locator(".easel").get_attribute("data-previews") or 0)


def next_preview(page: Page, number: int) -> None:
    """Wait until there is one after the `number`th, and none to come."""
    expect(page.locator(".easel")).not_to_have_attribute("data-previews", str(number))
    settle(page)


def pixel(page: Page, x: float, y: float) -> Pixel:
    """The shown picture's color at a share of its width and height, R, G, B."""
    found = page.evaluate(
        """async ([x, y]) => {
          const image = document.querySelector(".easel-result"), canvas = document.createElement("canvas");
          await image.decode();  // its address is the latest preview's, but it may still show the one before
          [canvas.width, canvas.height] = [image.naturalWidth, image.naturalHeight];
          const context = canvas.getContext("2d");
          context.drawImage(image, 0, 0);
          return [...context.getImageData(x * canvas.width, y * canvas.height, 1, 1).data].slice(0, 3);
        }""",
        [x, y],
    )
    return found[0], found[1], found[2]


def redness(color: Pixel) -> float:
    return color[0] - (color[1] + color[2]) / 2


def canvas_of(page: Page) -> Locator:
    return page.locator(".easel-picture canvas")


def place(page: Page, x: float, y: float) -> tuple[float, float]:
    """A share of the picture's width and height as a place in the window."""
    canvas_of(page).scroll_into_view_if_needed()
    box = canvas_of(page).bounding_box()
    assert box is not None
    return box["x"] + x * box["width"], box["y"] + y * box["height"]


def put_point(page: Page, x: float, y: float) -> None:
    number = previews(page)
    page.mouse.click(*place(page, x, y))
    next_preview(page, number)


def hints_of(saved: Path) -> list[dict[str, Any]]:
    """The points and strokes that a result says it was made with."""
    with PIL.Image.open(saved) as picture:
        return list(json.loads(picture.info["Settings"]).get("hints") or [])


def items(page: Page) -> Locator:
    return page.locator("#steer-list li")


def test_a_point_changes_the_picture_there(page: Page, tmp_path: Path) -> None:
    expect(page.locator(".easel")).to_be_hidden()
    begin(page, tmp_path)
    expect(page.locator("#photograph")).to_be_hidden()
    page.locator("#steer-hex").fill("#d01818")
    page.locator("#steer-hex").press("Enter")
    near, far = pixel(page, 0.3, 0.4), pixel(page, 0.85, 0.85)
    put_point(page, 0.3, 0.4)
    expect(items(page)).to_have_count(1)
    moved_near = redness(pixel(page, 0.3, 0.4)) - redness(near)
    moved_far = abs(redness(pixel(page, 0.85, 0.85)) - redness(far))
    assert moved_near > 40, "the picture took the color where it was put"
    assert moved_far < moved_near / 8
    # The full run follows by itself: the file, its measures, and one entry in the history for all of a pause's points.
    expect(page.locator("#download")).to_be_enabled()
    expect(page.locator(".measures")).to_be_visible()
    saved = save_download(page, "#download", tmp_path)
    with PIL.Image.open(saved) as picture:
        assert picture.size == (240, 160)
    assert hints_of(saved)[0]["color"] == "#d01818"
    put_point(page, 0.6, 0.6)
    expect(page.locator("#history .thumbnail-item")).to_have_count(1)
    # Undo and redo, by button and by shortcut.
    after = pixel(page, 0.3, 0.4)
    undo, redo = page.locator("#steer-undo"), page.locator("#steer-redo")
    for button, key, count in (
        (undo, "Enter", 1),
        (undo, "Control+z", 0),
        (redo, "Control+Shift+Z", 1),
        (redo, "Enter", 2),
    ):
        number = previews(page)
        button.press(key)
        next_preview(page, number)
        expect(items(page)).to_have_count(count)
        if count == 0:
            assert redness(pixel(page, 0.3, 0.4)) == pytest.approx(redness(near), abs=3)
    assert redness(pixel(page, 0.3, 0.4)) == pytest.approx(redness(after), abs=3)
    page.locator("#steer-clear").click()
    expect(items(page)).to_have_count(0)
    undo.click()
    expect(items(page)).to_have_count(2)
    # A result of the session brings its points back: that of the last pause.
    assert eventually(page, lambda: len(hints_of(save_download(page, "#download", tmp_path))), 2) == 2
    page.locator("#another").click()
    expect(page.locator("#photograph")).to_be_visible()
    page.locator("#history .thumbnail-item").click()
    expect(items(page)).to_have_count(2)
    expect(page.locator(".easel")).to_be_visible()


def test_a_stroke_a_move_and_the_dropper(page: Page, tmp_path: Path) -> None:
    begin(page, tmp_path)
    page.mouse.move(*place(page, 0.2, 0.5))
    page.mouse.down()
    page.mouse.move(*place(page, 0.6, 0.5), steps=12)
    page.mouse.up()
    name = items(page).first.locator(".steer-name")
    expect(name).to_contain_text("Stroke 1,")
    points = int(name.inner_text().split(",")[1].split()[0])
    assert 10 < points < 80
    settle(page)
    assert redness(pixel(page, 0.4, 0.5)) > 20
    # A click on its beginning selects it; a drag from there moves the whole.
    page.mouse.click(*place(page, 0.2, 0.5))
    expect(name).to_have_attribute("aria-pressed", "true")
    expect(items(page)).to_have_count(1)
    page.mouse.move(*place(page, 0.2, 0.5))
    page.mouse.down()
    page.mouse.move(*place(page, 0.2, 0.8), steps=4)
    page.mouse.up()
    y = items(page).first.locator("input[name=y]")
    assert abs(float(y.input_value()) - 80) < 2
    page.locator("#steer-hex").fill("#1830d0")
    page.locator("#steer-hex").press("Enter")
    expect(items(page).first.locator("input[type=color]")).to_have_value("#1830d0")
    settle(page)
    blue = pixel(page, 0.4, 0.8)
    assert blue[2] > blue[0] + 20
    page.locator("#steer-dropper").click()
    page.mouse.click(*place(page, 0.4, 0.8))
    expect(page.locator("#steer-dropper")).to_have_attribute("aria-pressed", "false")
    picked = bytes.fromhex(page.locator("#steer-color").input_value()[1:])
    assert max(abs(a - b) for a, b in zip(picked, blue, strict=True)) < 40
    expect(items(page)).to_have_count(1)
    page.locator(".easel-picture canvas").focus()
    page.mouse.click(*place(page, 0.2, 0.8))
    page.keyboard.press("Delete")
    expect(items(page)).to_have_count(0)


def test_palette_exemplar_and_session(page: Page, tmp_path: Path) -> None:
    begin(page, tmp_path)
    notes, message = page.locator("#steer-notes"), page.locator("#steer-message")
    page.locator("#steer-palette-hex").fill("red")
    page.locator("#steer-palette-add").click()
    expect(message).to_contain_text('A color of the palette must be #rrggbb, six hexadecimal digits, got "red".')
    page.locator("#steer-palette-hex").fill("#808080")
    page.locator("#steer-palette-hex").press("Enter")
    expect(notes).to_contain_text("The palette has only greys, so the picture stays nearly grey.")
    page.locator("#steer-palette-file").set_input_files(save_cup(tmp_path, "RGB"))
    swatches = page.locator("#steer-palette .swatch-color")
    expect(swatches.nth(2)).to_be_visible()
    count = swatches.count()
    swatches.first.click()
    color = page.locator("#steer-color").input_value()
    expect(page.locator("#steer-palette .swatch-color").first).to_have_attribute("title", color)
    # A grey exemplar is refused with the reason, one in color is shown, and colors are picked up from it.
    page.locator("#steer-exemplar-file").set_input_files(save_cup(tmp_path))
    expect(message).to_contain_text("The exemplar is grey")
    expect(page.locator("#steer-exemplar")).to_be_hidden()
    page.locator("#steer-exemplar-file").set_input_files(save_cup(tmp_path, "RGB"))
    expect(page.locator("#steer-exemplar-picture")).to_be_visible()
    expect(page.locator("#steer-exemplar-picture")).to_have_attribute("aria-label", "The exemplar, cup-RGB.png")
    page.locator("#steer-exemplar-picture").click(position={"x": 40, "y": 60})
    expect(page.locator("#steer-said")).to_contain_text("picked up from the exemplar.")
    put_point(page, 0.5, 0.5)
    page.locator("#prompt textarea").fill("a red hat")
    page.wait_for_function("window.autochromeTold.settings.prompt === 'a red hat'")
    saved = save_download(page, "#steer-save", tmp_path)
    session = json.loads(saved.read_text())
    assert session["version"] == 1
    assert session["prompt"] == "a red hat"
    assert len(session["palette"]) == count
    assert len(session["hints"]) == 1
    # It comes back on a fresh page; the exemplar is not in it, as the page says.
    page.reload()
    begin(page, tmp_path)
    expect(items(page)).to_have_count(0)
    page.locator("#steer-load").set_input_files(saved)
    expect(items(page)).to_have_count(1)
    expect(swatches).to_have_count(count)
    expect(page.locator("#prompt textarea")).to_have_value("a red hat")
    other = tmp_path / "other.json"
    other.write_text('{"version": 2, "hints": []}')
    page.locator("#steer-load").set_input_files(other)
    expect(message).to_contain_text("A session must be of version 1, got version 2; save it again from here")
    expect(items(page)).to_have_count(1)
    page.locator("#steer-palette .swatch-remove").first.click()
    expect(swatches).to_have_count(count - 1)


def test_by_keyboard_alone_and_where_the_model_guesses(page: Page, tmp_path: Path) -> None:
    begin(page, tmp_path)
    canvas_of(page).focus()
    for key in ("ArrowRight", "Shift+ArrowDown", "Enter"):
        page.keyboard.press(key)
    expect(page.locator("#steer-said")).to_contain_text("at 52 %, 60 %.")
    expect(items(page)).to_have_count(1)
    page.locator("#steer-x").fill("140")
    page.locator("#steer-x").press("Enter")
    expect(page.locator("#steer-message")).to_contain_text("x and y must be numbers from 0 to 100, in percent")
    page.locator("#steer-x").fill("20")
    page.locator("#steer-x").press("Enter")
    expect(items(page)).to_have_count(2)
    second = items(page).nth(1).locator("input[name=x]")
    second.fill("30")
    second.press("Tab")
    expect(items(page).nth(1).locator("input[name=y]")).to_be_focused()
    expect(second).to_have_value("30")
    items(page).first.locator(".steer-remove").press("Enter")
    expect(items(page)).to_have_count(1)
    expect(items(page).first.locator(".steer-remove")).to_be_focused()
    page.locator("#steer-suggest").click()
    expect(page.locator(".easel-ring")).to_be_visible()
    page.locator(".easel-ring").dispatch_event("click")  # it pulses, and so is never still enough for a mouse's click
    expect(items(page)).to_have_count(2)
    page.locator("#steer-doubt").click()
    expect(page.locator("#steer-legend")).to_contain_text("Violet: here it guesses")
    expect(page.locator(".easel-doubt")).to_be_visible()


def test_another_model_and_a_phone(page: Page, tmp_path: Path) -> None:
    begin(page, tmp_path)
    expect(page.locator("#steer-palette-part")).to_be_visible()
    choose(page, "#model", "Scribbles")
    expect(page.locator("#steer-notes")).to_contain_text("Scribbles colors nothing by itself: give hints.")
    expect(page.locator("#steer-palette-part")).to_be_hidden()
    expect(page.locator("#steer-exemplar-part")).to_be_hidden()
    settle(page)
    grey = pixel(page, 0.3, 0.4)
    assert abs(redness(grey)) < 3
    put_point(page, 0.3, 0.4)
    assert redness(pixel(page, 0.3, 0.4)) > 20
    page.set_viewport_size({"width": 390, "height": 844})
    expect_to_fit(page, 390)
    page.wait_for_function("document.querySelector('.easel-picture canvas').clientWidth > 250")
    number = previews(page)
    x, y = place(page, 0.1, 0.1)
    pointer = {"pointerType": "mouse", "button": 0, "pointerId": 1, "clientX": x, "clientY": y}
    canvas_of(page).dispatch_event("pointerdown", pointer)
    next_preview(page, number)
    expect(items(page)).to_have_count(2)
    page.locator("#steer-another, #another").filter(visible=True).click()
    expect(page.locator("#photograph")).to_be_visible()
    expect(page.locator(".easel")).to_be_hidden()
