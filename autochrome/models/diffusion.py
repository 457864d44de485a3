"""Stable Diffusion with a ControlNet, read from folders as diffusers writes them: checked first, safetensors only.

A base is a folder with `model_index.json` and the parts below, each in a folder of its own. Its ControlNet is one more
part of it, or a folder by itself. Every part is made by a class named here, never by one that a folder names.
"""

import json
import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open

from autochrome.errors import ModelError

MODEL_INDEX = "model_index.json"
CONTROLNET = "controlnet"
CLASSES = {
    "vae": "AutoencoderKL",
    "unet": "UNet2DConditionModel",
    "controlnet": "ControlNetModel",
    "text_encoder": "CLIPTextModel",
}
"""The parts that are networks; the scheduler and the tokenizer are the others."""

WEIGHTS = dict.fromkeys(CLASSES, "diffusion_pytorch_model.safetensors") | {"text_encoder": "model.safetensors"}
TOKENIZERS = (("tokenizer.json",), ("vocab.json", "merges.txt"))
"""The files of a tokenizer: one of these."""

SCHEDULERS = (
    *("DDIMScheduler", "DDPMScheduler", "PNDMScheduler", "LCMScheduler", "UniPCMultistepScheduler"),
    *("EulerDiscreteScheduler", "EulerAncestralDiscreteScheduler", "DPMSolverMultistepScheduler"),
)

_IGNORED_WEIGHTS = ("text_model.embeddings.position_ids",)
"""Numbers from 0 up, which old files hold beside the weights."""


def is_diffusion_folder(folder: Path) -> bool:
    """Whether a folder is a whole diffusion model, or a base."""
    return (folder / MODEL_INDEX).is_file()


def is_controlnet_folder(folder: Path) -> bool:
    """Whether a folder is a ControlNet without its base."""
    try:
        config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return isinstance(config, dict) and config.get("_class_name") == CLASSES["controlnet"]


def check_diffusion(base: Path, controlnet: Path | None = None) -> None:
    """Read the parts' configurations, some kilobytes, and see that all is there and fits together.

    Args:
        base: the folder of a base.
        controlnet: the folder of a ControlNet; by default the one inside the base.

    Raises:
        ModelError: a file is missing or damaged, a part is of a class that is not taken, or a ControlNet does not fit
            its base; the text says which number differs.
    """
    if not base.is_dir() or not is_diffusion_folder(base):
        raise ModelError(
            f"'{base}' holds no {MODEL_INDEX}; a diffusion model is a folder as diffusers writes it, with "
            f"{MODEL_INDEX}, scheduler/, tokenizer/, {'/, '.join(CLASSES)}/"
        )
    folders = part_folders(base, controlnet)
    if not (folders["controlnet"] / "config.json").is_file() and controlnet is None:
        raise ModelError(
            f"'{base}' is a base without a ControlNet, and colors nothing by itself; give it one that was trained on "
            "it: load_pipeline('controlnet-sd15', base=..., controlnet=...)"
        )
    configs = {part: _read_config(folder, part) for part, folder in folders.items()}
    if not configs["unet"].get("sample_size"):
        raise ModelError(f"'{folders['unet'] / 'config.json'}' has no sample_size: the side of the latents in training")
    _scheduler_class(base)
    if not any(all((base / "tokenizer" / name).is_file() for name in names) for names in TOKENIZERS):
        raise ModelError(f"'{base / 'tokenizer'}' holds neither tokenizer.json nor vocab.json and merges.txt")
    try:
        _check_fit(configs, base, folders["controlnet"])
    except (LookupError, TypeError) as error:  # a number is absent, or no number
        raise ModelError(
            f"a config.json of '{base}' or '{folders['controlnet']}' is damaged ({error!r}); copy or fetch it again"
        ) from error


def part_folders(base: Path, controlnet: Path | None = None) -> dict[str, Path]:
    """Where each network of a model lies."""
    return {part: base / part for part in CLASSES} | {"controlnet": controlnet or base / CONTROLNET}


def count_parameters(folder: Path) -> int:
    """Numbers in a part's weights file, from its head alone.

    Raises:
        ModelError: the file is missing or damaged.
    """
    path = folder / WEIGHTS["unet"]
    try:
        with safe_open(path, framework="pt") as opened:
            return sum(math.prod(opened.get_slice(name).get_shape()) for name in opened.keys())  # noqa: SIM118
    except (OSError, SafetensorError) as error:
        raise ModelError(f"'{path}' cannot be read: {error}; copy or fetch the model again") from error


def load_diffusion(base: Path, controlnet: Path | None, dtype: torch.dtype) -> Any:
    """A diffusers `StableDiffusionControlNetPipeline` on the CPU, its weights as `dtype`.

    Args:
        base: the folder of a base.
        controlnet: the folder of a ControlNet; by default the one inside the base.

    Raises:
        ModelError: as in `check_diffusion`; weights are damaged, or not those of the configuration.
    """
    check_diffusion(base, controlnet)
    with _quietly():
        import diffusers
        import transformers

        classes = {
            part: getattr(diffusers, name, None) or getattr(transformers, name) for part, name in CLASSES.items()
        }
        folders = part_folders(base, controlnet)
        parts = {part: _load_part(classes[part], folder, dtype) for part, folder in folders.items()}
        try:
            scheduler = getattr(diffusers, _scheduler_class(base)).from_pretrained(base / "scheduler")
            tokenizer = transformers.CLIPTokenizer.from_pretrained(base / "tokenizer", local_files_only=True)
        except Exception as error:  # whatever these libraries raise at damaged files
            raise ModelError(f"the scheduler or tokenizer of '{base}' is damaged: {_short(error)}") from error
        _check_tokenizer(tokenizer, parts["text_encoder"].config, base)
        pipe = diffusers.StableDiffusionControlNetPipeline(
            **parts,
            scheduler=scheduler,
            tokenizer=tokenizer,
            safety_checker=None,
            feature_extractor=None,
            requires_safety_checker=False,
        )
    pipe.set_progress_bar_config(disable=True)
    return pipe


def _check_tokenizer(tokenizer: Any, config: Any, base: Path) -> None:
    """See that a text encoder knows every token, and set the tokenizer to its length; some say none.

    Raises:
        ModelError: it does not.
    """
    if len(tokenizer) > config.vocab_size:
        raise ModelError(
            f"the tokenizer of '{base}' has {len(tokenizer):,} tokens, and its text_encoder knows "
            f"{config.vocab_size:,}; take both from one training"
        )
    tokenizer.model_max_length = min(tokenizer.model_max_length, config.max_position_embeddings)


def _load_part(cls: Any, folder: Path, dtype: torch.dtype) -> Any:
    try:
        network, info = cls.from_pretrained(
            folder, dtype=dtype, use_safetensors=True, local_files_only=True, output_loading_info=True
        )
    except Exception as error:  # whatever these libraries raise at damaged files
        raise ModelError(f"the weights in '{folder}' cannot be loaded: {_short(error)}") from error
    # Both libraries fill what is missing with random numbers, and say so in a log.
    wrong = [*info["missing_keys"], *info["mismatched_keys"]]
    wrong += [name for name in info["unexpected_keys"] if name not in _IGNORED_WEIGHTS]
    if wrong:
        raise ModelError(
            f"the weights in '{folder}' are not those of its config.json: {len(wrong)} do not fit, the first is "
            f"{wrong[0]}; take both from one training"
        )
    return network.eval().requires_grad_(False)


def _read_config(folder: Path, part: str) -> dict[str, Any]:
    """A part's config.json, once it is seen that its weights are there and its class is the one that is taken."""
    try:
        config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ModelError(f"'{folder}' holds no config.json; it should be the {part} of a diffusion model") from None
    except (OSError, ValueError) as error:
        raise ModelError(f"'{folder / 'config.json'}' cannot be read as JSON: {error}") from error
    if not isinstance(config, dict):
        raise ModelError(f"'{folder / 'config.json'}' must hold a JSON object, got {config!r:.60}")
    name = config.get("_class_name") or next(iter(config.get("architectures") or []), None)
    if name != CLASSES[part]:
        raise ModelError(f"'{folder}' holds a {name}; as the {part} of a diffusion model a {CLASSES[part]} is taken")
    if not (folder / WEIGHTS[part]).is_file():
        raise ModelError(
            f"'{folder}' holds no {WEIGHTS[part]}; weights are loaded from safetensors only, never from pickled "
            ".bin or .ckpt files, which can run code"
        )
    return config


def _scheduler_class(base: Path) -> str:
    """The name of diffusers' class for the scheduler of a base."""
    path = base / "scheduler" / "scheduler_config.json"
    try:
        name = json.loads(path.read_text(encoding="utf-8"))["_class_name"]
    except (OSError, ValueError, LookupError, TypeError) as error:
        raise ModelError(f"'{path}' is missing or damaged ({_short(error)}); copy or fetch the model again") from error
    if name not in SCHEDULERS:
        raise ModelError(f"'{path}' asks for the scheduler {name!r:.60}; these can be used: {', '.join(SCHEDULERS)}")
    return str(name)


def _check_fit(configs: Mapping[str, Mapping[str, Any]], base: Path, controlnet: Path) -> None:
    """See that the numbers of the parts agree.

    Raises:
        ModelError: the first that does not.
    """
    unet, vae, control = configs["unet"], configs["vae"], configs["controlnet"]
    of_base = [
        (
            "cross_attention_dim of its unet",
            unet.get("cross_attention_dim"),
            configs["text_encoder"].get("hidden_size"),
        ),
        ("in_channels of its unet", unet.get("in_channels"), vae.get("latent_channels")),
    ]
    for what, got, wanted in of_base:
        if got != wanted:
            raise ModelError(f"the parts of '{base}' do not fit together: {what} is {got}, and {wanted} is needed")
    pairs = [
        (name, control.get(name), unet.get(name))
        for name in ("cross_attention_dim", "in_channels", "block_out_channels", "layers_per_block", "down_block_types")
    ]
    steps = len(control.get("conditioning_embedding_out_channels") or ()) - 1
    pairs += [
        ("factor from picture to latents", 2 ** max(0, steps), vae_factor(vae)),
        ("conditioning_channels", control.get("conditioning_channels", 3), 3),
    ]
    for what, got, wanted in pairs:
        if got != wanted:
            raise ModelError(
                f"the ControlNet in '{controlnet}' does not fit the base in '{base}': its {what} is {got}, and "
                f"{wanted} is needed; a ControlNet works with the base on which it was trained"
            )


def vae_factor(config: Mapping[str, Any]) -> int:
    """Pixels to a latent, along a side, of an autoencoder's configuration."""
    return int(2 ** (len(config["block_out_channels"]) - 1))


def _short(error: BaseException) -> str:
    return (" ".join(str(error).split()) or type(error).__name__)[:300]


@contextmanager
def _quietly() -> Iterator[None]:
    """Without the bars and remarks of diffusers and transformers, which nobody asked for."""
    import diffusers.utils.logging as of_diffusers
    import transformers.utils.logging as of_transformers

    before = of_diffusers.get_verbosity(), of_transformers.get_verbosity(), of_transformers.is_progress_bar_enabled()
    of_diffusers.set_verbosity_error()
    of_transformers.set_verbosity_error()
    of_transformers.disable_progress_bar()
    try:
        yield
    finally:
        of_diffusers.set_verbosity(before[0])
        of_transformers.set_verbosity(before[1])
        if before[2]:
            of_transformers.enable_progress_bar()
