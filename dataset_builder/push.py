"""A finished dataset to the Hugging Face Hub: card and data in one commit, only what changed, resumable."""

from fnmatch import fnmatch
from pathlib import Path

from autochrome.errors import DataError
from autochrome.hub.pushing import Pushed, push_files

PUSHED = ("README.md", "config.yaml", "report.json", "rejected.jsonl", "data/*.parquet", "card/*.png")
"""What of a dataset's folder goes to the Hub, as glob patterns. The imagefolder form would be every picture again."""


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
    return push_files(_files(folder), repo_id, "dataset", is_pushed=_is_pushed, private=private)


def _files(folder: Path) -> dict[str, Path | bytes]:
    """Everything to push: path in the repository to path here."""
    found = (path for pattern in PUSHED for path in sorted(folder.glob(pattern)) if path.is_file())
    files: dict[str, Path | bytes] = {path.relative_to(folder).as_posix(): path for path in found}
    if not {"README.md", "report.json"} <= set(files) or not any(path.startswith("data/") for path in files):
        raise DataError(
            f"'{folder}' holds no finished dataset (README.md, report.json and data/*.parquet); make one with "
            "`python -m dataset_builder build`, and check it with `verify`"
        )
    return files


def _is_pushed(path: str) -> bool:
    """Whether a push is what brought this file to the Hub; others, put there by hand, are left alone."""
    return any(pattern.count("/") == path.count("/") and fnmatch(path, pattern) for pattern in PUSHED)
