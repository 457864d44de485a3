"""`verify`: a correct dataset has no problem, and each defect is named with its place."""

import hashlib
import io
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow
import pyarrow.parquet
import pytest
import yaml
from finished_datasets import NUM_ROWS, Row, default_rows, encode, grey_of, make_row, piece, write_dataset, write_rows
from PIL import Image, ImageOps

from autochrome.errors import DataError
from dataset_builder import verify
from dataset_builder.__main__ import main
from dataset_builder.row_checks import MAX_GREY_DIFFERENCE, MAX_GREY_DIFFERENCE_ANYWHERE, grey_difference
from dataset_builder.verify import verify_dataset
from dataset_builder.writer import make_schema

TRAIN = "data/train-00000-of-00001.parquet"


@pytest.fixture(scope="module")
def correct(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("dataset")
    write_dataset(folder)
    return folder


@pytest.fixture
def folder(correct: Path, tmp_path: Path) -> Path:
    """A correct dataset, to be spoilt."""
    return Path(shutil.copytree(correct, tmp_path / "dataset"))


def with_picture(row: Row, **changes: Any) -> Row:
    """The row with other values inside its column `image`."""
    return {**row, "image": {**row["image"], **changes}}


def with_grey(row: Row, grey: Image.Image) -> Row:
    return {**row, "conditioning_image": {"bytes": encode(grey, "PNG"), "path": "grey.png"}}


def test_a_correct_dataset(correct: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = verify_dataset(correct)
    assert found.problems == []
    assert found.num_rows == NUM_ROWS
    assert found.licenses == {"CC0": 8}
    assert main(["verify", str(correct)]) == 0
    assert "no problem" in capsys.readouterr().out


SPOILT_ROWS: list[tuple[Callable[[Row], Row], str]] = [
    (lambda row: with_picture(row, bytes=row["image"]["bytes"][:200]), "image: the picture is a damaged, cut-off or"),
    (lambda row: with_picture(row, bytes=None), "image: no bytes are embedded"),
    (lambda row: {**row, "width": 161}, "image is 160 x 120, its columns say 161 x 120"),
    (
        lambda row: with_grey(row, grey_of(piece(3)).resize((80, 60))),
        "conditioning_image is 80 x 60, its columns say 160",
    ),
    (lambda row: with_grey(row, piece(3)), "conditioning_image: its mode is RGB, it must be L"),
    (
        lambda row: with_grey(row, piece(3).convert("L")),
        "conditioning_image is not the L* of image: shrunk 8 times they",
    ),
    (lambda row: with_grey(row, ImageOps.mirror(grey_of(piece(3)))), "conditioning_image is not the L* of image"),
    (lambda row: {**row, "sha256": "0" * 64}, f"sha256 is {'0' * 64}, that of the image's bytes is "),
    (lambda row: {**row, "license": ""}, "license is empty"),
    (lambda row: {**row, "source": None}, "source is empty"),
    (lambda row: {**row, "text": None}, "text is null"),
]


@pytest.mark.parametrize(("spoil", "says"), SPOILT_ROWS)
def test_a_spoilt_row_is_named(folder: Path, spoil: Callable[[Row], Row], says: str) -> None:
    rows = default_rows()["train"]
    rows[3] = spoil(rows[3])
    write_rows(folder / TRAIN, rows)
    problems = verify_dataset(folder).problems
    assert problems
    assert problems[0].startswith(f"{TRAIN} row 3: ")
    assert any(says in problem for problem in problems), problems


def test_aged_conditioning_images_may_differ(folder: Path) -> None:
    write_rows(
        folder / TRAIN, [with_grey(make_row(0), ImageOps.invert(grey_of(piece(0)))), *default_rows()["train"][1:]]
    )
    assert len(verify_dataset(folder).problems) == 1
    config = yaml.safe_load((folder / "config.yaml").read_text(encoding="utf-8"))
    config["ageing"]["share"] = 0.5
    (folder / "config.yaml").write_text(yaml.safe_dump(config), encoding="utf-8")
    assert verify_dataset(folder).problems == []


@pytest.mark.parametrize("index", range(4))
@pytest.mark.parametrize(("kind", "quality"), [("JPEG", 50), ("JPEG", 95), ("WEBP", 80)])
def test_lossy_formats_stay_within_the_tolerance(index: int, kind: str, quality: int) -> None:
    buffer = io.BytesIO()
    piece(index).save(buffer, kind, quality=quality)
    mean, most = grey_difference(Image.open(buffer).convert("RGB"), grey_of(piece(index)))
    assert mean < MAX_GREY_DIFFERENCE
    assert most < MAX_GREY_DIFFERENCE_ANYWHERE


def test_duplicates(tmp_path: Path) -> None:
    """The same file twice, and a near-duplicate of a training picture in the test split."""
    lighter = piece(2).point(lambda level: min(255, level + 4))
    image = encode(lighter, "JPEG")
    near = {**make_row(2), "image": {"bytes": image, "path": "near.jpg"}, "sha256": hashlib.sha256(image).hexdigest()}
    rows = default_rows()
    rows["train"].append(make_row(1))
    rows["test"].append(with_grey(near, grey_of(lighter)))
    write_dataset(tmp_path, rows)
    assert verify_dataset(tmp_path).problems == [
        f"{TRAIN} row 5: the same picture as {TRAIN} row 1",
        f"{TRAIN} row 2: nearly the same picture as data/test-00000-of-00001.parquet row 1, in another split (0 of 64 "
        "bits differ)",
    ]


def test_shards(folder: Path) -> None:
    (folder / TRAIN).rename(folder / "data/train-00001-of-00003.parquet")
    (folder / "data/test-00000-of-00001.parquet").write_bytes(b"PAR1 is not enough")
    shutil.copy(folder / "data/validation-00000-of-00001.parquet", folder / "data/more.parquet")
    problems = "\n".join(verify_dataset(folder).problems)
    assert "data/more.parquet: not named like train-00000-of-00001.parquet" in problems
    assert "data/train-*.parquet: a shard is missing or left over; there are 1 of 3" in problems
    assert "data/test-00000-of-00001.parquet: cannot be read (" in problems
    assert "data/validation-00000-of-00001.parquet row 0: the same picture as data/more.parquet row 0" in problems


def test_a_damaged_shard_is_named_and_the_rest_is_read(folder: Path) -> None:
    path = folder / TRAIN
    content = bytearray(path.read_bytes())
    content[4:400] = bytes(396)
    path.write_bytes(content)
    found = verify_dataset(folder)
    assert found.problems[0].startswith(f"{TRAIN} row 0: ")
    assert found.num_rows == NUM_ROWS


def test_columns(folder: Path) -> None:
    table = pyarrow.parquet.read_table(folder / TRAIN)
    pyarrow.parquet.write_table(table.drop_columns(["license"]), folder / TRAIN)
    write_rows(folder / "data/test-00000-of-00001.parquet", [make_row(7)], make_schema().remove_metadata())
    problems = "\n".join(verify_dataset(folder).problems)
    assert f"{TRAIN}: its columns are image, conditioning_image, text, text_color, source, attribution" in problems
    assert "data/test-00000-of-00001.parquet: its schema does not say that image and conditioning_image are" in problems


def test_card_config_and_rejections(folder: Path) -> None:
    card = (folder / "README.md").read_text(encoding="utf-8")
    (folder / "README.md").write_text(card.replace("num_examples: 5", "num_examples: 6").replace("pieces", "others"))
    (folder / "rejected.jsonl").write_text('{"source": "a", "key": "b"}\nnot JSON\n', encoding="utf-8")
    (folder / "config.yaml").unlink()
    assert [problem.partition(" (")[0] for problem in verify_dataset(folder).problems] == [
        "config.yaml: cannot be read",
        "README.md: says {'train': 6, 'validation': 2, 'test': 1} pictures, there are "
        "{'test': 1, 'train': 5, 'validation': 2}",
        "README.md: does not name the source pieces",
        "rejected.jsonl line 1: lacks detail, reason",
        "rejected.jsonl line 2: not a JSON object",
    ]
    (folder / "README.md").write_text("# No head\n", encoding="utf-8")
    (folder / "rejected.jsonl").unlink()
    problems = "\n".join(verify_dataset(folder).problems)
    assert "README.md: no dataset card with dataset_info.splits (" in problems
    assert "rejected.jsonl: cannot be read (" in problems


def test_no_dataset_and_exit_codes(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(DataError, match=r"holds no dataset: there is no data/\*.parquet; build one first"):
        verify_dataset(tmp_path)
    assert main(["verify", str(tmp_path)]) == 2
    write_rows(folder / TRAIN, [make_row(0, license=""), *default_rows()["train"][1:]])
    assert main(["verify", str(folder)]) == 1
    assert f"{TRAIN} row 0: license is empty" in capsys.readouterr().out


def test_several_processes_find_the_same(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_rows(folder / TRAIN, [make_row(0), make_row(1, sha256="wrong"), *default_rows()["train"][2:]])
    alone = verify_dataset(folder, num_workers=1)
    monkeypatch.setattr(verify, "_ALONE_ROWS", 0)
    together = verify_dataset(folder, num_workers=2)
    assert together == alone
    assert len(alone.problems) == 1
