"""A diffusion model on the page and in the API: words, steps that are seen, cancelling, measures."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import gradio_client
import numpy as np
import PIL.Image
import pytest
from browsing import (
    colorize,
    measure,
    needs_browser,
    open_page,
    save_download,
    set_number,
    shown,
    small_pictures,
    upload,
)
from diffusion_catalogs import write_diffusion_catalog
from gradio_client import handle_file
from playwright.sync_api import Browser, Page, expect
from servers import serving


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    catalog = write_diffusion_catalog(tmp_path_factory.mktemp("weights"))
    with serving(catalog, tmp_path_factory.mktemp("gradio")) as url:
        yield url


@pytest.fixture
def page(browser: Browser, url: str) -> Iterator[Page]:
    with open_page(browser, url, "?model=tiny-diffusion") as page:
        yield page


def settings_of(picture: Path) -> dict[str, object]:
    with PIL.Image.open(picture) as opened:
        found: dict[str, object] = json.loads(opened.info["Settings"])
        return found


def pixels(picture: Path) -> np.ndarray:
    with PIL.Image.open(picture) as opened:
        return np.asarray(opened.convert("RGB")).astype(int)


@needs_browser
def test_words_change_the_picture(page: Page, grey_photo: Path, tmp_path: Path) -> None:
    for control in ("#prompt", "#negative-prompt", "#candidates", "#merge-lightness", "#saturation"):
        expect(page.locator(control)).to_be_visible()
    expect(page.locator("#unavailable")).to_contain_text("Not Installed Its weights are not installed")
    page.locator("#more > button").click()
    for control in ("#steps", "#guidance", "#conditioning", "#seed"):
        expect(page.locator(control)).to_be_visible()
    expect(page.locator("#render-factor")).to_have_count(0)
    upload(page, grey_photo)
    colorize(page)
    expect(page.locator("#status")).to_contain_text("Colored by Tiny Diffusion")
    assert measure(page, "Lightness error") < 0.3
    plain, before = save_download(page, "#download", tmp_path).rename(tmp_path / "plain.png"), shown(page)
    page.locator("#prompt textarea").fill("a girl in a yellow raincoat")
    page.locator("#negative-prompt :is(input, textarea)").fill("")
    set_number(page, "#candidates", 2)
    colorize(page)
    expect(page.locator("#before-after img").last).not_to_have_attribute("src", before)
    expect(small_pictures(page, "#candidate-gallery")).to_have_count(2)
    assert small_pictures(page, "#candidate-gallery").nth(1).get_attribute("aria-label") == "seed 1"
    worded = save_download(page, "#download", tmp_path)
    assert np.abs(pixels(worded) - pixels(plain)).max() > 3
    assert settings_of(worded)["prompt"] == "a girl in a yellow raincoat"
    assert settings_of(worded)["negative_prompt"] == "", "taken away, not put back in silence"
    assert settings_of(plain)["negative_prompt"] == "black and white photo, sepia"
    page.wait_for_url("**prompt=a+girl**negative_prompt=&**")


@needs_browser
def test_steps_are_seen_and_cancelling_frees_the_machine(page: Page, grey_photo: Path) -> None:
    cancel, status = page.locator("#cancel"), page.locator("#status")
    upload(page, grey_photo)
    expect(cancel).to_be_disabled()
    page.locator("#more > button").click()
    set_number(page, "#steps", 1000)
    page.locator("#colorize").click()
    expect(cancel).to_be_enabled()
    expect(page.locator(".growing figcaption")).to_contain_text("of 1000")
    expect(status).to_contain_text("Tiny Diffusion colors it, step by step.")
    first = page.locator(".growing-color").get_attribute("src") or ""
    expect(page.locator(".growing-color")).not_to_have_attribute("src", first)
    expect(page.locator(".growing-light")).to_have_js_property("complete", True)
    expect(page.locator("#photograph")).to_be_hidden()
    cancel.click()
    expect(status).to_contain_text("Cancelled. Nothing was colored.")
    expect(page.locator(".growing")).to_have_count(0)
    expect(page.locator("#photograph img")).to_be_visible()
    expect(cancel).to_be_disabled()
    # The machine is free: the next run comes to its end, and after it an earlier result comes back.
    set_number(page, "#steps", 2)
    colorize(page)
    expect(status).to_contain_text("Colored by Tiny Diffusion")
    expect(cancel).to_be_disabled()
    set_number(page, "#steps", 1000)
    page.locator("#colorize").click()
    expect(page.locator(".growing")).to_be_visible()
    cancel.click()
    expect(status).to_contain_text("Cancelled. This is the result before it.")
    expect(page.locator("#before-after img")).to_have_count(2)
    # Another photograph ends what runs; an example begins anew.
    page.locator("#colorize").click()
    expect(page.locator(".growing")).to_be_visible()
    page.locator("#another").click()
    expect(page.locator("#photograph")).to_contain_text("Drop a black-and-white photograph")
    set_number(page, "#steps", 1)
    page.get_by_role("button", name="Coffee").click()
    expect(page.locator("#download")).to_be_enabled()
    expect(page.locator(".measures")).to_contain_text("Compared with the reference picture")
    expect(page.get_by_test_id("toast-body")).to_have_count(0)


def test_the_api(url: str, grey_photo: Path, tmp_path: Path) -> None:
    """Programs get a plain call, without steps; the same picture for the same seed, and sentences for what is wrong."""
    client = gradio_client.Client(url, verbose=False, download_files=tmp_path)
    given = {"image": handle_file(grey_photo), "model": "tiny-diffusion", "api_name": "/colorize"}
    words = {"prompt": "a red sky", "steps": 2, "guidance_scale": 3, "conditioning_scale": 0.5, "seed": 5}
    path, report = client.predict(**given, **words, candidates=2)
    assert {name: report["settings"][name] for name in words} == words
    assert report["candidates"][0]["settings"] == {"seed": 6, "candidates": 1}
    again, _ = client.predict(**given, **{**words, "seed": 6})
    assert (pixels(Path(again)) == pixels(Path(report["candidates"][0]["picture"]))).all()
    assert (pixels(Path(again)) != pixels(Path(path))).any()
    _, report = client.predict(**given, prompt="a red sky " * 60, steps=1)
    assert any("left out" in note for note in report["notes"])
    refused: dict[str, dict[str, Any]] = {
        "tiny-diffusion takes no render_factor": {"render_factor": 16},
        "steps must be an integer from 1 to 1000, got 0": {"steps": 0},
        "prompt must be a text of at most 1,000 characters": {"prompt": "red " * 400},
        "not-installed is not available: Its weights": {"model": "not-installed"},
    }
    for sentence, wrong in refused.items():
        with pytest.raises(gradio_client.exceptions.AppError, match=sentence):
            client.predict(**{**given, **wrong})
    client.close()
