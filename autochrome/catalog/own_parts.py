"""The parts of a diffusion model that a person brings: a ControlNet, and the base on which it was trained."""

import os
import re
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from autochrome.errors import SettingError, UnavailableError
from autochrome.hub.diffusion import CONTROLNET_FILES, DIFFUSION_FILES
from autochrome.hub.model import pull_model
from autochrome.models.diffusion import check_diffusion

CONTROLNET_VARIABLE, BASE_VARIABLE = "AUTOCHROME_CONTROLNET", "AUTOCHROME_BASE"
HUB_NAME = re.compile(r"(?P<repo_id>\w[\w.-]*/\w[\w.-]*)(@(?P<revision>[\w./-]+))?")
"""A repository of the Hub, at a revision or not."""


@dataclass(frozen=True)
class OwnParts:
    """What a person gave: folders, or repositories of the Hub, "owner/name" or "owner/name@revision"."""

    controlnet: str | Path | None = None
    base: str | Path | None = None

    def __bool__(self) -> bool:
        return bool(self.controlnet or self.base)

    def or_environment(self) -> "OwnParts":
        """These, and what the environment names in place of what is absent."""
        return OwnParts(
            self.controlnet or os.environ.get(CONTROLNET_VARIABLE, "").strip() or None,
            self.base or os.environ.get(BASE_VARIABLE, "").strip() or None,
        )


@dataclass(frozen=True)
class FoundParts:
    """Folders of a base and its ControlNet, which fit together, and what to call the two."""

    base: Path
    controlnet: Path
    name: str


def find_parts(model_id: str, parts: OwnParts, default_base: Path | str) -> FoundParts:
    """Find, or fetch, a base and a ControlNet for it. The ControlNet, the smaller of the two, comes first.

    Args:
        model_id: of the row, for messages.
        parts: with a ControlNet.
        default_base: where no base was given.

    Raises:
        SettingError: a name is neither a folder nor that of a repository.
        UnavailableError: the Hub does not give one of them.
        ModelError: a file is missing or damaged, or the ControlNet does not fit its base.
    """
    assert parts.controlnet is not None
    controlnet, name = _find(parts.controlnet, CONTROLNET_FILES, "controlnet", CONTROLNET_VARIABLE, model_id)
    base, base_name = _find(parts.base or default_base, DIFFUSION_FILES, "base", BASE_VARIABLE, model_id)
    check_diffusion(base, controlnet)
    return FoundParts(base, controlnet, name if parts.base is None else f"{name},{base_name}")


def _find(given: str | Path, files: Collection[str], option: str, variable: str, model_id: str) -> tuple[Path, str]:
    """The folder of a part, and what to call it: of the Hub its repository and commit."""
    if Path(given).is_dir():
        return Path(given), Path(given).resolve().name
    ways = f"({option}=, --{option}, or the environment variable {variable})"
    found = HUB_NAME.fullmatch(str(given))
    if found is None:
        raise SettingError(
            f"the {option} of {model_id} must be a folder, or a repository of the Hub as owner/name or "
            f"owner/name@revision, got '{given}' {ways}"
        )
    try:
        pulled = pull_model(found["repo_id"], found["revision"], files)
    except UnavailableError as error:
        raise UnavailableError(
            f"the {option} of {model_id}, '{given}', is no folder here, and the Hub does not give it: {error}. It can "
            f"be another one {ways}"
        ) from error
    return pulled.folder, f"{found['repo_id']}@{pulled.commit}"
