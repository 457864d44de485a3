"""Models to the Hub and from it: safetensors and config.json, never anything that could run code."""

import json
import logging
import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from autochrome.errors import DataError, ModelError
from autochrome.hub.access import check_repo_id, explained, read_token
from autochrome.hub.card import read_card
from autochrome.hub.diffusion import CONTROLNET_FILES, DIFFUSION_FILES, MODEL_INDEX, fetch, is_fetched
from autochrome.hub.pushing import CARD, Pushed, push_files

FETCHED = CONFIG_NAME, WEIGHTS_NAME = "config.json", "model.safetensors"
"""All that is ever loaded. `autochrome.models` has the same names; importing them from there would load torch."""
WORDS = ("text_encoder/config.json", "text_encoder/model.safetensors", "text_encoder/tokenizer.json")
"""What a model that takes words has besides: its text encoder."""
LICENSE_NAMES = ("LICENSE", "LICENSE.txt", "LICENSE.md")
PICTURE_SUFFIXES = (".png", ".jpg", ".jpeg", ".webp")
SHOWABLE = re.compile(r"cc0-1\.0|public[ -]domain|cc[ -]by(-sa)?[ -]\d\.\d|apache-2\.0|mit")
"""Licenses, in small letters, under which a card's picture may be shown by anybody. Not those with NC or ND."""

_COMMIT = re.compile(r"[0-9a-f]{40}")
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Pulled:
    """A model of the Hub on this disk.

    Attributes:
        folder: holds its `config.json` and `model.safetensors`, or the folders of a diffusion model.
        commit: the commit they are of, 40 hexadecimal digits.
    """

    folder: Path
    commit: str


def push_model(folder: Path, repo_id: str, *, private: bool = False) -> Pushed:
    """Make the Hub's model `repo_id` ("name/model") hold what `folder` holds, in one commit; see `push_files`.

    What goes: `model.safetensors`, `config.json`, `text_encoder/` of a model that takes words (of a diffusion model
    `DIFFUSION_FILES`, of a ControlNet `CONTROLNET_FILES`), `README.md` (the card), a LICENSE, and pictures that the
    card's head lists under `pictures` with a license of `SHOWABLE` and whom to credit:

        pictures:
          example.jpg: {license: CC0-1.0, credit: Rachel Michetti}

    Files whose names begin with a dot are not sent; anything else is refused, as is a model that does not load.

    Args:
        private: make the repository private. One that exists keeps its visibility, and is refused if it is public.

    Raises:
        DataError: no card, or one without license and model-index; a file that has no place there.
        ModelError: the model is damaged, or its config and weights do not fit.
        SettingError, UnavailableError: as in `push_files`.
    """
    check_repo_id(repo_id, "model")
    files = model_files(folder)
    _try_to_load(folder, files)
    return push_files(files, repo_id, "model", is_pushed=_is_pushed, private=private)


def model_files(folder: Path) -> dict[str, Path]:
    """What of a model's folder goes to the Hub: path in the repository to path here.

    Raises:
        DataError: no card, or one without license and model-index; a file that has no place there.
        ModelError: it holds no model.
    """
    found = dict(_visible(folder))
    wanted = _model_names(folder, found)
    if CARD not in found:
        raise DataError(
            f"'{folder}' holds no {CARD}; a model is published with a card that says what it is, how good, and under "
            "which license. Those in autochrome/weights/ are examples"
        )
    head, _ = read_card(found[CARD])
    _check_head(head, found[CARD])
    pictures = _pictures(head, found[CARD])
    for name in found:
        if name.endswith(PICTURE_SUFFIXES) and name not in pictures:
            raise DataError(
                f"'{folder / name}' is a picture whose license is not known: list it under `pictures` in the head of "
                f"{CARD} ('{name}: {{license: CC0-1.0, credit: whose it is}}'), or take it away"
            )
        if not name.endswith(PICTURE_SUFFIXES) and name not in (CARD, *wanted, *LICENSE_NAMES):
            raise DataError(
                f"'{folder / name}' has no place in a model on the Hub; nothing was uploaded. There go: "
                f"{', '.join(wanted)}, {CARD}, LICENSE and pictures. Weights are safetensors, never pickled"
            )
    absent = sorted(pictures - set(found))
    if absent:
        raise DataError(f"the head of '{found[CARD]}' lists the picture {absent[0]}, and '{folder}' holds none")
    return found


def pull_model(repo_id: str, revision: str | None = None, files: Collection[str] | None = None) -> Pulled:
    """Fetch a model of the Hub: `config.json`, `model.safetensors` and `text_encoder/`, if there is one.

    Of a diffusion model, which has a `model_index.json` instead, `DIFFUSION_FILES`. They go into the client's cache;
    nothing else is ever fetched.

    What was fetched once by its commit needs no network again.

    Args:
        repo_id: "owner/name".
        files: those to fetch, as far as there are any, where it is known what the repository holds.
        revision: a commit of 40 hexadecimal digits; a branch or tag, or None for `main`, is looked up first, and the
            commit is in the result and in the log (`autochrome.hub.model`, INFO).

    Raises:
        SettingError: `repo_id` is no name of a repository.
        UnavailableError: no such repository or revision, none that this token may read, a rate limit, no network.
        ModelError: the repository holds no such files.
    """
    check_repo_id(repo_id, "model")
    token = read_token()
    from huggingface_hub import HfApi, hf_hub_download, try_to_load_from_cache
    from huggingface_hub.errors import RemoteEntryNotFoundError

    # False: none at all, or the client would look for one that was saved on this machine.
    secret = token or False
    with explained(repo_id, token, writing=False):
        if revision is None or not _COMMIT.fullmatch(revision):
            commit = str(HfApi(token=secret).model_info(repo_id, revision=revision).sha)
            _log.info("%s: %s is the commit %s", repo_id, revision or "main", commit)
        else:
            commit = revision
        if files is None and isinstance(try_to_load_from_cache(repo_id, MODEL_INDEX, revision=commit), str):
            files = DIFFUSION_FILES
        if files is not None:
            return Pulled(fetch(repo_id, commit, files, token), commit)
        try:
            paths = [Path(hf_hub_download(repo_id, name, revision=commit, token=secret)) for name in FETCHED]
            if takes_words(paths[0]):
                for name in WORDS:
                    hf_hub_download(repo_id, name, revision=commit, token=secret)
        except RemoteEntryNotFoundError as error:
            if not (fetch(repo_id, commit, (MODEL_INDEX,), token) / MODEL_INDEX).is_file():
                raise ModelError(
                    f"'{repo_id}' at {commit} is no model of Autochrome: it holds no {CONFIG_NAME} and {WEIGHTS_NAME} "
                    "beside each other, and nothing else is ever loaded"
                ) from error
            return Pulled(fetch(repo_id, commit, DIFFUSION_FILES, token), commit)
    return Pulled(paths[0].parent, commit)


def is_cached(repo_id: str, commit: str, files: Collection[str] | None = None) -> bool:
    """Whether a model's files of that commit are here already, `files` as for `pull_model`; asks nobody."""
    from huggingface_hub import try_to_load_from_cache

    def here(name: str) -> str | None:
        found = try_to_load_from_cache(repo_id, name, revision=commit)
        return found if isinstance(found, str) else None

    if files is None and here(MODEL_INDEX) is not None:
        files = DIFFUSION_FILES
    if files is not None:
        return is_fetched(repo_id, commit, files)
    config = here(CONFIG_NAME)
    if config is None or here(WEIGHTS_NAME) is None:
        return False
    return not takes_words(Path(config)) or all(here(name) for name in WORDS)


def takes_words(config: Path) -> bool:
    """Whether the model of this `config.json` takes directions; one that is damaged is found out when it is loaded."""
    try:
        values = json.loads(config.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return isinstance(values, dict) and values.get("decoder") == "steered_unet"


def is_offline() -> bool:
    """Whether the client was told to stay off the network (HF_HUB_OFFLINE)."""
    from huggingface_hub.constants import is_offline_mode

    return is_offline_mode()


def _visible(folder: Path) -> Iterator[tuple[str, Path]]:
    for path in sorted(folder.rglob("*")):
        inside = path.relative_to(folder)
        if path.is_file() and not any(part.startswith(".") for part in inside.parts):
            yield inside.as_posix(), path


def _model_names(folder: Path, found: Collection[str]) -> tuple[str, ...]:
    """The files of a model such as this folder holds, the card left aside.

    Raises:
        ModelError: it holds no model.
    """
    if MODEL_INDEX in found:
        return DIFFUSION_FILES
    if set(CONTROLNET_FILES) <= set(found):
        return CONTROLNET_FILES
    for name in FETCHED:
        if name not in found:
            raise ModelError(f"'{folder}' holds no {name}; a model is a folder with {CONFIG_NAME} and {WEIGHTS_NAME}")
    absent = [name for name in WORDS if name not in found]
    if 0 < len(absent) < len(WORDS):
        raise ModelError(f"'{folder}' holds no {absent[0]}, but others of its folder; a text encoder is three files")
    return (WEIGHTS_NAME, CONFIG_NAME, *(() if absent else WORDS))


def _try_to_load(folder: Path, found: Collection[str]) -> None:
    """Raises ModelError where a model is damaged."""
    import torch

    from autochrome.models import load_colorizer
    from autochrome.models.diffusion import count_parameters, load_diffusion

    if MODEL_INDEX in found:
        load_diffusion(folder, None, torch.float32)
    elif set(CONTROLNET_FILES) <= set(found):
        count_parameters(folder)
    else:
        load_colorizer(folder)


def _is_pushed(path: str) -> bool:
    """Whether a push is what brought this file to the Hub."""
    names = (CARD, *FETCHED, *WORDS, *DIFFUSION_FILES, *CONTROLNET_FILES, *LICENSE_NAMES)
    return path in names or path.endswith(PICTURE_SUFFIXES)


def _check_head(head: Mapping[str, Any], card: Path) -> None:
    def is_text(name: str) -> bool:
        return isinstance(head.get(name), str) and bool(head[name].strip())

    if not is_text("license"):
        raise DataError(f"the head of '{card}' says no license; give it the Hub's name for it, like 'apache-2.0'")
    if head["license"] == "other" and not (is_text("license_name") and is_text("license_link")):
        raise DataError(f"the head of '{card}' says 'license: other'; then it needs license_name and license_link too")
    if not _measured(head.get("model-index")):
        raise DataError(
            f"the head of '{card}' has no model-index with results; measure the model with `autochrome evaluate` and "
            "write task, dataset and metrics there, as in autochrome/weights/"
        )
    base = head.get("base_model", [])
    if not all(re.fullmatch(r"[\w.-]+/[\w.-]+", str(one)) for one in ([base] if isinstance(base, str) else base)):
        raise DataError(f"base_model in the head of '{card}' must be owner/name, or a list of them, got {base!r}")


def _measured(index: object) -> bool:
    """Whether a model-index has at least one result, and each of them a task, a dataset and metrics."""
    if not isinstance(index, list) or not all(isinstance(entry, dict) for entry in index):
        return False
    results = [result for entry in index for result in entry.get("results") or []]
    return bool(results) and all(
        isinstance(result, dict) and all(result.get(name) for name in ("task", "dataset", "metrics"))
        for result in results
    )


def _pictures(head: Mapping[str, Any], card: Path) -> set[str]:
    """The pictures that may be shown, those of the widget among them."""
    listed = head.get("pictures", {})
    if not isinstance(listed, dict):
        raise DataError(f"pictures in the head of '{card}' must map names to license and credit, got {listed!r}")
    for name, entry in listed.items():
        values = entry if isinstance(entry, dict) else {}
        if not SHOWABLE.fullmatch(str(values.get("license", "")).lower()) or not values.get("credit"):
            raise DataError(
                f"the picture {name} may not be shown with {json.dumps(entry, default=str)}: it needs a license that "
                "lets everybody show it (CC0-1.0, public domain, CC-BY-4.0, ...) and a credit"
            )
    for entry in head.get("widget") or []:
        source = entry.get("src") if isinstance(entry, dict) else None
        if source is not None and source not in listed:
            raise DataError(f"the widget of '{card}' shows {source}; list it under `pictures`, with license and credit")
    return {str(name) for name in listed}
