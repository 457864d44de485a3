"""`autochrome colorize`: whole folders and archives, resumed, refused, interrupted."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import pytest
import torch

from autochrome.cli import main
from autochrome.models import Colorizer, ColorizerConfig, save_colorizer

Err = pytest.CaptureFixture[str]


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A folder with a tiny random model."""
    torch.manual_seed(0)
    folder = tmp_path_factory.mktemp("models") / "tiny"
    save_colorizer(Colorizer(ColorizerConfig.tiny()), folder)
    return str(folder)


def save(path: Path, size: tuple[int, int] = (40, 30), **options: Any) -> Path:
    """A grey ramp as a picture file; its folder is made too."""
    path.parent.mkdir(parents=True, exist_ok=True)
    ramp = np.linspace(20, 230, size[0] * size[1]).reshape(size[1], size[0]).astype(np.uint8)
    PIL.Image.fromarray(ramp).save(path, **options)
    return path


def colorize(model: str, output: Path, *inputs: Path | str) -> int:
    return main(["colorize", "--model", model, "--output", str(output), *map(str, inputs)])


def results(output: Path) -> list[str]:
    return sorted(str(path.relative_to(output)) for path in output.rglob("*") if path.is_file())


def test_folder_is_walked_and_results_keep_their_places(model: str, tmp_path: Path, capsys: Err) -> None:
    photos = tmp_path / "photos"
    for name in ("b.jpg", "a/c.png", "a/deep/d.tif", ".hidden.png", ".cache/e.png"):
        save(photos / name)
    (photos / "notes.txt").write_text("no picture")
    orientation = PIL.Image.Exif()
    orientation[0x0112] = 6
    save(photos / "turned.jpg", exif=orientation)
    assert colorize(model, tmp_path / "out", photos, "--render-factor", "7") == 0
    assert results(tmp_path / "out") == ["a/c.png", "a/deep/d.png", "b.png", "turned.png"]
    assert capsys.readouterr().out == "4 colored\n"
    with PIL.Image.open(tmp_path / "out" / "turned.png") as turned, PIL.Image.open(tmp_path / "out" / "b.png") as b:
        assert (turned.size, b.size) == ((30, 40), (40, 30))
        assert b.info["Comment"] == "AI-colorized"
        assert b.info["Model"] == "tiny"
        assert json.loads(b.info["Settings"])["render_factor"] == 7


def test_finished_results_are_not_made_twice_unless_the_settings_differ(
    model: str, tmp_path: Path, capsys: Err
) -> None:
    photos, output = tmp_path / "photos", tmp_path / "photos" / "out"
    save(photos / "a.jpg")
    save(photos / "b.jpg")
    assert colorize(model, output, photos) == 0
    made = {name: (output / name).stat().st_mtime_ns for name in results(output)}
    assert list(made) == ["a.png", "b.png"]
    (output / "b.png").unlink()
    assert colorize(model, output, photos) == 0
    assert (output / "a.png").stat().st_mtime_ns == made["a.png"]
    assert results(output) == ["a.png", "b.png"]
    assert capsys.readouterr().out.splitlines() == ["2 colored", "1 colored, 1 already there"]
    assert colorize(model, output, photos, "--saturation", "2") == 0
    assert (output / "a.png").stat().st_mtime_ns != made["a.png"]
    assert capsys.readouterr().out == "2 colored\n"


def test_a_file_that_is_not_ours_is_never_overwritten(model: str, tmp_path: Path, capsys: Err) -> None:
    save(tmp_path / "photos" / "a.jpg")
    theirs = save(tmp_path / "out" / "a.png").read_bytes()
    assert colorize(model, tmp_path / "out", tmp_path / "photos") == 1
    assert "exists and was not made by Autochrome; move it" in capsys.readouterr().err
    assert (tmp_path / "out" / "a.png").read_bytes() == theirs


def test_one_bad_picture_stops_nothing_and_is_named(model: str, tmp_path: Path, capsys: Err) -> None:
    photos = tmp_path / "photos"
    save(photos / "good.jpg")
    (photos / "empty.jpg").write_bytes(b"")
    (photos / "text.png").write_text("I am no picture")
    report = tmp_path / "report.json"
    assert colorize(model, tmp_path / "out", photos, "--json", report) == 1
    captured = capsys.readouterr()
    assert captured.out == "1 colored, 2 failed\n"
    failures = [line for line in captured.err.splitlines() if line.startswith("autochrome: failed: ")]
    assert [Path(line.split(": ")[2]).name for line in failures] == ["empty.jpg", "text.png"]
    content = json.loads(report.read_text(encoding="utf-8"))
    assert content["model"] == "tiny"
    assert content["settings"]["render_factor"] == 16
    by_name = {Path(record["input"]).name: record for record in content["pictures"]}
    assert by_name["empty.jpg"]["status"] == "failed"
    assert by_name["empty.jpg"]["reason"]
    good = by_name["good.jpg"]
    assert (good["status"], good["width"], good["height"]) == ("done", 40, 30)
    assert good["seconds"] > 0
    assert 0 <= good["lightness_error"] < 0.3
    assert good["colorfulness"] >= 0
    assert results(tmp_path / "out") == ["good.png"]


def test_json_names_measures_of_the_picture_itself(model: str, tmp_path: Path) -> None:
    save(tmp_path / "tall.png", (20, 700))
    argv: list[Path | str] = [tmp_path / "tall.png", "--saturation", "0", "--json", tmp_path / "r.json"]
    assert colorize(model, tmp_path / "out", *argv) == 0
    [record] = json.loads((tmp_path / "r.json").read_text(encoding="utf-8"))["pictures"]
    assert record["colorfulness"] < 0.5
    assert record["lightness_error"] < 0.1


def test_archive_members_become_results_and_bad_ones_are_named(model: str, tmp_path: Path, capsys: Err) -> None:
    picture = save(tmp_path / "source.png").read_bytes()
    archive = tmp_path / "photos.ZIP"
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as file:
        file.mkdir("album")
        for name in ("album/b.png", "a.png", "album/windows\\c.png", ".hidden/x.png", "__MACOSX/a.png", "notes.txt"):
            file.writestr(name, picture)
        file.writestr("broken.jpg", b"no picture")
        file.writestr("../../evil.png", picture)
        file.writestr("inner.zip", b"PK")
    assert colorize(model, tmp_path / "out", archive) == 1
    assert results(tmp_path / "out") == ["a.png", "album/b.png", "album/windows/c.png"]
    captured = capsys.readouterr()
    assert captured.out == "3 colored, 3 failed\n"
    for line in (
        f"{archive}/../../evil.png: its name leads out of the archive",
        f"{archive}/inner.zip: an archive inside an archive is not opened; unpack it first",
        f"{archive}/broken.jpg: ",
    ):
        assert f"autochrome: failed: {line}" in captured.err
    assert not list(tmp_path.parent.glob("evil*"))


def test_a_broken_archive_is_named_and_stops_nothing(model: str, tmp_path: Path, capsys: Err) -> None:
    (tmp_path / "broken.zip").write_bytes(b"PK but no archive")
    assert colorize(model, tmp_path / "out", tmp_path / "broken.zip", save(tmp_path / "good.jpg")) == 1
    captured = capsys.readouterr()
    assert captured.out == "1 colored, 1 failed\n"
    assert "broken.zip: not a .zip archive that can be read: " in captured.err
    assert results(tmp_path / "out") == ["good.png"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["missing.jpg"], "missing.jpg does not exist; give pictures, folders or .zip archives"),
        (["empty"], "empty holds no pictures"),
        (["photos", "--model", "nobody"], "there is no model 'nobody'"),
        (["photos", "--render-factor", "99"], "render_factor must be an integer from 7 to 45, got 99"),
        (["photos", "--saturation", "nan"], "saturation must be a number from 0.0 to 4.0, got nan"),
        (["photos", "--prompt", "red", "--steps", "4"], "tiny takes no prompt and no steps; its settings are: merge"),
        (["photos", "--palette", "#ff0000, #00ff00"], "tiny takes no palette; its settings are"),
        (["photos", "--exemplar", "x.jpg", "--steps", "3"], "tiny takes no steps and no exemplar"),
        (["photos", "--hints", "hints.json"], "tiny takes no hints; its settings are"),
        (["photos", "--hints", "empty"], "--hints empty cannot be read as JSON"),
        (["photos", "--output", "photos"], "photos is both input and output; choose another --output"),
        (["photos/a.jpg", "more/a.png"], "would both become out/a.png; rename one, or color them into different"),
        (["photos/a.jpg", "more/A.jpg"], "would both become out/A.png"),
        (["more/a.png", "--output", "more"], "the result of more/a.png would overwrite an input"),
        (["photos", "--output", "photos/a.jpg"], "cannot make the folder photos/a.jpg"),
    ],
)
def test_wrong_usage_is_one_sentence_and_nothing_is_written(
    model: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Err, arguments: list[str], message: str
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("photos/a.jpg", "more/a.png", "more/A.jpg"):
        save(Path(name))
    Path("empty").mkdir()
    Path("hints.json").write_text('[{"x": 0.5, "y": 0.5, "color": "#ff0000", "radius": 0.1}]', encoding="utf-8")
    before = results(tmp_path)
    assert main(["colorize", "--model", model, "--output", "out", *arguments]) == 2
    [line] = capsys.readouterr().err.splitlines()
    assert line.startswith("autochrome: error: ")
    assert message in line
    assert results(tmp_path) == before


def test_an_interrupt_leaves_nothing_half_written(model: str, tmp_path: Path) -> None:
    save(tmp_path / "photos" / "0000.png", (400, 300))
    for number in range(1, 1500):
        shutil.copy(tmp_path / "photos" / "0000.png", tmp_path / "photos" / f"{number:04}.png")
    command = [sys.executable, "-m", "autochrome.cli", "colorize", "--model", model, "--output", str(tmp_path / "out")]
    report = tmp_path / "report.json"
    with subprocess.Popen(
        [*command, str(tmp_path / "photos"), "--json", str(report)], stderr=subprocess.PIPE, text=True
    ) as process:
        deadline = time.monotonic() + 120
        while not (tmp_path / "out" / "0001.png").exists() and time.monotonic() < deadline:
            time.sleep(0.01)
        os.kill(process.pid, signal.SIGINT)
        _, err = process.communicate(timeout=120)
    assert process.returncode == 130
    assert "autochrome: interrupted; nothing is left half-written" in err
    made = results(tmp_path / "out")
    assert 2 <= len(made) < 1500
    for name in made:
        with PIL.Image.open(tmp_path / "out" / name) as picture:
            assert picture.format == "PNG"
            picture.load()
    done = [record["status"] for record in json.loads(report.read_text(encoding="utf-8"))["pictures"]]
    assert done == ["done"] * len(done)
    assert len(done) in (len(made), len(made) - 1)
