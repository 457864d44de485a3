"""The engine of the dataset builder: what comes out, that it is always the same, and that nothing finished is lost."""

import io
import json
import resource
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from dataset_files import encoded, fingerprint, folder_source, make_config, photo, photo_zip, write_zip
from PIL import Image
from test_dataset_captions import captioner_dir  # noqa: F401 - a fixture

from autochrome.errors import DataError, SettingError, UnavailableError
from dataset_builder.__main__ import main
from dataset_builder.build import build, has_read_failures
from dataset_builder.captions import CaptionConfig
from dataset_builder.captions.captioner import Captioner
from dataset_builder.chunks import picture_seed
from dataset_builder.items import SPLITS, Item

COLUMNS = ["image", "conditioning_image", "text", "text_color", "source", "license", "attribution"]
COLUMNS += ["width", "height", "sha256"]


def rows_of(built: Path, split: str = "*") -> list[dict[str, Any]]:
    return [row for path in sorted(built.glob(f"data/{split}-*.parquet")) for row in pq.read_table(path).to_pylist()]


def rejected(built: Path) -> dict[str, str]:
    lines = (built / "rejected.jsonl").read_text(encoding="utf-8").splitlines()
    return {entry["key"]: entry["reason"] for entry in map(json.loads, lines)}


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return photo_zip(tmp_path_factory.mktemp("photos") / "photos.zip", 24)


def test_a_build_from_several_sources(tmp_path: Path) -> None:
    grey = Image.fromarray(np.asarray(photo(1).convert("L")))
    bad = {
        "grey.jpg": encoded(grey),
        "small.png": encoded(photo(2, (12, 90)), "PNG"),
        "cut.jpg": encoded(photo(3))[:900],
        "page.jpg": b"<html></html>",
        "clear.png": encoded(photo(40).convert("RGBA"), "PNG"),
    }
    one = photo_zip(tmp_path / "one.zip", 8, **bad)
    again = {
        "copy.jpg": encoded(photo(5)),
        "larger.png": encoded(photo(6, (200, 150)), "PNG"),
        "new.jpg": encoded(photo(50)),
    }
    two = write_zip(tmp_path / "two.zip", again)
    sources = [
        folder_source(one, "first", attribution="The Studio"),
        folder_source(two, "second", license="CC BY 4.0", split="test"),
    ]
    report = build(make_config(tmp_path, sources, "imagefolder=true"))
    built = tmp_path / "built"
    assert rejected(built) == {
        "grey.jpg": "near_grey",
        "small.png": "too_small",
        "cut.jpg": "unreadable",
        "page.jpg": "unreadable",
        "copy.jpg": "exact_duplicate",
        "larger.png": "near_duplicate",
    }
    assert (report["pictures"], report["rejected"]) == (10, 6)
    assert report["reasons"]["unreadable"] == 2
    assert has_read_failures(report)
    assert report["sources"]["studio"] == {"kept": 4, "rejected": 0, "licenses": {"CC0-1.0": 4}}
    assert report["sources"]["second"] == {"kept": 1, "rejected": 2, "licenses": {"CC BY 4.0": 1}}
    assert sum(report["splits"].values()) == 10
    assert report["splits"]["test"] >= 1
    assert sum(report["measures"]["chroma"]["counts"]) == 10
    assert report == json.loads((built / "report.json").read_text("utf-8"))
    rows = rows_of(built)
    assert len(rows) == 10
    assert list(rows[0]) == COLUMNS
    for row in rows:
        image, conditioning = (Image.open(io.BytesIO(row[name]["bytes"])) for name in COLUMNS[:2])
        assert (image.mode, conditioning.mode) == ("RGB", "L")
        assert image.size == conditioning.size == (row["width"], row["height"])
    first = next(row for row in rows if row["image"]["path"] == "street/photos/00.jpg.jpg")
    assert (first["text"], first["license"], first["attribution"]) == ("picture number 0", "CC0-1.0", "The Studio")
    assert {row["image"]["path"] for row in rows_of(built, "test")} >= {"second/new.jpg.jpg"}
    assert not (built / ".work").exists()
    assert {path.name for path in built.iterdir()} >= {"README.md", "config.yaml", "report.json", "rejected.jsonl"}


def test_datasets_loads_it(tmp_path: Path, archive: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import datasets

    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", str(tmp_path / "cache"))
    splits = ("splits.validation=0.2", "splits.test=0.2", "imagefolder=true")
    report = build(make_config(tmp_path, [folder_source(archive)], *splits))
    built = tmp_path / "built"
    loaded = datasets.load_dataset(str(built))
    assert {split: len(rows) for split, rows in loaded.items()} == report["splits"]
    assert list(loaded["train"].features) == COLUMNS
    assert loaded["train"][0]["conditioning_image"].mode == "L"
    streamed = next(iter(datasets.load_dataset(str(built), split="train", streaming=True)))
    assert streamed["image"] == loaded["train"][0]["image"]
    folder = datasets.load_dataset("imagefolder", data_dir=str(built / "imagefolder"), split="train")
    assert folder[0]["text"] == loaded["train"][0]["text"]
    assert np.array_equal(folder[0]["conditioning_image"], loaded["train"][0]["conditioning_image"])
    assert len(folder) == report["splits"]["train"]


def test_the_same_bytes_for_any_workers_and_chunks(tmp_path: Path, archive: Path) -> None:
    results = []
    ageing = "ageing.share=0.5"
    for number, overrides in enumerate((["chunk_size=5"], ["chunk_size=2", "num_workers=2"])):
        folder = tmp_path / str(number)
        folder.mkdir()
        build(make_config(folder, [folder_source(archive)], ageing, "imagefolder=true", *overrides))
        results.append(fingerprint(folder / "built"))
    assert len(results[0]) > 50
    assert results[0] == results[1]
    assert picture_seed(0, Item("a", "b")) != picture_seed(1, Item("a", "b"))


def test_finished_chunks_are_not_done_again(tmp_path: Path, archive: Path) -> None:
    second = write_zip(tmp_path / "second.zip", {"a.jpg": encoded(photo(60)), "metadata.jsonl": b"{"})
    config = make_config(tmp_path, [folder_source(archive), folder_source(second, "second")], "chunk_size=10")
    with pytest.raises(DataError, match=r"metadata.jsonl, line 1 is no JSON"):
        build(config)
    chunks = sorted((tmp_path / "built" / ".work" / "chunks").iterdir())
    with pa.ipc.open_file(chunks[0].read_bytes()) as file:
        table = file.read_all()
    marks = pa.array(["a mark"] * table.num_rows)
    with pa.ipc.new_file(str(chunks[0]), table.schema) as writer:
        writer.write_table(table.set_column(table.schema.get_field_index("text"), "text", marks))
    write_zip(tmp_path / "second.zip", {"a.jpg": encoded(photo(60))})
    assert build(config)["pictures"] == 25
    assert [row["text"] for row in rows_of(tmp_path / "built")].count("a mark") == 10


def test_interrupted_between_its_phases(tmp_path: Path, archive: Path) -> None:
    """Whatever phase 2 left behind is made anew."""
    config = make_config(tmp_path, [folder_source(archive, limit=6)])
    build(config)
    whole = fingerprint(tmp_path / "built")
    (tmp_path / "built" / ".work").mkdir()
    for stale in ("data/train-00007-of-00009.parquet", "card/old.png", ".report.json.0123.tmp"):
        (tmp_path / "built" / stale).write_bytes(b"stale")
    build(config)
    assert fingerprint(tmp_path / "built") == whole


def test_shares_limits_and_splits(tmp_path: Path, archive: Path) -> None:
    sources = [folder_source(archive, share=0.5, limit=4)]
    report = build(make_config(tmp_path, sources, "splits.validation=0.4", "splits.test=0.3"))
    assert report["pictures"] == 4
    assert report["not_selected"]["photos"] >= 0
    (tmp_path / "half").mkdir()
    half = build(make_config(tmp_path / "half", [folder_source(archive, share=0.5)]))
    assert half["pictures"] + half["not_selected"]["photos"] == 24
    assert 4 < half["pictures"] < 20
    names = [row["image"]["path"] for row in rows_of(tmp_path / "half" / "built")]
    assert {row["image"]["path"] for row in rows_of(tmp_path / "built")} <= set(names)
    assert set(report["splits"]) == set(SPLITS)


def test_small_shards_are_numbered(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    noise = {
        f"{i:03d}.png": encoded(Image.fromarray(random.integers(0, 256, (256, 256, 3), np.uint8)), "PNG")
        for i in range(9)
    }
    sources = [folder_source(write_zip(tmp_path / "noise.zip", noise))]
    overrides = ("pictures.size=256", "pictures.format=png", "filters.duplicate_distance=null", "splits.validation=0")
    report = build(make_config(tmp_path, sources, "shard_mb=1", "splits.test=0", "chunk_size=2", *overrides))
    shards = sorted(path.name for path in (tmp_path / "built" / "data").iterdir())
    assert report["splits"] == {"train": 9, "validation": 0, "test": 0}
    assert shards == [*(f"train-{i:05d}-of-00003.parquet" for i in range(3))]
    assert [row["image"]["path"] for row in rows_of(tmp_path / "built")] == [
        f"photos/{i:03d}.png.png" for i in range(9)
    ]


def test_what_lies_in_the_folder_is_respected(tmp_path: Path, archive: Path) -> None:
    sources = [folder_source(archive, limit=2)]
    report = build(make_config(tmp_path, sources))
    assert build(make_config(tmp_path, sources, "num_workers=2")) == report  # finished: nothing is done
    with pytest.raises(SettingError, match="built holds a finished dataset of another config; delete it, or choose"):
        build(make_config(tmp_path, sources, "seed=1"))
    (tmp_path / "built" / "report.json").write_text("{", encoding="utf-8")
    with pytest.raises(
        DataError, match=r"report.json cannot be read .*; delete the folder, or choose another --output"
    ):
        build(make_config(tmp_path, sources))
    (tmp_path / "built" / "report.json").unlink()
    with pytest.raises(DataError, match="built is not empty and holds no dataset of ours; choose another --output"):
        build(make_config(tmp_path, sources))


def test_an_unfinished_build_of_another_config(tmp_path: Path, archive: Path) -> None:
    broken = write_zip(tmp_path / "broken.zip", {"a.jpg": encoded(photo(1)), "metadata.jsonl": b"{"})
    sources = [folder_source(archive), folder_source(broken, "broken")]
    with pytest.raises(DataError, match=r"metadata.jsonl, line 1 is no JSON"):
        build(make_config(tmp_path, sources))
    assert list((tmp_path / "built" / ".work" / "chunks").iterdir())  # the first source's are kept
    with pytest.raises(SettingError, match=r"an unfinished build of another config \(it differs in pictures, seed\)"):
        build(make_config(tmp_path, sources, "seed=1", "pictures.size=32"))


def test_nothing_left(tmp_path: Path) -> None:
    grey = encoded(Image.new("RGB", (64, 64), "grey"))
    sources = [folder_source(write_zip(tmp_path / "grey.zip", {"a.jpg": grey}))]
    with pytest.raises(
        DataError, match=r"no picture is left \(1 near_grey\); see .*rejected.jsonl and loosen the filters"
    ):
        build(make_config(tmp_path, sources))
    assert rejected(tmp_path / "built") == {"a.jpg": "near_grey"}


def test_a_full_disk(tmp_path: Path, archive: Path) -> None:
    """A limit on the size of files acts like one: writing fails halfway, with an OSError."""
    config = make_config(tmp_path, [folder_source(archive)], "chunk_size=4")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, hard))
    try:
        with pytest.raises(DataError, match=r"cannot write '.*chunks/.*': .*[Ll]arge"):
            build(config)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert build(config)["pictures"] == 24


def test_a_full_disk_in_the_second_phase(tmp_path: Path, archive: Path) -> None:
    config = make_config(tmp_path, [folder_source(archive)], "chunk_size=1")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (40_000, hard))
    try:
        with pytest.raises(DataError, match="what is finished is kept: make room or mend it, and run the same command"):
            build(config)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert len(list((tmp_path / "built" / ".work" / "chunks").glob("*.arrow"))) == 24
    assert build(config)["pictures"] == 24


def test_without_ray(tmp_path: Path, archive: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(
        UnavailableError, match=r"engine=ray needs Ray Data; install it with: pip install 'ray\[data\]'"
    ):
        build(make_config(tmp_path, [folder_source(archive)], "engine=ray"))


def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = folder_source(photo_zip(tmp_path / "p.zip", 3, **{"bad.jpg": b"bad"}))
    make_config(tmp_path, [source])
    command = ["build", str(tmp_path / "config.yaml"), "pictures.size=64", "filters.min_side=16"]
    assert main([*command, "--output", str(tmp_path / "out")]) == 1
    last = capsys.readouterr().out.splitlines()[-1]
    assert last.startswith(f"{tmp_path / 'out'}: 3 pictures (")
    assert last.endswith("left out: 1 unreadable")
    assert main([*command, "--output", str(tmp_path / "out")]) == 1  # still so, without work
    assert main(["verify", str(tmp_path / "out")]) == 0
    assert "no problems" in capsys.readouterr().out


def test_a_captioner_between_the_phases(tmp_path: Path, request: pytest.FixtureRequest) -> None:
    """Pictures without words get some from the model; those that have words keep them."""
    model_dir: Path = request.getfixturevalue("captioner_dir")
    source = folder_source(photo_zip(tmp_path / "p.zip", 3, **{"mute.jpg": encoded(photo(30))}))
    model = (f"captions.model={model_dir}", "captions.model_max_tokens=4", "captions.max_colors=0")
    build(make_config(tmp_path, [source], *model))
    texts = {row["image"]["path"]: row["text"] for row in rows_of(tmp_path / "built")}
    caption = Captioner(CaptionConfig(model=str(model_dir), model_max_tokens=4)).caption([photo(30)])
    assert texts["photos/mute.jpg.jpg"] == " ".join(caption) != ""
    assert texts["street/photos/00.jpg.jpg"] == "picture number 0"
