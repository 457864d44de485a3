"""Models on disk: a folder with `config.json` and `model.safetensors` (float16). Nothing is ever unpickled."""

import json
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from autochrome.errors import ModelError
from autochrome.files import replacing, write_json
from autochrome.models.generator import Colorizer, ColorizerConfig

CONFIG_NAME = "config.json"
WEIGHTS_NAME = "model.safetensors"


def save_colorizer(model: Colorizer, folder: Path) -> None:
    """Write a model's architecture and its weights (float16); each file appears whole or not at all."""
    tensors = {
        name: (value.half() if value.is_floating_point() else value).contiguous().cpu()
        for name, value in model.state_dict().items()
        if not name.endswith("num_batches_tracked")
    }
    with replacing(folder / WEIGHTS_NAME) as temporary:
        save_file(tensors, temporary, metadata={"format": "pt"})
    write_json(model.config.to_dict(), folder / CONFIG_NAME)


def load_colorizer(folder: Path) -> Colorizer:
    """Read a model written by `save_colorizer`: in float32, on the CPU, ready for inference.

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
    model = Colorizer(ColorizerConfig.from_dict(values))
    load_weights(model, tensors, origin=str(folder))
    return model.eval()


def load_weights(model: Colorizer, tensors: dict[str, torch.Tensor], origin: str) -> None:
    """Copy tensors into a model, every one of them and no other.

    Raises:
        ModelError: names or shapes differ.
    """
    expected = {name: value for name, value in model.state_dict().items() if not name.endswith("num_batches_tracked")}
    different = sorted(set(expected) ^ set(tensors))
    different += sorted(
        f"{name} {tuple(tensors[name].shape)} for {tuple(expected[name].shape)}"
        for name in set(expected) & set(tensors)
        if tensors[name].shape != expected[name].shape
    )
    if different:
        shown = ", ".join(different[:3]) + (f" and {len(different) - 3} more" if len(different) > 3 else "")
        raise ModelError(f"the weights of {origin} belong to another architecture: {shown}")
    with torch.no_grad():
        for name, value in expected.items():
            value.copy_(tensors[name])
