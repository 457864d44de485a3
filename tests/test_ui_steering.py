"""What the server answers while a person draws: previews, main colors, exemplars, sessions, and clear refusals."""

import base64
import io
import json
import time
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import pytest
import skimage.data
import torch
from steered_catalogs import write_steered_catalog

from autochrome.catalog import Catalog
from autochrome.errors import PictureError, SettingError
from autochrome.ui.files import result_path
from autochrome.ui.steering import answers as answers_module
from autochrome.ui.steering.answers import Answers, server_functions
from autochrome.ui.steering.asked import MAX_PREVIEW_PIXELS, Uploads, entry_of, path_of
from autochrome.ui.steering.component import restored_value, tell_script
from autochrome.ui.steering.encoding import DOUBT_COLOR, as_jpeg, doubt_overlay
from autochrome.ui.steering.kept import Kept
from autochrome.ui.studio import Studio

RED = {"x": 0.3, "y": 0.4, "color": "#c02020", "radius": 0.05}


@pytest.fixture(scope="module")
def catalog(tmp_path_factory: pytest.TempPathFactory) -> Catalog:
    return write_steered_catalog(tmp_path_factory.mktemp("weights"))


@pytest.fixture(autouse=True)
def _files_in_tmp(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path / "gradio"))


@pytest.fixture
def answers(catalog: Catalog) -> Answers:
    return Answers(Studio(catalog), Uploads())


def put(picture: PIL.Image.Image, name: str = "photo") -> str:
    """An upload; the path that a browser knows it by."""
    path = result_path(name)
    picture.save(path)
    return str(path)


def coffee(mode: str = "L") -> PIL.Image.Image:
    return PIL.Image.fromarray(skimage.data.coffee()).resize((150, 100)).convert(mode).convert("RGB")


def opened(address: str) -> np.ndarray[Any, Any]:
    head, _, content = address.partition(",")
    assert head.startswith("data:image/")
    return np.asarray(PIL.Image.open(io.BytesIO(base64.b64decode(content)))).astype(float)


def test_a_hint_moves_the_preview_where_it_is(answers: Answers) -> None:
    asked = {"photograph": put(coffee()), "model": "tiny-steered", "settings": {"prompt": "a red hat"}}
    before, after = answers.preview(asked), answers.preview({**asked, "hints": [RED]})
    assert before["colored"]
    assert before["guesses"]
    assert before["notes"] == []
    assert set(before["seconds"]) >= {"read", "run", "encode", "predict", "render"}
    assert not {"suggestion", "doubt"} & set(before)
    moved = opened(after["picture"]) - opened(before["picture"])
    redder = moved[..., 0] - moved[..., 1]
    assert redder[38:43, 43:48].mean() > 20
    assert abs(redder[80:, 110:]).mean() < 3


def test_what_is_asked_for_besides(answers: Answers) -> None:
    asked = {"photograph": put(coffee()), "model": "tiny-steered", "suggest": True, "doubt": True}
    answer = answers.preview(asked)
    x, y = answer["suggestion"]
    assert 0 < x < 1
    assert 0 < y < 1
    assert answer["doubt"]["low"] <= answer["doubt"]["high"]
    assert opened(answer["doubt"]["picture"]).shape[2] == 4
    json.dumps(answer)


def test_notes_travel_with_the_preview(answers: Answers) -> None:
    hints = [RED, {**RED, "color": "#2020c0"}]
    answer = answers.preview({"photograph": put(coffee()), "model": "tiny-steered", "hints": hints})
    assert answer["notes"] == ["Hints 0 (#c02020) and 1 (#2020c0) are at one place; the later one wins."]


def test_a_large_photograph_is_previewed_small_and_read_once(answers: Answers) -> None:
    path = put(coffee().resize((1500, 1000)))
    asked = {"photograph": path, "model": "tiny-steered"}
    height, width, _ = opened(answers.preview(asked)["picture"]).shape
    assert 0.98 * MAX_PREVIEW_PIXELS < width * height < 1.02 * MAX_PREVIEW_PIXELS
    uploads = Uploads()
    assert uploads.source(path) is uploads.source(path)


def test_a_way_that_needs_hints_shows_grey_until_there_are_some(answers: Answers) -> None:
    asked = {"photograph": put(coffee("RGB")), "model": "scribbles"}
    answer = answers.preview(asked)
    assert not answer["colored"]
    assert answer["notes"] == ["Scribbles colors nothing by itself: give hints."]
    pixels = opened(answer["picture"])
    assert np.ptp(pixels, axis=2).max() <= 3
    colored = answers.preview({**asked, "hints": [RED]})
    assert colored["colored"]
    assert not colored["guesses"]


def test_what_a_model_does_not_take_is_left_from_another(answers: Answers, catalog: Catalog) -> None:
    asked = {"hints": [RED], "palette": ["#c02020"], "exemplar": "/etc/passwd"}
    assert set(Uploads().directions(asked, catalog["scribbles"])) == {"hints"}
    assert Uploads().directions(None, catalog["scribbles"]) == {}
    settings = {"guidance_scale": 3.0, "prompt": "a hat", "candidates": 4}
    asked = {"photograph": put(coffee()), "model": "scribbles", "settings": settings, **asked}
    assert "error" not in answers.preview(asked)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"photograph": "/etc/passwd"}, "The photograph must be an uploaded picture"),
        ({"photograph": "http://127.0.0.1/x.png"}, "The photograph must be the path of an upload to this page, got"),
        ({"photograph": None}, "The photograph must be the path of an upload to this page, got 'None'"),
        ({"model": "nobody"}, "nobody"),
        ({"hints": [{**RED, "x": 1.5}]}, "Hint 0 is outside the picture"),
        ({"hints": [RED] * 10_001}, "At most 10,000 hints are taken, got 10,001"),
        ({"palette": ["red"]}, 'Palette color 0: color must be "#rrggbb"'),
        ({"settings": {"guidance_scale": 99}}, "Guidance_scale must be a number from 0.0 to 5.0, got 99"),
        ({"settings": "much"}, "A mapping with merge_lightness was expected from the page, got 'much'; reload it"),
        ({"exemplar": "/etc/passwd"}, "The exemplar must be an uploaded picture"),
    ],
)
def test_what_is_wrong_is_answered_with_a_sentence(answers: Answers, change: dict[str, Any], sentence: str) -> None:
    asked = {"photograph": put(coffee()), "model": "tiny-steered", **change}
    assert sentence in answers.preview(asked)["error"]


def test_a_request_that_is_no_mapping(answers: Answers) -> None:
    assert "was expected from the page, got '7'; reload it" in answers.preview(7)["error"]
    with pytest.raises(SettingError, match="a mapping with x was expected"):
        entry_of([], "x")
    with pytest.raises(PictureError, match="the photograph must be the path of an upload to this page"):
        path_of({"path": "x"}, "the photograph")


def test_an_upload_that_is_gone(answers: Answers) -> None:
    path = put(coffee())
    Path(path).unlink()
    answer = answers.preview({"photograph": path, "model": "tiny-steered"})
    assert answer["error"] == "The upload photo.png is no longer on the server; upload it again"


def test_one_too_many_at_a_time_is_told_to_ask_again(answers: Answers, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(answers_module, "MAX_AT_ONCE", 0)
    full = Answers(answers._studio, Uploads())
    assert full.preview({}) == {"busy": True}
    assert "error" in answers.preview({}), "the place is free again after an error"
    assert "error" in answers.preview({})


def test_an_exemplar_small_and_a_grey_one_refused(answers: Answers) -> None:
    answer = answers.exemplar({"path": put(coffee("RGB").resize((900, 600)))})
    assert opened(answer["picture"]).shape[:2] == (213, 320)
    assert answer["notes"] == []
    assert "The exemplar is grey" in answers.exemplar({"path": put(coffee())})["error"]
    asked = {"photograph": put(coffee()), "model": "tiny-steered", "exemplar": put(coffee("RGB"))}
    assert answers.preview(asked)["colored"]


def test_the_main_colors_of_a_picture(answers: Answers) -> None:
    picture = PIL.Image.new("RGB", (100, 100), "#204080")
    picture.paste("#c04030", (0, 0, 100, 25))
    colors = answers.main_colors({"path": put(picture)})["colors"]
    assert [color["weight"] for color in colors] == [0.75, 0.25]
    for found, true in zip(colors, ("204080", "c04030"), strict=True):
        assert np.abs(np.subtract(list(bytes.fromhex(found["color"][1:])), list(bytes.fromhex(true)))).max() <= 2
    assert "must be an uploaded picture" in answers.main_colors({"path": "/etc/hosts"})["error"]


def test_a_session_comes_back_as_it_was(answers: Answers) -> None:
    asked = {"hints": [RED], "palette": [{"color": "#c02020", "weight": 1.0}], "prompt": "a red hat"}
    text = answers.save_session(asked)["text"]
    assert json.loads(text)["version"] == 1
    assert answers.load_session({"text": text}) == asked
    assert answers.load_session({"text": answers.save_session({})["text"]}) == {"prompt": ""}


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("no json", "A session is a JSON file as this page saves it; this file is no JSON"),
        ("[" * 100_000, "this file is no JSON"),
        (None, "A session is a JSON file of at most 2,097,152 bytes; this is another file"),
        ('{"version": 2}', "A session must be of version 1, got version 2"),
        ('{"version": 1, "exemplar": "x"}', "unknown: exemplar"),
        ('{"version": 1, "prompt": 7}', "Prompt must be a text in a session, got '7'"),
    ],
)
def test_a_wrong_session_is_refused(answers: Answers, text: str | None, sentence: str) -> None:
    assert sentence in answers.load_session({"text": text})["error"]


def test_what_was_read_is_kept_for_a_while_only(monkeypatch: pytest.MonkeyPatch) -> None:
    reads: list[Path] = []
    kept = Kept(lambda path: reads.append(path) or len(reads), max_kept=2, seconds=3600)  # type: ignore[func-returns-value]
    first, second, third = Path("1"), Path("2"), Path("3")
    assert [kept.get(path) for path in (first, first, second, first, third)] == [1, 1, 2, 1, 3]
    assert len(kept) == 2
    assert kept.get(second) == 4
    later = time.monotonic() + 3601
    monkeypatch.setattr(time, "monotonic", lambda: later)
    assert kept.get(third) == 5
    assert len(kept) == 1


def test_pictures_as_addresses() -> None:
    clear = PIL.Image.new("RGBA", (8, 8), (0, 0, 0, 0))
    assert opened(as_jpeg(clear)).min() > 250
    error = torch.tensor([[5.0, 15.0], [10.0, 5.0]])[None, None]
    overlay = doubt_overlay(error)
    assert (overlay["low"], overlay["high"]) == (5.0, 15.0)
    pixels = opened(overlay["picture"])
    assert tuple(pixels[0, 1, :3]) == DOUBT_COLOR
    assert [pixels[0, 0, 3], pixels[1, 0, 3], pixels[0, 1, 3]] == [0, 102, 204]


def test_what_the_browser_is_given(answers: Answers) -> None:
    names = [function.__name__ for function in server_functions(answers)]
    assert names == ["preview", "main_colors", "exemplar", "save_session", "load_session"]
    assert '["merge_lightness", "prompt"]' in tell_script(["merge_lightness", "prompt"])
    held = {"photograph": "/old", "hints": [RED], "palette": []}
    assert restored_value("/new", held) == {"photograph": "/new", "hints": [RED], "palette": [], "exemplar": None}
    assert restored_value("/new", None) == {"photograph": "/new", "hints": None, "palette": None, "exemplar": None}
    assert restored_value(None, held) is None
