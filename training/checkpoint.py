"""Checkpoints to resume from: safetensors and JSON, never pickle; each appears whole or not at all.

They hold no state of a random generator: whatever is drawn at random is decided by (seed, step).
"""

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from autochrome.errors import ModelError

_KEEP = 2


def save_checkpoint(
    folder: Path,
    *,
    step: int,
    networks: Mapping[str, nn.Module],
    optimizers: Mapping[str, torch.optim.Optimizer],
    recipe: str,
) -> Path:
    """Write `folder/checkpoint-{step}/`, a .safetensors a network and optimizer; remove all but the newest ones."""
    partial = folder / f".checkpoint-{step}.partial"
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    for name, network in networks.items():
        _save(network.state_dict(), partial / f"{name}.safetensors")
    param_groups = {}
    for name, optimizer in optimizers.items():
        state = optimizer.state_dict()
        param_groups[name] = state["param_groups"]
        moments = {
            f"{index}.{moment}": torch.as_tensor(value)
            for index, entry in state["state"].items()
            for moment, value in entry.items()
        }
        _save(moments, partial / f"{name}.safetensors")
    info = {"step": step, "param_groups": param_groups, "recipe": recipe}
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
    path: Path, *, networks: Mapping[str, nn.Module], optimizers: Mapping[str, torch.optim.Optimizer]
) -> dict[str, Any]:
    """Put a checkpoint's weights and optimizers back; returns its `step` and `recipe`.

    Raises:
        ModelError: it holds other networks than these, or of another architecture.
    """
    info: dict[str, Any] = json.loads((path / "state.json").read_text(encoding="utf-8"))
    wanted, found = {*networks, *optimizers}, {file.stem for file in path.glob("*.safetensors")}
    if wanted != found:
        raise ModelError(
            f"{path} holds {', '.join(sorted(found))}, but the recipe needs {', '.join(sorted(wanted))}: "
            f"resume with the recipe that it was made with"
        )
    for name, network in networks.items():
        try:
            network.load_state_dict(load_file(path / f"{name}.safetensors"))
        except RuntimeError as error:
            difference = str(error).splitlines()[1].strip()
            raise ModelError(f"{path} holds another architecture than the recipe: {name}: {difference}") from error
    for name, optimizer in optimizers.items():
        entries: dict[int, dict[str, Tensor]] = {}
        for key, value in load_file(path / f"{name}.safetensors").items():
            index, moment = key.split(".", 1)
            entries.setdefault(int(index), {})[moment] = value
        optimizer.load_state_dict({"state": entries, "param_groups": info["param_groups"][name]})
    return info


def _save(tensors: Mapping[str, Tensor], path: Path) -> None:
    save_file({name: value.detach().cpu().contiguous().clone() for name, value in tensors.items()}, path)
