"""A base and a ControlNet become one pipeline in float16: the folder that ships.

`python -m training.diffusion.joining BASE CONTROLNET OUTPUT`
"""

import argparse
import json
import shutil
import sys
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from autochrome.errors import AutochromeError, DataError, ModelError
from autochrome.files import replacing_folder, write_json
from autochrome.models.diffusion import CONTROLNET, MODEL_INDEX, WEIGHTS, check_diffusion

BASE_PARTS = ("scheduler", "tokenizer", "text_encoder", "vae", "unet")
_SETTINGS = ("*.json", "*.txt")
_ABSENT = [None, None]


def join(base: Path, controlnet: Path, output: Path) -> Path:
    """Write a `StableDiffusionControlNetPipeline` in float16, whole or not at all; an older `output` is replaced.

    Args:
        base: a `StableDiffusionPipeline` in a folder, weights as safetensors.
        controlnet: a `ControlNetModel` in a folder.

    Raises:
        DataError: `output` is something else than such a pipeline, or it cannot be written.
        ModelError: a part is missing or damaged, the ControlNet does not fit, or a value is too large for float16.
    """
    check_diffusion(base, controlnet)
    check_output(output)
    index = _index(base)
    with replacing_folder(output) as temporary:
        for part in BASE_PARTS:
            _copy_part(base / part, temporary / part, part)
        _copy_part(controlnet, temporary / CONTROLNET, CONTROLNET, settings=("config.json",))
        write_json(index, temporary / MODEL_INDEX)
    return output


def check_output(output: Path) -> None:
    """Refuse to replace what is no pipeline with a ControlNet: it may be anything of somebody's.

    Raises:
        DataError: it is there, and is none.
    """
    is_pipeline = (output / MODEL_INDEX).is_file() and (output / CONTROLNET).is_dir()
    if output.exists() and not is_pipeline and not (output.is_dir() and not any(output.iterdir())):
        raise DataError(f"'{output}' holds no pipeline with a ControlNet, and one would replace it; name another")


def forget_origin(folder: Path) -> None:
    """Take the path that a part was once loaded from out of every `config.json` below a folder."""
    for path in folder.rglob("config.json"):
        config = json.loads(path.read_text(encoding="utf-8"))
        if config.pop("_name_or_path", None) is not None:
            write_json(config, path)


def _index(base: Path) -> dict[str, Any]:
    path = base / MODEL_INDEX
    try:
        given = json.loads(path.read_text(encoding="utf-8"))
        parts = {part: given[part] for part in BASE_PARTS}
    except (ValueError, LookupError, TypeError) as error:
        raise ModelError(f"'{path}' is damaged ({error}); copy or train the base again") from error
    return {
        "_class_name": "StableDiffusionControlNetPipeline",
        "_diffusers_version": given.get("_diffusers_version"),
        "controlnet": ["diffusers", "ControlNetModel"],
        **parts,
        "feature_extractor": _ABSENT,
        "image_encoder": _ABSENT,
        "requires_safety_checker": False,
        "safety_checker": _ABSENT,
    }


def _copy_part(source: Path, target: Path, part: str, *, settings: tuple[str, ...] = _SETTINGS) -> None:
    """A part's settings as they are, and its weights in float16; nothing else (checkpoints, logs, cards)."""
    target.mkdir()
    for path in [path for pattern in settings for path in sorted(source.glob(pattern))]:
        shutil.copyfile(path, target / path.name)
    forget_origin(target)
    if part not in WEIGHTS:
        return
    path = source / WEIGHTS[part]
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
