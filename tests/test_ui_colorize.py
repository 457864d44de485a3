"""The tab Colorize without a server: presets, the page's address, the history, candidates and their sentences."""

import json
from dataclasses import replace
from pathlib import Path

import PIL.Image
import pytest

from autochrome.catalog import Catalog, load_catalog
from autochrome.errors import CatalogError
from autochrome.pipelines.settings import TextSetting
from autochrome.ui.coloring import Coloring, Look
from autochrome.ui.colorize.address import address_script, read_address
from autochrome.ui.colorize.history import MAX_ENTRIES, Entry, look_again, make_entry, put_first
from autochrome.ui.colorize.presets import read_presets
from autochrome.ui.colorize.sentences import candidate_caption, picked_html, restored_html, status_html
from autochrome.ui.studio import Studio


@pytest.fixture(autouse=True)
def _files_in_tmp(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path / "gradio"))


@pytest.fixture
def coloring(tiny_catalog: Catalog, grey_photo: Path) -> Coloring:
    settings = {"candidates": 3, "render_factor": 16}
    return Studio(tiny_catalog).colorize(grey_photo, model=None, settings=settings)


def test_every_preset_is_for_a_model_that_comes_with_the_package() -> None:
    presets = read_presets(load_catalog())
    names = [preset.name for preset in presets]
    assert len(set(names)) == len(names) >= 5
    assert {preset.model for preset in presets} >= {"natural", "gan-artistic", "gan-stable"}
    assert all(preset.sentence.endswith(".") for preset in presets)


def test_presets_without_a_model_are_for_the_first_and_others_are_left_out(tiny_catalog: Catalog) -> None:
    presets = read_presets(tiny_catalog)
    assert [(preset.model, preset.settings) for preset in presets] == [("tiny-one", {"candidates": 4})]
    assert read_presets(Catalog(tiny_catalog.rows[-1:])) == []


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("nothing: 1", "must have a list `presets`; got KeyError"),
        ("presets: [{name: x}]", "a preset has name and sentence, and maybe model and settings; got {'name': 'x'}"),
        (
            "presets: [{name: x, sentence: y, settings: {steps: 3}}]",
            "preset 'x': tiny-one takes no steps",
        ),
        (
            "presets: [{name: x, sentence: y, settings: {saturation: 9}}]",
            "preset 'x': saturation must be a number from 0.0 to 4.0, got 9",
        ),
    ],
)
def test_a_wrong_preset_is_named(tiny_catalog: Catalog, tmp_path: Path, content: str, message: str) -> None:
    path = tmp_path / "presets.yaml"
    path.write_text(content)
    with pytest.raises(CatalogError) as caught:
        read_presets(tiny_catalog, path)
    assert message in str(caught.value)


def test_an_address_brings_model_and_settings_back(tiny_catalog: Catalog) -> None:
    studio = Studio(tiny_catalog)
    assert read_address(studio, {"__theme": "dark"}) is None
    asked = {"model": "tiny-two", "saturation": "1.5", "merge_lightness": "false", "render_factor": "20", "seed": "7"}
    found = read_address(studio, asked)
    assert found is not None
    row, settings, complaints = found
    assert row.id == "tiny-two"
    assert settings == {"saturation": 1.5, "merge_lightness": False, "render_factor": 20, "seed": 7}
    assert complaints == []


@pytest.mark.parametrize(
    ("query", "complaint"),
    [
        ({"model": "<b>x</b>"}, "there is no model '<b>x</b>'"),
        ({"model": "not-installed"}, "Not Installed is not available here. Its weights"),
        ({"saturation": "loud"}, "saturation must be a number from 0.0 to 4.0, got 'loud'"),
        ({"saturation": "nan"}, "saturation must be a number from 0.0 to 4.0, got nan"),
        ({"render_factor": "9" * 5000}, "render_factor must be an integer from 7 to 45, got '99"),
        ({"merge_lightness": "maybe"}, "merge_lightness must be true or false, got 'maybe'"),
        ({"prompt": "red"}, "Tiny One takes no prompt"),
    ],
)
def test_what_an_address_gets_wrong_is_left_out_and_said(
    tiny_catalog: Catalog, query: dict[str, str], complaint: str
) -> None:
    found = read_address(Studio(tiny_catalog), query)
    assert found is not None
    row, settings, complaints = found
    assert (row.id, settings) == ("tiny-one", {})
    assert complaint in complaints[0]


def test_a_prompt_in_an_address_is_a_prompt(tiny_catalog: Catalog) -> None:
    plain = tiny_catalog["tiny-one"]
    row = replace(plain, settings={**plain.settings, "prompt": TextSetting("prompt")})
    found = read_address(Studio(Catalog((row,))), {"prompt": "<img src=x>"})
    assert found is not None
    assert found[1] == {"prompt": "<img src=x>"}


def test_the_script_knows_the_defaults_of_every_model(tiny_catalog: Catalog) -> None:
    script = address_script(tiny_catalog, tiny_catalog.default)
    for row in tiny_catalog:
        assert json.dumps(row.id) in script
    assert '"render_factor": 16' in script


def make_entries(coloring: Coloring, catalog: Catalog, photo: Path, count: int) -> list[Entry]:
    return [make_entry(str(number), coloring, catalog.default, photo, None) for number in range(count)]


def test_the_history_is_bounded_and_newest_first(coloring: Coloring, tiny_catalog: Catalog, grey_photo: Path) -> None:
    entries = make_entries(coloring, tiny_catalog, grey_photo, MAX_ENTRIES + 2)
    kept: list[Entry] = []
    dropped: list[Entry] = []
    for entry in entries:
        kept, gone = put_first(kept, entry)
        dropped += gone
    assert [entry.token for entry in kept] == [str(number) for number in range(MAX_ENTRIES + 1, 1, -1)]
    assert [entry.token for entry in dropped] == ["0", "1"]
    again, gone = put_first(kept, kept[5])
    assert (again[0], len(again), gone) == (kept[5], MAX_ENTRIES, []), "one that comes back is not there twice"
    with PIL.Image.open(kept[0].thumbnail) as picture:
        assert max(picture.size) <= 320
    assert kept[0].caption == "Tiny One, portrait"
    look = Look(merge_lightness=False, saturation=0.5, candidate=2)
    assert [entry.look == look for entry in look_again(kept, kept[1].token, look)[:3]] == [False, True, False]


def test_candidates_are_looked_at_without_the_model(coloring: Coloring) -> None:
    assert coloring.num_candidates == 3
    looks = [coloring.look(number) for number in range(3)]
    shown = [coloring.show(look).read_bytes() for look in looks]
    assert len(set(shown)) == 3
    path, _ = coloring.finish(looks[2])
    assert path.name == "portrait-autochrome-3.png"
    with PIL.Image.open(path) as picture:
        settings = json.loads(picture.info["Settings"])
    assert settings["render_factor"] == coloring.candidate_settings(2)["render_factor"] > 16
    made = [coloring.thumbnails(looks[0]) for _ in range(4)]
    assert [[path.exists() for path in paths] for paths in made] == [[False] * 3] * 2 + [[True] * 3] * 2


def test_sentences(coloring: Coloring) -> None:
    assert "3 candidates: pick one below the picture" in status_html(coloring, "Tiny <One>")
    assert "Tiny &lt;One&gt;" in status_html(coloring, "Tiny <One>")
    assert candidate_caption(coloring, 0) == "plain"
    factor = coloring.candidate_settings(1)["render_factor"]
    assert candidate_caption(coloring, 1) == f"bolder ({factor})"
    assert f"made at render factor {factor} instead of 16: often bolder. No model ran." in picked_html(coloring, 1)
    assert "the plain result" in picked_html(coloring, 0)
    assert "no longer kept. Press Colorize" in restored_html("x<y", kept=False)
    assert "x&lt;y" in restored_html("x<y", kept=True)
