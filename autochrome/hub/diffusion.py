"""Diffusion models, bases and ControlNets of the Hub: which of their files are fetched and pushed, and how."""

from collections.abc import Collection
from pathlib import Path

MODEL_INDEX = "model_index.json"
"""`autochrome.models.diffusion` has it too; importing it from there would load torch."""

_NETWORK = ("config.json", "diffusion_pytorch_model.safetensors")
CONTROLNET_FILES = _NETWORK
DIFFUSION_FILES = (
    MODEL_INDEX,
    "scheduler/scheduler_config.json",
    *(f"tokenizer/{name}.json" for name in ("vocab", "tokenizer", "tokenizer_config", "special_tokens_map")),
    "tokenizer/merges.txt",
    "text_encoder/config.json",
    "text_encoder/model.safetensors",
    *(f"{part}/{name}" for part in ("unet", "vae", "controlnet") for name in _NETWORK),
)
"""All that a diffusion model may consist of; a base has no ControlNet, and of the tokenizer's files some will do."""


def fetch(repo_id: str, commit: str, files: Collection[str], token: str | None) -> Path:
    """The folder of a repository of the Hub at a commit, with those of `files` that it has; kept by the client.

    What was fetched once needs no network again. Raises what the client raises; see `access.explained`.
    """
    from huggingface_hub import snapshot_download

    # False: none at all, or the client would look for one that was saved on this machine.
    return Path(snapshot_download(repo_id, revision=commit, allow_patterns=list(files), token=token or False))


def is_fetched(repo_id: str, commit: str, files: Collection[str]) -> bool:
    """Whether `fetch` would need no network; asks nobody."""
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import LocalEntryNotFoundError

    try:
        snapshot_download(repo_id, revision=commit, allow_patterns=list(files), local_files_only=True, token=False)
    except LocalEntryNotFoundError:
        return False
    return True
