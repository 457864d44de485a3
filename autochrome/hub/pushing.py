"""Files to a repository of the Hub: only what changed, in one commit, after the Hub has accepted the card."""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tqdm import tqdm
from yaml import YAMLError

from autochrome.errors import DataError, SettingError
from autochrome.hub.access import check_repo_id, explained, write_token

if TYPE_CHECKING:
    from huggingface_hub import HfApi

CARD = "README.md"


@dataclass(frozen=True)
class Pushed:
    """What a push did.

    Attributes:
        url: the repository's page.
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

    def __str__(self) -> str:
        counts = f"{len(self.uploaded)} files sent, {self.unchanged} were there, {len(self.deleted)} taken away"
        return f"{self.url}: {counts}; commit {self.commit}"


def push_files(
    files: Mapping[str, Path | bytes],
    repo_id: str,
    kind: str,
    *,
    is_pushed: Callable[[str], bool],
    private: bool = False,
) -> Pushed:
    """Make a repository of the Hub hold these files; it is made if there is none.

    Large files go first, one at a time, and show only with the one commit at the end: a push that was interrupted
    leaves the repository as it was, and the next one sends only what is still missing.

    Args:
        files: path in the repository to path here, or to content; `README.md`, the card, among them.
        repo_id: "owner/name".
        kind: "model", "dataset" or "space".
        is_pushed: whether a path in the repository is one that a push brings; those no longer in `files` are taken
            away, others, put there by hand, are left alone.
        private: make the repository private. One that exists keeps its visibility, and is refused if it is public.

    Raises:
        DataError: the Hub does not accept the card.
        SettingError: `repo_id` is no name of a repository, or of a public one where a private one is asked for.
        UnavailableError: no token, or one that may not do this; no such namespace; a rate limit; no network.
    """
    check_repo_id(repo_id, kind)
    token = write_token()
    from huggingface_hub import HfApi

    with explained(repo_id, token, writing=True):
        return _push(HfApi(token=token), files, repo_id, kind, is_pushed, private)


def _push(
    api: "HfApi",
    files: Mapping[str, Path | bytes],
    repo_id: str,
    kind: str,
    is_pushed: Callable[[str], bool],
    private: bool,
) -> Pushed:
    from huggingface_hub import CommitOperationAdd, CommitOperationDelete

    _check_card(files[CARD], kind)
    # Without `private` nothing is said of visibility: an organization may have its own default.
    sdk = "gradio" if kind == "space" else None
    url = api.create_repo(repo_id, repo_type=kind, private=private or None, exist_ok=True, space_sdk=sdk)
    info = api.repo_info(repo_id, repo_type=kind)
    if private and not info.private:
        raise SettingError(
            f"'{repo_id}' exists and is public, and a private one was asked for; nothing was uploaded. Make it private "
            "in its settings on the Hub, or take another name"
        )
    there = _states_there(api, repo_id, kind)
    changed = [path for path, file in files.items() if not _is_same(file, there.get(path))]
    gone = [path for path in there if is_pushed(path) and path not in files]
    if not changed and not gone:
        return Pushed(str(url), str(info.sha), (), (), len(files))
    additions = [CommitOperationAdd(path_in_repo=path, path_or_fileobj=files[path]) for path in changed]
    # One after another, though the client would do all at once: what is there when a push breaks off stays there.
    for addition in tqdm(additions, desc="uploading", unit=" files", disable=None):
        api.preupload_lfs_files(repo_id, [addition], repo_type=kind, free_memory=False)
    commit = api.create_commit(
        repo_id,
        [*additions, *(CommitOperationDelete(path_in_repo=path) for path in gone)],
        commit_message=f"{'Update' if CARD in there else 'Add'} the {'Space' if kind == 'space' else kind}",
        repo_type=kind,
        parent_commit=info.sha,
    )
    return Pushed(str(url), commit.oid, tuple(changed), tuple(gone), len(files) - len(changed))


def _check_card(card: Path | bytes, kind: str) -> None:
    """Ask the Hub before anything is made or uploaded there."""
    from huggingface_hub import DatasetCard, ModelCard, SpaceCard

    cards = {"model": ModelCard, "dataset": DatasetCard, "space": SpaceCard}
    content = card if isinstance(card, bytes) else card.read_bytes()
    try:
        cards[kind](content.decode("utf-8")).validate()
    except (ValueError, YAMLError) as error:
        name = CARD if isinstance(card, bytes) else card
        raise DataError(f"the Hub does not accept the head of '{name}': {error}; correct it and push again") from error


def _states_there(api: "HfApi", repo_id: str, kind: str) -> dict[str, tuple[int, str, bool]]:
    """Every file of the repository: its size, its hash and whether that is SHA-256 (large files) or git's."""
    from huggingface_hub import RepoFile

    entries = api.list_repo_tree(repo_id, recursive=True, repo_type=kind)
    return {
        entry.path: (entry.size, entry.lfs.sha256 if entry.lfs else entry.blob_id, entry.lfs is not None)
        for entry in entries
        if isinstance(entry, RepoFile)
    }


def _is_same(file: Path | bytes, there: tuple[int, str, bool] | None) -> bool:
    size = len(file) if isinstance(file, bytes) else file.stat().st_size
    if there is None or there[0] != size:
        return False
    if there[2] and isinstance(file, Path):
        with file.open("rb") as opened:
            return hashlib.file_digest(opened, "sha256").hexdigest() == there[1]
    content = file if isinstance(file, bytes) else file.read_bytes()
    if there[2]:
        return hashlib.sha256(content).hexdigest() == there[1]
    return hashlib.sha1(b"blob %d\0" % size + content).hexdigest() == there[1]
