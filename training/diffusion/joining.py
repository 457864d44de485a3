"""A base and a ControlNet become one pipeline in float16: the folder that ships.

`python -m training.diffusion.joining BASE CONTROLNET OUTPUT`
"""

import argparse
import json
import shutil
import sys
import uuid
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from autochrome.errors import AutochromeError, DataError, ModelError
from autochrome.files import write_json
from training.diffusion.plan import BASE_PARTS, check_fit

_NETWORKS = ("text_encoder", "vae", "unet")
_SETTINGS = ("*.json", "*.txt")
_ABSENT = [None, None]


def join(base: Path, controlnet: Path, output: Path) -> Path:
    """Write a `StableDiffusionControlNetPipeline` in float16, whole or not at all; an older `output` is replaced.

    Args:
        base: a `StableDiffusionPipeline` in a folder, weights as safetensors.
        controlnet: a `ControlNetModel` in a folder.

    Raises:
        DataError: a part is missing, or it cannot be written.
        ModelError: the ControlNet does not fit, weights are damaged, or a value is too large for float16.
    """
    check_fit(controlnet, str(base))
    index = _index(base)
    temporary = output.with_name(f".{output.name}.{uuid.uuid4().hex}.tmp")
    old = temporary.with_suffix(".old")
    try:
        for part in BASE_PARTS:
            _copy_part(base / part, temporary / part, has_weights=part in _NETWORKS)
        _copy_part(controlnet, temporary / "controlnet", has_weights=True, settings=("config.json",))
        write_json(index, temporary / "model_index.json")
        if output.exists():
            output.replace(old)
        temporary.replace(output)
    except OSError as error:
        raise DataError(f"cannot write '{output}': {error}; give a path in a folder that can be written") from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
        if old.exists() and not output.exists():
            old.replace(output)
        shutil.rmtree(old, ignore_errors=True)
    return output


def forget_origin(folder: Path) -> None:
    """Take the path that a part was once loaded from out of every `config.json` below a folder."""
    for path in folder.rglob("config.json"):
        config = json.loads(path.read_text(encoding="utf-8"))
        if config.pop("_name_or_path", None) is not None:
            write_json(config, path)


def _index(base: Path) -> dict[str, Any]:
    path = base / "model_index.json"
    missing = [part for part in BASE_PARTS if not (base / part).is_dir()]
    if missing or not path.is_file():
        raise DataError(f"'{base}' is no base: {', '.join([*missing, *[path.name] * (not path.is_file())])} is missing")
    given: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return {
        "_class_name": "StableDiffusionControlNetPipeline",
        "_diffusers_version": given.get("_diffusers_version"),
        "controlnet": ["diffusers", "ControlNetModel"],
        **{part: given[part] for part in BASE_PARTS},
        "feature_extractor": _ABSENT,
        "image_encoder": _ABSENT,
        "requires_safety_checker": False,
        "safety_checker": _ABSENT,
    }


def _copy_part(source: Path, target: Path, *, has_weights: bool, settings: tuple[str, ...] = _SETTINGS) -> None:
    """A part's settings as they are, and its weights in float16; nothing else (checkpoints, logs, cards)."""
    target.mkdir(parents=True)
    for path in [path for pattern in settings for path in sorted(source.glob(pattern))]:
        shutil.copyfile(path, target / path.name)
    forget_origin(target)
    if not has_weights:
        return
    # `model.fp16.safetensors` and the like are variants of a file that is there as well.
    weights = [path for path in sorted(source.glob("*.safetensors")) if path.name.count(".") == 1]
    if not weights:
        raise DataError(f"'{source}' has no .safetensors; save the model with safe_serialization")
    for path in weights:
        try:
            tensors = load_file(path)
        except SafetensorError as error:
            raise ModelError(f"'{path}' is damaged: {error}") from error
        halves = {name: value.half() if value.is_floating_point() else value for name, value in tensors.items()}
        for name, value in halves.items():
            if value.is_floating_point() and not torch.isfinite(value).all():
                raise ModelError(f"'{path}': {name} holds values that float16 cannot; train with a lower learning rate")
        save_file(halves, target / path.name, metadata={"format": "pt"})


def main(arguments: list[str] | None = None) -> int:
    """Command-line entry; exit code 2 where the parts cannot be joined."""
    parser = argparse.ArgumentParser(
        prog="python -m training.diffusion.joining", description="Join base and ControlNet."
    )
    for name, text in (("base", "folder of the base"), ("controlnet", "its folder"), ("output", "folder to write")):
        parser.add_argument(name, type=Path, help=text)
    options = parser.parse_args(arguments)
    try:
        print(join(options.base, options.controlnet, options.output))
    except AutochromeError as error:
        print(f"joining: error: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
