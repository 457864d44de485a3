"""Checkpoints to resume from: safetensors and JSON, never pickle; each appears whole or not at all."""

import json
import shutil
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from autochrome.errors import ModelError

_KEEP = 2


def save_checkpoint(
    folder: Path, *, step: int, model: nn.Module, averaged: nn.Module, optimizer: torch.optim.Optimizer, recipe: str
) -> Path:
    """Write `folder/checkpoint-{step}/` and remove all but the newest ones."""
    partial = folder / f".checkpoint-{step}.partial"
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    _save(model.state_dict(), partial / "model.safetensors")
    _save(averaged.state_dict(), partial / "averaged.safetensors")
    state = optimizer.state_dict()
    moments = {
        f"{index}.{name}": torch.as_tensor(value)
        for index, entry in state["state"].items()
        for name, value in entry.items()
    }
    _save(moments, partial / "optimizer.safetensors")
    _save({"torch": torch.get_rng_state()}, partial / "random.safetensors")
    info = {"step": step, "param_groups": state["param_groups"], "recipe": recipe}
    (partial / "state.json").write_text(json.dumps(info), encoding="utf-8")
    target = folder / f"checkpoint-{step}"
    if target.exists():
        shutil.rmtree(target)
    partial.replace(target)
    for old in list_checkpoints(folder)[:-_KEEP]:
        shutil.rmtree(old)
    return target


def list_checkpoints(folder: Path) -> list[Path]:
    """Finished checkpoints, oldest first."""
    found = [path for path in folder.glob("checkpoint-*") if (path / "state.json").is_file()]
    return sorted(found, key=lambda path: int(path.name.rsplit("-", 1)[1]))


def load_checkpoint(
    path: Path, *, model: nn.Module, averaged: nn.Module, optimizer: torch.optim.Optimizer
) -> dict[str, Any]:
    """Put a checkpoint's weights, optimizer and random state back; returns its `step` and `recipe`.

    Raises:
        ModelError: the weights belong to another architecture.
    """
    info: dict[str, Any] = json.loads((path / "state.json").read_text(encoding="utf-8"))
    try:
        model.load_state_dict(load_file(path / "model.safetensors"))
        averaged.load_state_dict(load_file(path / "averaged.safetensors"))
    except RuntimeError as error:
        raise ModelError(f"{path} holds another architecture than the recipe: {str(error).splitlines()[1]}") from error
    entries: dict[int, dict[str, Tensor]] = {}
    for key, value in load_file(path / "optimizer.safetensors").items():
        index, name = key.split(".", 1)
        entries.setdefault(int(index), {})[name] = value
    optimizer.load_state_dict({"state": entries, "param_groups": info["param_groups"]})
    torch.set_rng_state(load_file(path / "random.safetensors")["torch"])
    return info


def _save(tensors: dict[str, Tensor], path: Path) -> None:
    save_file({name: value.detach().cpu().contiguous().clone() for name, value in tensors.items()}, path)
