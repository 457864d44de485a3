"""Hints, palettes, exemplars and prompts: read strictly, drawn on grids, plain JSON at every door."""

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import pytest
import torch
from PIL.PngImagePlugin import PngImageFile
from skimage.color import rgb2lab
from skimage.data import astronaut, coffee

from autochrome.cli import main
from autochrome.errors import PictureError, SettingError
from autochrome.pipelines import (
    Exemplar,
    ExemplarSetting,
    Hint,
    HintsSetting,
    PaletteColor,
    PaletteSetting,
    Setting,
    TextSetting,
    check_settings,
    parse_directions,
    parse_exemplar,
    parse_hints,
    parse_palette,
    rasterize,
    settings_notes,
    settings_to_json,
)
from autochrome.pipelines.directions import MAX_HINTS, directions_to_json

POINT = {"x": 0.25, "y": 0.5, "color": "#FF0000"}
TAKEN: dict[str, Setting] = {
    "prompt": TextSetting("prompt"),
    "saturation": Setting("saturation", 1.0, 0.0, 4.0),
    "hints": HintsSetting(),
    "palette": PaletteSetting(),
    "exemplar": ExemplarSetting(),
}


def test_hints_are_read_with_their_defaults() -> None:
    hints = parse_hints([POINT, {"x": 1, "y": 0, "color": "#00ff00", "radius": 0.5}])
    assert hints == (Hint(0.25, 0.5, "#ff0000", 0.01), Hint(1.0, 0.0, "#00ff00", 0.5))
    assert hints[0].ab == pytest.approx(rgb2lab([[[1.0, 0.0, 0.0]]])[0, 0, 1:], abs=0.05)
    assert parse_hints(hints) == hints
    assert parse_hints([hint.to_json() for hint in hints]) == hints
    assert parse_hints([{**POINT, "x": np.float32(0.5)}])[0].to_json()["x"] == 0.5


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (
            [POINT, {**POINT, "x": 1.01}],
            r"hint 1 is outside the picture.*x must be a number .*width.*1\.01",
        ),
        ([{**POINT, "y": -0.1}], r"hint 0 is outside.*y must be .*height.*got -0\.1"),
        ([{**POINT, "x": math.nan}], "hint 0 .*x must be a number .* got NaN"),
        ([{**POINT, "x": True}], "x must be a number .* got true"),
        ([{**POINT, "x": "0.5"}], 'x must be a number .* got "0.5"'),
        ([{**POINT, "color": "red"}], 'hint 0: color must be "#rrggbb", six hexadecimal digits, got "red"'),
        ([{**POINT, "color": [255, 0, 0]}], r"color must be .* got \[255, 0, 0\]"),
        ([{**POINT, "radius": 0.6}], r"hint 0: radius must be a number from 0 to 0\.5 .* got 0\.6"),
        ([{**POINT, "colour": "#ff0000"}], "hint 0 has unknown entries: colour; its entries are x, y, color, radius"),
        ([{"x": 0.5}], "hint 0 has no y, color; its entries are"),
        ([(0.5, 0.5, "#ff0000")], r'hint 0 must be {"x", "y", "color", "radius"}, got \[0\.5'),
        ("#ff0000", 'hints must be a list of .* got "#ff0000"'),
        (7, "hints must be a list of .* got 7"),
        ([POINT] * (MAX_HINTS + 1), "at most 10,000 hints are taken, got 10,001"),
        ({"version": 1, "hints": [POINT]}, "hints must be a list; this is a whole session"),
        ({"version": 2, "hints": [POINT]}, "a session must be of version 1, got version 2"),
        ([{**POINT, "x": 10**400}], r"x must be a number from 0 to 1 .*got 1000000.*\.\.\."),
    ],
)
def test_a_wrong_hint_is_named(value: object, message: str) -> None:
    with pytest.raises(SettingError, match=message):
        parse_hints(value)


def test_ten_thousand_hints_are_taken() -> None:
    assert len(parse_hints([POINT] * MAX_HINTS)) == MAX_HINTS


def test_of_two_hints_at_one_place_the_later_wins_and_says_so() -> None:
    hints = parse_hints([POINT, {**POINT, "color": "#0000ff"}, {**POINT, "x": 0.75}])
    assert settings_notes(TAKEN, {"hints": hints}) == (
        "Hints 0 (#ff0000) and 1 (#0000ff) are at one place; the later one wins.",
    )
    ab, _ = rasterize(hints, 8, 8)
    assert ab[0, :, 4, 2].tolist() == pytest.approx(hints[1].ab)
    assert settings_notes(TAKEN, {"hints": parse_hints([POINT, POINT])}) == ()
    many = parse_hints([POINT, {**POINT, "color": "#0000ff"}] * 2)
    assert settings_notes(TAKEN, {"hints": many})[0].endswith("wins. So it is at 2 more places.")


def test_palettes_have_one_form() -> None:
    expected = (PaletteColor("#0000ff", 0.25), PaletteColor("#ff0000", 0.75))
    forms: list[object] = [
        "#ff0000, #ff0000,#0000FF,#ff0000",
        ["#0000ff", {"color": "#FF0000", "weight": 3}],
        [{"color": "#ff0000", "weight": 1.5}, {"color": "#0000ff", "weight": 0.5}],
        expected,
    ]
    for form in forms:
        assert parse_palette(form) == expected
    odd = parse_palette([{"color": f"#0000{index:02x}", "weight": 0.1 + index} for index in range(7)])
    assert parse_palette([color.to_json() for color in odd]) == odd
    assert math.fsum(color.weight for color in odd) == pytest.approx(1)


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (["#ff0000", "blue"], 'palette color 1: color must be "#rrggbb", six hexadecimal digits, got "blue"'),
        (
            [{"color": "#ff0000", "weight": 0}],
            "color 0: weight must be a number above 0, at most 1,000,000, got 0",
        ),
        ([{"color": "#ff0000", "weight": math.nan}], "weight must be a number above 0.* got NaN"),
        ([{"color": "#ff0000", "share": 1}], 'palette color 0 must be "#rrggbb" or {"color", "weight"}'),
        ([f"#00000{digit}" for digit in range(9)], "a palette has 1 to 8 different colors, got 9"),
        (" , ", "a palette has 1 to 8 different colors, got 0"),
        ({"#ff0000": 1}, "a palette must be a list of"),
        (7, "a palette must be a list of .* got 7"),
    ],
)
def test_a_wrong_palette_is_refused(value: object, message: str) -> None:
    with pytest.raises(SettingError, match=message):
        parse_palette(value)


def test_a_palette_of_greys_or_of_one_color_is_taken_with_a_note() -> None:
    for palette, note in (
        ("#808080,#111111", "only greys"),
        ("#ff0000", "one color, so #ff0000 tints"),
        ("#777777", "greys"),
    ):
        assert note in settings_notes(TAKEN, {"palette": parse_palette(palette)})[0]
    assert settings_notes(TAKEN, {"palette": parse_palette("#ff0000,#808080")}) == ()


def test_an_exemplar_is_known_by_its_pixels() -> None:
    picture = PIL.Image.fromarray(coffee())
    exemplar = parse_exemplar(picture)
    assert max(exemplar.picture.size) == 600
    assert exemplar == parse_exemplar(np.asarray(picture))
    assert exemplar != parse_exemplar(picture.rotate(180))
    assert parse_exemplar(exemplar) is exemplar
    assert len(exemplar.digest) == 64
    assert settings_to_json({"exemplar": exemplar}) == {"exemplar": f"sha256:{exemplar.digest}"}
    large = parse_exemplar(picture.resize((3000, 2000)))
    assert large.picture.size == (1024, 683)
    assert settings_notes(TAKEN, {"exemplar": exemplar}) == ()


def test_an_exemplar_without_color_is_refused_and_one_of_one_tint_noted(tmp_path: Path) -> None:
    grey = PIL.Image.fromarray(astronaut()).convert("L").convert("RGB")
    grey.save(tmp_path / "grey.jpg", quality=40)
    with pytest.raises(SettingError, match=r"the exemplar is grey: 99 of 100 of its pixels .* at least 6 is needed"):
        parse_exemplar(tmp_path / "grey.jpg")
    with pytest.raises(PictureError, match=r"the exemplar cannot be used: 'none\.png' does not exist"):
        parse_exemplar(tmp_path / "none.png")
    with pytest.raises(PictureError, match="the exemplar cannot be used: cannot read a picture from a int"):
        parse_exemplar(7)
    boat = grey.copy()
    boat.paste((200, 30, 30), (0, 0, 80, 80))  # a fortieth of it is red: that is worth taking
    assert not parse_exemplar(boat).is_toned
    toned = PIL.Image.new("RGB", (64, 64), (150, 110, 70))
    assert "one tint only" in settings_notes(TAKEN, {"exemplar": parse_exemplar(toned)})[0]


def test_a_session_comes_back_as_it_was() -> None:
    hints, palette = parse_hints([POINT]), parse_palette("#ff0000,#00ff00,#0000ff")
    session = json.loads(json.dumps(directions_to_json(hints, palette, "a red door")))
    assert session["version"] == 1
    assert parse_directions(session) == {"hints": hints, "palette": palette, "prompt": "a red door"}
    assert parse_directions(directions_to_json()) == {}
    assert parse_directions([POINT]) == {"hints": hints}


@pytest.mark.parametrize(
    ("session", "message"),
    [
        ({"hints": [POINT]}, "a session must be of version 1, got no version"),
        ({"version": 7}, "a session must be of version 1, got version 7; save it again from here"),
        ({"version": True}, "got version true"),
        (
            {"version": 1, "points": [], "a": 1},
            "the entries version, hints, palette, prompt; unknown: a, points",
        ),
        ({"version": 1, "hints": [{**POINT, "y": 2}]}, "hint 0 is outside the picture"),
        ({"version": 1, "palette": ["red"]}, "palette color 0"),
    ],
)
def test_another_session_is_refused(session: dict[str, Any], message: str) -> None:
    with pytest.raises(SettingError, match=message):
        parse_directions(session)


def test_discs_cover_their_area_and_small_ones_a_cell() -> None:
    ab, coverage = rasterize([Hint(0.5, 0.5, "#ff0000", 0.2), Hint(1.0, 1.0, "#00ff00", 0.0)], 60, 50)
    assert (ab.shape, coverage.shape) == ((1, 2, 50, 60), (1, 1, 50, 60))
    assert (ab.dtype, coverage.dtype) == (torch.float32, torch.float32)
    assert coverage[0, 0, -1, -1] == 1
    assert coverage.sum().item() - 1 == pytest.approx(math.pi * 10**2, rel=0.01)
    assert ab[0, :, -1, -1].tolist() == pytest.approx(Hint(0, 0, "#00ff00").ab, abs=1e-4)
    assert ab[0, :, 25, 30].tolist() == pytest.approx(Hint(0, 0, "#ff0000").ab, abs=1e-4)
    assert ab[(coverage == 0).expand_as(ab)].abs().max() == 0
    rows, columns = np.indices((50, 60)) + 0.5
    inside = np.hypot(columns - 30, rows - 25) < 9
    assert (coverage[0, 0].numpy()[inside] == 1).all()


def test_a_later_disc_lies_on_an_earlier_one() -> None:
    large, small = Hint(0.5, 0.5, "#ff0000", 0.4), Hint(0.5, 0.5, "#0000ff", 0.1)
    over, _ = rasterize([large, small], 40, 40)
    under, coverage = rasterize([small, large], 40, 40)
    assert over[0, :, 20, 20].tolist() == pytest.approx(small.ab, abs=1e-4)
    assert under[0, :, 20, 20].tolist() == pytest.approx(large.ab, abs=1e-4)
    assert torch.equal(coverage, rasterize([large], 40, 40)[1])
    empty, none = rasterize([], 3, 2)
    assert empty.shape == (1, 2, 2, 3)
    assert none.abs().sum() == 0


def test_every_kind_of_setting_can_be_left_out_and_checked_twice() -> None:
    empty = check_settings("m", TAKEN, {"hints": [], "palette": None, "exemplar": None, "prompt": ""})
    assert empty == {"prompt": "", "saturation": 1.0, "hints": (), "palette": (), "exemplar": None}
    assert settings_to_json(empty) == {"prompt": "", "saturation": 1.0, "hints": [], "palette": [], "exemplar": None}
    given = {"prompt": " a red door ", "hints": [POINT], "palette": "#ff0000,#00ff00", "exemplar": astronaut()}
    settings = check_settings("m", TAKEN, given)
    assert settings["prompt"] == "a red door"
    assert isinstance(settings["exemplar"], Exemplar)
    assert check_settings("m", TAKEN, settings) == settings
    plain = settings_to_json(settings)
    assert json.loads(json.dumps(plain)) == plain
    assert plain["hints"] == [{"x": 0.25, "y": 0.5, "color": "#ff0000", "radius": 0.01}]


def test_kinds_say_what_they_allow() -> None:
    allowed = {name: setting.to_dict() for name, setting in TAKEN.items()}
    assert allowed["saturation"] == {"default": 1.0, "min": 0.0, "max": 4.0}
    assert allowed["prompt"] == {"default": None, "allowed": "a text of at most 1,000 characters"}
    assert allowed["palette"]["allowed"] == 'at most 8 colors, "#rrggbb" or {"color", "weight"}'
    assert "10,000" in allowed["hints"]["allowed"]
    assert allowed["exemplar"]["allowed"] == "a picture in color"
    with pytest.raises(SettingError, match="prompt must be a text of at most 1,000 characters, got 1,001; say it in"):
        check_settings("m", TAKEN, {"prompt": "x" * 1001})
    with pytest.raises(SettingError, match="prompt must be a text of at most 1,000 characters, got 7"):
        check_settings("m", TAKEN, {"prompt": 7})


def test_the_command_line_takes_a_session(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    photo, session, out = tmp_path / "photo.png", tmp_path / "session.json", tmp_path / "out"
    PIL.Image.fromarray(astronaut()).convert("L").resize((64, 48)).save(photo)
    points = [POINT, {**POINT, "color": "#00ff00"}]
    session.write_text(json.dumps({"version": 1, "hints": points}), encoding="utf-8")
    command = ["colorize", str(photo), "--output", str(out), "--model", "scribbles", "--render-factor", "7"]
    report = ["--json", str(tmp_path / "report.json")]
    assert main([*command, "--hints", str(session), *report]) == 0
    assert "note: " in capsys.readouterr().err
    written = json.loads((tmp_path / "report.json").read_text(encoding="utf-8"))
    assert written["settings"]["hints"][1] == {"x": 0.25, "y": 0.5, "color": "#00ff00", "radius": 0.01}
    assert "the later one wins" in written["pictures"][0]["notes"][0]
    with PngImageFile(out / "photo.png") as picture:
        assert json.loads(picture.info["Settings"])["hints"] == written["settings"]["hints"]
    assert main([*command, "--hints", str(session)]) == 0
    assert "1 already there" in capsys.readouterr().out
    assert main(command) == 2
    assert "scribbles colors nothing by itself: give hints" in capsys.readouterr().err
    session.write_text('{"version": 3}', encoding="utf-8")
    assert main([*command, "--hints", str(session)]) == 2
    assert "a session must be of version 1, got version 3" in capsys.readouterr().err
    assert main([*command[:-4], "--model", "segments", "--exemplar", str(photo)]) == 2
    assert "the exemplar is grey" in capsys.readouterr().err
