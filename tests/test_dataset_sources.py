"""The sources of the dataset builder, each on small data in its true layout."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from dataset_files import coco_captions, encoded, make_source, photo, photo_zip, write_arrays, write_zip
from PIL import Image

from autochrome.errors import DataError, SettingError
from autochrome.image import read_picture
from dataset_builder.items import Item

# --- imagefolder


def test_imagefolder_zip(tmp_path: Path) -> None:
    extra = {"b/new.png": encoded(photo(9), "PNG"), "__MACOSX/x.jpg": b"", "b/.hidden.jpg": b"", "notes.txt": b"-"}
    source = make_source(
        tmp_path, "imagefolder", path=str(photo_zip(tmp_path / "p.zip", 3, **extra)), attribution="Somebody"
    )
    items = list(source.items())
    assert [item.key for item in items] == ["photos/00.jpg", "photos/01.jpg", "photos/02.jpg", "b/new.png"]
    assert items[0].captions == ("picture number 0", "another caption")
    assert (items[0].source, items[1].source, items[3].source) == ("street", "studio", "imagefolder")
    assert (items[0].license, items[3].license) == ("CC0-1.0", "unknown")
    assert {item.attribution for item in items} == {"Somebody"}
    assert list(source.items()) == items
    assert read_picture(source.read(items[3])).tobytes() == photo(9).tobytes()


def test_imagefolder_on_disk_with_metadata_in_its_folders(tmp_path: Path) -> None:
    for folder, name in (("train", "a.jpg"), ("test", "a.jpg")):
        (tmp_path / "set" / folder).mkdir(parents=True)
        (tmp_path / "set" / folder / name).write_bytes(encoded(photo(1)))
    (tmp_path / "set" / "train" / "metadata.csv").write_text("file_name,text,label\na.jpg,a cat,cats\n", "utf-8")
    source = make_source(tmp_path, "imagefolder", path=str(tmp_path / "set"), license="CC0", split="test")
    items = list(source.items())
    assert [(item.key, item.captions, item.label) for item in items] == [
        ("train/a.jpg", ("a cat",), "cats"),
        ("test/a.jpg", (), None),
    ]
    assert {(item.license, item.split) for item in items} == {("CC0", "test")}
    assert source.read(items[0]) == tmp_path / "set" / "train" / "a.jpg"


def test_imagefolder_names_what_it_cannot_give(tmp_path: Path) -> None:
    lines = [{"file_name": "gone.jpg"}, {"file_name": "a.jpg"}, {"file_name": "a.jpg"}]
    metadata = "\n".join(json.dumps(line) for line in lines).encode()
    members = {"a.jpg": encoded(photo(1)), "../out.jpg": b"", "metadata.jsonl": metadata}
    source = make_source(tmp_path, "imagefolder", path=str(write_zip(tmp_path / "p.zip", members)))
    problems = {(item.key, item.problem) for item in source.items() if item.problem}
    assert problems == {
        ("gone.jpg", f"named in the metadata, but {tmp_path / 'p.zip'} has no picture gone.jpg"),
        ("a.jpg", "a.jpg is named twice in the metadata; the first entry was taken"),
        ("../out.jpg", "its name leads out of the archive"),
    }
    with pytest.raises(DataError, match=r"has no member 'b.jpg'"):
        source.read(Item("imagefolder", "b.jpg"))
    with pytest.raises(DataError, match="its name leads out of the archive"):
        source.read(Item("imagefolder", "../out.jpg"))


def test_a_damaged_member_is_told(tmp_path: Path) -> None:
    path = write_zip(tmp_path / "p.zip", {"a.jpg": encoded(photo(1))})
    content = bytearray(path.read_bytes())
    content[200] ^= 255
    path.write_bytes(content)
    with pytest.raises(DataError, match=r"p.zip is damaged at 'a.jpg' .*get a complete copy"):
        make_source(tmp_path, "imagefolder", path=str(path)).read(Item("imagefolder", "a.jpg"))


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("metadata.jsonl", b"{", "metadata.jsonl, line 1 is no JSON"),
        ("metadata.jsonl", b"\n[1]", "metadata.jsonl, line 2 is no object"),
        ("metadata.jsonl", b'{"path": "a.jpg"}', "metadata.jsonl, line 1 has no `file_name`"),
        ("metadata.jsonl", b"\xff\xfe", "metadata.jsonl cannot be read as UTF-8 text"),
        ("metadata.csv", b"name\na.jpg", "metadata.csv, line 2 has no `file_name`"),
        ("metadata.jsonl", b'{"file_name": "a.jpg"}', "no entry 'story' .caption_column. in metadata.jsonl"),
        ("other.txt", b"", "no entry 'story' .caption_column. in a metadata.jsonl, which it lacks"),
    ],
)
def test_metadata_that_is_wrong(tmp_path: Path, name: str, content: bytes, message: str) -> None:
    path = write_zip(tmp_path / "p.zip", {"a.jpg": encoded(photo(1)), name: content})
    with pytest.raises(DataError, match=message):
        list(make_source(tmp_path, "imagefolder", path=str(path), caption_column="story").items())


def test_folders_and_archives_that_are_none(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "no.zip").write_bytes(b"no archive")
    for path, message in (
        ("absent", "absent does not exist; give a folder or a .zip archive of pictures"),
        ("no.zip", "no.zip is neither a folder nor a .zip archive that can be read"),
        ("empty", "empty holds no pictures"),
    ):
        with pytest.raises(DataError, match=message):
            list(make_source(tmp_path, "imagefolder", path=str(tmp_path / path)).items())


# --- COCO


def test_coco(tmp_path: Path) -> None:
    names = ["000000000139.jpg", "000000000285.jpg", "000000000632.jpg"]
    members = {f"val2017/{name}": encoded(photo(index)) for index, name in enumerate(names[:2])}
    archive = write_zip(tmp_path / "val2017.zip", members)
    source = make_source(tmp_path, "coco", path=str(archive), captions_path=str(coco_captions(tmp_path, names)))
    items = list(source.items())
    assert [item.key for item in items] == ["000000000632.jpg", f"val2017/{names[1]}", f"val2017/{names[0]}"]
    assert items[0].problem == f"named in captions_val2017.json, but {archive} has no picture 000000000632.jpg"
    assert items[2].captions == tuple(f"Caption {k} of {names[0]}." for k in range(5))
    assert (items[2].license, items[2].attribution) == ("Attribution License", f"http://farm.example/{names[0]}")
    assert read_picture(source.read(items[2])).size == (96, 72)


def test_coco_refusals(tmp_path: Path) -> None:
    archive = write_zip(tmp_path / "val2017.zip", {"val2017/a.jpg": encoded(photo(1))})
    for content, message in (
        ('{"images": [], "annotations": []}', "names no pictures: its list `images` is empty"),
        ('{"images": [{"id": 1, "file_name": "b.jpg"}], "annotations": []}', "names 1 pictures, e.g. b.jpg, and none"),
        ('{"annotations": [{"image_id": 1}]}', r"is no COCO caption file \(KeyError: 'caption'\)"),
        ("[]", "is no COCO caption file"),
        ("{", "is no COCO caption file"),
    ):
        path = tmp_path / "captions.json"
        path.write_text(content, encoding="utf-8")
        with pytest.raises(DataError, match=message):
            list(make_source(tmp_path, "coco", path=str(archive), captions_path=str(path)).items())
    with pytest.raises(DataError, match=r"the caption file .*gone.json cannot be read"):
        list(make_source(tmp_path, "coco", path=str(archive), captions_path=str(tmp_path / "gone.json")).items())


# --- Kaggle


def test_kaggle_gives_the_pictures_back(tmp_path: Path) -> None:
    truth = write_arrays(tmp_path / "k", 6, [2, 2, 1])
    source = make_source(tmp_path, "kaggle", path=str(tmp_path / "k"))
    items = list(source.items())
    assert [item.key for item in items] == ["00000", "00001", "00002", "00003", "00004"]  # no a*b* for the sixth
    for item, picture in zip(items, truth, strict=False):
        read = source.read(item)
        assert isinstance(read, Image.Image)
        difference = np.abs(np.asarray(read, np.float64) - picture)
        assert difference.mean() < 2  # 8-bit CIELAB
        assert np.percentile(difference, 99) <= 8


def test_kaggle_refusals(tmp_path: Path) -> None:
    folder = tmp_path / "k"
    write_arrays(folder, 3, [2])
    cases: list[tuple[dict[str, Any], str]] = [
        ({}, "no ab2.npy in .* or a folder below"),
        ({"ab": ["ab1.npy", "ab1.npy"]}, "ab1.npy, ab1.npy have 4 pictures together, gray_scale.npy has only 3"),
        ({"ab": ["flat.npy"]}, r"flat.npy has shape \(2, 48, 48\); it must be N x 48 x 48 x 2"),
        ({"grey": "ab1.npy"}, r"ab1.npy has shape \(2, 48, 48, 2\); it must be N x height x width"),
        ({"ab": ["float.npy"]}, "float.npy holds float64; it must hold one array of 8-bit values"),
        ({"ab": ["broken.npy"]}, "broken.npy is no .npy array that can be read"),
    ]
    np.save(folder / "flat.npy", np.zeros((2, 48, 48), np.uint8))
    np.save(folder / "float.npy", np.zeros((2, 48, 48, 2)))
    (folder / "broken.npy").write_bytes(b"\x93NUMPY")
    for entries, message in cases:
        with pytest.raises(DataError, match=message):
            list(make_source(tmp_path, "kaggle", path=str(folder), **entries).items())


# --- classes


def test_pets_by_file_name_with_an_exact_split(tmp_path: Path) -> None:
    members = {f"images/basset_hound_{index}.jpg": b"" for index in range(1, 21)}
    members |= {f"images/Abyssinian_{index}.jpg": b"" for index in range(1, 4)}
    path = write_zip(tmp_path / "images.zip", members)
    settings = {"path": str(path), "label_from": "file_name", "classes": ["Basset hound"]}
    source = make_source(tmp_path, "classes", **settings, exact_split={"train": 12, "validation": 5, "test": 3})
    items = list(source.items())
    assert {item.label for item in items} == {"basset hound"}
    splits = [item.split for item in items]
    assert [splits.count(split) for split in ("train", "validation", "test")] == [12, 5, 3]
    assert splits != sorted(splits, key=lambda split: str(split))  # by hash, not by name
    assert list(source.items()) == items
    assert {
        item.label for item in make_source(tmp_path, "classes", path=str(path), label_from="file_name").items()
    } == {
        "basset hound",
        "Abyssinian",
    }
    with pytest.raises(DataError, match=r"exact_split asks for 21 pictures, .* has 20 of those"):
        list(make_source(tmp_path, "classes", **settings, exact_split={"train": 21}).items())


def test_linnaeus_by_folder(tmp_path: Path) -> None:
    members = {
        f"{split}/{kind}/{index}_256.jpg": b""
        for split in ("train", "test")
        for kind in ("berry", "bird")
        for index in (1, 2)
    }
    path = write_zip(tmp_path / "Linnaeus 5 256X256.zip", {f"Linnaeus 5 256X256/{name}": b"" for name in members})
    items = list(make_source(tmp_path, "classes", path=str(path), classes=["bird"], split_folders=True).items())
    assert [(item.label, item.split) for item in items] == [("bird", "test")] * 2 + [("bird", "train")] * 2
    with pytest.raises(DataError, match="has no pictures of fish; its classes are berry, bird"):
        list(make_source(tmp_path, "classes", path=str(path), classes=["fish"]).items())


def test_class_settings_are_checked(tmp_path: Path) -> None:
    for entries, message in (
        ({"label_from": "color"}, "label_from must be folder or file_name, got 'color'"),
        ({"exact_split": {"dev": 3}}, "exact_split gives numbers for train, validation, test"),
        ({"exact_split": {"train": 3}, "limit": 5}, "exact_split cannot go with share, limit or split_folders"),
    ):
        with pytest.raises(SettingError, match=message):
            make_source(tmp_path, "classes", path="x", **entries)
