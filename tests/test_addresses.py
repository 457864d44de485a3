"""Fetching a picture by its address: from public addresses only, and never more than is allowed."""

import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from autochrome.errors import PictureError
from autochrome.ui.addresses import fetch, file_name, is_public, own_path
from autochrome.ui.doors import without_fetching

PICTURE = b"\x89PNG and so on"


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    """A small web; its address."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            found = self.path in ("/photo.png", "/drips")
            self.send_response(302 if self.path.startswith("/to/") else 200 if found else 404)
            if self.path.startswith("/to/"):
                self.send_header("Location", self.path.removeprefix("/to/"))
            self.end_headers()
            self.wfile.write(PICTURE if self.path == "/photo.png" else b"")
            for _ in range(30 if self.path == "/drips" else 0):
                try:
                    self.wfile.write(b"x")
                    self.wfile.flush()
                except OSError:
                    return  # the other side had enough
                time.sleep(0.02)

        def log_message(self, *_: object) -> None:
            pass

    served = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    served.daemon_threads = True
    thread = threading.Thread(target=served.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    yield f"http://127.0.0.1:{served.server_address[1]}"
    served.shutdown()
    thread.join()
    served.server_close()


def get(address: str, max_bytes: int = 1000) -> bytes:
    """With the test's own server taken for a public one."""
    return fetch(address, "image", max_bytes=max_bytes, allowed=lambda ip: ip == "127.0.0.1")


def test_what_is_allowed_is_fetched(server: str) -> None:
    assert get(f"{server}/photo.png") == PICTURE
    assert get(f"{server}/to//photo.png") == PICTURE, "after a redirection"
    assert get(f"{server}/to/to/to//photo.png".replace("to/to/to/", "to//to//to/")) == PICTURE


@pytest.mark.parametrize(
    ("path", "sentence"),
    [
        ("/none.png", "image could not be fetched from its address; upload the file instead"),
        ("/to/http://127.0.0.2:1/x", "image has an address that is not on the public internet; upload the file"),
        ("/to/file:///etc/passwd", "image must have an http or https address; or upload the file"),
        ("/to/" * 5 + "/photo.png", "image was redirected more than 3 times; give the address of the file itself"),
    ],
)
def test_what_goes_wrong_is_a_sentence(server: str, path: str, sentence: str) -> None:
    with pytest.raises(PictureError, match=sentence):
        get(server + path)


def test_more_bytes_than_allowed_are_not_read(server: str) -> None:
    with pytest.raises(PictureError, match=r"image has more than 9 bytes, which is the limit; make it smaller"):
        get(f"{server}/photo.png", max_bytes=9)


def test_a_slow_server_is_given_up(server: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("autochrome.ui.addresses.FETCH_SECONDS", 0.1)
    with pytest.raises(PictureError, match=r"image (did not come within 0\.1 s|could not be fetched)"):
        get(f"{server}/drips")


@pytest.mark.parametrize("address", ["http://127.0.0.1:1/x", "http://localhost/x", "http://[::1]/x", "http://0/x"])
def test_the_machine_itself_is_no_public_address(address: str) -> None:
    with pytest.raises(PictureError, match="not on the public internet; upload the file instead"):
        fetch(address, "image", max_bytes=9)


@pytest.mark.parametrize("address", ["http://", "http://[", "http://no.such.host.invalid/x", "http://a b/"])
def test_addresses_that_lead_nowhere(address: str) -> None:
    with pytest.raises(PictureError, match=r"image (could not be fetched|must have an http or https address)"):
        fetch(address, "image", max_bytes=9)


@pytest.mark.parametrize(
    "ip",
    [
        *(
            "127.0.0.1",
            "10.1.2.3",
            "172.16.0.1",
            "192.168.1.1",
            "169.254.169.254",
            "100.64.0.1",
            "0.0.0.0",
            "224.0.0.1",
        ),
        *("::1", "fe80::1%eth0", "fd00::1", "::ffff:10.0.0.1", "ff02::1", "255.255.255.255"),
    ],
)
def test_private_ips(ip: str) -> None:
    assert not is_public(ip)


@pytest.mark.parametrize("ip", ["93.184.216.34", "2606:2800:220:1:248:1893:25c8:1946", "::ffff:93.184.216.34"])
def test_public_ips(ip: str) -> None:
    assert is_public(ip)


def test_names_of_files() -> None:
    assert file_name("https://x.org/a/b.JPG?c=../d.png") == "b.JPG"
    assert file_name("https://x.org/") == "picture"
    assert file_name("https://x.org/%2e%2e%2f%2e%2e%2fpasswd") not in ("", "..")
    assert "/" not in file_name("https://x.org/a%2Fb.png")
    assert len(file_name(f"https://x.org/{'a' * 999}.png")) == 100


def test_the_servers_own_files() -> None:
    assert own_path("http://127.0.0.1:7860/gradio_api/file=/tmp/a%20b.png") == "/tmp/a b.png"
    assert own_path("https://x.hf.space/gradio_api/file=/tmp/a.png") == "/tmp/a.png"
    assert own_path("https://x.org/photo.png") is None


def test_marked_addresses_lose_their_mark_and_nothing_else_changes() -> None:
    mark = b'"meta": {"_type": "gradio.FileData"}'
    path = b'{"data": [{"path": "/tmp/x.png", ' + mark + b"}]}"
    assert without_fetching(path) == path
    assert without_fetching(b'{"data": [[{"a": {"path": " HTTP://x.org/y.png", ' + mark + b"}}]]}") == (
        b'{"data": [[{"a": {"path": " HTTP://x.org/y.png"}}]]}'
    )
    with pytest.raises(ValueError, match="Expecting"):
        without_fetching(b"{")
