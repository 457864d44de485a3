"""For the tests of `autochrome judge`: small contests, the program, and a client that knows what a page knows."""

import http.client
import io
import json
import re
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import PIL.Image
import PIL.ImageEnhance
import skimage.data

from autochrome.judge.contest import gather
from autochrome.judge.server import HOST, TOKEN_HEADER, make_server
from autochrome.judge.session import Session
from autochrome.judge.votes import VoteLog

START_SECONDS = 300
"""Patience with a busy machine."""

Process = subprocess.Popen[str]


def piece(index: int, size: tuple[int, int] = (48, 32)) -> PIL.Image.Image:
    """A piece of a photograph, another one for another index."""
    photo = PIL.Image.fromarray(skimage.data.astronaut())
    left, top = 40 * (index % 6) + 100, 60 * (index // 6)
    return photo.crop((left, top, left + 144, top + 96)).resize(size)


def save_piece(path: Path, index: int, color: float = 1.0, size: tuple[int, int] = (48, 32)) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    PIL.ImageEnhance.Color(piece(index, size)).enhance(color).save(path)


def contestants(folder: Path, names: list[str], count: int) -> tuple[list[Path], Path]:
    """A folder for each name, each with more color than the one before, and the truth as JPEG; one lies deeper."""
    stems = [*(f"picture-{index}" for index in range(count - 1)), f"deep/picture-{count - 1}"]
    for index, stem in enumerate(stems):
        for number, name in enumerate(names):
            save_piece(folder / name / f"{stem}.png", index, 0.4 + 0.8 * number)
        save_piece(folder / "truth" / f"{stem}.jpg", index)
    return [folder / name for name in names], folder / "truth"


@contextmanager
def run_judge(*arguments: object) -> Iterator[tuple[Process, str]]:
    """The program in a process of its own, and the address of its page."""
    command = [sys.executable, "-m", "autochrome.cli", "judge", *map(str, arguments)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        for line in process.stdout:
            found = re.match(r"Open (http://127\.0\.0\.1:\d+/) in a browser; Ctrl\+C ends it\.", line)
            if found:
                break
        else:
            raise AssertionError(process.communicate()[1])
        yield process, found[1]
    finally:
        if process.poll() is None:
            process.kill()
        process.communicate()


@contextmanager
def serving(
    folders: list[Path], reference: Path | None, question: str, votes: Path, seed: int = 0
) -> Iterator[tuple[str, Session]]:
    """The page, served by a thread: its address, and what is behind it."""
    contest = gather(folders, reference, question, seed)
    log = VoteLog(votes, contest.study)
    session = Session(contest, log)
    server = make_server(session)
    with socket.create_server((HOST, 0)) as listener:
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        try:
            yield f"http://{HOST}:{listener.getsockname()[1]}/", session
        finally:
            server.should_exit = True
            thread.join(START_SECONDS)
            log.close()


class Answer:
    """Status, headers (as text) and body of one answer."""

    def __init__(self, response: http.client.HTTPResponse) -> None:
        self.status = response.status
        self.headers = str(response.headers)
        self.body = response.read()

    def json(self) -> Any:
        return json.loads(self.body)


class Page:
    """Does what the page's script does, over real HTTP, and keeps all that the server says in `heard`."""

    def __init__(self, url: str) -> None:
        self._address = url.removeprefix("http://").rstrip("/")
        self.heard: list[Answer] = []
        self.html = self._when_ready().body.decode()
        found = re.search(r'<meta name="token" content="([\w-]+)">', self.html)
        assert found is not None
        self.token = found[1]
        self.state: dict[str, Any] = self.get("/state").json()

    def _when_ready(self) -> Answer:
        for _ in range(START_SECONDS * 10):
            try:
                return self.request("GET", "/", {})
            except ConnectionError:
                time.sleep(0.1)
        raise AssertionError("the page is not served")

    def request(self, method: str, path: str, headers: dict[str, str], body: bytes | None = None) -> Answer:
        connection = http.client.HTTPConnection(self._address, timeout=START_SECONDS)
        try:
            connection.request(method, path, body, headers)
            answer = Answer(connection.getresponse())
        finally:
            connection.close()
        self.heard.append(answer)
        return answer

    def get(self, path: str) -> Answer:
        return self.request("GET", path, {TOKEN_HEADER: self.token})

    def post(self, path: str, content: object, **headers: str) -> Answer:
        return self.request("POST", path, {TOKEN_HEADER: self.token, **headers}, json.dumps(content).encode())

    def answer(self, choice: str) -> Answer:
        answer = self.post("/vote", {"trial": self.state["trial"]["id"], "choice": choice})
        self.state = answer.json()
        return answer

    def undo(self) -> Answer:
        answer = self.post("/undo", {})
        self.state = answer.json()
        return answer

    def pictures(self) -> tuple[Answer, Answer]:
        """Left and right of the present question."""
        left, right = (self.get(f"/picture/{self.state['trial'][side]}") for side in ("left", "right"))
        return left, right


def pixels(content: bytes) -> npt.NDArray[np.uint8]:
    return np.asarray(PIL.Image.open(io.BytesIO(content)))
