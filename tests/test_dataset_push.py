"""Pushing a dataset with the real client to a Hub on loopback, and loading it back; everything that can go wrong."""

import json
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from finished_datasets import MEASURES, NUM_ROWS, make_row, write_dataset
from loopback_hub import READ_TOKEN, WRITE_TOKEN, Blob, Fault, Hub, serve_hub

from autochrome.errors import DataError, SettingError, UnavailableError
from dataset_builder.push import push_dataset

ROOT = Path(__file__).parent.parent
REPO = "user/pieces"
FILES = {
    *("README.md", "config.yaml", "report.json", "rejected.jsonl"),
    *(f"data/{split}-00000-of-00001.parquet" for split in NUM_ROWS),
    *(f"card/{name}.png" for name in ("colorfulness", "lightness", "text_words", "samples")),
}
PUSH = """
import json, sys
from dataclasses import asdict
from pathlib import Path
from autochrome.errors import AutochromeError
from dataset_builder.push import push_dataset
said = []
for folder, repo_id, private in json.loads(sys.argv[1]):
    try:
        said.append(asdict(push_dataset(Path(folder), repo_id, private=private)))
    except AutochromeError as error:
        said.append(f"{type(error).__name__}: {error}")
print(json.dumps(said))
"""
LOAD = """
import json, sys
from datasets import load_dataset
whole = load_dataset("user/pieces")
stream = load_dataset("user/pieces", split="train", streaming=True)
first = next(iter(stream))
print(json.dumps({
    "rows": {split: part.num_rows for split, part in whole.items()},
    "texts": [row["text"] for row in stream], "shas": whole["train"]["sha256"][:],
    "modes": [first["image"].mode, first["conditioning_image"].mode, whole["test"][0]["conditioning_image"].mode],
}))
"""


@pytest.fixture
def hub() -> Iterator[Hub]:
    with serve_hub() as hub:
        yield hub


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("dataset")
    write_dataset(folder, None, *MEASURES)
    return folder


def run(script: str, environment: dict[str, str], *arguments: str) -> Any:
    """What a script says in JSON; it imports the client with that environment. The token never shows."""
    command = [sys.executable, "-c", script, *arguments]
    result = subprocess.run(command, env=environment, cwd=ROOT, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    assert WRITE_TOKEN not in result.stdout + result.stderr
    return json.loads(result.stdout)


def push(environment: dict[str, str], *pushes: tuple[Path, str, bool]) -> list[Any]:
    """Push one after another: of each what it did, or the error."""
    said = run(PUSH, environment, json.dumps([(str(folder), *others) for folder, *others in pushes]))
    assert isinstance(said, list)
    return said


def test_push_load_stream_and_push_again(hub: Hub, dataset: Path, tmp_path: Path) -> None:
    """Through the program's own door, once."""
    environment = hub.environment(tmp_path)
    command = [sys.executable, "-m", "dataset_builder", "push", str(dataset), REPO]
    result = subprocess.run(command, env=environment, cwd=ROOT, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    assert f"{hub.url}/datasets/{REPO}" in result.stdout
    assert f"{len(FILES)} files sent" in result.stdout
    assert WRITE_TOKEN not in result.stdout + result.stderr
    commits = hub.repos["dataset", REPO].commits
    assert [commit.message for commit in commits] == ["initial commit", "Add the dataset"]  # card and data in one
    files = hub.files("dataset", REPO)
    assert set(files) == {*FILES, ".gitattributes"}
    assert all(files[path] == (dataset / path).read_bytes() for path in FILES)

    loaded = run(LOAD, environment)
    assert loaded["rows"] == NUM_ROWS
    assert loaded["texts"] == [f"a picture of number {index}" for index in range(NUM_ROWS["train"])]
    assert loaded["shas"] == [make_row(index)["sha256"] for index in range(NUM_ROWS["train"])]
    assert loaded["modes"] == ["RGB", "L", "L"]

    hub.requests.clear()
    (again,) = push(environment, (dataset, REPO, False))
    assert again["uploaded"] == again["deleted"] == []
    assert again["unchanged"] == len(FILES)
    assert again["commit"] == commits[-1].sha
    assert len(commits) == 2
    assert hub.sent("PUT", "") == hub.sent("POST", "preupload|commit|batch") == []


def test_what_changed_is_sent_and_what_is_gone_is_taken_away(hub: Hub, dataset: Path, tmp_path: Path) -> None:
    environment = hub.environment(tmp_path)
    rows = {"train": [make_row(index) for index in range(5)], "validation": [make_row(5), make_row(8)]}  # no test
    write_dataset(tmp_path / "next", rows, *MEASURES)
    first, second = push(environment, (dataset, REPO, False), (tmp_path / "next", REPO, False))
    assert set(first["uploaded"]) == FILES
    assert "data/validation-00000-of-00001.parquet" in second["uploaded"]
    assert "data/train-00000-of-00001.parquet" not in second["uploaded"]
    assert second["deleted"] == ["data/test-00000-of-00001.parquet"]
    repo = hub.repos["dataset", REPO]
    assert repo.commits[-1].message == "Update the dataset"
    assert set(repo.commits[-1].files) == {*FILES, ".gitattributes"} - {"data/test-00000-of-00001.parquet"}

    repo.commit("by hand", {**repo.commits[-1].files, "docs/note.md": Blob(b"kept", lfs=False)})
    push(environment, (dataset, REPO, False))
    assert set(repo.commits[-1].files) == {*FILES, ".gitattributes", "docs/note.md"}


def test_an_interrupted_push_sends_only_the_rest(hub: Hub, dataset: Path, tmp_path: Path) -> None:
    hub.faults.append(Fault("PUT", "/lfs/", 403, skip=3, times=1))
    (said,) = push(hub.environment(tmp_path), (dataset, REPO, False))
    assert "may not write to 'user/pieces' (403" in said
    assert set(hub.files("dataset", REPO)) == {".gitattributes"}  # nothing shows of half a push
    arrived = set(hub.objects)
    assert len(arrived) == 3
    hub.requests.clear()
    (again,) = push(hub.environment(tmp_path), (dataset, REPO, False))
    assert set(again["uploaded"]) == FILES
    sent = [path.removeprefix("/lfs/") for path in hub.sent("PUT", "/lfs/")]
    assert len(sent) == sum(path.endswith((".parquet", ".png")) for path in FILES) - 3
    assert not arrived & set(sent)
    assert set(hub.files("dataset", REPO)) == {*FILES, ".gitattributes"}


def test_private(hub: Hub, dataset: Path, tmp_path: Path) -> None:
    asked = [(dataset, "user/hidden", True), (dataset, "user/open", False), (dataset, "user/open", True)]
    _, opened, refused = push(hub.environment(tmp_path), *asked)
    assert hub.repos["dataset", "user/hidden"].private
    assert not hub.repos["dataset", "user/open"].private
    assert hub.repos["dataset", "user/open"].commits[-1].sha == opened["commit"]
    assert refused == (
        "SettingError: 'user/open' exists and is public, and a private one was asked for; nothing was uploaded. "
        "Make it private in its settings on the Hub, or take another name"
    )


def test_a_token_that_does_not_do(hub: Hub, dataset: Path, tmp_path: Path) -> None:
    (unknown,) = push(hub.environment(tmp_path, "hf_x"), (dataset, REPO, False))
    assert "the Hub does not know the token in HF_TOKEN (401): it was mistyped, revoked or has expired" in unknown
    (reading,) = push(hub.environment(tmp_path, READ_TOKEN), (dataset, REPO, False))
    assert "the token in HF_TOKEN may not write to 'user/pieces' (403: You don't have the rights" in reading
    (foreign,) = push(hub.environment(tmp_path), (dataset, "other/pieces", False))
    assert "may not write to 'other/pieces'" in foreign
    assert hub.repos == {}


def test_answers_that_say_no(hub: Hub, dataset: Path, tmp_path: Path) -> None:
    create, unreadable = "repos/create", tmp_path / "unreadable"
    write_dataset(unreadable)
    (unreadable / "README.md").write_text("---\n- a list\n---\n# Card\n", encoding="utf-8")
    hub.faults += [
        Fault("POST", create, 404, times=1),
        Fault("POST", create, 429, times=1),
        Fault("POST", create, 429, {"Retry-After": "7"}, times=1),
        Fault("POST", create, 503, times=1),
        Fault("POST", "/commit/", 429, {"RateLimit": '"api";r=0;t=55'}, times=1),
        Fault("POST", "/commit/", 412, times=1),
    ]
    says = [
        "UnavailableError: the Hub finds no 'user/pieces' (404: made to fail with 404); check the name before",
        "UnavailableError: the Hub's rate limit is reached (429); wait some minutes and push again: what was uploaded",
        "(429); wait 7 seconds and push again",
        "UnavailableError: the Hub answered 503 (made to fail with 503); push again later",
        "(429); wait 55 seconds and push again",
        "UnavailableError: somebody else changed 'user/pieces' during the push (412); push again",
        f"DataError: the Hub does not accept the head of '{unreadable / 'README.md'}'",
    ]
    folders = [dataset] * len(hub.faults) + [unreadable]
    answers = push(hub.environment(tmp_path), *((folder, REPO, False) for folder in folders))
    assert all(said in answer for said, answer in zip(says, answers, strict=True)), answers
    assert set(hub.files("dataset", REPO)) == {".gitattributes"}


def test_no_network(hub: Hub, dataset: Path, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        nobody = f"http://127.0.0.1:{listener.getsockname()[1]}"
    (closed,) = push({**hub.environment(tmp_path), "HF_ENDPOINT": nobody}, (dataset, REPO, False))
    assert closed.startswith("UnavailableError: the Hub cannot be reached (")
    assert "Connection refused" in closed
    (offline,) = push({**hub.environment(tmp_path), "HF_HUB_OFFLINE": "1"}, (dataset, REPO, False))
    assert offline.startswith("UnavailableError: the Hub cannot be reached (")
    assert "offline mode is enabled" in offline


def test_without_a_dataset_a_name_or_a_token_the_hub_is_not_asked(
    dataset: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(DataError, match=r"holds no finished dataset \(README.md, report.json and data/\*.parquet\)"):
        push_dataset(tmp_path, REPO)
    with pytest.raises(SettingError, match=r"'pieces' is no name of a dataset on the Hub \(it names no owner\); they"):
        push_dataset(dataset, "pieces")
    with pytest.raises(
        SettingError, match=r"'user/a--b' is no name of a dataset on the Hub \(.*--.*; they look like your"
    ):
        push_dataset(dataset, "user/a--b")
    monkeypatch.setenv("HF_TOKEN", "hf_one\nhf_two")
    with pytest.raises(UnavailableError, match="holds characters that no token has; copy it again") as caught:
        push_dataset(dataset, REPO)
    assert "hf_one" not in str(caught.value)
    monkeypatch.setenv("HF_TOKEN", " ")
    with pytest.raises(
        UnavailableError, match="no token for the Hub: set the environment variable HF_TOKEN to one with"
    ):
        push_dataset(dataset, REPO)
