"""The parts of evaluation: statistics, the curve, metadata, and the pool of processes."""

import json
import os
import zipfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import skimage.data
import torch
from evaluation_files import pixels, save

from autochrome.errors import AutochromeError, DataError, SettingError
from autochrome.evaluation import Pair, evaluate
from autochrome.evaluation.curve import SATURATIONS, CurvePoint, read_curve, summarize_curve
from autochrome.evaluation.matching import name_without_suffix, pictures_by_name
from autochrome.evaluation.metadata import read_groups
from autochrome.evaluation.pool import num_processes, score_pairs
from autochrome.evaluation.scoring import PictureScore, sample
from autochrome.evaluation.statistics import bootstrap_intervals, describe
from autochrome.evaluation.summary import summarize
from autochrome.metrics import ciede2000, colorfulness
from autochrome.metrics.baselines import grey_baseline


def test_the_interval_of_a_known_distribution() -> None:
    """That of a mean of 400 normal values is 1.96 standard errors either way."""
    values = np.random.default_rng(1).normal(10, 3, size=(400, 1))
    [ends] = bootstrap_intervals(values)
    error = 1.96 * values.std(ddof=1) / 20
    assert ends == pytest.approx((values.mean() - error, values.mean() + error), abs=0.05)


def test_intervals_of_few_pictures() -> None:
    assert bootstrap_intervals(np.ones((1, 3))) == [None, None, None]
    assert bootstrap_intervals(np.ones((0, 1))) == [None]
    assert bootstrap_intervals(np.full((2, 1), 0.3))[0] == pytest.approx([0.3, 0.3])
    assert bootstrap_intervals(np.arange(20.0).reshape(10, 2)) == bootstrap_intervals(np.arange(20.0).reshape(10, 2))


def test_the_description_of_a_column() -> None:
    row = describe({"psnr": [1.0, 2.0, 9.0], "none": []})
    assert list(row) == ["psnr"]
    interval = row["psnr"].pop("interval")
    assert row["psnr"] == pytest.approx({"mean": 4, "median": 2, "p5": 1.1, "p25": 1.5, "p75": 5.5, "p95": 8.3})
    assert interval[0] < 4 < interval[1]
    assert describe({}) == {}


def test_the_summary_of_hand_made_scores() -> None:
    def score(name: str, ours: float, grey: float, vivid: float, delta: float) -> PictureScore:
        prediction = {"ciede2000": ours, "colorfulness": vivid, "delta_colorfulness": delta}
        plain = {"ciede2000": grey, "colorfulness": 0.0, "delta_colorfulness": delta - vivid}
        return PictureScore(name, {"prediction": prediction, "grey": plain, "tint": plain}, None)

    report = summarize([score("a", 1, 10, 20, -20), score("b", 2, 10, 30, -10), score("c", 9, 4, 10, 15)])
    assert report["num_pictures"] == 3
    assert report["baselines"]["grey"]["ciede2000"]["mean"] == 8
    assert report["shares"] == pytest.approx(
        {"ciede2000_of_grey": 0.5, "better_than_grey": 2 / 3, "colorfulness_of_reference": 60 / 75}
    )
    assert report["set"] == pytest.approx({"delta_colorfulness_of_means": 5, "delta_colorfulness_mean_absolute": 15})
    assert report["pictures"][1] == {"name": "b", "ciede2000": 2, "colorfulness": 30, "delta_colorfulness": -10}


def test_the_summary_of_nothing() -> None:
    empty = {"num_pictures": 0, "metrics": {}, "baselines": {"grey": {}, "tint": {}}, "shares": {}, "set": {}}
    assert summarize([]) == empty | {"pictures": []}


def curve_point(difference: float, vividness: float) -> CurvePoint:
    """A straight line each: CIEDE2000 falls from 10 by `difference`, colorfulness rises by `vividness`, a unit of x."""
    return CurvePoint(
        tuple(10 - difference * x for x in SATURATIONS), tuple(vividness * x for x in SATURATIONS), 10, 40
    )


def test_the_curve_is_read_between_its_points() -> None:
    curve = summarize_curve([curve_point(1, 10), curve_point(2, 20)])
    assert curve is not None
    # Mean: 10 - 1.5 x, 15 x. Half of the truth's 40 is at x = 4 / 3, all of it at x = 8 / 3.
    assert curve["at_half"] == pytest.approx(0.8)
    assert curve["at_one"] == pytest.approx(0.6)
    assert curve["colorfulness_share"] == pytest.approx([15 * x / 40 for x in SATURATIONS])
    low, high = curve["intervals"]["at_half"]
    assert low <= 0.8 <= high
    dull = summarize_curve([curve_point(1, 6), curve_point(1, 6)])
    assert dull is not None
    assert dull["at_half"] == pytest.approx(1 - 1 / 3)
    assert (dull["at_one"], dull["intervals"]["at_one"]) == (None, None)
    alone = summarize_curve([curve_point(1, 10)])
    assert alone is not None
    assert alone["intervals"] == {"at_half": None, "at_one": None}
    assert summarize_curve([]) is None
    assert summarize_curve([curve_point(1, 10)._replace(true_colorfulness=0)]) is None
    assert read_curve(np.array([*curve_point(1, 10)[0], *curve_point(1, 10)[1], 0, 40]), 0.5) is None


def test_a_part_of_the_pixels_is_enough() -> None:
    """For means over pixels, to within about a hundredth."""
    large = torch.from_numpy(skimage.data.astronaut()).movedim(-1, 0)[None] / 255
    part = sample(large)
    assert part.shape == (1, 3, 256, 256)
    assert ciede2000(grey_baseline(part), part).item() == pytest.approx(
        ciede2000(grey_baseline(large), large).item(), rel=0.01
    )
    assert colorfulness(part).item() == pytest.approx(colorfulness(large).item(), rel=0.01)
    assert torch.equal(sample(part), part)


@pytest.mark.parametrize(
    ("path", "name"),
    [("a/b.c.png", "a/b.c"), ("b", "b"), ("a.b/c", "a.b/c"), (".b", ".b"), ("a/u\u0308.png", "a/\u00fc")],
)
def test_names_without_suffix(path: str, name: str) -> None:
    assert name_without_suffix(path) == name


def test_names_from_a_mac_match(tmp_path: Path) -> None:
    save(pixels(0), tmp_path / "a" / "u\u0308.png")
    save(pixels(0), tmp_path / "b" / "\u00fc.png")
    assert pictures_by_name(tmp_path / "a")[0].keys() == pictures_by_name(tmp_path / "b")[0].keys() == {"\u00fc"}


def lines(*rows: object) -> str:
    return "\n".join(json.dumps(row) for row in rows)


def test_metadata_of_folders_inside(tmp_path: Path) -> None:
    for folder, value in (("a", 1), ("b/c", True)):
        (tmp_path / folder).mkdir(parents=True)
        (tmp_path / folder / "metadata.jsonl").write_text(lines({"file_name": "./x.jpg", "kind": value}) + "\n\n")
    expected = {"a/x": {"kind": "1"}, "b/c/x": {"kind": "true"}}
    assert read_groups(["a/x", "b/c/x"], ["kind"], tmp_path, None) == expected
    assert read_groups(["a/x"], [], tmp_path, None) == {"a/x": {}}


@pytest.mark.parametrize(
    ("content", "column", "text"),
    [
        (lines({"file_name": "x.png", "source": "s"}), "kind", "m.jsonl has no column 'kind'; it has source"),
        (lines({"file_name": "x.png"}), "kind", "it has none"),
        (
            lines({"file_name": "y.png", "kind": "s"}),
            "kind",
            r"has no row for 1 of 1 pictures, the first is 'x'; file_name must be the path inside",
        ),
        (lines({"file_name": "x.png", "kind": None}), "kind", r"has no 'kind' for 'x'; give every picture one"),
        (lines({"file_name": "x.png", "kind": ["s"]}), "kind", "'kind' of 'x' in .*m.jsonl is a list; groups need"),
        ("{", "kind", "line 1 of .*m.jsonl is no JSON object"),
        (lines({"file": "x.png"}), "kind", "line 1 of .*m.jsonl has no 'file_name', the path of its picture"),
        (lines(["x.png"]), "kind", "line 1 of .*m.jsonl has no 'file_name'"),
        (None, "kind", "m.jsonl cannot be read: No such file"),
        (b"\xff", "kind", "m.jsonl is not UTF-8 text"),
    ],
)
def test_bad_metadata(tmp_path: Path, content: str | bytes | None, column: str, text: str) -> None:
    path = tmp_path / "m.jsonl"
    if content is not None:
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(DataError, match=text):
        read_groups(["x"], [column], tmp_path, path)


def test_no_metadata(tmp_path: Path) -> None:
    save(pixels(0), tmp_path / "a" / "x.png")
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.write(tmp_path / "a" / "x.png", "x.png")
    for source in (tmp_path / "a", tmp_path / "a.zip"):
        with pytest.raises(DataError, match=r"there is no metadata.jsonl in .*; name the file with --metadata"):
            read_groups(["x"], ["kind"], source, None)
    with pytest.raises(SettingError, match=r"m\.jsonl is of no use without a column to group by; name one with --by"):
        evaluate(tmp_path / "a", tmp_path / "a", metadata=tmp_path / "m.jsonl")


@dataclass(frozen=True)
class Length:
    """Stands for a metric: the length of a name. One name ends the process, as the system does when memory is out."""

    def __call__(self, pair: Pair) -> int:
        if pair.name == "kill":
            os._exit(1)
        if pair.name == "bug":
            raise ZeroDivisionError("by a test")
        return len(pair.name)


def pairs(*names: str, tmp_path: Path) -> list[Pair]:
    save(pixels(0), tmp_path / "x.png")
    [item] = pictures_by_name(tmp_path)[0].values()
    return [Pair(name, item, item) for name in names]


def test_the_pool_keeps_the_order_and_survives_bugs(tmp_path: Path) -> None:
    names = ["x" * length for length in range(1, 30)]
    expected: list[tuple[str, int | str]] = [(name, len(name)) for name in names]
    expected.insert(3, ("bug", "unexpected ZeroDivisionError: by a test"))
    names.insert(3, "bug")
    assert list(score_pairs(pairs(*names, tmp_path=tmp_path), Length(), 1)) == expected

    found: list[tuple[str, int | str]] = []
    results = score_pairs(pairs(*names, "kill", tmp_path=tmp_path), Length(), 2)
    with pytest.raises(AutochromeError, match=r"one of 2 scoring processes was ended from outside.*fewer --jobs"):
        found.extend(results)
    assert len(found) > len(expected) - 8
    assert found == expected[: len(found)]


def test_how_many_processes() -> None:
    assert num_processes(None, 3) == 1
    assert 1 <= num_processes(None, 10_000) <= (os.cpu_count() or 1)
    assert (num_processes(2, 3), num_processes(8, 3), num_processes(8, 0)) == (2, 3, 1)
