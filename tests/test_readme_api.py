"""What README.md and docs/api.md show programs, run as it stands against `python app.py`; then the server's end.

Only the address differs: a port of the test's own takes the place of 7860.
"""

import asyncio
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import numpy as np
import patient
import PIL.Image
import pytest
import skimage.data
from mcp import ClientSession
from mcp.client.streamable_http import streamable_http_client
from mcp.types import CallToolResult, TextContent

from autochrome.image import picture_to_lightness

ROOT = Path(__file__).parent.parent
ADDRESS = "http://127.0.0.1:7860"
START_SECONDS = 600
"""Patience with a busy machine; on an idle one the demo answers after about 5."""


@dataclass(frozen=True)
class Running:
    """The real demo: its address, its process, and the folder that holds its files' folder."""

    url: str
    process: "subprocess.Popen[str]"
    files: Path


@contextmanager
def started(files: Path) -> Iterator[Running]:
    """`python app.py` from another folder, as a Space or a person would start it, once it answers."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    environment = {**os.environ, "GRADIO_SERVER_PORT": str(port), "GRADIO_TEMP_DIR": str(files)}
    process = subprocess.Popen(
        [sys.executable, ROOT / "app.py"],
        cwd=files.parent,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        url = f"http://127.0.0.1:{port}"
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            assert process.poll() is None, process.stdout.read() if process.stdout else ""
            try:
                httpx.get(f"{url}/config", timeout=START_SECONDS).raise_for_status()
                break
            except httpx.TransportError:
                time.sleep(0.2)
        yield Running(url, process, files)
    finally:
        process.kill()
        process.communicate()


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with started(tmp_path_factory.mktemp("real") / "files") as running:
        yield running


@pytest.fixture
def here(tmp_path: Path) -> Path:
    """A folder with `photo.jpg`, a grey photograph."""
    grey = PIL.Image.fromarray(skimage.data.astronaut()).convert("L").resize((240, 180))
    grey.save(tmp_path / "photo.jpg", quality=95)
    return tmp_path


def snippet(file: str, language: str, containing: str) -> str:
    """The one code block of a language that contains a text."""
    blocks = re.findall(rf"```{language}\n(.*?)```", (ROOT / file).read_text(encoding="utf-8"), re.DOTALL)
    (found,) = [block for block in blocks if containing in block]
    return str(found)


def run(command: list[str], here: Path, **environment: str) -> str:
    result = subprocess.run(
        command, cwd=here, capture_output=True, text=True, timeout=START_SECONDS, env={**os.environ, **environment}
    )
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout


def check_colored(path: Path, here: Path) -> None:
    """A PNG with color in it and the photograph's own light."""
    with PIL.Image.open(path) as picture, PIL.Image.open(here / "photo.jpg") as photo:
        assert picture.format == "PNG"
        assert picture.size == photo.size
        error = (picture_to_lightness(picture.convert("RGB")) - picture_to_lightness(photo.convert("RGB"))).abs()
        assert error.mean() < 0.25
        assert np.ptp(np.asarray(picture.convert("RGB")).astype(int), axis=-1).max() > 5


def test_the_doorbell_answers(demo: Running) -> None:
    page = patient.get(demo.url).raise_for_status().text
    assert "Autochrome" in page
    assert "https://fonts." not in page


def test_python(demo: Running, here: Path) -> None:
    code = snippet("README.md", "python", "gradio_client").replace(ADDRESS, demo.url)
    path, report = run([sys.executable, "-c", code], here).strip().splitlines()[-1].split(" ", 1)
    check_colored(Path(path), here)
    assert "'model': 'natural'" in report


def test_curl(demo: Running, here: Path) -> None:
    if shutil.which("bash") is None or shutil.which("curl") is None:
        pytest.skip("bash or curl is not installed")
    code = snippet("README.md", "bash", "/upload").replace(ADDRESS, demo.url)
    assert "event: complete" in run(["bash", "-euc", code], here)
    check_colored(here / "colored.png", here)
    with PIL.Image.open(here / "colored.png") as picture:
        assert picture.info["Comment"] == "AI-colorized"


def test_javascript(demo: Running, here: Path) -> None:
    """`npm install @gradio/client` in a folder, and NODE_MODULES names its node_modules."""
    modules = Path(os.environ.get("NODE_MODULES", ROOT / "node_modules"))
    if shutil.which("node") is None or not (modules / "@gradio" / "client").is_dir():
        pytest.skip("node or @gradio/client is not installed; NODE_MODULES may name the folder")
    (here / "node_modules").symlink_to(modules)
    (here / "call.mjs").write_text(snippet("README.md", "javascript", "@gradio/client").replace(ADDRESS, demo.url))
    output = run(["node", "call.mjs"], here)
    (here / "colored.png").write_bytes(patient.get(output.split()[0]).raise_for_status().content)
    check_colored(here / "colored.png", here)
    assert "model: 'natural'" in output


def test_mcp_in_python(demo: Running, here: Path) -> None:
    code = snippet("docs/api.md", "python", "streamable_http_client").replace(ADDRESS, demo.url)
    run([sys.executable, "-c", code], here)
    check_colored(here / "colored.png", here)


def test_mcp_tools(demo: Running, here: Path) -> None:
    """At the address that the README gives to assistants, with the MCP package's own client."""
    servers = json.loads(snippet("README.md", "json", "mcpServers"))["mcpServers"]
    address = servers["autochrome"]["url"].replace(ADDRESS, demo.url)
    with (here / "photo.jpg").open("rb") as file:
        (path,) = patient.post(f"{demo.url}/gradio_api/upload", files={"files": file}).raise_for_status().json()
    photo = f"{demo.url}/gradio_api/file={path}"

    async def use() -> list[CallToolResult]:
        async with streamable_http_client(address) as (read, write, _), ClientSession(read, write) as session:
            await session.initialize()
            tools = {tool.name: tool for tool in (await session.list_tools()).tools}
            assert set(tools) == {"colorize", "evaluate", "models"}
            assert tools["colorize"].description
            assert tools["colorize"].description.startswith("Color a black-and-white photograph. The result is a loss")
            described = tools["colorize"].inputSchema["properties"]
            assert described["saturation"]["description"] == "Factor on the colors; 0 is grey."
            assert tools["colorize"].inputSchema["required"] == ["image"]
            return [
                await session.call_tool("models", {}),
                await session.call_tool("colorize", {"image": photo, "saturation": 0.0}),
                await session.call_tool("colorize", {"image": photo, "steps": 20}),
                await session.call_tool("colorize", {"image": "http://127.0.0.1:1/x.png"}),
                await session.call_tool("colorize", {"image": "/etc/passwd"}),
            ]

    models, grey, *refused = asyncio.run(use())
    assert "gan-artistic" in text_of(models)
    assert not grey.isError
    assert '"saturation": 0.0' in text_of(grey).replace("'", '"')
    assert [result.isError for result in refused] == [True] * 3
    settings, address_error, path_error = map(text_of, refused)
    assert "takes no steps; its settings are" in settings
    assert "has an address that is not on the public internet; upload the file instead" in address_error
    assert "provide a url" in path_error


def text_of(result: CallToolResult) -> str:
    return " ".join(part.text for part in result.content if isinstance(part, TextContent))


def test_a_taken_port_is_a_sentence(demo: Running, tmp_path: Path) -> None:
    port = demo.url.rsplit(":", 1)[1]
    environment = {**os.environ, "GRADIO_SERVER_PORT": port, "GRADIO_TEMP_DIR": str(tmp_path)}
    result = subprocess.run(
        [sys.executable, ROOT / "app.py"], env=environment, capture_output=True, text=True, timeout=START_SECONDS
    )
    assert result.returncode == 1
    assert result.stderr.splitlines()[-1].startswith(f"autochrome: port {port} is taken, perhaps by an Autochrome that")
    assert "Traceback" not in result.stderr
    assert list(tmp_path.iterdir()) == [], "its folder is gone"


def test_told_to_stop_while_its_model_is_loaded(tmp_path: Path) -> None:
    with started(tmp_path / "files") as running:
        check_end(running)


def test_sigterm_ends_it_and_takes_what_people_left(demo: Running) -> None:
    """The last of this file: the server does not come back."""
    assert [folder for folder in demo.files.iterdir() if any(folder.rglob("*.png"))], "there are results"
    check_end(demo)


def check_end(running: Running) -> None:
    """SIGTERM ends it with success, in silence, and its files are gone."""
    running.process.send_signal(signal.SIGTERM)
    output, _ = running.process.communicate(timeout=120)
    assert running.process.returncode == 0, output
    assert "Traceback" not in output
    assert list(running.files.iterdir()) == []
