"""The dataset card: what the Hub's viewer reads, what people read, and which pictures may be shown."""

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from finished_datasets import MEASURES, make_report, make_row, write_dataset, write_rows
from PIL import Image

from autochrome.errors import DataError, UnavailableError
from dataset_builder import card as card_module
from dataset_builder.card import NUM_SAMPLES, write_card
from dataset_builder.filters import FilterConfig
from dataset_builder.licenses import hub_license, may_be_shown, normalize_license
from dataset_builder.plots import plot_histogram

PLOTS = ("colorfulness.png", "lightness.png", "text_words.png")


def head_of(folder: Path) -> dict[str, Any]:
    head = yaml.safe_load((folder / "README.md").read_text(encoding="utf-8").split("---\n")[1])
    assert isinstance(head, dict)
    return head


def text_of(folder: Path) -> str:
    return (folder / "README.md").read_text(encoding="utf-8")


def test_the_head_says_what_the_viewer_needs(tmp_path: Path) -> None:
    write_dataset(tmp_path)
    head = head_of(tmp_path)
    assert head["pretty_name"] == "pieces of photographs"
    assert head["license"] == "cc0-1.0"
    assert head["task_categories"] == ["image-to-image", "text-to-image"]
    assert head["size_categories"] == ["n<1K"]
    assert "colorization" in head["tags"]
    files = [{"split": split, "path": f"data/{split}-*.parquet"} for split in ("train", "validation", "test")]
    assert head["configs"] == [{"config_name": "default", "data_files": files}]
    splits = {entry["name"]: entry["num_examples"] for entry in head["dataset_info"]["splits"]}
    assert splits == {"train": 5, "validation": 2, "test": 1}


@pytest.mark.parametrize(
    ("count", "category"),
    [(999, "n<1K"), (1000, "1K<n<10K"), (27_700, "10K<n<100K"), (9_999_999, "1M<n<10M"), (10**7, "n>10M")],
)
def test_size_categories(tmp_path: Path, count: int, category: str) -> None:
    report = {**make_report({"train": [make_row(0)]}), "pictures": count}
    write_rows(tmp_path / "data/train-00000-of-00001.parquet", [make_row(0)])
    write_card(tmp_path, report)
    assert head_of(tmp_path)["size_categories"] == [category]


def test_the_text_gives_counts_sources_thresholds_and_rejections(tmp_path: Path) -> None:
    write_dataset(tmp_path, None, *MEASURES)
    text = text_of(tmp_path)
    for line in (
        "8 pairs of a color picture",
        "| train | 5 |",
        "| pieces | CC0 | nobody named | 8 |",
        f"| `near_grey` | mean chroma C*, at least: {FilterConfig().min_chroma:g} | 2 |",
        "| `unreadable` | damaged, or no picture | 1 |",
        "names each of these 3 pictures",
        "`size: 512` pixels by `fit: short_side`; color is stored as JPEG of quality 95, grey as PNG.",
        *(f"](card/{name})" for name in PLOTS),
    ):
        assert line in text
    for name in PLOTS:
        with Image.open(tmp_path / "card" / name) as plot:
            assert plot.size == (660, 330)


def test_the_same_dataset_gives_the_same_files(tmp_path: Path) -> None:
    report = write_dataset(tmp_path / "one", None, *MEASURES)
    shutil.copytree(tmp_path / "one/data", tmp_path / "two/data")
    write_card(tmp_path / "two", {**report, "seconds": {"all": 123.4}})
    names = ["README.md", "card/samples.png", *(f"card/{name}" for name in PLOTS)]
    for name in names:
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes(), name


def test_only_pictures_that_may_be_shown_are_shown(tmp_path: Path) -> None:
    """Of 12 pictures 3 may be: CC BY needs somebody to be named."""
    licenses = ["unknown", "CC BY-NC 4.0", "CC BY 4.0", "CC BY-ND 4.0", "CC0", "research only"] * 2
    rows = [make_row(index, license=name, source=name) for index, name in enumerate(licenses)]
    rows[2]["attribution"] = "A. <b>Photographer</b> | Co"
    write_dataset(tmp_path, {"train": rows})
    assert head_of(tmp_path)["license"] == "other"
    text = text_of(tmp_path)
    assert "1. a brown picture of number 2 (CC BY 4.0, CC BY 4.0, A. &lt;b>Photographer&lt;/b> \\| Co)\n" in text
    assert "2. a brown picture of number 4 (CC0, CC0)\n3. a brown picture of number 10 (CC0, CC0)\n\n" in text
    assert "Pictures are shown here only under CC0, public domain, CC BY or CC BY-SA." in text
    with Image.open(tmp_path / "card/samples.png") as samples:
        assert samples.size == (3 * 198 - 6, 2 * 198 - 6)
        upper, lower = (np.asarray(samples.crop((0, top, 192, top + 192))) for top in (0, 198))
        assert (upper != upper[..., :1]).any()
        assert (lower == lower[..., :1]).all()


def test_without_such_a_license_no_picture_is_shown(tmp_path: Path) -> None:
    write_dataset(tmp_path, {"train": [make_row(index, license="unknown") for index in range(3)]})
    assert not (tmp_path / "card/samples.png").exists()
    assert "no source of this dataset states one of these, so there are none." in text_of(tmp_path)
    assert "](card/samples.png)" not in text_of(tmp_path)


def test_samples_are_spread_and_memory_stays_flat(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(card_module, "_MAX_PLACES", 7)  # fewer than there are
    rows = [make_row(index) for index in range(12)]
    write_dataset(tmp_path, {"train": rows[:8], "test": rows[8:]})
    text = text_of(tmp_path)
    shown = [index for index in range(12) if f" a brown picture of number {index} (" in text]
    assert len(shown) == NUM_SAMPLES
    assert shown[0] == 0
    assert shown[-1] >= 9


def test_ageing_and_the_captioner_are_told(tmp_path: Path) -> None:
    report = write_dataset(tmp_path)
    report["config"]["ageing"]["share"] = 0.25
    report["config"]["captions"]["model"] = "some/captioner"
    report["config"]["filters"]["min_chroma"] = None
    report["reasons"]["a_new_reason"] = 4
    write_card(tmp_path, report)
    text = text_of(tmp_path)
    assert "25% of the conditioning images were made to look old, so they differ from L*." in text
    assert "else by the model some/captioner." in text
    assert "| `near_grey` | mean chroma C*, at least: off | 2 |" in text
    assert "| `a_new_reason` |  | 4 |" in text


def test_authors_are_named_and_many_are_cut(tmp_path: Path) -> None:
    rows = [make_row(index, attribution=f"author {index}") for index in range(6)]
    write_dataset(tmp_path, {"train": rows})
    assert "| pieces | CC0 | author 0; author 1; author 2; others in the rows | 6 |" in text_of(tmp_path)


def test_a_histogram_of_whole_numbers_has_no_comb(tmp_path: Path) -> None:
    """The bins of numbers 2 to 4 cut in 8: every other is empty; drawn, there are three bars."""
    from dataset_builder.plots import _whole_numbers

    edges = [2 + index / 4 for index in range(9)]
    assert _whole_numbers(edges, [5, 0, 0, 0, 6, 0, 0, 7]) == ([1.5, 2.5, 3.5, 4.5], [5, 6, 7])
    assert _whole_numbers([0.0, 2.5, 5.0], [6, 3]) == ([-0.5, 2.5, 5.5], [2, 1])


def test_without_a_dataset_or_matplotlib(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(
        DataError, match=r"holds nothing to describe: there is no data/\*.parquet; build a dataset first"
    ):
        write_card(tmp_path, {})
    monkeypatch.setitem(__import__("sys").modules, "matplotlib.figure", None)
    with pytest.raises(UnavailableError, match=r"the card's plots need matplotlib, .*: pip install matplotlib"):
        plot_histogram("lightness", {"counts": [1], "edges": [0, 1], "mean": 0}, tmp_path / "plot.png")


@pytest.mark.parametrize(
    ("text", "name", "is_shown"),
    [
        ("CC0", "cc0-1.0", True),
        ("cc0-1.0", "cc0-1.0", True),
        ("CC0 1.0 Universal", "cc0-1.0", True),
        ("https://creativecommons.org/publicdomain/zero/1.0/", "cc0-1.0", True),
        ("Public domain", "public-domain", True),
        ("No known copyright restrictions", "public-domain", True),
        ("United States Government Work", "public-domain", True),
        ("CC BY 4.0", "cc-by-4.0", True),
        ("cc-by-sa-3.0", "cc-by-sa-3.0", True),
        ("CC BY-SA", "cc-by-sa", True),
        ("Attribution License", "cc-by-2.0", True),
        ("Attribution-ShareAlike License", "cc-by-sa-2.0", True),
        ("http://creativecommons.org/licenses/by/2.0/", "cc-by-2.0", True),
        ("Creative Commons Attribution 4.0", "cc-by-4.0", True),
        ("Attribution-NonCommercial-ShareAlike License", "cc-by-nc-sa-2.0", False),
        ("Attribution-NoDerivs License", "cc-by-nd-2.0", False),
        ("http://creativecommons.org/licenses/by-nc-nd/2.0/", "cc-by-nc-nd-2.0", False),
        ("CC BY-NC 4.0", "cc-by-nc-4.0", False),
        ("MIT", "mit", False),
        ("unknown", "unknown", False),
        ("CC0: Public Domain", "cc0-1.0", True),
        ("Creative Commons Attribution-ShareAlike 4.0 International License", "cc-by-sa-4.0", True),
        ("CC BY 4.0, not for commercial use", "cc-by-4.0,-not-for-commercial-use", False),
        ("attribution required", "attribution-required", False),
        ("by permission only", "by-permission-only", False),
        ("Not in the public domain", "not-in-the-public-domain", False),
        ("", "", False),
    ],
)
def test_licenses(text: str, name: str, is_shown: bool) -> None:
    assert normalize_license(text) == name
    assert may_be_shown(text, "somebody") is is_shown
    assert may_be_shown(text, " ") is (is_shown and name in ("cc0-1.0", "public-domain"))


def test_the_license_of_a_whole_dataset() -> None:
    assert hub_license({"CC BY 4.0", "cc-by-4.0"}) == "cc-by-4.0"
    assert hub_license({"CC BY 4.0", "CC0"}) == "other"
    assert hub_license({"public domain"}) == "other"  # the Hub has no name for it
    assert hub_license({"unknown"}) == "unknown"
