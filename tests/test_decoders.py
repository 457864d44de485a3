"""Parts of decoders: attention, spectral norm's two forms, pixel shuffle, fusion, dropout."""

import copy
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from torch import nn
from torch.nn.utils.parametrize import is_parametrized

from autochrome.models import Colorizer, ColorizerConfig, load_colorizer, save_colorizer
from autochrome.models.decoders import FusionDecoder
from autochrome.models.decoders.deconvolution import DeconvolutionDecoder
from autochrome.models.decoders.layers import SelfAttention
from autochrome.models.decoders.pixel_shuffle import PixelShuffleUp
from autochrome.models.normalization import InstanceNorm


def test_attention_sees_every_place() -> None:
    attention = SelfAttention(16)
    nn.init.normal_(attention.project.weight, std=1.0)
    x = torch.randn(1, 16, 4, 6, requires_grad=True)
    attention(x)[0, :, 0, 0].sum().backward()
    assert x.grad is not None
    assert (x.grad.abs().sum(dim=1) > 0).all()


def spectral(**changes: Any) -> ColorizerConfig:
    return ColorizerConfig(
        backbone="convolutions",
        backbone_options={"channels": [4, 8, 8]},
        decoder="pixel_shuffle",
        decoder_channels=(8, 8, 4),
        normalization="spectral",
        **changes,
    )


def test_spectral_norm_is_folded_on_disk_and_back_for_training(tmp_path: Path) -> None:
    torch.manual_seed(0)
    model = Colorizer(spectral()).train()
    with torch.no_grad():
        for _ in range(30):  # power iteration, until the norm is found
            model(torch.rand(1, 1, 16, 16) * 100)
    save_colorizer(model, tmp_path)
    assert model.training
    names = load_file(tmp_path / "model.safetensors")
    assert not any("parametrizations" in name for name in names)
    largest = {
        name: torch.linalg.matrix_norm(value.float().flatten(1), 2) for name, value in names.items() if value.ndim == 4
    }
    assert largest.pop("decoder.head.weight") < 0.1
    torch.testing.assert_close(torch.stack(list(largest.values())), torch.ones(len(largest)), atol=0.02, rtol=0)

    folded, parametrized = load_colorizer(tmp_path), load_colorizer(tmp_path, training=True)
    assert not any(is_parametrized(part) for part in folded.modules())
    assert set(parametrized.state_dict()) == set(model.state_dict())
    lightness = torch.rand(1, 1, 32, 32) * 100
    with torch.no_grad():
        for loaded in (folded, parametrized):
            torch.testing.assert_close(loaded(lightness), model.eval()(lightness), atol=2e-3, rtol=0)


def test_spectral_norm_holds_while_weights_grow() -> None:
    model = Colorizer(spectral()).eval()
    lightness = torch.rand(1, 1, 32, 32) * 100
    with torch.no_grad():
        before = model(lightness)
        for name, parameter in model.named_parameters():
            if name.endswith("weight.original"):
                parameter.mul_(3)
        torch.testing.assert_close(model(lightness), before)


def test_spectral_norm_is_never_under_autocast() -> None:
    model = Colorizer(spectral())
    seen = []
    for name, part in model.named_modules():
        if name.endswith("weight.0.norm"):
            part.register_forward_pre_hook(lambda *_: seen.append(torch.is_autocast_enabled("cpu")))
    with torch.autocast("cpu", dtype=torch.bfloat16):
        model(torch.rand(1, 1, 16, 16) * 100).sum().backward()
    assert len(seen) == 11
    assert not any(seen)


def test_a_copy_of_a_spectral_model_is_saved_without_harm_to_either(tmp_path: Path) -> None:
    model = Colorizer(spectral()).train()
    averaged = copy.deepcopy(model)
    save_colorizer(averaged, tmp_path)
    lightness = torch.rand(1, 1, 16, 16) * 100
    for network in (model, averaged):
        network(lightness).sum().backward()
    assert list(model.state_dict()) == list(averaged.state_dict())


def test_pixel_shuffle_starts_without_a_checkerboard() -> None:
    torch.manual_seed(0)
    up = PixelShuffleUp(3, 5)
    assert up(torch.randn(1, 3, 4, 6)).shape == (1, 5, 8, 12)
    flat = up(torch.randn(1, 3, 1, 1).expand(1, 3, 4, 6))
    torch.testing.assert_close(flat, flat[:, :, :1, :1].expand_as(flat))


def test_fusion_tells_every_place_what_the_picture_shows() -> None:
    torch.manual_seed(0)
    fusion = FusionDecoder(DeconvolutionDecoder(6, (8,)), channels=6, num_global_features=10).eval()
    vector = torch.randn(2, 10, requires_grad=True)
    fused = fusion([torch.randn(2, 6, 3, 4)], vector)
    assert fused.shape == (2, 2, 6, 8)
    for place in ((0, 0), (5, 7)):
        (gradient,) = torch.autograd.grad(fused[0, :, *place].sum(), vector, retain_graph=True)
        assert gradient[0].abs().sum() > 0
        assert gradient[1].abs().sum() == 0


def test_dropout_acts_in_training_only() -> None:
    config = ColorizerConfig(
        backbone="convolutions",
        backbone_options={"channels": [4, 8, 8]},
        decoder="unet_deconvolution",
        decoder_channels=(8, 8),
        decoder_dropout=0.5,
        normalization="none",
    )
    model = Colorizer(config)
    nn.init.normal_(model.get_parameter("decoder.head.weight"))
    lightness = torch.rand(1, 1, 16, 16) * 100
    assert not torch.equal(model(lightness), model(lightness))
    assert torch.equal(model.eval()(lightness), model(lightness))


def test_a_single_place_has_no_statistics_to_normalize_with() -> None:
    norm = InstanceNorm(3)
    x = torch.randn(2, 3, 1, 1)
    assert torch.equal(norm(x), x)
    torch.testing.assert_close(norm(torch.randn(2, 3, 4, 4)).mean(dim=(2, 3)), torch.zeros(2, 3), atol=1e-5, rtol=0)
