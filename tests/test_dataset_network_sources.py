"""Sources of the dataset builder that need a network: datasets of the Hub, lists of addresses. And all at once."""

import csv
import json
import struct
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from dataset_files import (
    coco_captions,
    encoded,
    hub_folder,
    make_config,
    make_source,
    photo,
    photo_zip,
    write_arrays,
    write_zip,
)

from autochrome.errors import DataError, SettingError, UnavailableError
from dataset_builder.build import build
from dataset_builder.sources.downloads import url_problem

# --- Hub datasets


@pytest.fixture
def private_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import datasets

    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", str(tmp_path / "cache"))


@pytest.mark.usefixtures("private_cache")
def test_hub_dataset(tmp_path: Path) -> None:
    columns = {"image_column": "picture", "caption_column": "words", "label_column": "kind"}
    source = make_source(tmp_path, "hub_dataset", repo_id=str(hub_folder(tmp_path)), **columns)
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
        list(make_source(tmp_path, "hub_dataset", repo_id=str(tmp_path / "set")).items())


@pytest.mark.usefixtures("private_cache")
def test_a_hub_dataset_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(
        UnavailableError, match=r"the dataset .*absent cannot be read .*; check its id, split and revision"
    ):
        list(make_source(tmp_path, "hub_dataset", repo_id=str(tmp_path / "absent")).items())


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
    source = make_source(tmp_path, "urls", path=str(path), **settings)
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
    source = make_source(tmp_path, "urls", path=str(path), retries=0, timeout_s=2)
    items = list(source.items())
    source.fetch(items)
    for item in items:
        with pytest.raises(DataError, match="a private or local address; set allow_private=true"):
            source.read(item)
    assert not Site.asked


def test_a_dead_host(tmp_path: Path) -> None:
    path = tmp_path / "list.txt"
    path.write_text("http://127.0.0.1:9/a.jpg", encoding="utf-8")
    source = make_source(tmp_path, "urls", path=str(path), retries=0, allow_private=True)
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
        items = list(make_source(tmp_path, "urls", path=str(tmp_path / name), **columns).items())
        assert [(item.key, item.captions, item.license) for item in items] == [
            ("https://example.org/0.jpg", ("picture 0",), "CC0"),
            ("https://example.org/1.jpg", ("picture 1",), "CC0"),
        ]
        with pytest.raises(DataError, match="has no column url; it has link, alt, rights"):
            list(make_source(tmp_path, "urls", path=str(tmp_path / name)).items())


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
            list(make_source(tmp_path, "urls", path=str(tmp_path / name)).items())
    for entry, message in (
        ({"retries": -1}, "retries must be 0 or more"),
        ({"connections": 0}, "connections must be above 0"),
    ):
        with pytest.raises(SettingError, match=message):
            make_source(tmp_path, "urls", path="x.txt", **entry)


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
            **{"captions_path": str(coco_captions(tmp_path, names))},
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
