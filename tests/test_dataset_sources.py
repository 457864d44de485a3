"""The sources of the dataset builder, each on small data in its true layout."""

import csv
import json
import struct
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from dataset_files import encoded, make_config, photo, photo_zip, write_arrays, write_zip
from omegaconf import OmegaConf
from PIL import Image

from autochrome.errors import DataError, SettingError, UnavailableError
from autochrome.image import read_picture
from dataset_builder.build import build
from dataset_builder.items import Item
from dataset_builder.sources import SOURCES, Source
from dataset_builder.sources.downloads import url_problem


def make(folder: Path, kind: str, **entries: Any) -> Source:
    config_class = SOURCES[kind].config_class
    given: dict[Any, Any] = {"type": kind, "name": kind, **entries}
    config = OmegaConf.to_object(OmegaConf.merge(OmegaConf.structured(config_class), given))
    assert isinstance(config, config_class)
    return SOURCES[kind](config, folder / "downloads")


# --- imagefolder


def test_imagefolder_zip(tmp_path: Path) -> None:
    extra = {"b/new.png": encoded(photo(9), "PNG"), "__MACOSX/x.jpg": b"", "b/.hidden.jpg": b"", "notes.txt": b"-"}
    source = make(tmp_path, "imagefolder", path=str(photo_zip(tmp_path / "p.zip", 3, **extra)), attribution="Somebody")
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
    source = make(tmp_path, "imagefolder", path=str(tmp_path / "set"), license="CC0", split="test")
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
    source = make(tmp_path, "imagefolder", path=str(write_zip(tmp_path / "p.zip", members)))
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
        make(tmp_path, "imagefolder", path=str(path)).read(Item("imagefolder", "a.jpg"))


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
        list(make(tmp_path, "imagefolder", path=str(path), caption_column="story").items())


def test_folders_and_archives_that_are_none(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "no.zip").write_bytes(b"no archive")
    for path, message in (
        ("absent", "absent does not exist; give a folder or a .zip archive of pictures"),
        ("no.zip", "no.zip is neither a folder nor a .zip archive that can be read"),
        ("empty", "empty holds no pictures"),
    ):
        with pytest.raises(DataError, match=message):
            list(make(tmp_path, "imagefolder", path=str(tmp_path / path)).items())


# --- COCO


def coco(folder: Path, names: list[str]) -> Path:
    content = {
        "info": {},
        "licenses": [{"id": 4, "name": "Attribution License", "url": "http://creativecommons.org/licenses/by/2.0/"}],
        "images": [
            {"id": 9 - index, "file_name": name, "license": 4, "flickr_url": f"http://farm.example/{name}"}
            for index, name in enumerate(names)
        ],
        "annotations": [
            {"id": 10 * index + k, "image_id": 9 - index, "caption": f"Caption {k} of {name}. "}
            for index, name in enumerate(names)
            for k in range(5)
        ],
    }
    path = folder / "captions_val2017.json"
    path.write_text(json.dumps(content), encoding="utf-8")
    return path


def test_coco(tmp_path: Path) -> None:
    names = ["000000000139.jpg", "000000000285.jpg", "000000000632.jpg"]
    members = {f"val2017/{name}": encoded(photo(index)) for index, name in enumerate(names[:2])}
    archive = write_zip(tmp_path / "val2017.zip", members)
    source = make(tmp_path, "coco", path=str(archive), captions_path=str(coco(tmp_path, names)))
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
            list(make(tmp_path, "coco", path=str(archive), captions_path=str(path)).items())
    with pytest.raises(DataError, match=r"the caption file .*gone.json cannot be read"):
        list(make(tmp_path, "coco", path=str(archive), captions_path=str(tmp_path / "gone.json")).items())


# --- Kaggle


def test_kaggle_gives_the_pictures_back(tmp_path: Path) -> None:
    truth = write_arrays(tmp_path / "k", 6, [2, 2, 1])
    source = make(tmp_path, "kaggle", path=str(tmp_path / "k"))
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
            list(make(tmp_path, "kaggle", path=str(folder), **entries).items())


# --- classes


def test_pets_by_file_name_with_an_exact_split(tmp_path: Path) -> None:
    members = {f"images/basset_hound_{index}.jpg": b"" for index in range(1, 21)}
    members |= {f"images/Abyssinian_{index}.jpg": b"" for index in range(1, 4)}
    path = write_zip(tmp_path / "images.zip", members)
    settings = {"path": str(path), "label_from": "file_name", "classes": ["Basset hound"]}
    source = make(tmp_path, "classes", **settings, exact_split={"train": 12, "validation": 5, "test": 3})
    items = list(source.items())
    assert {item.label for item in items} == {"basset hound"}
    splits = [item.split for item in items]
    assert [splits.count(split) for split in ("train", "validation", "test")] == [12, 5, 3]
    assert splits != sorted(splits, key=lambda split: str(split))  # by hash, not by name
    assert list(source.items()) == items
    assert {item.label for item in make(tmp_path, "classes", path=str(path), label_from="file_name").items()} == {
        "basset hound",
        "Abyssinian",
    }
    with pytest.raises(DataError, match=r"exact_split asks for 21 pictures, .* has 20 of those"):
        list(make(tmp_path, "classes", **settings, exact_split={"train": 21}).items())


def test_linnaeus_by_folder(tmp_path: Path) -> None:
    members = {
        f"{split}/{kind}/{index}_256.jpg": b""
        for split in ("train", "test")
        for kind in ("berry", "bird")
        for index in (1, 2)
    }
    path = write_zip(tmp_path / "Linnaeus 5 256X256.zip", {f"Linnaeus 5 256X256/{name}": b"" for name in members})
    items = list(make(tmp_path, "classes", path=str(path), classes=["bird"], split_folders=True).items())
    assert [(item.label, item.split) for item in items] == [("bird", "test")] * 2 + [("bird", "train")] * 2
    with pytest.raises(DataError, match="has no pictures of fish; its classes are berry, bird"):
        list(make(tmp_path, "classes", path=str(path), classes=["fish"]).items())


def test_class_settings_are_checked(tmp_path: Path) -> None:
    for entries, message in (
        ({"label_from": "color"}, "label_from must be folder or file_name, got 'color'"),
        ({"exact_split": {"dev": 3}}, "exact_split gives numbers for train, validation, test"),
        ({"exact_split": {"train": 3}, "limit": 5}, "exact_split cannot go with share, limit or split_folders"),
    ):
        with pytest.raises(SettingError, match=message):
            make(tmp_path, "classes", path="x", **entries)


# --- Hub datasets


def hub_folder(folder: Path, first: int = 0) -> Path:
    import datasets

    features = datasets.Features(
        {
            "picture": datasets.Image(),
            "words": datasets.Value("string"),
            "kind": datasets.ClassLabel(names=["cat", "dog"]),
        }
    )
    rows = {
        "picture": [{"bytes": encoded(photo(first + index)), "path": None} for index in range(3)] + [None],
        "words": ["one", "two", "", "four"],
        "kind": [1, 0, -1, 0],
    }
    (folder / "set").mkdir()
    datasets.Dataset.from_dict(rows, features).to_parquet(folder / "set" / "train-00000-of-00001.parquet")
    return folder / "set"


@pytest.fixture
def private_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import datasets

    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", str(tmp_path / "cache"))


@pytest.mark.usefixtures("private_cache")
def test_hub_dataset(tmp_path: Path) -> None:
    columns = {"image_column": "picture", "caption_column": "words", "label_column": "kind"}
    source = make(tmp_path, "hub_dataset", repo_id=str(hub_folder(tmp_path)), **columns)
    items = list(source.items())
    assert [(item.key, item.captions, item.label) for item in items] == [
        ("000000000", ("one",), "dog"),
        ("000000001", ("two",), "cat"),
        ("000000002", (), None),
        ("000000003", ("four",), "cat"),
    ]
    assert "row 3 of" in str(items[3].problem)
    assert source.read(items[1]) == encoded(photo(1))
    source.release(items)
    with pytest.raises(DataError, match=r"picture 000000001 of .* was not stored"):
        source.read(items[1])
    assert not list((tmp_path / "downloads").iterdir())
    with pytest.raises(DataError, match="has no column image; it has picture, words, kind"):
        list(make(tmp_path, "hub_dataset", repo_id=str(tmp_path / "set")).items())


@pytest.mark.usefixtures("private_cache")
def test_a_hub_dataset_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(
        UnavailableError, match=r"the dataset .*absent cannot be read .*; check its id, split and revision"
    ):
        list(make(tmp_path, "hub_dataset", repo_id=str(tmp_path / "absent")).items())


# --- addresses


class Site(BaseHTTPRequestHandler):
    """A small web site with the ways in which one can fail."""

    asked: ClassVar[list[str]] = []
    agents: ClassVar[set[str | None]] = set()
    picture: ClassVar[bytes] = encoded(photo(3))
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        Site.asked.append(self.path)
        Site.agents.add(self.headers["User-Agent"])
        first = Site.asked.count(self.path) == 1
        body, status = Site.picture, 200
        headers: dict[str, str] = {}
        match self.path:
            case "/gone.jpg":
                status = 404
            case "/busy.jpg":
                status, headers = (429, {"Retry-After": "0"}) if first else (200, {})
            case "/down.jpg":
                status = 503
            case "/moved.jpg":
                status, headers = 301, {"Location": "/%C3%A4%20b.jpg?x=1"}
            case "/round.jpg":
                status, headers = 302, {"Location": "/round.jpg"}
            case "/to-file":
                status, headers = 302, {"Location": "file:///etc/passwd"}
            case "/large.jpg":
                body = bytes(200_000)
            case "/noai.jpg":
                headers = {"X-Robots-Tag": "noindex, NoAI"}
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        pass


@pytest.fixture
def site() -> Iterator[str]:
    Site.asked.clear()
    server = ThreadingHTTPServer(("127.0.0.1", 0), Site)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def test_addresses(tmp_path: Path, site: str) -> None:
    names = [
        "good.jpg",
        "gone.jpg",
        "busy.jpg",
        "down.jpg",
        "moved.jpg",
        "round.jpg",
        "to-file",
        "large.jpg",
        "noai.jpg",
    ]
    lines = [
        "# a comment",
        *(f"{site}/{name}" for name in names),
        "",
        f"{site}/good.jpg",
        "ftp://example.org/a.jpg",
        "dog",
    ]
    path = tmp_path / "list.txt"
    path.write_text("\n".join(lines), encoding="utf-8")
    settings = {"allow_private": True, "retries": 1, "max_mb": 0.1, "user_agent": "tests"}
    source = make(tmp_path, "urls", path=str(path), **settings)
    items = list(source.items())
    problems = [item.problem for item in items[len(names) :]]
    assert problems == [
        f"{site}/good.jpg is in the list twice",
        "'ftp://example.org/a.jpg': only http and https are fetched, not 'ftp'",
        "'dog' is no web address; they look like https://example.org/picture.jpg",
    ]
    source.fetch(items)
    results: dict[str, object] = {}
    for item, name in zip(items, names, strict=False):
        try:
            results[name] = source.read(item)
        except DataError as error:
            results[name] = str(error).removeprefix(f"{site}/{name}: ")
    assert results == {
        "good.jpg": Site.picture,
        "gone.jpg": "the server answered 404; check the address",
        "busy.jpg": Site.picture,
        "down.jpg": "the server answered 503, 2 times; try again later",
        "moved.jpg": Site.picture,
        "round.jpg": "more than 5 redirects",
        "to-file": "'file:///etc/passwd' is no web address; they look like https://example.org/picture.jpg",
        "large.jpg": "more than 0.1 MB; raise max_mb if it is wanted",
        "noai.jpg": "the site forbids machine learning with it (X-Robots-Tag)",
    }
    assert Site.agents == {"tests"}
    assert "/%C3%A4%20b.jpg?x=1" in Site.asked
    asked = len(Site.asked)
    source.fetch(items[:1])
    assert len(Site.asked) == asked  # what is there is not fetched again
    source.release(items)
    assert not list((tmp_path / "downloads").iterdir())


def test_private_addresses_are_refused(tmp_path: Path, site: str) -> None:
    path = tmp_path / "list.txt"
    urls = [f"{site}/good.jpg", site.replace("127.0.0.1", "localhost"), site.replace("127.0.0.1", "[::ffff:127.0.0.1]")]
    urls += ["http://169.254.169.254/latest", "http://10.0.0.1/a.jpg", "http://0.0.0.0/a.jpg"]
    path.write_text("\n".join(urls), encoding="utf-8")
    source = make(tmp_path, "urls", path=str(path), retries=0, timeout_s=2)
    items = list(source.items())
    source.fetch(items)
    for item in items:
        with pytest.raises(DataError, match="a private or local address; set allow_private=true"):
            source.read(item)
    assert not Site.asked


def test_a_dead_host(tmp_path: Path) -> None:
    path = tmp_path / "list.txt"
    path.write_text("http://127.0.0.1:9/a.jpg", encoding="utf-8")
    source = make(tmp_path, "urls", path=str(path), retries=0, allow_private=True)
    (item,) = source.items()
    source.fetch([item])
    with pytest.raises(DataError, match=r"http://127.0.0.1:9/a.jpg: ConnectError \(.*\), 1 times; try again later"):
        source.read(item)


def test_lists_as_csv_and_parquet(tmp_path: Path) -> None:
    rows = [
        {"link": f"https://example.org/{index}.jpg", "alt": f"picture {index}", "rights": "CC0"} for index in range(2)
    ]
    with (tmp_path / "list.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, ["link", "alt", "rights"])
        writer.writeheader()
        writer.writerows(rows)
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "list.parquet")
    columns = {"url_column": "link", "caption_column": "alt", "license_column": "rights"}
    for name in ("list.csv", "list.parquet"):
        items = list(make(tmp_path, "urls", path=str(tmp_path / name), **columns).items())
        assert [(item.key, item.captions, item.license) for item in items] == [
            ("https://example.org/0.jpg", ("picture 0",), "CC0"),
            ("https://example.org/1.jpg", ("picture 1",), "CC0"),
        ]
        with pytest.raises(DataError, match="has no column url; it has link, alt, rights"):
            list(make(tmp_path, "urls", path=str(tmp_path / name)).items())


def test_lists_that_are_none(tmp_path: Path) -> None:
    (tmp_path / "empty.txt").write_text("# nothing\n", encoding="utf-8")
    (tmp_path / "list.docx").write_bytes(b"")
    (tmp_path / "list.parquet").write_bytes(struct.pack("<I", 7))
    for name, message in (
        ("empty.txt", "empty.txt holds no addresses"),
        ("list.docx", "list.docx is no list of addresses that is read; give .txt, .csv or .parquet"),
        ("list.parquet", "the list .*list.parquet cannot be read"),
        ("gone.csv", "the list .*gone.csv cannot be read"),
    ):
        with pytest.raises(DataError, match=message):
            list(make(tmp_path, "urls", path=str(tmp_path / name)).items())
    for entry, message in (
        ({"retries": -1}, "retries must be 0 or more"),
        ({"connections": 0}, "connections must be above 0"),
    ):
        with pytest.raises(SettingError, match=message):
            make(tmp_path, "urls", path="x.txt", **entry)


# --- all together


@pytest.mark.usefixtures("private_cache")
def test_every_source_through_one_build(tmp_path: Path, site: str) -> None:
    names = ["000000000139.jpg", "000000000285.jpg"]
    write_zip(tmp_path / "val2017.zip", {f"val2017/{name}": encoded(photo(20 + i)) for i, name in enumerate(names)})
    write_arrays(tmp_path / "kaggle", 2, [2], first=30)
    write_zip(tmp_path / "pets.zip", {f"images/pug_{i}.jpg": encoded(photo(40 + i)) for i in range(3)})
    (tmp_path / "list.txt").write_text(f"{site}/good.jpg\n{site}/gone.jpg", encoding="utf-8")
    hub = {"image_column": "picture", "caption_column": "words", "label_column": "kind"}
    pets = {"label_from": "file_name", "exact_split": {"train": 1, "validation": 1, "test": 1}}
    sources: list[dict[str, Any]] = [
        {"type": "imagefolder", "name": "folder", "path": str(photo_zip(tmp_path / "p.zip", 2))},
        {
            **{"type": "coco", "name": "coco", "path": str(tmp_path / "val2017.zip")},
            **{"captions_path": str(coco(tmp_path, names))},
        },
        {"type": "kaggle", "name": "kaggle", "path": str(tmp_path / "kaggle"), "ab": ["ab1.npy"]},
        {"type": "classes", "name": "pets", "path": str(tmp_path / "pets.zip"), **pets},
        {"type": "hub_dataset", "name": "hub", "repo_id": str(hub_folder(tmp_path, first=50)), **hub},
        {"type": "urls", "name": "web", "path": str(tmp_path / "list.txt"), "allow_private": True},
    ]
    report = build(make_config(tmp_path, sources, "pictures.fit=crop"))
    kept = {name: entry["kept"] for name, entry in report["sources"].items()}
    assert kept == {"street": 1, "studio": 1, "coco": 2, "kaggle": 2, "pets": 3, "hub": 3, "web": 1}
    lines = (tmp_path / "built" / "rejected.jsonl").read_text("utf-8").splitlines()
    assert [(entry["key"], entry["reason"]) for entry in map(json.loads, lines)] == [
        ("000000003", "unavailable"),
        (f"{site}/gone.jpg", "unavailable"),
    ]
    rows = [row for path in (tmp_path / "built" / "data").iterdir() for row in pq.read_table(path).to_pylist()]
    texts = {row["source"]: row["text"] for row in rows}
    assert texts["coco"].startswith("Caption 0 of 000000000")
    assert texts["pets"] == "a photo of pug"
    assert {(row["width"], row["height"]) for row in rows} == {(64, 64), (48, 48)}


def test_url_problem() -> None:
    assert url_problem("https://example.org/a b.jpg") is None
    assert url_problem("http://[::1") is not None
    assert url_problem("http://host:99999/a") is not None
    assert url_problem("data:image/png;base64,xx") is not None
