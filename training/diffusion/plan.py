"""From a recipe to the command that is run: everything is looked at before anything starts."""

import math
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from accelerate.commands.launch import launch_command_parser

from autochrome.errors import DataError, SettingError
from autochrome.models.diffusion import check_diffusion
from training.diffusion.checkpoints import list_checkpoints
from training.diffusion.joining import BASE_PARTS, check_output
from training.diffusion.measuring import require_samples
from training.diffusion.options import Option, parser_options, script_options, to_command
from training.diffusion.preparing import CAPTIONS_COLUMN, EMPTY, dataset_files, prepared_folder, require_columns
from training.diffusion.recipe import DiffusionRecipe
from training.diffusion.run_script import HIGH_NOISE_SHARE

MIN_STEPS = 4000
"""ControlNets begin to follow their condition suddenly, after 3,000 to 7,000 optimizer steps whatever the batch."""
RUNNER = Path(__file__).with_name("run_script.py")

_OURS = {
    "output_dir": "output_dir",
    "dataset_name": "dataset_dir",
    "train_data_dir": "dataset_dir",
    "controlnet_model_name_or_path": "init_from",
    "mixed_precision": "launch.mixed_precision",
    "resume_from_checkpoint": "--resume on the command line",
    "push_to_hub": "`autochrome push-model FOLDER REPO_ID` afterwards (see training/README.md): the script's card has "
    "the wrong license",
}
"""Arguments of the scripts that the launcher sets by itself, and what to use in their place."""
_COUNTS = (
    *("train_batch_size", "gradient_accumulation_steps", "num_train_epochs"),
    *("max_train_steps", "max_train_samples", "checkpointing_steps"),
)


@dataclass(frozen=True)
class Plan:
    """A run, resolved."""

    command: list[str]
    environment: dict[str, str]
    """What the command's processes must find in their environment, besides ours."""
    dataset: Path
    """What the script reads: a prepared folder, which may not be there yet, or the dataset itself."""
    num_rows: int
    """Pictures to train with."""
    num_steps: int
    """Optimizer steps."""
    batch_size: int
    """Pictures an optimizer step, over all processes and accumulated batches."""
    mixed_precision: str
    warnings: list[str]


def make_plan(recipe: DiffusionRecipe, script: Path, *, resume: bool) -> Plan:
    """Check a recipe against its script, dataset and base, and resolve the command.

    Raises:
        SettingError: an argument or option that does not exist or does not take its value.
        DataError: dataset, column, base or starting weights are missing, or old checkpoints, or something else than a
            pipeline, are in the way.
        ModelError: the starting ControlNet does not fit the base.
    """
    options = script_options(script)
    arguments = _arguments(recipe, options)
    if recipe.script == "controlnet" and "conditioning_image_column" not in options:
        raise SettingError(
            f"'{script}' takes no conditioning image, so it trains no ControlNet; script_path must be that of "
            f"diffusers' examples/controlnet, or null"
        )
    dataset, num_rows = _dataset(recipe, arguments)
    _check_base(recipe.copied_base())
    if recipe.pipeline_dir is not None:
        _check_joining(recipe.copied_base(), Path(recipe.pipeline_dir))
    if recipe.script == "controlnet" and recipe.evaluation.num_pictures:
        require_samples(Path(recipe.dataset_dir))
    if recipe.script == "controlnet" and recipe.init_from is not None:
        _check_start(Path(recipe.init_from), Path(recipe.copied_base()))
    if not resume and list_checkpoints(Path(recipe.output_dir)):
        raise DataError(f"{recipe.output_dir} holds checkpoints; go on from them with --resume, or give another one")

    launch = _launch(recipe.launch)
    command = [sys.executable, "-m", "accelerate.commands.accelerate_cli", "launch"]
    command += to_command(launch, _launch_options(), "launch")
    command += [str(RUNNER), str(script)]
    command += to_command({**arguments, "dataset_name": str(dataset)}, options, "arguments")
    command += ["--output_dir", recipe.output_dir]
    if recipe.script == "controlnet" and recipe.init_from is not None:
        command += ["--controlnet_model_name_or_path", recipe.init_from]
    if resume and list_checkpoints(Path(recipe.output_dir)):
        command += ["--resume_from_checkpoint", "latest"]

    num_processes = int(launch.get("num_processes") or 1)
    values = {name: option.default for name, option in options.items()} | arguments
    num_steps = count_steps(values, num_rows, num_processes)
    batch = int(values["train_batch_size"]) * int(values["gradient_accumulation_steps"]) * num_processes
    precision = str(launch["mixed_precision"])
    warnings = _warnings(recipe, values, num_steps, precision)
    return Plan(command, _environment(recipe, launch), dataset, num_rows, num_steps, batch, precision, warnings)


def count_steps(values: Mapping[str, Any], num_rows: int, num_processes: int) -> int:
    """Optimizer steps as the scripts count them: of batches, shared among processes, accumulated, over all epochs.

    Args:
        values: the script's arguments, its defaults included.
        num_rows: training pictures.
    """
    if values.get("max_train_steps") is not None:
        return int(values["max_train_steps"])
    num_batches = math.ceil(num_rows / int(values["train_batch_size"]))
    per_epoch = math.ceil(math.ceil(num_batches / num_processes) / int(values["gradient_accumulation_steps"]))
    return per_epoch * int(values["num_train_epochs"])


def _check_start(controlnet: Path, base: Path) -> None:
    """Refuse a ControlNet that does not fit the base; where one of them is on the Hub, that is left to the script."""
    if not controlnet.is_dir() and is_repo_id(str(controlnet)):
        return
    if not (controlnet / "config.json").is_file():
        raise DataError(f"no ControlNet in '{controlnet}': config.json is missing; give a folder with one")
    if base.is_dir():
        check_diffusion(base, controlnet)


def _check_joining(base: str, pipeline_dir: Path) -> None:
    if not Path(base).is_dir():
        raise SettingError(
            f"pipeline_dir needs a base that is a folder here, and '{base}' is none; fetch it, or set pipeline_dir=null"
        )
    check_output(pipeline_dir)


def native_bf16() -> bool:
    """Whether the device computes bf16 by itself; emulated, on a CPU, it is ten times slower."""
    if torch.cuda.is_available():
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    return bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())


def _arguments(recipe: DiffusionRecipe, options: Mapping[str, Option]) -> dict[str, Any]:
    """The script's arguments with those that follow from the rest of the recipe, but for the dataset's place."""
    for name, instead in _OURS.items():
        if name in recipe.arguments:
            raise SettingError(f"arguments.{name} is set by the launcher; use {instead}")
    arguments = {name: value for name, value in recipe.arguments.items() if value is not None}
    arguments["pretrained_model_name_or_path"] = recipe.copied_base()
    if recipe.prepare:
        if "caption_column" in recipe.arguments:
            raise SettingError("arguments.caption_column is set by the launcher while prepare is true; use captions")
        arguments["caption_column"] = CAPTIONS_COLUMN
    to_command(arguments, options, "arguments")
    for name in _COUNTS:
        if name in arguments and int(arguments[name]) < 1:
            raise SettingError(f"arguments.{name} must be at least 1, got {arguments[name]}")
    return arguments


def _dataset(recipe: DiffusionRecipe, arguments: Mapping[str, Any]) -> tuple[Path, int]:
    """What the script is to read, and its number of training pictures."""
    dataset_dir = Path(recipe.dataset_dir)
    columns = [str(arguments.get("image_column", "image"))]
    if recipe.script == "controlnet" or recipe.prepare:
        columns.append(str(arguments.get("conditioning_image_column", "conditioning_image")))
    columns += ["text", "text_color"] if recipe.prepare else [str(arguments.get("caption_column", "text"))]
    files = [path for path in dataset_files(dataset_dir) if path.name.startswith("train-")]
    num_rows = sum(require_columns(path, tuple(columns)) for path in files) * (1 if recipe.teacher is None else 2)
    if arguments.get("max_train_samples") is not None:
        if int(arguments["max_train_samples"]) > num_rows:
            raise SettingError(
                f"arguments.max_train_samples is {arguments['max_train_samples']}, but '{dataset_dir}' has {num_rows} "
                f"training pictures"
            )
        num_rows = int(arguments["max_train_samples"])
    if not recipe.prepare:
        return dataset_dir, num_rows
    return prepared_folder(dataset_dir, Path(recipe.cache_dir), **recipe.preparation()), num_rows


def _check_base(base: str) -> None:
    folder = Path(base)
    if folder.is_dir():
        missing = [part for part in BASE_PARTS if not (folder / part).is_dir()]
        if missing:
            raise DataError(f"'{base}' is no base: it has no folder {', '.join(missing)}; give a pipeline of diffusers")
    elif not is_repo_id(base):
        raise DataError(
            f"no base at '{base}'; arguments.pretrained_model_name_or_path is a folder, made by another recipe or "
            f"downloaded, or OWNER/NAME on the Hub"
        )


def is_repo_id(text: str) -> bool:
    """Whether what is no folder can be OWNER/NAME on the Hub; `runs/x` is not, where there is a folder `runs`."""
    return text.count("/") == 1 and not text.startswith((".", "/", "~")) and not Path(text).parent.is_dir()


def _launch(given: Mapping[str, Any]) -> dict[str, Any]:
    """Options of `accelerate launch`; what it would ask for or warn about is filled in."""
    launch = {name: value for name, value in given.items() if value is not None}
    if launch.get("mixed_precision", "auto") == "auto":
        launch["mixed_precision"] = "bf16" if native_bf16() else "fp16" if torch.cuda.is_available() else "no"
    to_command(launch, _launch_options(), "launch")
    if "config_file" in launch:  # it has the rest
        return launch
    num_processes = launch.setdefault("num_processes", max(1, torch.cuda.device_count()))
    launch.setdefault("num_machines", 1)
    launch.setdefault("dynamo_backend", "no")
    launch.setdefault("num_cpu_threads_per_process", max(1, (os.cpu_count() or 1) // max(1, int(num_processes))))
    if int(num_processes) > 1 and _on_cpu(given):
        # With --cpu, accelerate starts one process, however many are asked for; what it calls multi_gpu is torchrun,
        # whose processes compute on the CPU where the environment says so (see `_environment`).
        launch.pop("cpu", None)
        launch["multi_gpu"] = True
    elif int(num_processes) > 1 and torch.cuda.device_count() > 1 and not launch.get("use_deepspeed"):
        launch.setdefault("multi_gpu", True)
    return launch


def _on_cpu(launch: Mapping[str, Any]) -> bool:
    """Whether a recipe's launch options, or the lack of a GPU, put several processes on the CPU."""
    return bool(launch.get("cpu")) or not torch.cuda.is_available()


def _environment(recipe: DiffusionRecipe, launch: Mapping[str, Any]) -> dict[str, str]:
    found = {}
    if launch.get("multi_gpu") and _on_cpu(recipe.launch):
        found["ACCELERATE_USE_CPU"] = "true"
    if recipe.high_noise_share:
        found[HIGH_NOISE_SHARE] = str(recipe.high_noise_share)
    return found


def _launch_options() -> dict[str, Option]:
    return parser_options(launch_command_parser())


def _warnings(recipe: DiffusionRecipe, values: Mapping[str, Any], num_steps: int, precision: str) -> list[str]:
    warnings = []
    if num_steps < MIN_STEPS:
        why = "few, even for fine-tuning"
        if recipe.script == "controlnet":
            why = "ControlNets begin to follow their condition after 3,000 to 7,000, whatever the batch"
        warnings.append(
            f"only {num_steps:,} optimizer steps: {why}; raise num_train_epochs or max_train_steps, or lower "
            f"gradient_accumulation_steps"
        )
    without_words = recipe.captions.get(EMPTY, 0) > 0 or float(values.get("proportion_empty_prompts") or 0) > 0
    if recipe.script == "controlnet" and not without_words:
        warnings.append("no prompt is ever empty: the automatic mode, which has none, is not trained")
    every = int(values["checkpointing_steps"])
    if every > num_steps:
        warnings.append(f"checkpointing_steps is {every:,}: there will be no checkpoint to resume from")
    if precision == "bf16" and not native_bf16():
        warnings.append("this device emulates bf16, which is far slower: launch.mixed_precision=no")
    if not Path(recipe.copied_base()).is_dir():
        warnings.append(f"no folder here is called '{recipe.copied_base()}': taken for a repository on the Hub")
    return warnings
