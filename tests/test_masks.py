"""Things marked by hand: the committed file is sound, and what is drawn covers what the outline says."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from autochrome.errors import DataError
from training.benchmarks import masks
from training.benchmarks.masks import MarkedPicture, draw_mask, read_masks

PATH = Path(masks.__file__).with_name("masks.json")
COLORS = {"red", "orange", "yellow", "green", "blue", "purple", "pink", "brown"}
SQUARE = [[0.25, 0.25], [0.75, 0.25], [0.75, 0.75], [0.25, 0.75]]
ENTRY = {"file_name": "a.jpg", "caption": "A red box .", "thing": "box", "color": "red", "polygons": [SQUARE]}


def write(folder: Path, *entries: dict[str, Any]) -> Path:
    path = folder / "masks.json"
    path.write_text(json.dumps({"origin": "a test", "pictures": entries}), encoding="utf-8")
    return path


def marked(*polygons: Sequence[Sequence[float]]) -> MarkedPicture:
    return MarkedPicture("a.jpg", "A red box .", "box", "red", tuple(tuple((x, y) for x, y in p) for p in polygons))


def test_the_committed_file_is_sound() -> None:
    pictures = read_masks(PATH)
    assert len(pictures) == 30
    assert len({picture.file_name for picture in pictures}) == 30
    for picture in pictures:
        words = picture.caption.lower().replace(".", " ").split()
        assert [word for word in words if word in COLORS] == [picture.color], picture.caption
        assert picture.thing in picture.caption
        assert all(6 <= len(polygon) <= 30 for polygon in picture.polygons), picture.file_name
        assert 0.005 <= draw_mask(picture, 144, 144).mean() <= 0.4, picture.file_name


def test_a_picture_is_one_line_of_the_committed_file() -> None:
    lines = PATH.read_text(encoding="utf-8").splitlines()
    assert len(lines) == 32
    assert all(json.loads(line.rstrip(","))["file_name"] for line in lines[1:-1])


def test_an_entry_is_read_as_it_stands(tmp_path: Path) -> None:
    assert read_masks(write(tmp_path, ENTRY)) == [marked(SQUARE)]


@pytest.mark.parametrize(("width", "height"), [(100, 40), (8, 8), (400, 600)])
def test_a_square_has_its_area_and_place(width: int, height: int) -> None:
    mask = draw_mask(marked(SQUARE), width, height)
    assert mask.dtype == np.bool_
    expected = np.zeros((height, width), dtype=bool)
    expected[height // 4 : 3 * height // 4, width // 4 : 3 * width // 4] = True
    np.testing.assert_array_equal(mask, expected)


def test_a_triangle_has_half_the_area_on_its_own_side() -> None:
    mask = draw_mask(marked([[0, 0], [1, 0], [0, 1]]), 200, 100)
    assert mask.mean() == pytest.approx(0.5, abs=0.01)
    assert mask[10, 20]
    assert not mask[90, 180]


def test_parts_that_overlap_count_once() -> None:
    left, right = [[0.0, 0.0], [0.6, 0.0], [0.6, 1.0], [0.0, 1.0]], [[0.4, 0.0], [1.0, 0.0], [1.0, 0.5], [0.4, 0.5]]
    assert draw_mask(marked(left, right), 100, 100).mean() == pytest.approx(0.8, abs=0.01)


def test_an_outline_finer_than_a_pixel_counts_where_it_covers_half() -> None:
    covering = draw_mask(marked([[0.0, 0.0], [0.19, 0.0], [0.19, 1.0], [0.0, 1.0]]), 4, 4)
    assert covering[:, 0].all()
    assert covering.sum() == 4
    missing = draw_mask(marked([[0.0, 0.0], [0.06, 0.0], [0.06, 1.0], [0.0, 1.0]]), 4, 4)
    assert not missing.any()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"polygons": [SQUARE[:2]]}, r"picture 2: .*a polygon of 2 corners.*three or more corners"),
        ({"polygons": [[*SQUARE, [0.5, 1.2]]]}, r"picture 2: .*a corner at \(0\.5, 1\.2\).*each 0\.\.1"),
        ({"polygons": [[*SQUARE, [float("nan"), 0.5]]]}, r"picture 2: .*a corner at \(nan, 0\.5\)"),
        ({"polygons": [[0.1, 0.2, 0.3]]}, r"picture 2: .*a polygon being three or more corners \[x, y\]"),
        ({"polygons": None}, r"picture 2: .*each has file_name, caption, thing, color and polygons"),
    ],
)
def test_a_wrong_entry_is_named(tmp_path: Path, change: dict[str, Any], message: str) -> None:
    with pytest.raises(DataError, match=message):
        read_masks(write(tmp_path, ENTRY, {**ENTRY, **change}))


def test_an_entry_without_its_caption_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"picture 1: KeyError\('caption'\)"):
        read_masks(write(tmp_path, {name: value for name, value in ENTRY.items() if name != "caption"}))


@pytest.mark.parametrize("text", ["no JSON", "[]", "{}", '{"pictures": 5}'])
def test_another_file_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "masks.json"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(DataError, match=r"masks\.json must be JSON with a list `pictures`"):
        read_masks(path)
    with pytest.raises(DataError, match="No such file"):
        read_masks(tmp_path / "absent.json")
