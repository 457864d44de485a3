"""Diffusion models from folders: what is not whole, not safe or does not fit is told before anything is loaded."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from tiny_diffusion import make_base, make_controlnet, make_pipeline

from autochrome.errors import ModelError
from autochrome.models.diffusion import (
    check_diffusion,
    count_parameters,
    is_controlnet_folder,
    is_diffusion_folder,
    load_diffusion,
)

WEIGHTS = "diffusion_pytorch_model.safetensors"


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_pipeline(tmp_path_factory.mktemp("models") / "whole")


@pytest.fixture
def folder(whole: Path, tmp_path: Path) -> Path:
    """A copy to break."""
    return shutil.copytree(whole, tmp_path / "model")


def change(path: Path, **values: Any) -> None:
    content = {**json.loads(path.read_text()), **values}
    path.write_text(json.dumps({name: value for name, value in content.items() if value is not None}))


def test_a_whole_folder_is_loaded_as_it_is(whole: Path) -> None:
    assert is_diffusion_folder(whole)
    assert not is_controlnet_folder(whole)
    assert is_controlnet_folder(whole / "controlnet")
    pipe = load_diffusion(whole, None, torch.float32)
    for part in ("unet", "vae", "controlnet"):
        stored = load_file(whole / part / WEIGHTS)
        state = getattr(pipe, part).state_dict()
        assert state.keys() == stored.keys()
        assert all(torch.equal(state[name], stored[name].float()) for name in stored)
        assert {value.dtype for value in state.values()} == {torch.float32}
    assert count_parameters(whole / "unet") == sum(weight.numel() for weight in pipe.unet.parameters())
    assert not any(weight.requires_grad for weight in pipe.unet.parameters())
    assert not pipe.unet.training
    assert (pipe.tokenizer.model_max_length, pipe.scheduler.config.timestep_spacing) == (48, "trailing")
    assert load_diffusion(whole, None, torch.bfloat16).unet.dtype == torch.bfloat16


def test_loading_says_nothing(whole: Path, capfd: pytest.CaptureFixture[str]) -> None:
    load_diffusion(whole, None, torch.float32)
    assert capfd.readouterr() == ("", "")


def test_a_base_and_a_controlnet_may_lie_apart(tmp_path: Path) -> None:
    base = make_base(tmp_path / "base")
    controlnet = make_controlnet(base, tmp_path / "controlnet")
    check_diffusion(base, controlnet)
    assert load_diffusion(base, controlnet, torch.float32).controlnet.config.cross_attention_dim == 16
    with pytest.raises(ModelError, match="is a base without a ControlNet, and colors nothing by itself; give it one"):
        check_diffusion(base)


@pytest.mark.parametrize(
    ("part", "values", "message"),
    [
        (
            "controlnet",
            {"cross_attention_dim": 768},
            "does not fit the base in .*: its cross_attention_dim is 768, and 16",
        ),
        (
            "controlnet",
            {"block_out_channels": [8, 32]},
            r"its block_out_channels is \[8, 32\], and \[8, 16\] is needed",
        ),
        ("controlnet", {"layers_per_block": 2}, "its layers_per_block is 2, and 1 is needed; a ControlNet works with"),
        ("controlnet", {"in_channels": 8}, "its in_channels is 8, and 4 is needed"),
        (
            "controlnet",
            {"conditioning_embedding_out_channels": [4, 4]},
            "its factor from picture to latents is 2, and 8 is needed",
        ),
        ("controlnet", {"conditioning_channels": 1}, "its conditioning_channels is 1, and 3 is needed"),
        ("unet", {"cross_attention_dim": 32}, "do not fit together: cross_attention_dim of its unet is 32, and 16"),
        ("unet", {"in_channels": 9}, "do not fit together: in_channels of its unet is 9, and 4 is needed"),
        (
            "unet",
            {"_class_name": "Evil"},
            "unet' holds a Evil; as the unet of a diffusion model a UNet2DConditionModel",
        ),
        ("unet", {"sample_size": None}, r"unet.config.json' has no sample_size: the side of the latents in training"),
        (
            "vae",
            {"block_out_channels": 3},
            r"a config.json of .* is damaged \(TypeError.*; copy or fetch it again",
        ),
        ("controlnet", {"conditioning_embedding_out_channels": 4}, r"a config.json of .* is damaged \(TypeError"),
        ("text_encoder", {"architectures": None}, "holds a None; as the text_encoder of a diffusion model a CLIPTextM"),
    ],
)
def test_what_does_not_fit_is_told_with_its_number(
    folder: Path, part: str, values: dict[str, Any], message: str
) -> None:
    change(folder / part / "config.json", **values)
    with pytest.raises(ModelError, match=message):
        check_diffusion(folder)


def remove(name: str) -> Callable[[Path], object]:
    return lambda folder: (folder / name).unlink()


def write(name: str, text: str) -> Callable[[Path], object]:
    return lambda folder: (folder / name).write_text(text)


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (
            remove("model_index.json"),
            r"holds no model_index.json; a diffusion model is a folder as diffusers writes it",
        ),
        (remove("unet/config.json"), r"unet' holds no config.json; it should be the unet of a diffusion model"),
        (write("vae/config.json", "{"), r"vae/config.json' cannot be read as JSON"),
        (write("vae/config.json", "[1]"), r"vae/config.json' must hold a JSON object, got \[1\]"),
        (remove("tokenizer/vocab.json"), r"tokenizer' holds neither tokenizer.json nor vocab.json and merges.txt"),
        (write("scheduler/scheduler_config.json", "{}"), "scheduler_config.json' is missing or damaged"),
        (
            write("scheduler/scheduler_config.json", '{"_class_name": "os.system"}'),
            "asks for the scheduler 'os.system'; these can be used: DDIMScheduler, ",
        ),
    ],
)
def test_what_is_missing_or_damaged_is_named(folder: Path, spoil: Callable[[Path], object], message: str) -> None:
    spoil(folder)
    with pytest.raises(ModelError, match=message):
        check_diffusion(folder)


def test_pickled_weights_are_never_loaded(folder: Path) -> None:
    (folder / "unet" / WEIGHTS).rename(folder / "unet" / "diffusion_pytorch_model.bin")
    with pytest.raises(ModelError, match=r"safetensors; weights are loaded from safetensors only, never from pickled"):
        load_diffusion(folder, None, torch.float32)


def test_weights_that_are_not_those_of_the_configuration_are_refused(folder: Path) -> None:
    """diffusers would fill the gap with random numbers and go on."""
    weights = {name: value.clone() for name, value in load_file(folder / "unet" / WEIGHTS).items()}
    first = weights.pop("conv_in.weight")
    save_file(weights, folder / "unet" / WEIGHTS)
    with pytest.raises(
        ModelError, match=r"are not those of its config.json: 1 do not fit, the first is conv_in.weight"
    ):
        load_diffusion(folder, None, torch.float32)
    save_file({**weights, "conv_in.weight": first, "more": first.clone()}, folder / "unet" / WEIGHTS)
    with pytest.raises(ModelError, match="1 do not fit, the first is more; take both from one training"):
        load_diffusion(folder, None, torch.float32)
    (folder / "unet" / WEIGHTS).write_bytes(b"torn")
    with pytest.raises(ModelError, match=r"the weights in .*unet' cannot be loaded"):
        load_diffusion(folder, None, torch.float32)
    with pytest.raises(ModelError, match=r"safetensors' cannot be read: .*; copy or fetch the model again"):
        count_parameters(folder / "unet")


def test_a_damaged_tokenizer_is_told(folder: Path) -> None:
    (folder / "tokenizer" / "vocab.json").write_text("{")
    with pytest.raises(ModelError, match=r"the scheduler or tokenizer of .* is damaged"):
        load_diffusion(folder, None, torch.float32)


def test_a_tokenizer_fits_its_text_encoder(folder: Path) -> None:
    config = folder / "tokenizer" / "tokenizer_config.json"
    change(config, model_max_length=None)
    assert load_diffusion(folder, None, torch.float32).tokenizer.model_max_length == 48, "as long as is read"
    vocabulary = json.loads((folder / "tokenizer" / "vocab.json").read_text())
    vocabulary |= {f"more{number}": len(vocabulary) + number for number in range(3)}
    (folder / "tokenizer" / "vocab.json").write_text(json.dumps(vocabulary))
    with pytest.raises(ModelError, match="has 548 tokens, and its text_encoder knows 545; take both from one training"):
        load_diffusion(folder, None, torch.float32)
