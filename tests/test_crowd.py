"""Many people at one server: the queue, who is refused and how, who leaves, and what nobody may reach."""

import itertools
import json
import os
import re
import struct
import threading
import time
import zlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import patient
import PIL.Image
import pytest
from gradio_client import handle_file
from servers import serving

from autochrome.catalog import Catalog
from autochrome.ui import Limits

LIMITS = Limits(
    max_waiting=2,
    max_file_bytes=300_000,
    max_upload_bytes=500_000,
    max_request_bytes=20_000,
    max_mcp_bytes=30_000,
    max_kept_bytes=20_000_000,
    clean_every_seconds=0.2,
)
FULL = "many people are waiting here and the queue is full; please try again in a minute"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("crowd")


@pytest.fixture(scope="module")
def url(tiny_catalog: Catalog, folder: Path) -> Iterator[str]:
    """A server that is soon full, without the slash at the end."""
    with serving(tiny_catalog, folder, LIMITS) as address:
        yield address.rstrip("/")


@pytest.fixture(scope="module")
def slow_photo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A few bytes to upload, and a second of work: 12 megapixels of one grey."""
    path = tmp_path_factory.mktemp("slow") / "slow.png"
    PIL.Image.new("L", (4000, 3000), 120).save(path)
    return path


def upload(url: str, photo: Path) -> str:
    with photo.open("rb") as file:
        (path,) = patient.post(f"{url}/gradio_api/upload", files={"files": file}).raise_for_status().json()
    return str(path)


def join(url: str, path: str, **settings: Any) -> httpx.Response:
    values = {"image": {"path": path}, **settings}
    return patient.post(f"{url}/gradio_api/call/v2/colorize", json=values)


def answer(url: str, event_id: str) -> str:
    return patient.get(f"{url}/gradio_api/call/colorize/{event_id}").text


def overhear(url: str, event_id: str) -> str:
    """What is told within a second to somebody to whom nothing should be told."""
    told = ""
    address = f"{url}/gradio_api/call/colorize/{event_id}"
    with suppress(httpx.TransportError), httpx.stream("GET", address, timeout=httpx.Timeout(30, read=1)) as stream:
        for text in stream.iter_text():
            told += text
    return told


def num_waiting(url: str) -> int:
    return int(patient.get(f"{url}/gradio_api/queue/status").raise_for_status().json()["queue_size"])


def wait_for(number: int, url: str) -> None:
    """Until so many wait in the queue, besides those in work."""
    deadline = time.monotonic() + patient.PATIENCE_SECONDS
    while num_waiting(url) != number:
        assert time.monotonic() < deadline, f"{num_waiting(url)} are waiting, not {number}"
        time.sleep(0.02)


def occupy(url: str, path: str) -> list[str]:
    """Both places at work are taken; the ids of what is done there."""
    working = [join(url, path).raise_for_status().json()["event_id"] for _ in range(2)]
    wait_for(0, url)
    return working


def test_a_full_queue_refuses_politely_and_serves_those_in_it(
    url: str, slow_photo: Path, grey_photo: Path, tmp_path: Path
) -> None:
    client = patient.connect(url, tmp_path)
    path, small = upload(url, slow_photo), upload(url, grey_photo)
    working = occupy(url, path)
    waiting = [join(url, small).raise_for_status().json()["event_id"] for _ in range(2)]
    refused = join(url, small)
    assert refused.status_code == 503
    assert refused.json() == {"detail": FULL}
    assert refused.headers["retry-after"] == "60"
    with pytest.raises(Exception, match="Queue is full! Please try again"):
        client.predict(handle_file(grey_photo), api_name="/colorize")
    client.close()
    for event in (*working, *waiting):
        assert answer(url, event).startswith(("event: complete", "event: heartbeat"))
    assert join(url, small).status_code == 200, "there is room again"
    wait_for(0, url)


def test_nothing_runs_beside_the_queue(url: str) -> None:
    for route in ("run", "api"):
        refused = patient.post(f"{url}/gradio_api/{route}/models", json={"data": []})
        assert refused.status_code == 404
        assert "does not accept direct HTTP POST requests" in refused.text


def test_who_leaves_frees_the_place(url: str, slow_photo: Path, grey_photo: Path) -> None:
    """Those at work and one that waits go away; who comes after them is served."""
    slow, small = upload(url, slow_photo), upload(url, grey_photo)
    working = occupy(url, slow)
    waiting, staying = (join(url, small).json()["event_id"] for _ in range(2))
    for event in (waiting, *working):
        with httpx.stream("GET", f"{url}/gradio_api/call/colorize/{event}", timeout=patient.PATIENCE_SECONDS) as stream:
            time.sleep(0.2)  # the server has begun to answer
            assert stream.status_code == 200
    assert "event: complete" in answer(url, staying)
    assert num_waiting(url) == 0
    assert "complete" not in overhear(url, waiting)


def test_cancel(url: str, slow_photo: Path, grey_photo: Path, tmp_path: Path) -> None:
    """Runs and a wait are cancelled; the next result comes, and is the right one."""
    client = patient.connect(url, tmp_path)
    running = [client.submit(handle_file(slow_photo), api_name="/colorize") for _ in range(2)]
    deadline = time.monotonic() + patient.PATIENCE_SECONDS
    while {run.status().code.name for run in running} != {"PROCESSING"}:
        assert time.monotonic() < deadline, [run.status() for run in running]
        time.sleep(0.02)
    waiting = client.submit(handle_file(grey_photo), api_name="/colorize")
    wait_for(1, url)
    waiting.cancel()
    wait_for(0, url)
    for run in running:
        run.cancel()
    path, report = client.predict(handle_file(grey_photo), api_name="/colorize")
    client.close()
    with PIL.Image.open(path) as picture, PIL.Image.open(grey_photo) as photo:
        assert picture.size == photo.size
    assert report["model"] == "tiny-one"


# What is too large


def bomb(width: int, height: int) -> bytes:
    """A PNG that announces so many pixels and has none."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")


def test_a_pixel_bomb_is_refused_before_it_is_decoded(url: str, tmp_path: Path) -> None:
    photo = tmp_path / "bomb.png"
    photo.write_bytes(bomb(20_000, 15_000))
    event = join(url, upload(url, photo)).json()["event_id"]
    assert "the picture is 20000 x 15000 = 300.0 megapixels; at most 100 megapixels" in answer(url, event)


def test_files_and_requests_have_a_size(url: str) -> None:
    address = f"{url}/gradio_api/upload"
    refused = patient.post(address, files={"files": b"x" * 300_001})
    assert refused.status_code == 413
    assert "exceeded maximum allowed size of 300000 bytes" in refused.text.lower()
    many: dict[str, Any] = {"files": [("files", b"x" * 200_000)] * 3}
    head = b'--b\r\nContent-Disposition: form-data; name="files"; filename="a"\r\n\r\n'
    undeclared = itertools.chain.from_iterable((head, *_chunks(200_000), b"\r\n") for _ in range(3))
    chunked = {"content": undeclared, "headers": {"content-type": "multipart/form-data; boundary=b"}}
    for body in (many, chunked):
        refused = patient.post(address, **body)
        assert refused.status_code == 413
        assert refused.json() == {"detail": "the request is larger than the 500,000 bytes that are taken here"}
    for route, limit in (("call/v2/colorize", "20,000"), ("queue/join", "20,000"), ("mcp/", "30,000")):
        for content in (b"[" * 40_000, _chunks(40_000)):
            refused = patient.post(f"{url}/gradio_api/{route}", content=content)
            assert refused.status_code == 413
            assert refused.json() == {"detail": f"the request is larger than the {limit} bytes that are taken here"}


def _chunks(size: int) -> Iterator[bytes]:
    """A body whose length is not declared."""
    yield from itertools.repeat(b"x" * 10_000, size // 10_000)


def test_deep_and_broken_requests_get_a_sentence(url: str) -> None:
    for content in (b"[" * 9_000, b'{"a":' * 3_000, b"\xff\xfe", b""):
        for route in ("queue/join", "call/v2/colorize"):
            refused = patient.post(f"{url}/gradio_api/{route}", content=content)
            assert (refused.status_code, refused.json()) == (400, {"detail": "the body of the request must be JSON"})
    assert patient.get(f"{url}/gradio_api/queue/status").status_code == 200


def test_calls_that_name_nothing_get_a_sentence(url: str) -> None:
    unknown = patient.post(f"{url}/gradio_api/call/v2/paint", json={})
    assert (unknown.status_code, unknown.json()) == (
        404,
        {"detail": "/gradio_api/call/v2/paint is none; GET /gradio_api/info lists the endpoints and their arguments"},
    )
    for values in ({"image": {"path": "x"}, "colour": 1}, {}):
        wrong = patient.post(f"{url}/gradio_api/call/v2/colorize", json=values)
        assert wrong.status_code == 400
        assert "has arguments that this endpoint does not take, or lacks one; GET /gradio_api/info" in wrong.text


# What nobody may reach


@pytest.fixture
def secret_server(tmp_path: Path) -> Iterator[tuple[int, list[str]]]:
    """A service of the machine's own, which must not be asked; its port, and the paths that it was asked for."""
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b"\x89PNG secret")

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    yield server.server_address[1], asked
    server.shutdown()
    thread.join()
    server.server_close()


MARK = {"_type": "gradio.FileData"}


@pytest.mark.parametrize("mark", [{}, {"meta": MARK}])
def test_no_file_of_the_machine_is_read(url: str, folder: Path, tmp_path: Path, mark: dict[str, Any]) -> None:
    secret = tmp_path / "secret.png"
    PIL.Image.new("L", (9, 9)).save(secret)
    traversing = f"{folder}/../{tmp_path.name}/secret.png"
    for path in (str(secret), "/etc/passwd", "file:///etc/passwd", traversing, f"{url}/gradio_api/file=/etc/passwd"):
        for name in ("image", "reference", "exemplar"):
            given = {"image": {"path": "x"}, name: {"path": path, **mark}}
            joined = patient.post(f"{url}/gradio_api/call/v2/colorize", json=given)
            text = answer(url, joined.json()["event_id"])
            assert text.startswith("event: error"), text
            assert "root:" not in text


def test_no_address_of_the_machine_is_asked(url: str, secret_server: tuple[int, list[str]], grey_photo: Path) -> None:
    port, asked = secret_server
    hosts = ["127.0.0.1", "localhost", "0.0.0.0", "[::1]", "[::ffff:127.0.0.1]", "2130706433", "0x7f000001", "127.1"]
    for host, mark in itertools.product(hosts, ({}, {"meta": MARK})):
        address = f"http://{host}:{port}/photo.png"
        given = {"image": {"path": address, "url": address, **mark}}
        joined = patient.post(f"{url}/gradio_api/call/v2/colorize", json=given)
        text = answer(url, joined.json()["event_id"])
        assert text.startswith("event: error"), text
        assert "upload the file instead" in text
    # The address beside an honest path is not followed either.
    path = upload(url, grey_photo)
    beside = {"path": path, "url": f"http://127.0.0.1:{port}/x", "meta": MARK}
    event = patient.post(f"{url}/gradio_api/call/v2/colorize", json={"image": beside}).json()["event_id"]
    assert "event: complete" in answer(url, event)
    for route in ("file=", "file/", "proxy="):
        for address in (f"http://127.0.0.1:{port}/x", f"HTTP://127.0.0.1:{port}/x"):
            closed = patient.get(f"{url}/gradio_api/{route}{address}")
            assert closed.status_code == 403
            assert closed.json() == {"detail": "this server fetches no addresses and runs nothing here"}
    assert asked == []


def test_private_events_of_the_page_reach_nothing_more(url: str, secret_server: tuple[int, list[str]]) -> None:
    """A program may send the page's own events; each with a file that is none, and with an address."""
    port, asked = secret_server
    config = patient.get(f"{url}/config").json()
    given = [{"path": "/etc/passwd", "meta": MARK}, {"path": f"http://127.0.0.1:{port}/x.png", "meta": MARK}]
    tried = 0
    for number, event in enumerate(config["dependencies"]):
        for file in given:
            body = {"data": [file] * len(event["inputs"]), "fn_index": event["id"], "session_hash": f"s{number}"}
            joined = patient.post(f"{url}/gradio_api/queue/join", json=body)
            if joined.status_code != 200 or not event["inputs"]:
                continue
            tried += 1
            assert "root:" not in messages(url, f"s{number}")
    assert tried > 10
    assert asked == []


def messages(url: str, session: str) -> str:
    """What a session is sent, up to the end of its event."""
    address = f"{url}/gradio_api/queue/data"
    return patient.get(address, params={"session_hash": session}).text


@pytest.mark.parametrize(
    "path",
    ["/etc/passwd", "../../etc/passwd", "{folder}", "{folder}/", "{folder}/../secret.png", "~/.bashrc", "app.py"],
)
def test_files_are_served_from_one_folder_only(url: str, folder: Path, path: str) -> None:
    (folder.parent / "secret.png").write_bytes(b"secret")
    answered = patient.get(f"{url}/gradio_api/file={path.format(folder=folder)}")
    assert answered.status_code in (403, 404)
    assert b"secret" not in answered.content.replace(b"secret.png", b"")


def test_uploads_stay_in_the_folder_whatever_their_name(url: str, folder: Path) -> None:
    for name in ("../../../escaped.png", "/tmp/escaped.png", "..", "a\x00b.png", "con.png" * 60):
        sent = patient.post(f"{url}/gradio_api/upload", files={"files": (name, b"x")})
        if sent.status_code == 200:
            assert Path(sent.json()[0]).resolve().is_relative_to(folder.resolve())
    assert not (folder.parent / "escaped.png").exists()


def test_nobody_sees_the_result_of_another(url: str, grey_photo: Path) -> None:
    first = join(url, upload(url, grey_photo)).json()["event_id"]
    text = answer(url, first)
    picture = json.loads(text.split("event: complete\ndata: ", 1)[1].splitlines()[0])[0]
    assert re.search(r"/[0-9a-f]{32}/portrait-autochrome\.png$", picture["path"]), "a folder that cannot be guessed"
    assert patient.get(picture["url"]).status_code == 200, "who has the address has the picture"
    # An answer is given once, and nothing to a session that is not known.
    for event in (first, "0" * 32):
        told = overhear(url, event)
        assert "portrait" not in told
        assert "complete" not in told
    assert "portrait" not in patient.get(f"{url}/config").text


def size_of(folder: Path) -> int:
    total = 0
    for parent, _, names in os.walk(folder):
        for name in names:
            with suppress(FileNotFoundError):  # it is being deleted
                total += Path(parent, name).stat().st_size
    return total


def test_old_files_go(url: str, folder: Path, tmp_path: Path, grey_photo: Path) -> None:
    """Above 20 MB the oldest are deleted; here a picture of noise, 90 times."""
    first = upload(url, grey_photo)
    noise = np.random.default_rng(0).integers(0, 256, (500, 500), np.uint8)
    for number in range(90):
        photo = tmp_path / f"{number}.png"
        PIL.Image.fromarray(np.roll(noise, number)).save(photo)
        last = upload(url, photo)
    deadline = time.monotonic() + patient.PATIENCE_SECONDS
    while Path(first).exists() or size_of(folder) > LIMITS.max_kept_bytes:
        assert time.monotonic() < deadline, size_of(folder)
        time.sleep(0.05)
    assert Path(last).exists()
    event = join(url, first).json()["event_id"]
    assert "the upload portrait.png is no longer on the server; upload it again" in answer(url, event)


def test_thirty_at_once_are_more_than_fit_and_nobody_is_forgotten(url: str, grey_photo: Path) -> None:
    path = upload(url, grey_photo)
    with ThreadPoolExecutor(30) as pool:
        joined = list(pool.map(lambda _: join(url, path), range(30)))
        served = [each.json()["event_id"] for each in joined if each.status_code == 200]
        assert {each.status_code for each in joined} <= {200, 503}
        assert len(served) >= 3
        answers = list(pool.map(lambda event: answer(url, event), served))
    assert all("event: complete" in text for text in answers)
