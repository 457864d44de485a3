"""`autochrome evaluate`: folders and archives against the truth."""

import argparse
import io
import json
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt
import PIL.Image
import pytest
import skimage.data
import torch

from autochrome.cli import evaluate
from autochrome.errors import AutochromeError, DataError, SettingError
from autochrome.metrics import METRICS, ciede2000, score
from autochrome.metrics.baselines import grey_baseline

Run = Callable[..., tuple[int, str, str]]
Pixels = npt.NDArray[np.uint8]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    """Runs the command: exit code, stdout, stderr. An AutochromeError is raised, as to the program's `main`."""
    parser = argparse.ArgumentParser()
    evaluate.add_parser(parser.add_subparsers(required=True))

    def call(*arguments: object) -> tuple[int, str, str]:
        args = parser.parse_args(["evaluate", *map(str, arguments)])
        code = args.run(args)
        return code, *capsys.readouterr()

    return call


def pixels(index: int, size: tuple[int, int] = (40, 30)) -> Pixels:
    """A piece of a photograph, another one for another index."""
    width, height = size
    photo: Pixels = skimage.data.astronaut()
    return photo[5 * index : 5 * index + 3 * height : 3, 150 : 150 + 3 * width : 3]


def dull(picture: Pixels) -> Pixels:
    halved: Pixels = (0.5 * picture + 0.5 * picture.mean(axis=-1, keepdims=True)).round().astype(np.uint8)
    return halved


def tensor(picture: Pixels) -> torch.Tensor:
    return torch.from_numpy(picture.copy()).movedim(-1, 0)[None] / 255


def save(picture: Pixels, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    PIL.Image.fromarray(picture).save(path)


@pytest.fixture
def folders(tmp_path: Path) -> tuple[Path, Path]:
    """Three references, and a duller prediction of each under another suffix."""
    predictions, references = tmp_path / "predictions", tmp_path / "references"
    for index, name in enumerate(("one", "two", "deep/three")):
        save(pixels(index), references / f"{name}.bmp")
        save(dull(pixels(index)), predictions / f"{name}.png")
    return predictions, references


def test_the_report_is_that_of_the_single_pictures(folders: tuple[Path, Path], run: Run, tmp_path: Path) -> None:
    code, out, err = run(folders[0], "--reference", folders[1], "--json", tmp_path / "new" / "report.json")
    assert code == 0
    assert "autochrome:" not in err
    report = json.loads((tmp_path / "new" / "report.json").read_text())
    assert set(report) == {
        *("num_pictures", "metrics", "baselines", "shares", "pictures"),
        *("missing", "extra", "failed"),
    }
    assert report["num_pictures"] == 3
    assert [picture["name"] for picture in report["pictures"]] == ["deep/three", "one", "two"]
    for picture, index in zip(report["pictures"], (2, 0, 1), strict=True):
        expected = score(tensor(dull(pixels(index))), tensor(pixels(index)))
        assert {name: picture[name] for name in METRICS} == pytest.approx(expected, rel=1e-5)
    values = [picture["ciede2000"] for picture in report["pictures"]]
    statistics = report["metrics"]["ciede2000"]
    assert list(statistics) == ["mean", "median", "p5", "p25", "p75", "p95"]
    assert statistics["mean"] == pytest.approx(np.mean(values))
    assert statistics["median"] == pytest.approx(np.median(values))
    assert statistics["p5"] == pytest.approx(np.percentile(values, 5))
    grey = [ciede2000(grey_baseline(tensor(pixels(index))), tensor(pixels(index))).item() for index in range(3)]
    assert report["baselines"]["grey"]["ciede2000"]["mean"] == pytest.approx(np.mean(grey), rel=1e-4)
    assert set(report["baselines"]["tint"]) == set(METRICS)
    assert report["shares"]["better_than_grey"] == 1
    assert report["shares"]["ciede2000_of_grey"] == pytest.approx(np.mean(values) / np.mean(grey), rel=1e-4)
    assert report["shares"]["colorfulness_of_reference"] == pytest.approx(0.5, abs=0.01)

    lines = {line.split()[0]: line.split() for line in out.splitlines() if line}
    assert lines["3"] == ["3", "scored"]
    assert lines["mean"][1:] == list(METRICS)
    assert [len(lines[row]) for row in ("predictions", "grey", "tint", "median", "p95")] == [1, 8, 8, 8, 8]
    assert lines["grey"][3] == f"{np.mean(grey):.2f}"
    assert "better than plain grey on 100.0% of the pictures" in out


def test_threads_are_put_back(folders: tuple[Path, Path], run: Run) -> None:
    before = torch.get_num_threads()
    run(folders[0], "--reference", folders[1])
    assert torch.get_num_threads() == before


def test_some_metrics_only(folders: tuple[Path, Path], run: Run, tmp_path: Path) -> None:
    path = tmp_path / "report.json"
    code, out, _ = run(folders[0], "--reference", folders[1], "--metrics", "ssim, psnr", "--json", path)
    assert code == 0
    assert set(json.loads(path.read_text())["pictures"][0]) == {"name", "ssim", "psnr"}
    assert "ciede2000" not in out
    with pytest.raises(SettingError, match="unknown metric 'beauty'; choose from psnr, ssim"):
        run(folders[0], "--reference", folders[1], "--metrics", "beauty")


def test_what_has_no_partner_is_named(folders: tuple[Path, Path], run: Run, tmp_path: Path) -> None:
    predictions, references = folders
    (predictions / "one.png").rename(predictions / "uno.png")
    path = tmp_path / "report.json"
    code, out, err = run(predictions, "--reference", references, "--json", path)
    assert code == 1
    assert "missing: one: no prediction for this reference" in err
    assert "extra: uno: no reference for this prediction" in err
    assert "2 scored, 1 missing, 1 extra" in out
    report = json.loads(path.read_text())
    assert (report["num_pictures"], report["missing"], report["extra"]) == (2, ["one"], ["uno"])


def test_extra_predictions_are_no_failure(folders: tuple[Path, Path], run: Run) -> None:
    (folders[1] / "one.bmp").unlink()
    code, _, err = run(folders[0], "--reference", folders[1])
    assert code == 0
    assert "extra: one" in err


def test_a_bad_picture_is_named_and_stops_nothing(folders: tuple[Path, Path], run: Run, tmp_path: Path) -> None:
    predictions, references = folders
    save(pixels(0, size=(40, 29)), predictions / "one.png")
    (references / "two.bmp").write_bytes(b"no picture at all")
    path = tmp_path / "report.json"
    code, out, err = run(predictions, "--reference", references, "--json", path)
    assert code == 1
    assert "failed: one: prediction is 40 x 29 pixels and reference is 40 x 30; metrics compare" in err
    assert "failed: two: the reference cannot be read: " in err
    assert "1 scored, 2 failed" in out
    report = json.loads(path.read_text())
    assert [failure["name"] for failure in report["failed"]] == ["one", "two"]
    assert [picture["name"] for picture in report["pictures"]] == ["deep/three"]
    assert report["metrics"]["psnr"]["p5"] == report["metrics"]["psnr"]["p95"] == report["metrics"]["psnr"]["mean"]


def test_a_picture_below_the_window_fails_only_with_ssim(run: Run, tmp_path: Path) -> None:
    for folder in ("predictions", "references"):
        save(pixels(0, size=(8, 9)), tmp_path / folder / "tiny.png")
    code, out, err = run(tmp_path / "predictions", "--reference", tmp_path / "references")
    assert code == 1
    assert "failed: tiny: ssim needs pictures of at least 11 x 11 pixels" in err
    assert out.splitlines() == ["0 scored, 1 failed"]
    assert run(tmp_path / "predictions", "--reference", tmp_path / "references", "--metrics", "ciede2000")[0] == 0


def test_archives_score_as_their_folders(folders: tuple[Path, Path], run: Run, tmp_path: Path) -> None:
    reports = []
    archives = [Path(shutil.make_archive(str(folder), "zip", folder)) for folder in folders]
    for predictions, references in (folders, archives):
        code, _, _ = run(predictions, "--reference", references, "--json", tmp_path / "report.json")
        assert code == 0
        reports.append(json.loads((tmp_path / "report.json").read_text()))
    assert reports[0] == reports[1]


def test_a_hostile_member_of_an_archive_is_refused(folders: tuple[Path, Path], run: Run, tmp_path: Path) -> None:
    buffer = io.BytesIO()
    PIL.Image.fromarray(pixels(0)).save(buffer, "PNG")
    archive = tmp_path / "predictions.zip"
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("one.png", buffer.getvalue())
        file.writestr("../outside.png", buffer.getvalue())
    code, out, err = run(archive, "--reference", folders[1])
    assert code == 1
    assert "outside.png: its name leads out of the archive" in err
    assert "1 scored, 1 failed, 2 missing" in out


def test_alpha_and_sixteen_bits_are_read(run: Run, tmp_path: Path) -> None:
    save(pixels(0), tmp_path / "references" / "one.png")
    opaque = np.full((30, 40, 1), 255, dtype=np.uint8)
    save(np.concatenate([pixels(0), opaque], axis=-1), tmp_path / "predictions" / "one.png")
    levels = np.arange(1200).reshape(30, 40) % 256
    save((levels * 257).astype(np.uint16), tmp_path / "predictions" / "two.png")
    save(levels.astype(np.uint8), tmp_path / "references" / "two.png")
    path = tmp_path / "report.json"
    assert run(tmp_path / "predictions", "--reference", tmp_path / "references", "--json", path)[0] == 0
    assert [picture["psnr"] for picture in json.loads(path.read_text())["pictures"]] == pytest.approx([100, 100])


@pytest.mark.parametrize(
    ("predictions", "references", "text"),
    [
        ("absent", "references", "absent does not exist; give pictures, folders or .zip archives"),
        ("empty", "references", "empty holds no pictures"),
        ("references/one.bmp", "references", "one.bmp is one file; evaluate compares two folders or .zip archives"),
        ("damaged.zip", "references", r"damaged\.zip holds no picture that can be read: .*not a .zip archive"),
        ("other", "references", "has the name of one of .*the first are 'four' and 'deep/three'.*must be the same"),
    ],
)
def test_wrong_usage(
    folders: tuple[Path, Path], run: Run, tmp_path: Path, predictions: str, references: str, text: str
) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "damaged.zip").write_bytes(b"PK but not really")
    save(pixels(0), tmp_path / "other" / "four.png")
    with pytest.raises(DataError, match=text):
        run(tmp_path / predictions, "--reference", tmp_path / references)


def test_two_pictures_of_one_name_are_refused(folders: tuple[Path, Path], run: Run) -> None:
    save(pixels(0), folders[1] / "one.png")
    with pytest.raises(AutochromeError, match=r"one\.bmp and .*one\.png"):
        run(folders[0], "--reference", folders[1])


def test_a_report_that_cannot_be_written(folders: tuple[Path, Path], run: Run, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(DataError, match=r"cannot write .*report\.json"):
        run(folders[0], "--reference", folders[1], "--json", tmp_path / "file" / "report.json")
