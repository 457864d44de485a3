"""Models on disk: a folder with `config.json` and `model.safetensors` (float16). Nothing is ever unpickled."""

import json
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from autochrome.errors import ModelError, SettingError
from autochrome.files import replacing, write_json
from autochrome.models.config import ColorizerConfig
from autochrome.models.generator import Colorizer
from autochrome.models.normalization import folded_state

CONFIG_NAME = "config.json"
WEIGHTS_NAME = "model.safetensors"


def save_colorizer(model: Colorizer, folder: Path) -> None:
    """Write a model's architecture and its weights (float16); each file appears whole or not at all.

    Spectral norm is folded into the weights that are written; the model itself stays as it is.
    """
    tensors = {
        name: (value.half() if value.is_floating_point() else value).contiguous().cpu()
        for name, value in folded_state(model).items()
        if not name.endswith("num_batches_tracked")
    }
    with replacing(folder / WEIGHTS_NAME) as temporary:
        save_file(tensors, temporary, metadata={"format": "pt"})
    write_json(model.config.to_dict(), folder / CONFIG_NAME)


def load_colorizer(folder: Path, *, training: bool = False) -> Colorizer:
    """Read a model written by `save_colorizer`: in float32, on the CPU, in evaluation mode.

    Args:
        folder: with `config.json` and `model.safetensors`.
        training: parametrize the weights that spectral norm acts on, to go on training; inference needs none of it.

    Raises:
        ModelError: a file is missing or damaged, or the weights belong to another architecture.
    """
    for name in (CONFIG_NAME, WEIGHTS_NAME):
        if not (folder / name).is_file():
            raise ModelError(f"{folder} holds no {name}; a model is a folder with {CONFIG_NAME} and {WEIGHTS_NAME}")
    try:
        values = json.loads((folder / CONFIG_NAME).read_text(encoding="utf-8"))
        tensors = load_file(folder / WEIGHTS_NAME)
    except (json.JSONDecodeError, UnicodeDecodeError, SafetensorError) as error:
        raise ModelError(f"the model in {folder} is damaged ({error}); get it again from where it came") from error
    if not isinstance(values, dict):
        raise ModelError(f"{folder / CONFIG_NAME} must hold a JSON object, got {type(values).__name__}")
    try:
        model = Colorizer(ColorizerConfig.from_dict(values), folded=True)
    except SettingError as error:
        raise ModelError(f"{folder / CONFIG_NAME} describes no network that can be built: {error}") from error
    load_weights(model, tensors, origin=str(folder))
    if training:
        model.unfold()
    return model.eval()


def load_weights(model: nn.Module, tensors: dict[str, Tensor], origin: str) -> None:
    """Copy tensors into a model, every one of them and no other.

    Raises:
        ModelError: names or shapes differ; the text names the first difference, in the order of the network.
    """
    expected = {name: value for name, value in model.state_dict().items() if not name.endswith("num_batches_tracked")}
    different = [_difference(name, value, tensors.get(name)) for name, value in expected.items()]
    different += [f"they have {name}, the network does not" for name in tensors if name not in expected]
    differences = [text for text in different if text is not None]
    if differences:
        more = f" (and {len(differences) - 1} more differences)" if len(differences) > 1 else ""
        raise ModelError(f"the weights of {origin} belong to another architecture: {differences[0]}{more}")
    with torch.no_grad():
        for name, value in expected.items():
            value.copy_(tensors[name])


def _difference(name: str, expected: Tensor, found: Tensor | None) -> str | None:
    if found is None:
        return f"they lack {name}"
    if found.shape != expected.shape:
        return f"{name} has shape {tuple(found.shape)}, the network {tuple(expected.shape)}"
    return None
