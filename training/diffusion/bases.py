"""Whether a base can be had, asked before hours begin: it may be a folder, or somebody's repository on the Hub."""

import shutil
from pathlib import Path

from huggingface_hub import hf_hub_download

from autochrome.errors import UnavailableError
from autochrome.files import replacing
from autochrome.hub.access import explained, read_token
from autochrome.models.diffusion import MODEL_INDEX

_FROZEN = ("vae", "text_encoder")


def require_reachable(base: str, revision: str | None = None) -> None:
    """Refuse a base on the Hub that cannot be loaded; a folder has been looked at before.

    Raises:
        UnavailableError: there is no such repository or revision, its license has to be accepted first, or the Hub
            cannot be reached and it was not fetched before.
    """
    if Path(base).is_dir():
        return
    token = read_token()
    try:
        with explained(base, token, writing=False):
            hf_hub_download(base, MODEL_INDEX, revision=revision, token=token)  # None: a saved one, as the script does
    except UnavailableError as error:
        raise UnavailableError(
            f"the base '{base}' is no folder here, and the Hub does not give it: {error}. It can be another one, or a "
            "folder: arguments.pretrained_model_name_or_path=FOLDER"
        ) from error


def restore_frozen(base: Path, output_dir: Path) -> None:
    """Give a trained base its autoencoder and text encoder back as they were: the script saves them in the precision
    it computed with, which in bf16 is 8 bits."""
    for part in _FROZEN:
        for path in (base / part).glob("*.safetensors"):
            with replacing(output_dir / part / path.name) as temporary:
                shutil.copyfile(path, temporary)
