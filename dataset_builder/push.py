"""A finished dataset to the Hugging Face Hub: card and data in one commit, only what changed, resumable."""

import hashlib
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path
from typing import TYPE_CHECKING

from tqdm import tqdm
from yaml import YAMLError

from autochrome.errors import AutochromeError, DataError, SettingError, UnavailableError

if TYPE_CHECKING:
    from huggingface_hub import HfApi
    from huggingface_hub.errors import HfHubHTTPError

PUSHED = ("README.md", "config.yaml", "report.json", "rejected.jsonl", "data/*.parquet", "card/*.png")
"""What of a dataset's folder goes to the Hub, as glob patterns. The imagefolder form would be every picture again."""

_TOKEN_PAGE = "https://huggingface.co/settings/tokens"
_KEPT = "what was uploaded is not sent again"


@dataclass(frozen=True)
class Pushed:
    """What a push did.

    Attributes:
        url: the dataset's page.
        commit: the newest commit, 40 hexadecimal digits, for pinning.
        uploaded: paths of the files that were sent, new or changed.
        deleted: paths of the files that were taken away, because the folder no longer has them.
        unchanged: how many files the Hub already had.
    """

    url: str
    commit: str
    uploaded: tuple[str, ...]
    deleted: tuple[str, ...]
    unchanged: int


def push_dataset(folder: Path, repo_id: str, *, private: bool = False) -> Pushed:
    """Make the Hub's dataset `repo_id` ("name/dataset") hold what `folder` holds: card, data, config and reports.

    The repository is made if there is none. Data go first, a shard at a time, and show only with the one commit at the
    end: a push that was interrupted leaves the dataset as it was, and the next one sends only what is still missing.
    The token is that of the environment variable HF_TOKEN; one that was saved by `hf auth login` is not looked for.

    Args:
        private: make the repository private. One that exists keeps its visibility, and is refused if it is public.

    Raises:
        DataError: the folder holds no finished dataset, or the Hub does not accept its card.
        SettingError: `repo_id` is no name of a repository.
        UnavailableError: no token, or one that may not do this; no such namespace; a rate limit; no network.
    """
    files = _files(folder)
    from huggingface_hub import HfApi
    from huggingface_hub.utils import validate_repo_id  # type: ignore[attr-defined]  # in its public docs

    try:
        if "/" not in repo_id:  # the client would take the token's owner for some calls, and fail in others
            raise ValueError("it names no owner")
        validate_repo_id(repo_id)
    except ValueError as error:
        raise SettingError(
            f"'{repo_id}' is no name of a dataset on the Hub ({error}); they look like your-name/dataset-name"
        ) from error

    token = _token()
    with _explained(repo_id, token):
        return _push(HfApi(token=token), files, repo_id, private)


def _files(folder: Path) -> dict[str, Path]:
    """Everything to push: path in the repository to path here."""
    found = (path for pattern in PUSHED for path in sorted(folder.glob(pattern)) if path.is_file())
    files = {path.relative_to(folder).as_posix(): path for path in found}
    if not {"README.md", "report.json"} <= set(files) or not any(path.startswith("data/") for path in files):
        raise DataError(
            f"'{folder}' holds no finished dataset (README.md, report.json and data/*.parquet); make one with "
            "`python -m dataset_builder build`, and check it with `verify`"
        )
    return files


def _token() -> str:
    token = os.environ.get("HF_TOKEN", "").strip()
    if not token:
        raise UnavailableError(
            f"no token for the Hub: set the environment variable HF_TOKEN to one with write access, from {_TOKEN_PAGE}"
        )
    if not token.isascii() or not token.isprintable() or " " in token:
        raise UnavailableError("HF_TOKEN holds characters that no token has; copy it again, without line breaks")
    return token


def _push(api: "HfApi", files: dict[str, Path], repo_id: str, private: bool) -> Pushed:
    from huggingface_hub import CommitOperationAdd, CommitOperationDelete

    _check_card(files["README.md"])
    # Without `--private` nothing is said of visibility: an organization may have its own default.
    url = api.create_repo(repo_id, repo_type="dataset", private=private or None, exist_ok=True)
    info = api.dataset_info(repo_id)
    if private and not info.private:
        raise SettingError(
            f"'{repo_id}' exists and is public, and a private one was asked for; nothing was uploaded. Make it private "
            "in its settings on the Hub, or take another name"
        )
    there = _states_there(api, repo_id)
    changed = [path for path, file in files.items() if not _is_same(file, there.get(path))]
    gone = [path for path in there if _is_pushed(path) and path not in files]
    if not changed and not gone:
        return Pushed(str(url), str(info.sha), (), (), len(files))
    additions = [CommitOperationAdd(path_in_repo=path, path_or_fileobj=files[path]) for path in changed]
    # One after another, though the client would do all at once: what is there when a push breaks off stays there.
    for addition in tqdm(additions, desc="uploading", unit=" files", disable=None):
        api.preupload_lfs_files(repo_id, [addition], repo_type="dataset", free_memory=False)
    commit = api.create_commit(
        repo_id,
        [*additions, *(CommitOperationDelete(path_in_repo=path) for path in gone)],
        commit_message="Update the dataset" if "README.md" in there else "Add the dataset",
        repo_type="dataset",
        parent_commit=info.sha,
    )
    return Pushed(str(url), commit.oid, tuple(changed), tuple(gone), len(files) - len(changed))


def _check_card(path: Path) -> None:
    """Ask the Hub before anything is made or uploaded there."""
    from huggingface_hub import DatasetCard

    try:
        DatasetCard(path.read_text(encoding="utf-8")).validate()
    except (ValueError, YAMLError) as error:
        raise DataError(f"the Hub does not accept the head of '{path}': {error}; correct it and push again") from error


def _states_there(api: "HfApi", repo_id: str) -> dict[str, tuple[int, str, bool]]:
    """Every file of the repository: its size, its hash and whether that is SHA-256 (large files) or git's."""
    from huggingface_hub import RepoFile

    entries = api.list_repo_tree(repo_id, recursive=True, repo_type="dataset")
    return {
        entry.path: (entry.size, entry.lfs.sha256 if entry.lfs else entry.blob_id, entry.lfs is not None)
        for entry in entries
        if isinstance(entry, RepoFile)
    }


def _is_same(path: Path, there: tuple[int, str, bool] | None) -> bool:
    size = path.stat().st_size
    if there is None or there[0] != size:
        return False
    if there[2]:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest() == there[1]
    return hashlib.sha1(b"blob %d\0" % size + path.read_bytes()).hexdigest() == there[1]


def _is_pushed(path: str) -> bool:
    """Whether a push is what brought this file to the Hub; others, put there by hand, are left alone."""
    return any(pattern.count("/") == path.count("/") and fnmatch(path, pattern) for pattern in PUSHED)


@contextmanager
def _explained(repo_id: str, token: str) -> Iterator[None]:
    """What goes wrong between here and the Hub, as one sentence that says what to do, never with the token in it."""
    import httpx2
    from huggingface_hub.errors import HfHubHTTPError

    try:
        yield
    except AutochromeError:
        raise
    # The client's HTTP library; its offline mode (ConnectionError); what its uploaders make of either (RuntimeError).
    except (httpx2.HTTPError, ConnectionError, RuntimeError) as error:
        cause: BaseException = error
        while not isinstance(cause, HfHubHTTPError) and cause.__cause__ is not None:
            cause = cause.__cause__
        if isinstance(cause, HfHubHTTPError):
            raise _refusal(cause, repo_id) from error
        reason = (str(cause) or type(cause).__name__).replace(token, "***")
        raise UnavailableError(
            f"the Hub cannot be reached ({reason}); check the network and push again: {_KEPT}"
        ) from error


def _refusal(error: "HfHubHTTPError", repo_id: str) -> AutochromeError:
    """Our exception for an answer of the Hub that says no."""
    status, said = error.response.status_code, error.server_message or error.response.reason_phrase
    if status == 401:
        return UnavailableError(
            "the Hub does not know the token in HF_TOKEN (401): it was mistyped, revoked or has expired; make one "
            f"with write access at {_TOKEN_PAGE}"
        )
    if status == 403:
        return UnavailableError(
            f"the token in HF_TOKEN may not write to '{repo_id}' (403: {said}); use one with write access, from "
            f"{_TOKEN_PAGE}, and a name that is yours or your organization's"
        )
    if status == 404:
        return UnavailableError(f"the Hub finds no '{repo_id}' (404: {said}); check the name before the slash")
    if status == 429:
        headers = error.response.headers
        seconds = re.search(r"\bt=(\d+)|^(\d+)$", headers.get("ratelimit") or headers.get("retry-after") or "")
        wait = f"wait {seconds[1] or seconds[2]} seconds" if seconds else "wait some minutes"
        return UnavailableError(f"the Hub's rate limit is reached (429); {wait} and push again: {_KEPT}")
    if status == 412:
        return UnavailableError(f"somebody else changed '{repo_id}' during the push (412); push again: {_KEPT}")
    return UnavailableError(f"the Hub answered {status} ({said}); push again later: {_KEPT}")
