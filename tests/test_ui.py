"""The parts of the page that need no server: measures, words, and what is kept."""

import multiprocessing
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from pathlib import Path

import gradio as gr
import numpy as np
import PIL.Image
import pytest
import skimage.color
import skimage.data
import skimage.metrics

from autochrome.catalog import Catalog
from autochrome.errors import CatalogError, PictureError, SettingError
from autochrome.image import picture_to_tensor
from autochrome.metrics import METRICS
from autochrome.pipelines import Setting
from autochrome.pipelines.settings import TextSetting
from autochrome.ui import build_demo
from autochrome.ui.about import api_text, models_html
from autochrome.ui.coloring import Coloring, Look
from autochrome.ui.colorize.controls import control_values
from autochrome.ui.colorize.examples import draw_examples
from autochrome.ui.files import read_upload, result_path, uploaded_path
from autochrome.ui.guard import BUG_SENTENCE, sentences
from autochrome.ui.keep import LastResults
from autochrome.ui.measure import Yardstick, is_in_color
from autochrome.ui.panel import panel_html
from autochrome.ui.studio import Studio
from autochrome.ui.words import COLORFULNESS_WORDS, DIFFERENCE_WORDS, Scale, in_words

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(autouse=True)
def _files_in_tmp(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path / "gradio"))


@pytest.fixture
def coffee() -> PIL.Image.Image:
    return PIL.Image.fromarray(skimage.data.coffee()).resize((150, 100))


@pytest.fixture
def coloring(tiny_catalog: Catalog, grey_photo: Path) -> Coloring:
    return Studio(tiny_catalog).colorize(grey_photo, model=None, settings={})


@pytest.mark.parametrize("name", ["astronaut", "coffee", "chelsea", "rocket"])
def test_photographs_are_in_color_and_toned_prints_are_not(name: str) -> None:
    photo = PIL.Image.fromarray(getattr(skimage.data, name)())
    assert is_in_color(photo)
    grey = photo.convert("L")
    assert not is_in_color(grey)
    values = np.linspace(0, 1, 256)[:, None]
    sepia = (255 * values ** np.array([0.8, 1.0, 1.35])).astype(
        np.uint8
    )  # shadows and lights neutral, middle tones brown
    assert not is_in_color(PIL.Image.fromarray(sepia[np.asarray(grey)]))


def test_yardstick_agrees_with_scikit_image(coffee: PIL.Image.Image) -> None:
    shifted = PIL.Image.fromarray((np.asarray(coffee) * [0.9, 1.0, 0.8]).astype(np.uint8))
    measures = Yardstick(coffee).measure(shifted)
    assert measures["truth_from"] == "upload"
    expected = skimage.metrics.peak_signal_noise_ratio(np.asarray(coffee), np.asarray(shifted))
    assert measures["psnr"] == pytest.approx(expected, abs=0.01)
    lab = [skimage.color.rgb2lab(np.asarray(picture)) for picture in (coffee, shifted)]
    assert measures["ciede2000"] == pytest.approx(skimage.color.deltaE_ciede2000(*lab).mean(), abs=0.02)
    assert measures["lightness_error"] == pytest.approx(np.abs(lab[0] - lab[1])[..., 0].mean(), abs=0.02)


def test_yardstick_picks_pixels_of_large_pictures(coffee: PIL.Image.Image) -> None:
    photo = coffee.resize((3000, 2000))
    yardstick = Yardstick(photo)
    assert yardstick.size == (1225, 816)
    small, large = yardstick.measure(photo.point(lambda value: value * 0.8)), picture_to_tensor(photo)
    darker = picture_to_tensor(photo.point(lambda value: value * 0.8))
    for name in ("psnr", "ciede2000", "lightness_error"):
        assert small[name] == pytest.approx(METRICS[name](darker, large).item(), rel=0.01)


def test_yardstick_of_a_few_pixels_leaves_ssim_out() -> None:
    photo = PIL.Image.fromarray(np.random.default_rng(0).integers(0, 256, (5, 9, 3), dtype=np.uint8))
    measures = Yardstick(photo).measure(photo)
    assert "ssim" not in measures
    assert "exact" in panel_html(measures)
    assert "SSIM" not in panel_html(measures)


def test_yardstick_refuses_a_reference_of_another_size(coffee: PIL.Image.Image) -> None:
    with pytest.raises(PictureError, match="reference is 75 × 50 pixels and the picture 150 × 100"):
        Yardstick(coffee, coffee.resize((75, 50)))


@pytest.mark.parametrize(
    ("value", "scale", "words"),
    [
        (0.3, DIFFERENCE_WORDS, "too small to see"),
        (5.0, DIFFERENCE_WORDS, "close at a glance"),
        (99.0, DIFFERENCE_WORDS, "other colors altogether"),
        (0.0, COLORFULNESS_WORDS, "as good as grey"),
        (33.0, COLORFULNESS_WORDS, "moderately colorful"),
        (float("inf"), COLORFULNESS_WORDS, "highly colorful"),
    ],
)
def test_words_for_numbers(value: float, scale: Scale, words: str) -> None:
    assert in_words(value, scale) == words


def test_panel_says_what_is_compared(coffee: PIL.Image.Image) -> None:
    grey = coffee.convert("L").convert("RGB")
    assert "its own colors serve as the truth" in panel_html(Yardstick(coffee).measure(coffee))
    assert "Compared with the reference picture" in panel_html(Yardstick(grey, coffee).measure(coffee))
    alone = panel_html(Yardstick(grey).measure(coffee))
    assert "cannot be known" in alone
    assert "PSNR" not in alone
    worse = panel_html(Yardstick(coffee).measure(coffee.rotate(180)))
    assert 'data-better="false"' in worse
    assert 'data-better="true"' in panel_html(Yardstick(coffee).measure(coffee))


def test_the_strip_shows_how_far_off_how_much_is(coffee: PIL.Image.Image) -> None:
    half = coffee.copy()
    half.paste(coffee.crop((0, 0, 75, 100)).convert("L").convert("RGB"), (0, 0))
    measures = Yardstick(coffee).measure(half)
    shares = measures["ciede2000_shares"]
    assert sum(shares) == pytest.approx(1)
    assert shares[0] >= 0.5, "the right half is exact"
    labs = [skimage.color.rgb2lab(np.asarray(picture)) for picture in (coffee, half)]
    expected = np.histogram(skimage.color.deltaE_ciede2000(*labs), [0, 1, 2.5, 6, 12, 999])[0] / 15_000
    assert shares == pytest.approx(expected, abs=0.002)
    html = panel_html(measures)
    assert f"too small to see <b>{shares[0]:.0%}</b>" in html
    assert html.count("<rect") == 10
    assert "<rect" not in panel_html(Yardstick(coffee.convert("L").convert("RGB")).measure(coffee)), (
        "nothing to compare"
    )


def test_looks_run_no_model_and_leave_few_files(coloring: Coloring) -> None:
    greys = {coloring.grey_path, coloring.grey_path}
    assert len(greys) == 1, "drawn once"
    made = []
    for saturation in (0.5, 1.0, 1.5, 2.0, 2.5):
        look = Look(merge_lightness=True, saturation=saturation)
        made += [coloring.show(look), coloring.finish(look)[0]]
    assert [path.exists() for path in made] == [False] * 4 + [True] * 6
    with PIL.Image.open(made[-1]) as picture:
        assert '"saturation": 2.5' in picture.info["Settings"]
    with pytest.raises(SettingError, match=r"saturation must be a number from 0.0 to 4.0, got 5"):
        coloring.show(Look(merge_lightness=True, saturation=5))


def test_large_pictures_are_shown_smaller_and_finished_whole(tiny_catalog: Catalog, tmp_path: Path) -> None:
    photo = tmp_path / "wide.png"
    PIL.Image.new("L", (2500, 50), 128).save(photo)
    coloring = Studio(tiny_catalog).colorize(photo, model="tiny-two", settings={})
    look = Look(merge_lightness=True)
    with PIL.Image.open(coloring.show(look)) as shown, PIL.Image.open(coloring.finish(look)[0]) as finished:
        assert shown.size == (2048, 41)
        assert finished.size == (2500, 50)


def test_last_results_are_bounded(coloring: Coloring) -> None:
    results = LastResults(max_kept=2)
    tokens = [results.put(coloring) for _ in range(3)]
    assert len(set(tokens)) == 3
    assert [results.get(token) is None for token in tokens] == [True, False, False]
    results.forget(tokens[1])
    results.forget(None)
    assert len(results) == 1
    narrow = LastResults(max_pixels=coloring.num_pixels)
    first, second = narrow.put(coloring), narrow.put(coloring)
    assert narrow.get(first) is None
    assert narrow.get(second) is coloring, "the newest stays, however large"


def test_studio_takes_the_first_model_that_can_be_loaded(tiny_catalog: Catalog) -> None:
    turned = Catalog(tuple(reversed(tiny_catalog.rows)))
    assert Studio(turned).default_row().id == "tiny-two"
    nothing = Catalog(tiny_catalog.rows[-1:])
    assert Studio(nothing).default_row().id == "not-installed"
    # In a process of its own: Gradio leaves an event loop open behind every page that it builds.
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        page = pool.submit(_page_of, nothing).result(timeout=120)
    assert "Not Installed" in page, "the page comes up and says why it can do nothing"
    assert "Its weights are not installed" in page


def _page_of(catalog: Catalog) -> str:
    return str(build_demo(catalog).get_config_file())


def test_controls_are_there_for_what_a_model_takes(tiny_catalog: Catalog) -> None:
    plain = tiny_catalog["tiny-one"]
    values = control_values(plain)
    for name in ("prompt", "negative_prompt", "steps", "guidance_scale"):
        assert values[name]["visible"] is False
    listening = replace(
        plain, settings={**plain.settings, "prompt": TextSetting("prompt"), "steps": Setting("steps", 8, 1, 50)}
    )
    values = control_values(listening, {"prompt": "a red door"})
    assert values["prompt"] == {"visible": True, "value": "a red door"}
    assert values["steps"] == {"visible": True, "value": 8, "minimum": 1, "maximum": 50, "step": 1}
    # A seed is shown where it draws something: in diffusion, and for the candidates after the first.
    drawing = replace(plain, kind="diffusion")
    assert [control_values(row)["seed"]["visible"] for row in (plain, drawing)] == [False, True]
    assert control_values(plain, {"candidates": 3})["keep_seed"]["visible"] is True


def test_descriptions_are_text(tiny_catalog: Catalog) -> None:
    row = replace(tiny_catalog["tiny-one"], name="<b>bold</b>", description="<script>alert(1)</script>")
    for html in (control_values(row)["note"]["value"], models_html([row])):
        assert "<script>" not in html
        assert "<b>bold" not in html


def test_the_default_model_is_warmed(tiny_catalog: Catalog) -> None:
    studio = Studio(tiny_catalog)
    studio.warm().join(60)
    assert list(studio._pipelines) == ["tiny-one"]
    nothing = Studio(Catalog(tiny_catalog.rows[-1:]))
    nothing.warm().join(60)  # no model here: who asks is told, the page comes up
    assert not nothing._pipelines


def test_about_has_the_readme_s_own_snippets(tmp_path: Path) -> None:
    text = api_text()
    assert text in (ROOT / "README.md").read_text(encoding="utf-8")
    assert "/colorize" in text
    assert "gradio_client" in text
    assert "footer has a link" in api_text(tmp_path / "missing.md")


@pytest.mark.parametrize("given", [None, "x.png", {}, {"path": None}, {"path": "/etc/passwd"}, {"path": "a\0b"}])
def test_only_uploads_are_read(given: object) -> None:
    with pytest.raises(PictureError, match="image must be an uploaded picture"):
        uploaded_path(given, "image")


def test_uploads_do_not_escape_by_links_or_dots(tmp_path: Path) -> None:
    inside = result_path("inside")
    assert uploaded_path({"path": str(inside)}, "image") == inside
    with pytest.raises(PictureError, match="no longer on the server"):
        read_upload(inside)
    secret = tmp_path / "secret.png"
    secret.write_bytes(b"secret")
    inside.symlink_to(secret)
    for path in (inside, inside.parent / ".." / ".." / "secret.png"):
        with pytest.raises(PictureError, match="must be an uploaded picture"):
            uploaded_path({"path": str(path)}, "image")


def test_errors_become_sentences(caplog: pytest.LogCaptureFixture) -> None:
    with pytest.raises(gr.Error) as caught, sentences(for_page=True):
        raise PictureError("no <b>picture</b>")
    assert caught.value.message == "No &lt;b&gt;picture&lt;/b&gt;"
    with pytest.raises(gr.Error) as caught, sentences():
        raise PictureError("no <b>picture</b>")
    assert caught.value.message == "no <b>picture</b>"
    with pytest.raises(gr.Error) as caught, sentences():
        raise ZeroDivisionError("secret detail")
    assert caught.value.message == BUG_SENTENCE
    assert "secret detail" in caplog.text


def test_examples(tmp_path: Path) -> None:
    examples = draw_examples()
    assert len(examples) == 4
    for example in examples:
        with PIL.Image.open(example.grey) as grey, PIL.Image.open(example.reference) as reference:
            assert grey.size == reference.size
            assert not is_in_color(grey.convert("RGB"))
            assert is_in_color(reference)
    broken = tmp_path / "presets.yaml"
    broken.write_text("examples: [{picture: no_such_picture, title: x}]")
    with pytest.raises(CatalogError, match=r"must list `examples`, each with a `picture` of skimage.data"):
        draw_examples(broken)
