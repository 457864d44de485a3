"""`autochrome compare`: two or more systems on the same pictures."""

import json
import shutil
import sys
from pathlib import Path

import numpy as np
import PIL.Image
import pytest
from evaluation_files import Run, command, dull, pixels, save

from autochrome.cli import compare
from autochrome.errors import DataError, SettingError, UnavailableError

FEW = ("--metrics", "psnr,ciede2000,colorfulness")
NAMES = ("one", "two", "three", "four", "deep/five", "deep/six")


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    return command(compare, capsys)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """References; `half` and `most` with that share of their color, `mixed` better on some and worse on others."""
    for index, name in enumerate(NAMES):
        truth = pixels(index)
        save(truth, tmp_path / "truth" / f"{name}.bmp")
        save(dull(truth, 0.5), tmp_path / "half" / f"{name}.png")
        save(dull(truth, 0.8), tmp_path / "most" / f"{name}.png")
        save(dull(truth, 0.5 + (-1) ** index * 0.2), tmp_path / "mixed" / f"{name}.png")
    return tmp_path


def test_a_better_system_is_called_better(root: Path, run: Run) -> None:
    path = root / "new" / "comparison.json"
    code, out, err = run(root / "half", root / "most", "--reference", root / "truth", "--json", path)
    assert code == 0
    assert "autochrome:" not in err
    found = json.loads(path.read_text())
    assert found["num_pictures"] == 6
    assert list(found["systems"]) == ["half", "most"]
    assert [picture["name"] for picture in found["pictures"]] == sorted(NAMES)
    [pair] = found["differences"]
    assert (pair["first"], pair["second"]) == ("half", "most")
    by_hand = [picture["most"]["ciede2000"] - picture["half"]["ciede2000"] for picture in found["pictures"]]
    difference = pair["metrics"]["ciede2000"]
    assert difference["difference"] == pytest.approx(np.mean(by_hand))
    assert min(by_hand) <= difference["interval"][0] < np.mean(by_hand) < difference["interval"][1] <= max(by_hand) < 0
    assert (difference["verdict"], difference["second_won"], difference["tied"]) == ("second", 1, 0)
    assert difference["second_won_interval"] == [1, 1]
    assert pair["metrics"]["psnr"]["difference"] > 0
    assert pair["metrics"]["psnr"]["verdict"] == "second"
    assert pair["metrics"]["colorfulness"]["verdict"] == "differs"
    assert "second_won" not in pair["metrics"]["colorfulness"]
    changes = [abs(picture["most"]["delta_colorfulness"]) for picture in found["pictures"]]
    changes = [
        more - abs(one["half"]["delta_colorfulness"]) for more, one in zip(changes, found["pictures"], strict=True)
    ]
    assert pair["metrics"]["delta_colorfulness"]["difference"] == pytest.approx(np.mean(changes))
    # At equal colorfulness the two are nearly the same system, and its curve is nearly zero at all of the color.
    assert abs(pair["curve"]["at_half"]["difference"]) < 0.02
    lines = {line.split()[0]: line for line in out.splitlines() if line}
    assert lines["ciede2000"].endswith("100.0%  most is better")
    assert lines["colorfulness"].endswith("most is higher")
    assert "\nabsolute delta_colorfulness " in out
    assert "6 scored" in out


def test_the_order_turns_signs_only(root: Path, run: Run) -> None:
    tables = []
    for systems in (("half", "mixed"), ("mixed", "half")):
        run(*(root / name for name in systems), "--reference", root / "truth", "--json", root / "a.json", *FEW)
        [pair] = json.loads((root / "a.json").read_text())["differences"]
        tables.append(pair["metrics"]["ciede2000"])
    first, second = tables
    assert first["difference"] == -second["difference"]
    assert first["interval"] == pytest.approx([-end for end in reversed(second["interval"])])
    assert first["second_won"] == 1 - second["second_won"] == 0.5


def test_within_noise_is_said(root: Path, run: Run) -> None:
    arguments = ("--reference", root / "truth", "--json", root / "a.json", "--no-curve", *FEW)
    _, out, _ = run(root / "half", root / "mixed", *arguments)
    [pair] = json.loads((root / "a.json").read_text())["differences"]
    low, high = pair["metrics"]["ciede2000"]["interval"]
    assert low < 0 < high
    assert pair["metrics"]["ciede2000"]["verdict"] == "noise"
    [line] = [line for line in out.splitlines() if line.startswith("ciede2000  ") and "noise" in line]
    assert line.endswith("50.0%  within noise")
    assert "Within noise: the 95% interval of the mean difference includes 0" in out


def test_equal_systems(root: Path, run: Run) -> None:
    shutil.copytree(root / "half", root / "copy")
    _, out, _ = run(root / "half", root / "copy", "--reference", root / "truth", "--json", root / "a.json", *FEW)
    [pair] = json.loads((root / "a.json").read_text())["differences"]
    assert pair["metrics"]["psnr"]["tied"] == 1
    assert pair["metrics"]["psnr"]["second_won"] == 0.5
    assert pair["curve"]["at_half"] == {"difference": 0, "interval": [0, 0], "verdict": "noise"}
    assert out.count("equal on every picture") == 2


def test_three_systems_on_the_same_pictures_only(root: Path, run: Run) -> None:
    (root / "most" / "one.png").unlink()
    save(pixels(1, size=(40, 29)), root / "half" / "two.png")
    (root / "mixed" / "three.png").rename(root / "mixed" / "drei.png")
    systems = [root / name for name in ("half", "most", "mixed")]
    plot = root / "plots" / "all.png"
    code, out, err = run(*systems, "--reference", root / "truth", "--json", root / "a.json", "--plot", plot, *FEW)
    assert code == 1
    found = json.loads((root / "a.json").read_text())
    assert [picture["name"] for picture in found["pictures"]] == ["deep/five", "deep/six", "four"]
    assert found["missing"] == {"half": [], "most": ["one"], "mixed": ["three"]}
    assert found["extra"] == {"half": [], "most": [], "mixed": ["drei"]}
    assert [(failure["system"], failure["name"]) for failure in found["failed"]] == [("half", "two")]
    assert "missing: most: one: no prediction for this reference" in err
    assert "failed: half: two: prediction is 40 x 29 pixels and reference is 40 x 30" in err
    assert "3 scored, 1 failed, 2 missing, 1 extra" in out
    pairs = [(pair["first"], pair["second"]) for pair in found["differences"]]
    assert pairs == [("half", "most"), ("half", "mixed"), ("most", "mixed")]
    alone = [picture["half"]["psnr"] for picture in found["pictures"]]
    assert found["systems"]["half"]["metrics"]["psnr"]["mean"] == pytest.approx(np.mean(alone))
    assert all("ciede2000_of_grey" in system["shares"] for system in found["systems"].values())
    with PIL.Image.open(plot) as picture:
        assert picture.format == "PNG"
        assert len(np.unique(np.asarray(picture.convert("RGB")).reshape(-1, 3), axis=0)) > 50


def test_one_picture_says_nothing_about_others(root: Path, run: Run) -> None:
    for name in NAMES[1:]:
        (root / "truth" / f"{name}.bmp").unlink()
    plot = root / "one.png"
    arguments = ("--reference", root / "truth", "--json", root / "a.json", "--plot", plot, "--no-curve")
    code, out, _ = run(root / "half", root / "most", *arguments)
    assert code == 0
    [pair] = json.loads((root / "a.json").read_text())["differences"]
    assert pair["curve"] == {}
    assert pair["metrics"]["psnr"]["interval"] is pair["metrics"]["psnr"]["verdict"] is None
    assert "No intervals: one picture says nothing about others." in out
    assert "better" not in out
    assert plot.stat().st_size > 1000


def test_nothing_could_be_scored(root: Path, run: Run) -> None:
    for name in NAMES:
        (root / "truth" / f"{name}.bmp").write_bytes(b"no picture at all")
    code, out, _ = run(root / "half", root / "most", "--reference", root / "truth", "--json", root / "a.json")
    assert code == 1
    assert out.splitlines() == ["0 scored, 12 failed"]
    assert json.loads((root / "a.json").read_text())["num_pictures"] == 0


def test_names_of_systems(root: Path, run: Run) -> None:
    archive = shutil.make_archive(str(root / "zipped"), "zip", root / "most")
    shutil.copytree(root / "half", root / "again" / "half")
    run(
        root / "half",
        archive,
        "--reference",
        root / "truth",
        "--json",
        root / "a.json",
        "--metrics",
        "psnr",
        "--no-curve",
    )
    assert list(json.loads((root / "a.json").read_text())["systems"]) == ["half", "zipped"]
    both = root / "half", root / "again" / "half"
    run(*both, "--reference", root / "truth", "--json", root / "a.json", "--metrics", "psnr", "--no-curve")
    assert list(json.loads((root / "a.json").read_text())["systems"]) == [str(path) for path in both]


def test_wrong_usage(root: Path, run: Run) -> None:
    reference = ("--reference", root / "truth")
    with pytest.raises(SettingError, match="one system cannot be compared; give two or more, or use evaluate"):
        run(root / "half", *reference)
    with pytest.raises(SettingError, match=r"half and .*half are the same; give different systems"):
        run(root / "half", root / "half", *reference)
    with pytest.raises(SettingError, match=r"the plot is a PNG, and '.*plot.jpg' has another suffix; give a name"):
        run(root / "half", root / "most", *reference, "--plot", root / "plot.jpg")
    with pytest.raises(
        SettingError, match="frechet_mobilenet_v2 is of whole sets, which have no pairs to compare; use"
    ):
        run(root / "half", root / "most", *reference, "--metrics", "psnr,frechet_mobilenet_v2")
    for name in NAMES[1:]:
        (root / "half" / f"{name}.png").unlink()
    (root / "most" / "one.png").unlink()
    with pytest.raises(DataError, match=r"not one picture is in all of .*half, .*most and .*truth"):
        run(root / "half", root / "most", *reference)


def test_a_plot_without_matplotlib(root: Path, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """Said before hours of scoring, not after."""
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(UnavailableError, match=r"a plot needs matplotlib.*pip install matplotlib"):
        run(root / "half", root / "absent", "--reference", root / "truth", "--plot", root / "plot.png")
