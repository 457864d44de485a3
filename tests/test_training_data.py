"""Training data: archives, folders and datasets decoded once, filters, splits, crops and changed grey pictures."""

import io
import json
import re
import sys
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
import torch
from PIL import Image
from pyarrow import parquet

from autochrome.errors import DataError, SettingError, UnavailableError
from training.augment import Augmentation
from training.data import (
    Crops,
    PhotoStore,
    _decode,
    centre_square,
    open_photos,
    split_photos,
    training_and_validation,
)
from training.sources import PhotoFilters

EVERYTHING = Augmentation(exposure=20, contrast=1.5, jpeg_share=0.5, jpeg_quality=[10, 40])


def _png(color: tuple[int, int, int], width: int = 40) -> bytes:
    """A picture of one colour, from dark to light: 48 pixels high."""
    ramp = (np.linspace(0.2, 1, 48)[:, None, None] * np.array(color)).clip(0, 255)
    buffer = io.BytesIO()
    Image.fromarray(np.broadcast_to(ramp, (48, width, 3)).astype(np.uint8)).save(buffer, format="PNG")
    return buffer.getvalue()


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An archive: 40 colour pictures in two classes, one almost black, one white, one grey, one that is broken."""
    path = tmp_path_factory.mktemp("photos") / "photos.zip"
    rng = np.random.default_rng(0)
    lines = []
    with zipfile.ZipFile(path, "w") as archive:
        for index in range(40):
            name = f"set/{index:02}.png"
            red, green, blue = (int(level) for level in rng.permutation([40, 120, 250]))
            archive.writestr(name, _png((red, green, blue), 40 + index % 5))
            lines.append(json.dumps({"file_name": name, "label": "cat" if index < 25 else "dog"}))
        archive.writestr("odd/black.png", _png((4, 1, 1)))
        archive.writestr("odd/white.png", _png((1275, 1275, 1275)))
        archive.writestr("odd/grey.png", _png((128, 128, 128)))
        archive.writestr("odd/broken.png", b"\x89PNG\r\n\x1a\n nothing more")
        archive.writestr("metadata.jsonl", "\n".join(lines))
    return path


@pytest.fixture(scope="module")
def store(photos: Path, tmp_path_factory: pytest.TempPathFactory) -> PhotoStore:
    return open_photos([str(photos)], tmp_path_factory.mktemp("cache"), side_px=48)


def _dataset(folder: Path, shards: Mapping[str, Sequence[bytes | None]], **columns: list[str]) -> Path:
    """A dataset of the builder's form: data/SPLIT-00000-of-00001.parquet with an Image column of embedded bytes."""
    (folder / "data").mkdir(parents=True)
    for split, pictures in shards.items():
        image = [{"bytes": data, "path": f"{number}.png"} for number, data in enumerate(pictures)]
        kind = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
        table = pa.table({"image": pa.array(image, kind), **{name: pa.array(v) for name, v in columns.items()}})
        parquet.write_table(table, folder / "data" / f"{split}-00000-of-00001.parquet", row_group_size=3)
    return folder


def test_photographs_are_decoded_once_and_bad_ones_listed(
    photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    store = open_photos([str(photos)], tmp_path, side_px=24)
    assert len(store) == 43
    assert min(store.photo(0).shape[1:]) == 24
    (cache,) = tmp_path.iterdir()
    assert (cache / "rejected.txt").read_text().startswith("odd/broken.png: unreadable: ")
    assert "43 photographs to use; left out: unreadable 1" in capsys.readouterr().out
    before = (cache / "pixels.bin").stat().st_mtime_ns
    again = open_photos([str(photos)], tmp_path, side_px=24)
    assert (cache / "pixels.bin").stat().st_mtime_ns == before
    assert torch.equal(again.photo(7), store.photo(7))
    folder = tmp_path / "folder"
    with zipfile.ZipFile(photos) as archive:
        archive.extractall(folder)
    unzipped = open_photos([str(folder)], tmp_path / "cache", side_px=24)
    assert unzipped.names == store.names
    assert torch.equal(unzipped.photo(39), store.photo(39))


def test_two_runs_may_decode_at_once(photos: Path, tmp_path: Path) -> None:
    """The slower one finds the folder there, and leaves nothing."""
    store = open_photos([str(photos)], tmp_path, side_px=24)
    (cache,) = tmp_path.iterdir()
    _decode([str(photos)], cache, 24, PhotoFilters(), False)
    assert list(tmp_path.iterdir()) == [cache]
    assert torch.equal(open_photos([str(photos)], tmp_path, side_px=24).photo(7), store.photo(7))


def test_a_cache_of_before_filters_is_still_found(photos: Path, tmp_path: Path) -> None:
    """Without filters the cache has the same name as ever, and needs no entry about splits."""
    open_photos([str(photos)], tmp_path, side_px=24)
    (cache,) = tmp_path.iterdir()
    index = json.loads((cache / "index.json").read_text())
    (cache / "index.json").write_text(json.dumps({"names": index["names"], "sizes": index["sizes"]}))
    store = open_photos([str(photos)], tmp_path, side_px=24, filters=PhotoFilters())
    assert list(tmp_path.iterdir()) == [cache]
    training, validation = training_and_validation(store, 0.2)
    assert (training, validation) == split_photos(store.names, 0.2)


def test_sources_without_photographs_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no photographs at"):
        open_photos([str(tmp_path / "absent.zip")], tmp_path / "cache", 24)
    (tmp_path / "text.zip").write_text("not an archive")
    with pytest.raises(DataError, match=r"is not a readable \.zip archive"):
        open_photos([str(tmp_path / "text.zip")], tmp_path / "cache", 24)
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="holds no pictures"):
        open_photos([str(tmp_path / "empty")], tmp_path / "cache", 24)
    (tmp_path / "empty" / "broken.png").write_bytes(b"\x89PNG")
    with pytest.raises(DataError, match=r"not one usable picture in .*; left out: unreadable 1"):
        open_photos([str(tmp_path / "empty")], tmp_path / "cache", 24)
    assert not list((tmp_path / "cache").glob("*/"))


def test_hostile_members_are_left_out(tmp_path: Path) -> None:
    """Names that lead out of the archive, archives inside it and damaged members; the rest is used."""
    path = tmp_path / "hostile.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("../escape.png", _png((9, 90, 200)))
        archive.writestr("inner.zip", b"PK")
        archive.writestr("good.png", _png((200, 90, 9)))
        archive.writestr("damaged.png", _png((200, 90, 90)))
        damaged = archive.getinfo("damaged.png").header_offset
    content = bytearray(path.read_bytes())
    content[damaged + 80 : damaged + 90] = bytes(10)
    path.write_bytes(content)
    store = open_photos([str(path)], tmp_path / "cache", 24)
    assert store.names == ["good.png"]
    (rejected,) = (tmp_path / "cache").glob("*/rejected.txt")
    text = rejected.read_text()
    for words in ("leads out of the archive", "archive inside an archive", "the archive is damaged here"):
        assert words in text


def test_filters_leave_out_dark_bright_and_dull_pictures(
    photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    filters = PhotoFilters(min_brightness=10, max_brightness=90, min_colorfulness=10)
    store = open_photos([str(photos)], tmp_path, 24, filters)
    assert len(store) == 40
    assert "left out: too bright 1, too dark 1, too dull 1, unreadable 1" in capsys.readouterr().out
    (cache,) = tmp_path.iterdir()
    rejected = (cache / "rejected.txt").read_text()
    for pattern in (
        r"odd/black\.png: too dark: mean L\* 0\.\d < 10",
        r"odd/white\.png: too bright: mean L\* 100\.0 > 90",
        r"odd/grey\.png: too dull: colorfulness 0\.0 < 10",
    ):
        assert re.search(pattern, rejected), rejected
    assert len(open_photos([str(photos)], tmp_path, 24)) == 43, "other filters, another cache"


def test_one_class_in_an_exact_split(photos: Path, tmp_path: Path) -> None:
    store = open_photos([str(photos)], tmp_path, 24, PhotoFilters(labels=["cat"]))
    assert store.names == [f"set/{index:02}.png" for index in range(25)]
    training, validation = training_and_validation(store, 0.5, [16, 5, 4])
    assert (len(training), len(validation)) == (16, 5)
    assert not set(training) & set(validation)
    turned = PhotoStore(store.names[::-1], store.sizes, store.offsets, store.pixels)
    again, _ = training_and_validation(turned, 0.5, [16, 5, 4])
    assert {turned.names[i] for i in again} == {store.names[i] for i in training}, "decided by names alone"
    with pytest.raises(DataError, match=r"split_counts \[16, 5, 5\] need 26 photographs, there are 25"):
        training_and_validation(store, 0.5, [16, 5, 5])
    for counts in ([16, 5], [16, 0, 4], [16, 5, -1]):
        with pytest.raises(SettingError, match="split_counts must be three numbers"):
            training_and_validation(store, 0.5, counts)


def test_without_metadata_the_folder_is_the_class(photos: Path, tmp_path: Path) -> None:
    assert len(open_photos([str(photos)], tmp_path, 24, PhotoFilters(labels=["odd"]))) == 3
    with pytest.raises(DataError, match=r"not one usable picture in .*; left out: other label 44"):
        open_photos([str(photos)], tmp_path, 24, PhotoFilters(labels=["bird"]))
    folder = tmp_path / "folder"
    (folder / "tulips").mkdir(parents=True)
    (folder / "tulips" / "one.png").write_bytes(_png((200, 40, 40)))
    assert len(open_photos([str(folder)], tmp_path, 24, PhotoFilters(labels=["tulips"]))) == 1
    (folder / "metadata.jsonl").write_text('{"file_name": "tulips/one.png", "label": "flower"}\n')
    assert len(open_photos([str(folder)], tmp_path, 24, PhotoFilters(labels=["flower"]))) == 1
    for line in ("no json", '{"label": "a"}', "7"):
        (folder / "metadata.jsonl").write_text(f"{{}}\n{line}")
        with pytest.raises(
            DataError, match=r"line 2 of metadata\.jsonl in .* is no JSON object with file_name and label or captions"
        ):
            open_photos([str(folder)], tmp_path, 24, PhotoFilters(labels=["flower"]))


def test_a_dataset_brings_its_own_split(photos: Path, tmp_path: Path) -> None:
    shades = [_png((10 * index, 100, 200)) for index in range(20)]
    folder = _dataset(
        tmp_path / "dataset",
        {"train": [*shades[:10], b"broken", None], "validation": shades[10:13], "test": shades[13:]},
    )
    store = open_photos([str(folder), str(photos)], tmp_path / "cache", 24)
    assert len(store) == 10 + 3 + 43, "no test pictures"
    assert store.splits[:13] == ["train"] * 10 + ["validation"] * 3
    assert store.names[0] == "train-00000-of-00001.parquet:0"
    one = Image.open(io.BytesIO(shades[10])).resize((24, 29), Image.Resampling.BOX)
    assert torch.equal(store.photo(10), torch.from_numpy(np.array(one)).permute(2, 0, 1))
    (cache,) = (tmp_path / "cache").iterdir()
    assert (
        "train-00000-of-00001.parquet:11: unreadable: the column image holds no bytes"
        in (cache / "rejected.txt").read_text()
    )
    training, validation = training_and_validation(store, 0.2)
    assert set(training) >= set(range(10))
    assert set(validation) >= {10, 11, 12}
    assert sorted(training + validation) == list(range(56))
    assert len(validation) > 3, "the archive's pictures are split by share"
    with pytest.raises(SettingError, match="split_counts contradicts the split of the dataset"):
        training_and_validation(store, 0.2, [10, 2, 1])


def test_a_dataset_without_validation_is_split_by_share(tmp_path: Path) -> None:
    shades = [_png((10 * index, 100, 200)) for index in range(20)]
    folder = _dataset(tmp_path / "dataset", {"train": shades}, label=["cat"] * 15 + ["dog"] * 5)
    store = open_photos([str(folder)], tmp_path / "cache", 24)
    training, validation = training_and_validation(store, 0.3)
    assert (training, validation) == split_photos(store.names, 0.3)
    assert len(open_photos([str(folder)], tmp_path / "cache", 24, PhotoFilters(labels=["dog"]))) == 5
    with pytest.raises(DataError, match="20 photographs leave 20 to train and 0 to validate; give more"):
        training_and_validation(store, 1e-9)


def test_wrong_datasets_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cache = tmp_path / "cache"
    only_test = _dataset(tmp_path / "only_test", {"test": [_png((1, 2, 200))]})
    with pytest.raises(DataError, match=r"has no data/train-\*\.parquet; build it again"):
        open_photos([str(only_test)], cache, 24)
    plain = _dataset(tmp_path / "plain", {"train": [_png((1, 2, 200))]})
    with pytest.raises(DataError, match="has no column label; it has: image"):
        open_photos([str(plain)], cache, 24, PhotoFilters(labels=["cat"]))
    (plain / "data" / "train-00001-of-00002.parquet").write_bytes(b"PAR1 not really")
    with pytest.raises(DataError, match="is not a readable Parquet file"):
        open_photos([str(plain)], cache, 24)
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(UnavailableError, match="reading it needs pyarrow: pip install pyarrow"):
        open_photos([str(plain)], cache, 24)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (PhotoFilters(min_brightness=60, max_brightness=50), "must rise within 0..100, got 60 and 50"),
        (PhotoFilters(max_brightness=101), "must rise within 0..100, got 0.0 and 101"),
        (PhotoFilters(min_colorfulness=-1), "min_colorfulness must be at least 0, got -1"),
    ],
)
def test_filters_out_of_range_are_refused(settings: PhotoFilters, message: str) -> None:
    with pytest.raises(SettingError, match=re.escape(message)):
        settings.check()
    PhotoFilters().check()


def test_split_depends_on_names_alone() -> None:
    names = [f"{i}.png" for i in range(1000)]
    training, validation = split_photos(names, 0.1)
    assert sorted(training + validation) == list(range(1000))
    assert 60 < len(validation) < 140
    reverse, _ = split_photos(names[::-1], 0.1)
    assert {names[i] for i in training} == {names[::-1][i] for i in reverse}


def _crops(store: PhotoStore, steps: list[int], **settings: object) -> Crops:
    options: dict[str, object] = {"seed": 0, "crop_scale": (0.4, 1.0), "crop_aspect": 1.3} | settings
    sizes = [32] * len(steps)
    return Crops(store, range(40), steps=steps, sizes_px=sizes, batch_size=4, **options)  # type: ignore[arg-type]


def test_crops_depend_on_seed_and_position_alone(store: PhotoStore) -> None:
    batch = _crops(store, [0, 1, 2])[2]
    assert batch.photos.shape == (4, 3, 32, 32)
    assert batch.conditioning is None
    assert torch.equal(batch.photos, _crops(store, [2])[0].photos)
    assert not torch.equal(batch.photos, _crops(store, [2], seed=1)[0].photos)
    assert torch.equal(batch.photos[1::2], _crops(store, [2], process=(1, 2))[0].photos)
    first, second = (_crops(store, [step])[0].photos for step in (0, 10))
    assert not torch.equal(first, second), "the second epoch must crop anew"


def test_changed_grey_pictures_depend_on_seed_and_position_too(store: PhotoStore) -> None:
    """And the colours stay those of a run without augmentation, byte for byte."""
    plain = _crops(store, [2])[0].photos
    batch = _crops(store, [0, 2], augmentation=EVERYTHING)[1]
    assert torch.equal(batch.photos, plain)
    assert batch.conditioning is not None
    assert batch.conditioning.shape == (4, 1, 32, 32)
    assert batch.conditioning.dtype == torch.uint8
    again = _crops(store, [2], augmentation=EVERYTHING)[0].conditioning
    half = _crops(store, [2], augmentation=EVERYTHING, process=(1, 2))[0].conditioning
    other = _crops(store, [2], augmentation=EVERYTHING, seed=1)[0].conditioning
    assert again is not None
    assert half is not None
    assert other is not None
    assert torch.equal(batch.conditioning, again)
    assert torch.equal(batch.conditioning[1::2], half)
    assert not torch.equal(batch.conditioning, other)
    assert _crops(store, [2], augmentation=Augmentation())[0].conditioning is None


def test_centre_square_keeps_the_middle() -> None:
    photo = torch.zeros(3, 20, 60, dtype=torch.uint8)
    photo[:, :, 20:40] = 200
    assert (centre_square(photo, 10) == 200).all()
