"""The demo under a crowd: 30 people at once at the real app, beside the same pipeline without a server.

    python -m training.benchmarks.load [--people 30] [--model gan-artistic] [--json FILE]
    python -m training.benchmarks.load --memory 1000 --json FILE

The first starts `python app.py`, opens its page, sends one picture, and then as many as there are people, all at the
same moment: distinct grey photographs, made of those inside scikit-image by crops and flips, through the API with plain
HTTP: upload, call, answer, and the PNG fetched. Its rate is set against that of the pipeline without a server: each
file read, colored and written as a PNG, one after another, before and after. (The server measures each result besides.)
Then the page: the time of a click, and of a toggle of the light, as Chromium sees them where it is installed.

The second sends small pictures, one after another, and notes the server's memory after every hundred.

Measure on a machine that does nothing else.
"""

import argparse
import io
import json
import os
import platform
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # idle threads sleep, as in the demo

import httpx
import numpy as np
import PIL.Image
import skimage.data
import torch

from autochrome import load_pipeline
from autochrome.files import write_json
from autochrome.image import write_png

ROOT = Path(__file__).resolve().parents[2]
MEGAPIXEL = (1184, 848)
"""Width and height of the crowd's pictures: 1.0 megapixels."""

SMALL = (96, 64)
SOURCES = ("astronaut", "coffee", "chelsea", "rocket")
TIMEOUT_SECONDS = 600


def photographs(count: int, size: tuple[int, int]) -> list[bytes]:
    """Distinct grey JPEGs of a size: crops and flips of the photographs inside scikit-image."""
    sources = [
        PIL.Image.fromarray(getattr(skimage.data, name)()) for name in ("astronaut", "coffee", "chelsea", "rocket")
    ]
    random = np.random.default_rng(0)
    made = []
    for number in range(count):
        source = sources[number % len(sources)]
        share = random.uniform(0.6, 0.95)
        width, height = int(source.width * share), int(source.height * share)
        left = int(random.integers(source.width - width + 1))
        top = int(random.integers(source.height - height + 1))
        picture = source.convert("L").crop((left, top, left + width, top + height)).resize(size)
        if random.random() < 0.5:
            picture = picture.transpose(PIL.Image.Transpose.FLIP_LEFT_RIGHT)
        file = io.BytesIO()
        picture.save(file, "JPEG", quality=92)
        made.append(file.getvalue())
    return made


class Server:
    """The real app in a process of its own."""

    def __init__(self, url: str, process: "subprocess.Popen[bytes]", up_seconds: float) -> None:
        self.url = url
        self.up_seconds = up_seconds
        self._status = Path(f"/proc/{process.pid}/status")

    def memory_mb(self, entry: str = "VmRSS") -> float | None:
        """Resident memory in MB, or with VmHWM its peak; None where there is no /proc."""
        if not self._status.is_file():
            return None
        (line,) = [line for line in self._status.read_text().splitlines() if line.startswith(entry)]
        return round(int(line.split()[1]) * 1024 / 1e6, 1)

    def colorize(self, photograph: bytes, model: str) -> tuple[float, bytes]:
        """Seconds from the first byte sent to the last received, and the PNG."""
        begin = time.perf_counter()
        with httpx.Client(base_url=f"{self.url}/gradio_api/", timeout=TIMEOUT_SECONDS) as client:
            (path,) = client.post("upload", files={"files": ("photo.jpg", photograph)}).raise_for_status().json()
            call = client.post("call/v2/colorize", json={"image": {"path": path}, "model": model}).raise_for_status()
            answer = client.get(f"call/colorize/{call.json()['event_id']}").text
            if "event: complete" not in answer:
                raise RuntimeError(f"the server gave no picture: {answer}")
            picture, _ = json.loads(answer.split("event: complete\ndata: ", 1)[1].splitlines()[0])
            content = client.get(picture["url"]).raise_for_status().content
        return time.perf_counter() - begin, content


@contextmanager
def serving(folder: Path) -> Iterator[Server]:
    """`python app.py`, from its start to its page."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    environment = {**os.environ, "GRADIO_SERVER_PORT": str(port), "GRADIO_TEMP_DIR": str(folder)}
    begin = time.perf_counter()
    process = subprocess.Popen([sys.executable, ROOT / "app.py"], env=environment, stdout=subprocess.DEVNULL)
    try:
        url = f"http://127.0.0.1:{port}"
        while True:
            if process.poll() is not None:
                raise RuntimeError(f"app.py ended with {process.returncode}")
            try:
                httpx.get(url, timeout=30).raise_for_status()
                break
            except httpx.TransportError:
                time.sleep(0.05)
        yield Server(url, process, time.perf_counter() - begin)
    finally:
        process.terminate()
        process.wait(30)


def alone_per_second(photographs: list[bytes], model: str, folder: Path) -> float:
    """Pictures a second of the pipeline without a server: read, colored and written, one after another."""
    pipeline = load_pipeline(model)
    pipeline(photographs[0])
    begin = time.perf_counter()
    for number, photograph in enumerate(photographs):
        output = pipeline(photograph)
        (folder / f"{number}").mkdir(exist_ok=True)
        write_png(output.images[0], folder / f"{number}" / "result.png", output.metadata())
    return len(photographs) / (time.perf_counter() - begin)


def crowd(server: Server, photographs: list[bytes], model: str) -> dict[str, Any]:
    """All at the same moment; each of them another person."""
    barrier = threading.Barrier(len(photographs))

    def person(photograph: bytes) -> tuple[float, bytes]:
        barrier.wait()
        return server.colorize(photograph, model)

    with ThreadPoolExecutor(len(photographs)) as pool:
        begin = time.perf_counter()
        answers = list(pool.map(person, photographs))
        seconds = time.perf_counter() - begin
    latencies = sorted(latency for latency, _ in answers)
    return {
        "served": sum(content.startswith(b"\x89PNG") for _, content in answers),
        "distinct": len({content for _, content in answers}),
        "pictures_per_second": round(len(photographs) / seconds, 3),
        "latency_seconds": {
            name: round(float(np.percentile(latencies, share)), 2)
            for name, share in (("p5", 5), ("p50", 50), ("p95", 95), ("max", 100))
        },
    }


def measure_crowd(people: int, model: str, folder: Path) -> dict[str, Any]:
    """The page, the first result, the crowd beside the pipeline alone, the switches."""
    made = photographs(people, MEGAPIXEL)
    first_rate = alone_per_second(made, model, folder)
    with serving(folder / "files") as server:
        page = {"page_up_seconds": round(server.up_seconds, 2)}
        page["first_result_seconds"] = round(server.colorize(made[0], model)[0], 2)
        page["next_result_seconds"] = round(statistics.median(server.colorize(made[1], model)[0] for _ in range(3)), 2)
        before = server.memory_mb()
        result = crowd(server, made, model)
        memory = {"before_mb": before, "after_mb": server.memory_mb(), "peak_mb": server.memory_mb("VmHWM")}
        toggles = toggle_seconds(server.url, made[0], folder)
    alone = statistics.mean([first_rate, alone_per_second(made, model, folder)])
    return {
        "people": people,
        "model": model,
        "megapixels": round(MEGAPIXEL[0] * MEGAPIXEL[1] / 1e6, 2),
        **page,
        **result,
        "alone_per_second": round(alone, 3),
        "share_of_alone": round(result["pictures_per_second"] / alone, 3),
        "memory": memory,
        "toggle_seconds": toggles,
    }


def toggle_seconds(url: str, photograph: bytes, folder: Path) -> dict[str, float] | None:
    """In Chromium, from the click on a switch to the new picture; None where Chromium is not installed."""
    chromium = Path("/usr/bin/chromium")
    if not chromium.is_file():
        return None
    from playwright.sync_api import sync_playwright

    path = folder / "photo.jpg"
    path.write_bytes(photograph)
    source = "[...document.querySelectorAll('#before-after img')].map(image => image.src).join()"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=str(chromium), args=["--no-sandbox"])
        page = browser.new_page()
        page.goto(url)
        page.set_input_files("#photograph input[type=file]", path)
        page.wait_for_selector("#photograph img")
        begin = time.perf_counter()
        page.click("#colorize")
        page.wait_for_selector("#before-after img", timeout=60_000)
        times = {"click_to_result": time.perf_counter() - begin}
        page.wait_for_selector("#panel dl, #panel table", timeout=60_000)
        toggles = []
        for _ in range(6):
            shown = page.evaluate(source)
            begin = time.perf_counter()
            page.click("#merge-lightness input")
            page.wait_for_function(f"shown => {source} !== shown", arg=shown, timeout=60_000)
            toggles.append(time.perf_counter() - begin)
            page.wait_for_timeout(1500)  # the file to download is written meanwhile
        times |= {"median": statistics.median(toggles), "max": max(toggles)}
        browser.close()
    return {name: round(seconds, 3) for name, seconds in times.items()}


def measure_memory(requests: int, model: str, folder: Path) -> dict[str, Any]:
    """The server's resident memory after every hundred of many requests, each of a person of its own."""
    made = photographs(20, SMALL)
    with serving(folder / "files") as server:
        rows = []
        for number in range(requests + 1):
            if number % 100 == 0:
                rows.append({"requests": number, "resident_mb": server.memory_mb()})
                print(rows[-1], flush=True)
            if number < requests:
                server.colorize(made[number % len(made)], model)
    return {"model": model, "size": list(SMALL), "by_requests": rows}


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(description="measure the demo under a crowd")
    parser.add_argument("--people", type=int, default=30)
    parser.add_argument("--model", default="gan-artistic", help="catalog id")
    parser.add_argument("--memory", type=int, metavar="REQUESTS", help="instead: memory over so many requests")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        if options.memory:
            result = measure_memory(options.memory, options.model, Path(folder))
        else:
            result = measure_crowd(options.people, options.model, Path(folder))
    result["machine"] = {
        "cores": os.cpu_count(),
        "cpu": torch.backends.cpu.get_cpu_capability(),
        "python": platform.python_version(),
        **{name: version(name) for name in ("torch", "gradio", "pillow")},
    }
    print(json.dumps(result, indent=2))
    if options.json:
        write_json(result, options.json)
    return 0


if __name__ == "__main__":
    sys.exit(main())
