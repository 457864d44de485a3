"""`autochrome colorize` on many pictures: processes side by side, killed in the middle and run again, on a cluster."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import PIL.Image
import pytest
import torch

from autochrome.cli import main
from autochrome.models import Colorizer, ColorizerConfig, save_colorizer

NUM_PICTURES = 300
linux_only = pytest.mark.skipif(sys.platform != "linux", reason="looks for child processes in /proc")


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A folder with a model that is quick to load: processes are started by the dozen here."""
    torch.manual_seed(0)
    config = ColorizerConfig(
        backbone="convolutions",
        backbone_options={"channels": [8, 8, 8]},
        decoder_channels=(8, 8),
        decoder_blocks=1,
        attention_strides=(),
    )
    folder = tmp_path_factory.mktemp("models") / "tiny"
    save_colorizer(Colorizer(config), folder)
    return str(folder)


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """300 small pictures in two folders, one of them broken."""
    folder = tmp_path_factory.mktemp("photos")
    noise = np.random.default_rng(0)
    for number in range(NUM_PICTURES):
        path = folder / "ab"[number % 2] / f"{number:03}.png"
        path.parent.mkdir(exist_ok=True)
        ramp = np.linspace(noise.integers(100), 255, 64 * 48).reshape(48, 64).astype(np.uint8)
        PIL.Image.fromarray(ramp).save(path)
    (folder / "a" / "150.png").write_bytes(b"no picture")
    return folder


def command(model: str, photos: Path, output: Path, *options: str) -> list[str]:
    names = ["--model", model, "--render-factor", "7", "--runtime", "torch", "--output", str(output)]
    return ["colorize", *names, *options, str(photos)]


def started(model: str, photos: Path, output: Path, *options: str) -> "subprocess.Popen[str]":
    """The command in a process group of its own, so that an interrupt reaches all of it, as in a terminal."""
    return subprocess.Popen(
        [sys.executable, "-m", "autochrome.cli", *command(model, photos, output, *options)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def results(output: Path) -> dict[str, bytes]:
    return {str(path.relative_to(output)): path.read_bytes() for path in output.rglob("*.png")}


def wait_for_results(process: "subprocess.Popen[str]", output: Path, count: int) -> None:
    deadline = time.monotonic() + 120
    while len(list(output.rglob("*.png"))) < count:
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline, f"not {count} results within two minutes"
        time.sleep(0.01)


def workers_of(process: "subprocess.Popen[str]") -> list[int]:
    """The process ids of the command's workers; multiprocessing's own helper is none."""
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    return [int(child) for child in children if b"spawn_main" in Path(f"/proc/{child}/cmdline").read_bytes()]


@linux_only
def test_killed_interrupted_and_run_again_the_results_are_those_of_one_process(
    model: str, photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output, report = tmp_path / "out", tmp_path / "report.json"
    with started(model, photos, output, "--workers", "2") as killed:
        wait_for_results(killed, output, 20)
        killed.kill()
        killed.communicate(timeout=120)
    assert killed.returncode == -signal.SIGKILL
    for path in output.rglob("*.png"):
        with PIL.Image.open(path) as picture:
            picture.load()

    with started(model, photos, output, "--workers", "2", "--json", str(report)) as interrupted:
        wait_for_results(interrupted, output, len(results(output)) + 20)
        os.killpg(interrupted.pid, signal.SIGINT)
        _, err = interrupted.communicate(timeout=120)
    assert interrupted.returncode == 130, err
    assert err.splitlines()[-1] == "autochrome: interrupted; nothing is left half-written"
    assert "Traceback" not in err
    done = len(results(output))
    assert done < NUM_PICTURES - 1
    told = [record["status"] for record in json.loads(report.read_text(encoding="utf-8"))["pictures"]]
    assert done - 2 <= told.count("done") + told.count("skipped") <= done

    with started(model, photos, output, "--workers", "2", "--json", str(report)) as robbed:
        wait_for_results(robbed, output, done + 80)  # by then both have begun: one that dies before is an error
        os.kill(workers_of(robbed)[0], signal.SIGKILL)
        out, err = robbed.communicate(timeout=120)
    assert robbed.returncode == 1, err
    content = json.loads(report.read_text(encoding="utf-8"))["pictures"]
    names = [str(Path(record["input"]).relative_to(photos)) for record in content]
    assert names == sorted(names)
    assert len(names) == NUM_PICTURES
    reasons = {Path(record["input"]).name: record["reason"] for record in content if record["status"] == "failed"}
    assert "its content is of no known picture format" in reasons.pop("150.png")
    assert list(reasons.values()) == ["a worker process was ended by signal 9, mostly for want of memory"]
    assert out == f"{NUM_PICTURES - 2 - done} colored, {done} already there, 2 failed\n"
    assert err.count("autochrome: failed: ") == 2

    assert main(command(model, photos, output)) == 1
    # A worker that was killed between writing its picture and saying so has lost nothing.
    assert capsys.readouterr().out in (
        f"1 colored, {NUM_PICTURES - 2} already there, 1 failed\n",
        f"0 colored, {NUM_PICTURES - 1} already there, 1 failed\n",
    )
    assert main(command(model, photos, tmp_path / "one", "--workers", "1")) == 1
    assert results(tmp_path / "one") == results(output)
    err = capsys.readouterr().err
    assert 1 <= err.count("picture/s") <= 10  # no terminal: a line now and then
    assert "300/300" in err


def test_candidates_have_files_of_their_own(model: str, photos: Path, tmp_path: Path) -> None:
    output = tmp_path / "out"
    argv = ["colorize", "--model", model, "--output", str(output), "--candidates", "3", str(photos / "b" / "001.png")]
    assert main(argv) == 0
    made = results(output)
    assert sorted(made) == ["001.candidate2.png", "001.candidate3.png", "001.png"]
    factors = set()
    for name in made:
        with PIL.Image.open(output / name) as picture:
            factors.add(json.loads(picture.info["Settings"])["render_factor"])
    assert len(factors) == 3
    (output / "001.candidate3.png").unlink()
    assert main(argv) == 0
    assert results(output) == made


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--workers", "0"], "--workers must be an integer from 1, got 0"),
        (["--candidates", "2"], "would have the name of another picture's result, x.candidate2.png; rename one of"),
        (["--model", "scribbles", "--runtime", "onnx"], "run scribbles with 'torch'"),
    ],
)
def test_wrong_usage_is_told_before_anything_is_written(
    model: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], options: list[str], message: str
) -> None:
    for name in ("x.jpg", "x.candidate2.jpg"):
        PIL.Image.new("L", (20, 10)).save(tmp_path / name)
    assert main(["colorize", "--model", model, "--output", str(tmp_path / "out"), str(tmp_path), *options]) == 2
    assert message in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_ray_gives_the_bytes_of_one_process(model: str, photos: Path, tmp_path: Path) -> None:
    pytest.importorskip("ray", reason="the extra `ray` is not installed")
    some = tmp_path / "photos"
    some.mkdir()
    for number in range(6):
        shutil.copy(photos / "b" / f"{2 * number + 1:03}.png", some)
    (some / "broken.jpg").write_bytes(b"no picture")
    # Relative paths, which lead elsewhere on other machines of a cluster.
    here = Path(os.path.relpath(tmp_path))
    report = here / "report.json"
    with started(model, here / "photos", here / "cluster", "--engine", "ray", "--json", str(report)) as process:
        _, err = process.communicate(timeout=300)
    assert process.returncode == 1, err
    assert main(command(model, some, tmp_path / "one")) == 1
    assert len(results(tmp_path / "cluster")) == 6, err
    assert results(tmp_path / "cluster") == results(tmp_path / "one")
    assert "INFO" not in err
    told = json.loads(report.read_text(encoding="utf-8"))["pictures"]
    assert [record["status"] for record in told] == ["done"] * 6 + ["failed"]
    assert told[0]["output"] == str(here / "cluster" / "001.png")
