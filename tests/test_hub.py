"""Models to the Hub and back, with the real client and a Hub on loopback; everything that can go wrong."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from loopback_hub import READ_TOKEN, WRITE_TOKEN, Blob, Fault, Hub, Repo, serve_hub
from model_folders import FILES, HEAD, write_card, write_model

from autochrome import load_pipeline
from autochrome.catalog import PACKAGE_DIR
from autochrome.cli import main
from autochrome.errors import CatalogError, DataError, ModelError, SettingError, UnavailableError
from autochrome.hub.access import write_token
from autochrome.hub.card import read_card
from autochrome.hub.model import FETCHED, model_files, push_model
from autochrome.models.checkpoint import CONFIG_NAME, WEIGHTS_NAME
from autochrome.pipelines import FeedforwardPipeline

ROOT = Path(__file__).parent.parent
REPO = "user/tiny"
DRIVER = """
import dataclasses, json, logging, os, sys
from pathlib import Path
from autochrome.errors import AutochromeError

logged = []
class Keep(logging.Handler):
    def emit(self, record): logged.append(record.getMessage())
logging.getLogger("autochrome.hub.model").addHandler(Keep())
logging.getLogger("autochrome.hub.model").setLevel(logging.INFO)

def push(folder, repo_id, private=False):
    from autochrome.hub.model import push_model
    return dataclasses.asdict(push_model(Path(folder), repo_id, private=private))

def load(model, revision=None):
    import torch
    from autochrome import load_pipeline
    pipe = load_pipeline(model, revision=revision, device="cpu")
    ab = pipe.predict(torch.full((1, 1, 64, 64), 50.0))
    return {"model_id": pipe.model_id, "ab": ab.flatten()[:8].tolist(), "logged": list(logged)}

def row(repo_id, revision, path):
    from autochrome.catalog import load_catalog
    source = {"repo_id": repo_id, "revision": revision}
    values = {"id": "hub", "name": "H", "kind": "feedforward", "license": "MIT", "description": "D", "device": "cpu"}
    Path(path).write_text(json.dumps({"models": [{**values, "source": source}]}))
    found = load_catalog(Path(path))["hub"]
    told = found.to_dict()
    return {"reason": told["reason"], "source": told["source"], "model_id": found.load_pipeline(device="cpu").model_id}

def cli(*arguments):
    import contextlib, io
    from autochrome.cli import main
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        code = main(list(arguments))
    return {"code": code, "out": out.getvalue()}

said = []
for token, command, *arguments in json.loads(sys.argv[1]):
    os.environ.pop("HF_TOKEN", None)
    if token:
        os.environ["HF_TOKEN"] = token
    try:
        given = [one.format(said=said) if isinstance(one, str) else one for one in arguments]
        said.append(globals()[command](*given))
    except AutochromeError as error:
        said.append(f"{type(error).__name__}: {error}")
print(json.dumps(said))
"""


@pytest.fixture
def hub() -> Iterator[Hub]:
    with serve_hub() as hub:
        yield hub


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_model(tmp_path / "tiny")
    return tmp_path / "tiny"


def run(environment: dict[str, str], *jobs: tuple[Any, ...]) -> list[Any]:
    """Do jobs one after another in a process that imports the client with that environment: what each gave, or its
    error. A job is a token or None, the name of a function of `DRIVER` and its arguments, in which `{said[0][commit]}`
    stands for what an earlier job gave. The tokens never show."""
    command = [sys.executable, "-W", "error::UserWarning", "-c", DRIVER, json.dumps(jobs)]
    result = subprocess.run(command, env=environment, cwd=ROOT, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    assert WRITE_TOKEN not in result.stdout + result.stderr
    assert READ_TOKEN not in result.stdout + result.stderr
    said = json.loads(result.stdout)
    assert isinstance(said, list)
    return said


def colors(folder: Path) -> list[float]:
    """What `load` of `DRIVER` says of a model in a folder."""
    pipe = FeedforwardPipeline.from_folder(folder, device="cpu")
    return list(pipe.predict(torch.full((1, 1, 64, 64), 50.0)).flatten()[:8].tolist())


def test_push_push_again_and_load(hub: Hub, folder: Path, tmp_path: Path) -> None:
    environment = hub.environment(tmp_path / "home")
    write_model(tmp_path / "next", seed=1)
    (tmp_path / "next/example.png").unlink()
    write_card(tmp_path / "next", pictures=None, widget=None)
    repo = hub.repos["model", REPO] = Repo("model", REPO, private=False)
    # Put there by somebody, by hand: neither is taken away, and neither is ever fetched.
    repo.commit("by hand", {"pytorch_model.bin": Blob(b"pickle", lfs=True), "model.py": Blob(b"1", lfs=False)})
    first, again, second, pinned, current, main_now, row = run(
        environment,
        (WRITE_TOKEN, "cli", "push-model", str(folder), REPO),
        (WRITE_TOKEN, "push", str(folder), REPO),
        (WRITE_TOKEN, "push", str(tmp_path / "next"), REPO),
        (None, "load", REPO, "{said[1][commit]}"),
        (None, "load", REPO),
        (None, "load", f"{REPO}@main"),
        (None, "row", REPO, "{said[1][commit]}", str(tmp_path / "models.yaml")),
    )
    assert [commit.message for commit in repo.commits] == ["by hand", "Add the model", "Update the model"]
    old, new = repo.commits[1].sha, repo.commits[2].sha
    assert set(repo.commits[1].files) == {*FILES, "pytorch_model.bin", "model.py"}
    assert f"{hub.url}/{REPO}: 4 files sent, 0 were there, 0 taken away; commit {old}" in first["out"]
    assert f'load_pipeline("{REPO}", revision="{old}")' in first["out"]
    assert (again["uploaded"], again["unchanged"], again["commit"]) == ([], len(FILES), old)
    assert second["deleted"] == ["example.png"]
    assert set(second["uploaded"]) == {"README.md", "model.safetensors"}

    assert pinned == {"model_id": f"{REPO}@{old}", "ab": colors(folder), "logged": []}
    assert current["model_id"] == main_now["model_id"] == f"{REPO}@{new}"
    assert current["ab"] == colors(tmp_path / "next")
    assert current["logged"] == [f"{REPO}: main is the commit {new}"]
    assert row == {"model_id": "hub", "reason": None, "source": {"repo_id": REPO, "revision": old}}
    fetched = {path.rpartition("/")[2] for _, path in hub.requests if "/resolve/" in path}
    assert fetched == {"config.json", "model.safetensors"}

    # What was fetched by its commit is here: without a network it loads, and nothing else does.
    here, unpinned, never, missing = run(
        {**environment, "HF_HUB_OFFLINE": "1"},
        (None, "load", pinned["model_id"]),
        (None, "load", REPO),
        (None, "load", REPO, "1" * 40),
        (None, "row", REPO, "1" * 40, str(tmp_path / "models.yaml")),
    )
    assert here == pinned
    for said in (unpinned, never):
        assert said.startswith("UnavailableError: the Hub cannot be reached (")
        assert "check the network and try again; a commit that was loaded here before needs no network" in said
    assert missing == (
        "UnavailableError: model hub is not available: Its weights are on the Hugging Face Hub (user/tiny), and "
        "HF_HUB_OFFLINE is set."
    )


def test_answers_that_say_no(hub: Hub, folder: Path, tmp_path: Path) -> None:
    info = "/api/models/user/busy"
    hub.faults += [
        Fault("GET", info, 429, {"Retry-After": "7"}, times=1),
        Fault("GET", info, 503, times=1),
        Fault("POST", "validate-yaml", 400, skip=3, times=1),  # a push asks twice, at its begin and with its commit
    ]
    files = {path.name: Blob(path.read_bytes(), lfs=path.suffix == ".safetensors") for path in folder.iterdir()}
    pickled = {name: blob for name, blob in files.items() if name != "model.safetensors"}
    stored = {
        "user/pickled": {**pickled, "pytorch_model.bin": Blob(b"pickle", lfs=True)},
        "user/torn": {**files, "model.safetensors": Blob(b"\x00" * 40, lfs=True)},
        "user/blocked": files,
    }
    for repo_id, content in stored.items():
        hub.repos["model", repo_id] = Repo("model", repo_id, private=False)
        hub.repos["model", repo_id].commit("initial commit", content)
    (tmp_path / "home/hub").mkdir(parents=True)
    (tmp_path / "home/hub/models--user--blocked").write_text("a file, where a folder must be made", encoding="utf-8")
    jobs: list[tuple[tuple[Any, ...], str]] = [
        (
            (None, "load", "user/busy"),
            "UnavailableError: the Hub's rate limit is reached (429); wait 7 seconds and try again. Was 'user/busy' "
            "meant as a folder? There is none here",
        ),
        ((None, "load", "user/busy"), "the Hub answered 503 (made to fail with 503); try again later"),
        (
            (None, "load", "user/absent"),
            "UnavailableError: the Hub shows no 'user/absent' without a token (401): there is none of that name, or "
            "it is private or gated; check the name, or set HF_TOKEN",
        ),
        (
            ("hf_wrong", "load", "user/torn"),
            "UnavailableError: the Hub does not know the token in HF_TOKEN (401): it was mistyped, revoked or has "
            "expired; make one with read access",
        ),
        ((READ_TOKEN, "load", "user/absent"), "the Hub finds no 'user/absent' (404: Repository not found); check the"),
        ((None, "load", "user/pickled"), "is no model of Autochrome: it holds no config.json and model.safetensors"),
        ((None, "load", "user/torn"), "is damaged (Error while deserializing header"),
        ((None, "load", "user/blocked"), "UnavailableError: a file of 'user/blocked' cannot be read or written here ("),
        ((WRITE_TOKEN, "push", str(folder), REPO, True), "'unchanged': 0"),
        ((None, "load", REPO), "UnavailableError: the Hub shows no 'user/tiny' without a token (401)"),
        ((READ_TOKEN, "load", REPO), "'model_id': 'user/tiny@"),
        ((READ_TOKEN, "load", REPO, "v9"), "(404: Invalid rev id: v9); check the name and the revision"),
        ((READ_TOKEN, "load", REPO, "0" * 40), f"(404: Invalid rev id: {'0' * 40}); check the name and the revision"),
        ((READ_TOKEN, "push", str(folder), "user/new"), "the token in HF_TOKEN may not write to 'user/new' (403: You"),
        ((WRITE_TOKEN, "push", str(folder), "user/new"), "DataError: the Hub does not accept the head of '"),
    ]
    answers = run(hub.environment(tmp_path / "home"), *(job for job, _ in jobs))
    for (job, expected), said in zip(jobs, answers, strict=True):
        assert expected in str(said), (job, said)
    assert all(fault.times == 0 for fault in hub.faults)
    assert hub.repos["model", REPO].private
    assert ("model", "user/new") not in hub.repos


def test_the_embedded_models_could_be_pushed_as_they_are() -> None:
    for name in ("gan-artistic", "cnn-classic"):
        assert set(model_files(PACKAGE_DIR / "weights" / name)) == {"README.md", "config.json", "model.safetensors"}
    with pytest.raises(DataError, match="has no model-index with results; measure the model"):
        model_files(PACKAGE_DIR / "weights/mobilenet-v2")  # not ours to publish
    assert FETCHED == (CONFIG_NAME, WEIGHTS_NAME)


NO_METRICS = [{"name": "tiny", "results": [{"task": {"type": "t"}, "dataset": {"name": "d"}, "metrics": []}]}]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"license": None}, "says no license; give it the Hub's name for it, like 'apache-2.0'"),
        ({"license": "other"}, "says 'license: other'; then it needs license_name and license_link too"),
        ({"model-index": None}, "has no model-index with results; measure the model with `autochrome evaluate`"),
        ({"model-index": NO_METRICS}, "has no model-index with results"),
        ({"model-index": ["tiny"]}, "has no model-index with results"),
        ({"base_model": "mobilenet"}, "base_model in the head of .* must be owner/name, or a list of them, got 'mobil"),
        ({"pictures": None, "widget": None}, "example.png' is a picture whose license is not known: list it under"),
        ({"pictures": None}, "the widget of .* shows example.png; list it under `pictures`, with license and credit"),
        ({"pictures": ["example.png"]}, "pictures in the head of .* must map names to license and credit, got"),
        (
            {"pictures": {"example.png": {"license": "CC-BY-NC-4.0", "credit": "A"}}},
            "example.png may not be shown with .*NC.*: it needs a license that lets everybody show it",
        ),
        ({"pictures": {"example.png": {"license": "CC0-1.0"}}}, "example.png may not be shown with .* and a credit"),
        (
            {"pictures": {**HEAD["pictures"], "b.png": {"license": "public domain", "credit": "A"}}},
            "lists the picture b.png, and .* holds none",
        ),
    ],
)
def test_a_card_that_does_not_do_is_refused(folder: Path, changes: dict[str, Any], message: str) -> None:
    write_card(folder, **changes)
    with pytest.raises(DataError, match=message):
        model_files(folder)


@pytest.mark.parametrize("name", ["pytorch_model.bin", "optimizer.pt", "code.py", "deep/model.safetensors", "LICENCE"])
def test_what_is_not_on_the_list_is_refused(folder: Path, name: str) -> None:
    (folder / name).parent.mkdir(exist_ok=True)
    (folder / name).write_bytes(b"x")
    with pytest.raises(DataError, match=f"{name}' has no place in a model on the Hub; nothing was uploaded. There go"):
        push_model(folder, REPO)


def test_hidden_files_stay_here_and_a_license_goes(folder: Path) -> None:
    (folder / ".env").write_text("HF_TOKEN=secret", encoding="utf-8")
    (folder / ".cache").mkdir()
    (folder / ".cache/model.safetensors.lock").write_text("", encoding="utf-8")
    (folder / "LICENSE").write_text("Apache", encoding="utf-8")
    assert set(model_files(folder)) == {*FILES, "LICENSE"}


def test_without_a_card_a_model_a_name_or_a_token_nobody_is_asked(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("HF_TOKEN", raising=False)
    with pytest.raises(UnavailableError, match="no token for the Hub: set the environment variable HF_TOKEN"):
        push_model(folder, REPO)
    with pytest.raises(SettingError, match=r"'tiny' is no name of a model on the Hub \(it names no owner\); they look"):
        push_model(folder, "tiny")
    monkeypatch.setenv("HF_TOKEN", "hf_one\nhf_two")
    with pytest.raises(UnavailableError, match="HF_TOKEN holds characters that no token has; copy it again"):
        write_token()
    (folder / "model.safetensors").write_bytes(b"\x00" * 40)
    with pytest.raises(ModelError, match="is damaged"):
        push_model(folder, REPO)
    (folder / "README.md").unlink()
    assert main(["push-model", str(folder), REPO]) == 2
    assert "holds no README.md; a model is published with a card that says what it is" in capsys.readouterr().err
    with pytest.raises(ModelError, match=r"holds no config\.json; a model is a folder with config\.json and model\."):
        model_files(tmp_path / "nothing")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "cannot be read .* nothing goes to the Hub without a card"),
        (b"\xff", "cannot be read"),
        (b"# A title\n", "begins with no head: YAML between two lines of '---'"),
        (b"---\nlicense: [\n---\n", "is not YAML"),
        (b"---\n- license\n---\n", "must be a mapping, like 'license: apache-2.0'"),
    ],
)
def test_a_card_without_a_head(tmp_path: Path, content: bytes | None, message: str) -> None:
    path = tmp_path / "README.md"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(DataError, match=message):
        read_card(path)


def test_a_card_of_windows_is_read_too(tmp_path: Path) -> None:
    (tmp_path / "README.md").write_bytes(b"---\r\nlicense: mit\r\n---\r\nText\r\n")
    assert read_card(tmp_path / "README.md") == ({"license": "mit"}, "Text\n")


def test_a_revision_belongs_to_the_hub(folder: Path) -> None:
    for model in ("gan-artistic", str(folder), folder, None):
        with pytest.raises(SettingError, match=r"a revision belongs to a model on the Hub, owner/name; .* is none"):
            load_pipeline(model, revision="0" * 40)
    with pytest.raises(SettingError, match="names a revision, and revision='main' another; give one of them"):
        load_pipeline(f"{REPO}@{'0' * 40}", revision="main")
    for path in (Path("user/tiny"), "./user/tiny", "../tiny", "/user/tiny", "a/b/c"):
        with pytest.raises(CatalogError, match="there is no model"):
            load_pipeline(path)
