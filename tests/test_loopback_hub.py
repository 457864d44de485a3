"""The Hub that other tests push to, against the real client: what it keeps, what it gives back, what it refuses."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from loopback_hub import READ_TOKEN, WRITE_TOKEN, serve_hub

CLIENT = """
import json, sys
from pathlib import Path
from huggingface_hub import HfApi, HfFileSystem, hf_hub_download, snapshot_download
from huggingface_hub.errors import HfHubHTTPError

folder, reader = Path(sys.argv[1]), sys.argv[2]
api, said = HfApi(), {}
for kind in ("model", "dataset", "space"):
    where = {"repo_id": f"user/{kind}-one", "repo_type": kind}
    sdk = {"space_sdk": "gradio"} if kind == "space" else {}
    url = api.create_repo(**where, **sdk, private=kind == "model")
    api.create_repo(**where, **sdk, exist_ok=True)
    first = api.upload_folder(folder_path=folder, **where)
    api.upload_folder(folder_path=folder, path_in_repo="again", **where)
    api.delete_folder("again", **where)
    got = Path(snapshot_download(**where))
    old = hf_hub_download(filename="README.md", revision=first.oid, **where)
    said[kind] = {
        "url": str(url), "private": api.repo_info(**where).private, "files": api.list_repo_files(**where),
        "same": all((got / path.relative_to(folder)).read_bytes() == path.read_bytes()
                    for path in folder.rglob("*") if path.is_file()),
        "old": Path(old).read_text(),
    }
with HfFileSystem().open("datasets/user/dataset-one/deep/weights.bin", block_size=1000) as file:
    file.seek(1500)
    said["range"] = list(file.read(3))

def refused(call, *arguments, **options):
    try:
        call(*arguments, **options)
    except HfHubHTTPError as error:
        return f"{type(error).__name__} {error.response.status_code}"

said["refused"] = [
    refused(api.create_repo, "user/model-one"),
    refused(api.create_repo, "other/model"),
    refused(HfApi(token="hf_unknown").model_info, "user/model-one"),
    refused(HfApi(token=reader).create_repo, "user/two"),
    refused(HfApi(token=False).model_info, "user/model-one"),
    refused(api.model_info, "user/absent"),
    refused(api.model_info, "user/model-one", revision="absent"),
    refused(hf_hub_download, "user/model-one", "absent.txt"),
    refused(api.upload_file, repo_id="user/model-one", path_or_fileobj=b"x", path_in_repo="x", parent_commit="0" * 40),
]
print(json.dumps(said))
"""


def test_the_real_client_and_repositories_of_all_kinds(tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    (folder / "deep").mkdir(parents=True)
    (folder / "README.md").write_text("---\nlicense: mit\n---\n# Card\n", encoding="utf-8")
    weights = bytes(index * index % 251 for index in range(3000))
    (folder / "deep/weights.bin").write_bytes(weights)
    with serve_hub() as hub:
        command = [sys.executable, "-c", CLIENT, str(folder), READ_TOKEN]
        result = subprocess.run(command, env=hub.environment(tmp_path / "home"), capture_output=True, text=True)
        assert result.returncode == 0, result.stderr
    said = json.loads(result.stdout)
    for kind, prefix in (("model", ""), ("dataset", "datasets/"), ("space", "spaces/")):
        assert said[kind] == {
            "url": f"{hub.url}/{prefix}user/{kind}-one",
            "private": kind == "model",
            "files": [".gitattributes", "README.md", "deep/weights.bin"],
            "same": True,
            "old": (folder / "README.md").read_text(encoding="utf-8"),
        }
        assert hub.files(kind, f"user/{kind}-one")["deep/weights.bin"] == weights
        assert len(hub.repos[kind, f"user/{kind}-one"].commits) == 4
    assert said["range"] == list(weights[1500:1503])
    assert len(hub.sent("PUT", "/lfs/")) == 1  # the same content is not uploaded again, whatever the repository
    assert said["refused"] == [
        *("HfHubHTTPError 409", "HfHubHTTPError 403", "HfHubHTTPError 401", "HfHubHTTPError 403"),
        *("RepositoryNotFoundError 401", "RepositoryNotFoundError 404", "RevisionNotFoundError 404"),
        *("RemoteEntryNotFoundError 404", "HfHubHTTPError 412"),
    ]


def test_no_token_of_this_machine_gets_into_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_private")
    monkeypatch.setenv("HUGGING_FACE_HUB_TOKEN", "hf_private")
    with serve_hub() as hub:
        assert hub.environment(tmp_path)["HF_TOKEN"] == WRITE_TOKEN
        assert "hf_private" not in hub.environment(tmp_path, token=None).values()
