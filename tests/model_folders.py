"""Folders as `push_model` wants them: a tiny model, its card, and a picture that may be shown."""

from pathlib import Path
from typing import Any

import PIL.Image
import torch
import yaml

from autochrome.models import Colorizer, ColorizerConfig, save_colorizer

HEAD: dict[str, Any] = {
    "license": "apache-2.0",
    "base_model": "google/mobilenet_v2_1.0_224",
    "model-index": [
        {
            "name": "tiny",
            "results": [
                {
                    "task": {"type": "image-to-image"},
                    "dataset": {"name": "photographs", "type": "photographs"},
                    "metrics": [{"type": "ciede2000", "value": 11.0, "name": "CIEDE2000, mean"}],
                }
            ],
        }
    ],
    "pictures": {"example.png": {"license": "CC0-1.0", "credit": "drawn for this test"}},
    "widget": [{"src": "example.png", "example_title": "A square"}],
}
FILES = {"README.md", "config.json", "example.png", "model.safetensors"}


def write_model(folder: Path, seed: int = 0) -> None:
    """A model with random weights that load; other seeds, other weights."""
    torch.manual_seed(seed)
    save_colorizer(Colorizer(ColorizerConfig.tiny()), folder)
    PIL.Image.new("RGB", (8, 8), (200, 40, 40)).save(folder / "example.png")
    write_card(folder)


def write_card(folder: Path, **changes: Any) -> None:
    """A card whose head is `HEAD` with these changes; an entry that is None is left out."""
    head = {name: value for name, value in {**HEAD, **changes}.items() if value is not None}
    text = f"---\n{yaml.safe_dump(head, sort_keys=False)}---\n\n# tiny\n\nRandom colors.\n"
    (folder / "README.md").write_text(text, encoding="utf-8")
