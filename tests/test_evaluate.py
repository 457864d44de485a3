"""`autochrome evaluate`: folders and archives against the truth."""

import io
import json
import shutil
import zipfile
from pathlib import Path

import numpy as np
import PIL.Image
import pytest
import torch
from evaluation_files import Pixels, Run, command, dull, pixels, save

from autochrome import evaluation
from autochrome.cli import evaluate
from autochrome.errors import AutochromeError, DataError, SettingError
from autochrome.evaluation import CONVENTIONS
from autochrome.metrics import METRICS, ciede2000, score
from autochrome.metrics.baselines import grey_baseline


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    return command(evaluate, capsys)


def tensor(picture: Pixels) -> torch.Tensor:
    return torch.from_numpy(picture.copy()).movedim(-1, 0)[None] / 255


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
        *("num_pictures", "metrics", "baselines", "shares", "set", "curve", "conventions", "pictures"),
        *("missing", "extra", "failed"),
    }
    assert set(report["conventions"]) == set(METRICS) | set(report["set"])
    assert report["num_pictures"] == 3
    assert [picture["name"] for picture in report["pictures"]] == ["deep/three", "one", "two"]
    for picture, index in zip(report["pictures"], (2, 0, 1), strict=True):
        expected = score(tensor(dull(pixels(index))), tensor(pixels(index)))
        assert {name: picture[name] for name in METRICS} == pytest.approx(expected, rel=1e-5)
    values = [picture["ciede2000"] for picture in report["pictures"]]
    statistics = report["metrics"]["ciede2000"]
    assert list(statistics) == ["mean", "median", "p5", "p25", "p75", "p95", "interval"]
    assert min(values) <= statistics["interval"][0] < statistics["mean"] < statistics["interval"][1] <= max(values)
    assert statistics["mean"] == pytest.approx(np.mean(values))
    assert statistics["median"] == pytest.approx(np.median(values))
    assert statistics["p5"] == pytest.approx(np.percentile(values, 5))
    grey = [ciede2000(grey_baseline(tensor(pixels(index))), tensor(pixels(index))).item() for index in range(3)]
    assert report["baselines"]["grey"]["ciede2000"]["mean"] == pytest.approx(np.mean(grey), rel=1e-4)
    assert set(report["baselines"]["tint"]) == set(METRICS)
    assert report["shares"]["better_than_grey"] == 1
    assert report["shares"]["ciede2000_of_grey"] == pytest.approx(np.mean(values) / np.mean(grey), rel=1e-4)
    assert report["shares"]["colorfulness_of_reference"] == pytest.approx(0.5, abs=0.01)

    changes = [picture["delta_colorfulness"] for picture in report["pictures"]]
    assert report["set"]["delta_colorfulness_of_means"] == pytest.approx(-np.mean(changes))
    assert report["set"]["delta_colorfulness_mean_absolute"] == pytest.approx(-np.mean(changes))

    head, table, *_ = out.split("\n\n")
    assert head == "3 scored"
    lines = {line.split()[0]: line.split() for line in table.splitlines()}
    assert lines["mean"] == ["mean", "95%", "interval", "grey", "tint", "median", "p5", "p25", "p75", "p95"]
    assert list(lines) == ["mean", *METRICS]
    assert lines["ciede2000"][1] == f"{np.mean(values):.2f}"
    assert lines["ciede2000"][5] == f"{np.mean(grey):.2f}"
    assert "better than plain grey on 100.0% of the pictures" in out


def test_the_curve_of_dull_pictures(folders: tuple[Path, Path], run: Run, tmp_path: Path) -> None:
    """They have half of the truth's color, and all of it, almost exactly, when they are scaled up."""
    _, out, _ = run(folders[0], "--reference", folders[1], "--json", tmp_path / "report.json")
    report = json.loads((tmp_path / "report.json").read_text())
    curve = report["curve"]
    assert len(curve["saturation"]) == len(curve["ciede2000_share"]) == len(curve["colorfulness_share"])
    given = curve["saturation"].index(1.0)
    assert curve["ciede2000_share"][given] == pytest.approx(report["shares"]["ciede2000_of_grey"], rel=1e-3)
    assert curve["colorfulness_share"][given] == pytest.approx(report["shares"]["colorfulness_of_reference"], rel=1e-3)
    assert curve["colorfulness_share"][0] == pytest.approx(0, abs=0.01)
    assert curve["ciede2000_share"][0] == pytest.approx(1, abs=0.05)
    assert curve["at_one"] < 0.7 * curve["at_half"]
    assert curve["at_half"] == pytest.approx(curve["ciede2000_share"][given], rel=0.05)
    low, high = curve["intervals"]["at_half"]
    assert low <= curve["at_half"] <= high
    assert f"CIEDE2000 at half of the truth's colorfulness: {curve['at_half']:.3f} of plain grey's (" in out
    run(folders[0], "--reference", folders[1], "--json", tmp_path / "report.json", "--no-curve")
    assert "curve" not in json.loads((tmp_path / "report.json").read_text())


def test_the_number_of_processes_changes_nothing(folders: tuple[Path, Path], run: Run, tmp_path: Path) -> None:
    (folders[1] / "two.bmp").write_bytes(b"no picture at all")
    texts = []
    for jobs in (1, 2):
        arguments = ("--reference", folders[1], "--jobs", jobs, "--frechet", "--json", tmp_path / f"{jobs}.json")
        _, out, _ = run(folders[0], *arguments)
        texts.append((tmp_path / f"{jobs}.json").read_bytes())
    assert texts[0] == texts[1]
    report = json.loads(texts[0])
    assert 0 < report["set"]["frechet_mobilenet_v2"] < report["set_baselines"]["grey"]["frechet_mobilenet_v2"]
    assert "not an FID" in report["conventions"]["frechet_mobilenet_v2"]
    assert f"frechet_mobilenet_v2 of the set: {report['set']['frechet_mobilenet_v2']:.2f} (grey " in out
    with pytest.raises(SettingError, match="jobs must be at least 1, got 0; leave it out to use every core"):
        run(folders[0], "--reference", folders[1], "--jobs", 0)


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
    with pytest.raises(
        SettingError, match=r"unknown metric 'beauty'; choose from psnr, ssim, .*lpips, frechet_.*, fid"
    ):
        run(folders[0], "--reference", folders[1], "--metrics", "beauty")
    with pytest.raises(SettingError, match="no metric given; choose from psnr, ssim"):
        evaluation.evaluate(*folders, metrics=[])


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
    assert report["metrics"]["psnr"]["interval"] is None
    assert "no intervals: one picture says nothing about others" in out


def test_a_picture_below_the_window_fails_only_with_ssim(run: Run, tmp_path: Path) -> None:
    for folder in ("predictions", "references"):
        save(pixels(0, size=(8, 9)), tmp_path / folder / "tiny.png")
    code, out, err = run(tmp_path / "predictions", "--reference", tmp_path / "references")
    assert code == 1
    assert "failed: tiny: ssim needs pictures of at least 11 x 11 pixels" in err
    assert out.splitlines() == ["0 scored, 1 failed"]
    arguments = ("--reference", tmp_path / "references", "--json", tmp_path / "one.json")
    code, out, _ = run(tmp_path / "predictions", *arguments, "--metrics", "ciede2000,frechet_mobilenet_v2")
    assert code == 0
    assert json.loads((tmp_path / "one.json").read_text())["set"] == {"frechet_mobilenet_v2": None}
    assert "frechet_mobilenet_v2 of the set: needs two pictures" in out


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
        ("references/one.bmp", "references", "one.bmp is one file; give a folder or a .zip archive of pictures"),
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


def test_grey_references(folders: tuple[Path, Path], run: Run, tmp_path: Path) -> None:
    """Nothing can be said as a share of no color; the measures themselves stand."""
    for name in ("one", "two", "deep/three"):
        path = folders[1] / f"{name}.bmp"
        save(np.asarray(PIL.Image.open(path).convert("L")), path)
    code, out, _ = run(folders[0], "--reference", folders[1], "--json", tmp_path / "report.json")
    assert code == 0
    report = json.loads((tmp_path / "report.json").read_text())
    assert report["shares"] == {
        "ciede2000_of_grey": None,
        "better_than_grey": 0,
        "colorfulness_of_reference": None,
    }
    assert "curve" not in report
    assert report["metrics"]["ciede2000"]["mean"] > 1
    assert "the references have no color" in out


def test_pictures_of_one_color(run: Run, tmp_path: Path) -> None:
    flat = np.full((30, 40, 3), (200, 60, 20), dtype=np.uint8)
    save(flat, tmp_path / "references" / "same.png")
    save(flat, tmp_path / "predictions" / "same.png")
    save(flat, tmp_path / "references" / "other.png")
    save(flat[..., ::-1], tmp_path / "predictions" / "other.png")
    path = tmp_path / "report.json"
    assert run(tmp_path / "predictions", "--reference", tmp_path / "references", "--json", path)[0] == 0
    other, same = json.loads(path.read_text())["pictures"]
    assert (same["psnr"], same["ssim"], same["ciede2000"]) == pytest.approx((100, 1, 0), abs=1e-4)
    assert other["ciede2000"] > 30
    assert other["ssim"] < 1


def test_groups_by_the_metadata_inside(folders: tuple[Path, Path], run: Run, tmp_path: Path) -> None:
    rows = [("one.bmp", "studio"), ("two.bmp", "studio"), ("deep/three.bmp", "street")]
    text = "".join(json.dumps({"file_name": name, "source": source}) + "\n" for name, source in rows)
    (folders[1] / "metadata.jsonl").write_text(text)
    path = tmp_path / "report.json"
    code, out, _ = run(folders[0], "--reference", folders[1], "--by", "source", "--json", path)
    assert code == 0
    report = json.loads(path.read_text())
    assert {value: group["num_pictures"] for value, group in report["groups"]["source"].items()} == {
        "street": 1,
        "studio": 2,
    }
    three, one, two = report["pictures"]
    assert (one["groups"], three["groups"]) == ({"source": "studio"}, {"source": "street"})
    studio, street = (report["groups"]["source"][value] for value in ("studio", "street"))
    assert studio["metrics"]["psnr"]["mean"] == pytest.approx((one["psnr"] + two["psnr"]) / 2)
    assert street["metrics"]["psnr"]["interval"] is None
    assert 0 < studio["shares"]["ciede2000_of_grey"] < 1
    assert any(line.split()[:2] == ["studio", "2"] for line in out.splitlines())
    archive = Path(shutil.make_archive(str(folders[1]), "zip", folders[1]))
    run(folders[0], "--reference", archive, "--by", "source", "--json", tmp_path / "zipped.json")
    assert json.loads((tmp_path / "zipped.json").read_text()) == report


def test_every_metric_has_a_convention() -> None:
    assert set(METRICS) <= set(CONVENTIONS)
    assert CONVENTIONS["psnr"].better == "higher"
    assert CONVENTIONS["ciede2000"].better == "lower"


def test_of_many_problems_the_first_are_named(folders: tuple[Path, Path], run: Run) -> None:
    for index in range(60):
        save(pixels(0), folders[1] / f"more-{index:02}.png")
    _, out, err = run(folders[0], "--reference", folders[1], "--metrics", "psnr", "--no-curve")
    assert "3 scored, 60 missing" in out
    assert "missing: more-49:" in err
    assert "missing: more-50:" not in err
    assert "and 10 more; --json lists all" in err


def test_a_page_can_be_written(folders: tuple[Path, Path], run: Run, tmp_path: Path) -> None:
    _, out, _ = run(folders[0], "--reference", folders[1], "--report", tmp_path / "page")
    assert f"the report is {tmp_path / 'page' / 'index.html'}" in out
    assert "deep/three" in (tmp_path / "page" / "index.html").read_text(encoding="utf-8")
