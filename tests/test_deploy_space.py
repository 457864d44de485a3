"""The demo to a Space: what goes, what is refused, and the deployed folder cloned and served as a Space would."""

import json
import os
import shutil
import socket
import subprocess
import sys
import time
from importlib.metadata import version
from pathlib import Path
from typing import Any

import gradio_client
import httpx
import patient
import PIL.Image
import pytest
import yaml
from loopback_hub import WRITE_TOKEN, serve_hub
from packaging.requirements import Requirement
from packaging.version import Version

from autochrome.catalog import Catalog, HubSource, Row, load_catalog
from autochrome.cli import main
from autochrome.cli.deploy_space import space_needs
from autochrome.errors import DataError
from autochrome.hub.space import SpaceFiles, collect_space
from autochrome.hub.space_head import check_space_head
from autochrome.pipelines import FeedforwardPipeline

ROOT = Path(__file__).parent.parent
REPO = "user/autochrome"
FRESH = "AUTOCHROME_FRESH_SPACE"
"""Set by `make space`: the clone gets an environment of its own, with nothing but its requirements.txt (minutes)."""
START_SECONDS = 600
"""Patience with a busy machine; on an idle one the demo answers after about 5."""
HEAD: dict[str, Any] = {
    "title": "Autochrome",
    "emoji": "🎞️",
    "sdk": "gradio",
    "sdk_version": "6.31.0",
    "app_file": "app.py",
    "license": "apache-2.0",
}
DEPLOY_TWICE_AND_CLONE = """
import sys
from autochrome.cli import main
for _ in range(2):
    assert main(["deploy-space", "user/autochrome"]) == 0
from huggingface_hub import snapshot_download
snapshot_download("user/autochrome", repo_type="space", local_dir=sys.argv[1])
"""


def head_of(files: SpaceFiles) -> dict[str, Any]:
    content = files.contents["README.md"]
    assert isinstance(content, bytes)
    head = yaml.safe_load(content.decode().split("---\n")[1])
    assert isinstance(head, dict)
    return head


def make_row(model_id: str, source: Path | HubSource, device: str) -> Row:
    settings = FeedforwardPipeline.SETTINGS
    return Row(model_id, "N", "feedforward", source, license="MIT", description="D", device=device, settings=settings)


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """The shape of the project, small."""
    root = tmp_path / "clone"
    folders = ("ui", "weights/mini/tokenizer", "__pycache__")
    for name in (*(f"autochrome/{folder}" for folder in folders), "space_config", "tests", "docs"):
        (root / name).mkdir(parents=True)
    texts = {
        "app.py": "",
        "requirements.txt": "gradio",
        "LICENSE": "Apache",
        "README.md": f"---\n{yaml.safe_dump(HEAD, allow_unicode=True)}---\n# A\n![p](docs/p.jpg) ![b](https://x.org/b.svg)\n",
        "autochrome/__init__.py": "",
        "autochrome/.hidden.tmp": "",
        "autochrome/ui/page.css": "",
        "autochrome/weights/mini/tokenizer/merges.txt": "",
        "autochrome/__pycache__/a.cpython-311.pyc": "",
        "space_config/models.yaml": "",
        "docs/p.jpg": "",
        "docs/other.jpg": "",
        "tests/test_a.py": "",
    }
    for name, text in texts.items():
        (root / name).write_text(text, encoding="utf-8")
    return root


def test_deploy_clone_and_serve(tmp_path: Path) -> None:
    """With the real client, twice, and then as the Hub does it: the clone's own `python app.py`."""
    space = tmp_path / "space"
    with serve_hub() as hub:
        result = subprocess.run(
            [sys.executable, "-c", DEPLOY_TWICE_AND_CLONE, str(space)],
            env={**hub.environment(tmp_path / "home"), "PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
        )
        assert result.returncode == 0, result.stderr
        assert WRITE_TOKEN not in result.stdout + result.stderr
        first, second = result.stdout.splitlines()
        commits = hub.repos["space", REPO].commits
        assert len(commits) == 2
        number = len(commits[-1].files) - 1  # without .gitattributes
        assert (
            first
            == f"{hub.url}/spaces/{REPO}: {number} files sent, 0 were there, 0 taken away; commit {commits[-1].sha}"
        )
        assert f": 0 files sent, {number} were there, 0 taken away; commit {commits[-1].sha}" in second
        assert not any(
            path.startswith(("tests/", "training/", ".")) for path in commits[-1].files if path[1:4] != "git"
        )

    # Another name in the clone's catalog: what answers is the clone, not this checkout.
    catalog = (space / "space_config/models.yaml").read_text(encoding="utf-8")
    (space / "space_config/models.yaml").write_text(catalog.replace("name: Artistic", "name: Cloned"), encoding="utf-8")
    shutil.rmtree(space / ".cache", ignore_errors=True)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("HF_", "PYTHONPATH", "GRADIO"))}
    settings = {"GRADIO_SERVER_PORT": str(port), "HF_HUB_OFFLINE": "1", "HF_HOME": str(tmp_path / "space-home")}
    log = tmp_path / "log.txt"
    python = install(space, tmp_path / "environment") if FRESH in os.environ else sys.executable
    with log.open("w") as out:
        command = [python, "app.py"]
        process = subprocess.Popen(command, cwd=space, env={**kept, **settings}, stdout=out, stderr=subprocess.STDOUT)
        try:
            page = first_page(f"http://127.0.0.1:{port}/", process, log)
            models = ["gan-stable", "steerable", "diffusion-mini"] if FRESH in os.environ else ["gan-stable"]
            for model in models:  # what a model needs is imported with its first picture
                assert colored_with(f"http://127.0.0.1:{port}/", model, tmp_path) == model
        finally:
            process.kill()
            process.wait()
    assert "Autochrome" in page
    assert "Cloned" in page


def install(space: Path, folder: Path) -> str:
    """The Python of a new environment with what the Space asks for; torch in the build that is here."""
    subprocess.run([sys.executable, "-m", "venv", folder], check=True)
    python = str(folder / "bin" / "python")
    pip = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--retries", "0"]
    subprocess.run([*pip, "--no-deps", f"torch=={Version(version('torch')).public}"], check=True)
    subprocess.run([*pip, "-r", space / "requirements.txt"], check=True)
    return python


def colored_with(url: str, model: str, folder: Path) -> str:
    """The model that a picture came back from."""
    photo = folder / "photo.png"
    PIL.Image.linear_gradient("L").save(photo)
    client = patient.connect(url, folder)
    try:
        path, report = client.predict(image=gradio_client.handle_file(photo), model=model, api_name="/colorize")
    finally:
        client.close()
    with PIL.Image.open(path) as picture:
        assert (picture.format, picture.mode, picture.size) == ("PNG", "RGB", (256, 256))
    return str(report["model"])


def first_page(url: str, process: "subprocess.Popen[bytes]", log: Path) -> str:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        assert process.poll() is None, log.read_text()
        try:
            return httpx.get(url, timeout=START_SECONDS, trust_env=False).raise_for_status().text
        except httpx.TransportError:
            time.sleep(0.2)
    raise AssertionError(f"no page within {START_SECONDS} s: {log.read_text()}")


def test_dry_run_lists_files_and_sizes_and_asks_nobody(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("HF_TOKEN", raising=False)
    monkeypatch.setattr(socket, "socket", None)
    assert main(["deploy-space", REPO, "--dry-run"]) == 0
    *listed, total, needs = capsys.readouterr().out.splitlines()
    sizes = {path: int(size.replace(",", "")) for size, path in (line.split() for line in listed)}
    assert {path.split("/")[0] for path in sizes} == {
        *("LICENSE", "README.md", "app.py", "autochrome", "docs", "requirements.txt", "space_config")
    }
    assert [path for path in sizes if path.startswith("docs/")] == ["docs/before_after.jpg"]
    weights = "autochrome/weights/gan-artistic/model.safetensors"
    assert sizes[weights] == (ROOT / weights).stat().st_size
    assert total.split() == [f"{sum(sizes.values()):,}", "bytes", "in", str(len(sizes)), "files"]
    assert needs == "suggested hardware: cpu-basic; fetched while it builds: nothing"


def test_a_name_that_is_none_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["deploy-space", "autochrome", "--dry-run"]) == 2
    assert "'autochrome' is no name of a space on the Hub (it names no owner)" in capsys.readouterr().err


def test_the_catalog_says_hardware_and_preload(clone: Path) -> None:
    assert space_needs(load_catalog()) == ("cpu-basic", []), "a row that waits for a ControlNet asks for nothing"
    source = HubSource("someone/vivid", "0123456789" * 4)
    catalog = Catalog(
        (make_row("here", clone, "cpu"), make_row("there", source, "accelerator"), make_row("again", source, "cpu"))
    )
    hardware, preload = space_needs(catalog)
    assert hardware == "zero-a10g"
    assert preload == [f"someone/vivid config.json,model.safetensors {source.revision}"]
    head = head_of(collect_space(clone, hardware=hardware, preload=preload))
    assert head == {
        **HEAD,
        "suggested_hardware": "zero-a10g",
        "models": ["someone/vivid"],
        "preload_from_hub": preload,
    }


def test_only_what_the_space_needs(clone: Path) -> None:
    files = collect_space(clone, hardware="cpu-basic")
    assert set(files.contents) == {
        *("LICENSE", "README.md", "app.py", "requirements.txt", "docs/p.jpg"),
        *("autochrome/__init__.py", "autochrome/ui/page.css", "space_config/models.yaml"),
        "autochrome/weights/mini/tokenizer/merges.txt",
    }
    assert files.sizes["app.py"] == 0
    content = files.contents["README.md"]
    assert isinstance(content, bytes)
    assert content.decode().endswith("---\n# A\n![p](docs/p.jpg) ![b](https://x.org/b.svg)\n")


@pytest.mark.parametrize(("hardware", "small"), [("cpu-basic", True), ("cpu-upgrade", True), ("zero-a10g", False)])
def test_torch_is_small_where_there_is_no_graphics_card(clone: Path, hardware: str, small: bool) -> None:
    content = collect_space(clone, hardware=hardware).contents["requirements.txt"]
    text = content.decode() if isinstance(content, bytes) else content.read_text()
    assert text.splitlines()[-1] == "gradio"
    assert ("\n--extra-index-url https://download.pytorch.org/whl/cpu\n" in text) is small
    assert (clone / "requirements.txt").read_text() == "gradio", "the clone's own stays"


def test_pip_understands_what_a_space_is_given(tmp_path: Path) -> None:
    """And takes the build with +cpu of two of one version, as the comment says."""
    content = collect_space(ROOT, hardware="cpu-basic").contents["requirements.txt"]
    assert isinstance(content, bytes)
    (tmp_path / "requirements.txt").write_bytes(content)
    (torch,) = [Requirement(line) for line in content.decode().splitlines() if line.startswith("torch")]
    builds = [Version("2.13.0"), Version("2.13.0+cpu")]
    assert max(torch.specifier.filter(builds)) == builds[1]
    command = [sys.executable, "-m", "pip", "install", "--dry-run", "--no-deps", "--no-index", "-r", "requirements.txt"]
    result = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=120)
    assert result.returncode == 0, (
        result.stderr
    )  # all is installed here; a line that pip does not know would be an error


@pytest.mark.parametrize("name", ["autochrome/weights.bin", "autochrome/ui/notes.txt", "space_config/key.pem"])
def test_strays_are_refused(clone: Path, name: str) -> None:
    (clone / name).write_bytes(b"x")
    with pytest.raises(DataError, match=rf"{name}' has no place in the Space; nothing was uploaded\. Take it out of"):
        collect_space(clone, hardware="cpu-basic")


def test_a_link_to_elsewhere_is_refused(clone: Path) -> None:
    (clone / "autochrome/more.py").symlink_to(clone / "tests/test_a.py")
    with pytest.raises(DataError, match=r"more\.py' has no place in the Space"):
        collect_space(clone, hardware="cpu-basic")


def test_what_is_missing_is_named(clone: Path) -> None:
    (clone / "docs/p.jpg").unlink()
    with pytest.raises(DataError, match=r"README\.md shows the picture docs/p\.jpg, and there is none in"):
        collect_space(clone, hardware="cpu-basic")
    (clone / "app.py").unlink()
    with pytest.raises(DataError, match=r"holds no app\.py; a Space is deployed from a clone of the project, not from"):
        collect_space(clone, hardware="cpu-basic")


def test_the_front_matter_of_the_project_is_sound() -> None:
    head = head_of(collect_space(ROOT, hardware="cpu-basic"))
    assert head["suggested_hardware"] == "cpu-basic"
    assert head["python_version"] == "3.11"
    assert "models" not in head


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"license": None}, "lacks license; a Gradio Space needs: title, sdk, sdk_version, app_file, license"),
        ({"suggested_hardwear": "cpu-basic"}, "which the Hub does not know; did you mean suggested_hardware"),
        ({"zzz": 1}, "has zzz, which the Hub does not know; it knows: title, emoji"),
        (
            {"colorFrom": "orange"},
            "colorFrom in the front matter of README.md must be one of red, yellow, .* got 'orange'",
        ),
        ({"sdk": "docker"}, "sdk in the front matter of README.md must be gradio, got 'docker'"),
        ({"sdk_version": 6.3}, "sdk_version .* must be a whole version of Gradio in a text, like 6.31.0, got 6.3"),
        ({"python_version": 3.1}, 'must be a version in quotes, like "3.11", got 3.1'),
        ({"short_description": "x" * 61}, "must be a text of at most 60 characters, got 'x"),
        ({"emoji": "A"}, "emoji in the front matter of README.md must be one emoji, got 'A'"),
        ({"suggested_hardware": "h100"}, "must be hardware of the Hub, like cpu-basic or zero-a10g, got 'h100'"),
        (
            {"preload_from_hub": ["someone/model config.json main"]},
            "must be a list of 'owner/name', 'owner/name file,f",
        ),
        ({"custom_headers": {"x-frame-options": "deny"}}, "must be COEP, COOP and CORP headers in small letters, got"),
        ({"pinned": "yes"}, "pinned in the front matter of README.md must be true or false, got 'yes'"),
        ({"hf_oauth_expiration_minutes": 50000}, "must be minutes up to 43200, got 50000"),
        ({"app_file": "main.py"}, "app_file .* names 'main.py', which is not deployed"),
    ],
)
def test_a_front_matter_that_does_not_do_is_refused(changes: dict[str, Any], message: str) -> None:
    head = {name: value for name, value in {**HEAD, **changes}.items() if value is not None}
    with pytest.raises(DataError, match=message):
        check_space_head(head, ["app.py"])


def test_a_front_matter_with_everything() -> None:
    more = {
        "colorFrom": "gray",
        "python_version": "3.11",
        "header": "mini",
        "custom_headers": {"cross-origin-opener-policy": "same-origin"},
        "preload_from_hub": ["a/b", "a/b c.json", f"a/b c.json,d.safetensors {'0' * 40}"],
        "startup_duration_timeout": "30m",
        "suggested_hardware": "zero-a10g",
    }
    check_space_head(json.loads(json.dumps({**HEAD, **more})), ["app.py"])
