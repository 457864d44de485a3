"""Whether a base can be had, asked before hours begin: it may be a folder, or somebody's repository on the Hub."""

import shutil
from pathlib import Path

import httpx
from huggingface_hub import hf_hub_download
from huggingface_hub.errors import (
    GatedRepoError,
    HfHubHTTPError,
    LocalEntryNotFoundError,
    OfflineModeIsEnabled,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)

from autochrome.errors import DataError, UnavailableError
from autochrome.files import replacing

_FROZEN = ("vae", "text_encoder")


def require_reachable(base: str, revision: str | None = None) -> None:
    """Refuse a base on the Hub that cannot be loaded; a folder has been looked at before.

    Raises:
        DataError: the Hub has no such repository or revision.
        UnavailableError: its license has to be accepted first, or the Hub cannot be reached.
    """
    if Path(base).expanduser().is_dir():
        return
    instead = "or give another base or a folder: arguments.pretrained_model_name_or_path=FOLDER"
    try:
        hf_hub_download(base, "model_index.json", revision=revision)
    except GatedRepoError as error:
        raise UnavailableError(
            f"the base '{base}' is gated: accept its license on https://huggingface.co/{base} and set HF_TOKEN, "
            f"{instead}"
        ) from error
    except (RepositoryNotFoundError, RevisionNotFoundError) as error:
        raise DataError(
            f"the Hub has no base '{base}'{f' of revision {revision}' if revision else ''}, or it was removed or is "
            f"private: set HF_TOKEN, {instead}"
        ) from error
    except (LocalEntryNotFoundError, OfflineModeIsEnabled, HfHubHTTPError, httpx.HTTPError, OSError) as error:
        raise UnavailableError(
            f"the base '{base}' is not on this machine, and the Hub cannot be reached "
            f"({type(error).__name__}): go online once, {instead}"
        ) from error


def restore_frozen(base: Path, output_dir: Path) -> None:
    """Give a trained base its autoencoder and text encoder back as they were: the script saves them in the precision
    it computed with, which in bf16 is 8 bits."""
    for part in _FROZEN:
        for path in (base / part).glob("*.safetensors"):
            with replacing(output_dir / part / path.name) as temporary:
                shutil.copyfile(path, temporary)
