"""The networks: architecture, weights on disk, and what is refused."""

import json
from pathlib import Path

import pytest
import torch
from torch import nn
from transformers import MobileNetV2Config, MobileNetV2Model, ResNetConfig, ResNetModel

from autochrome.errors import ModelError, SettingError
from autochrome.models import Colorizer, ColorizerConfig, load_colorizer, save_colorizer
from autochrome.models.backbone import build_backbone
from autochrome.models.decoder import MEAN_AB_NORMALIZED, SelfAttention

RESNET = {"embedding_size": 8, "hidden_sizes": [8, 16], "depths": [1, 1], "layer_type": "basic"}


@pytest.fixture
def tiny() -> Colorizer:
    torch.manual_seed(0)
    return Colorizer(ColorizerConfig.tiny()).eval()


@pytest.fixture
def mobilenet(tmp_path: Path) -> MobileNetV2Model:
    """A MobileNetV2 of transformers with batch norm statistics that matter, saved in `tmp_path`."""
    torch.manual_seed(0)
    model = MobileNetV2Model(MobileNetV2Config(depth_multiplier=0.25, layer_norm_eps=1e-3)).eval()
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            assert module.running_mean is not None
            assert module.running_var is not None
            nn.init.uniform_(module.running_mean, -0.5, 0.5)
            nn.init.uniform_(module.running_var, 0.5, 2)
            nn.init.uniform_(module.weight, 0.5, 2)
            nn.init.uniform_(module.bias, -0.5, 0.5)
    model.save_pretrained(tmp_path)
    return model


@pytest.mark.parametrize("training", [False, True])
def test_folded_backbone_equals_transformers(mobilenet: MobileNetV2Model, tmp_path: Path, training: bool) -> None:
    """One grey channel, no batch norm, another way of padding: the same features at every stride, in both modes."""
    backbone = build_backbone("mobilenet_v2", {}, tmp_path).train(training)
    grey = torch.rand(2, 1, 64, 96) * 2 - 1
    with torch.no_grad():
        expected = [mobilenet.conv_stem(grey.expand(-1, 3, -1, -1))]
        for layer in mobilenet.layer:
            expected.append(layer(expected[-1]))
        features = backbone(grey)
    for feature, index in zip(features, (0, 2, 5, 12, 16), strict=True):
        torch.testing.assert_close(feature, expected[index], rtol=1e-4, atol=1e-4)
    assert [64 // feature.shape[2] for feature in features] == list(backbone.strides)
    assert [feature.shape[1] for feature in features] == list(backbone.channels)


def test_resnet_has_the_asked_for_stages() -> None:
    backbone = build_backbone("resnet", RESNET)
    features = backbone(torch.zeros(1, 1, 32, 64))
    assert [tuple(feature.shape) for feature in features] == [(1, 8, 16, 32), (1, 8, 8, 16), (1, 16, 4, 8)]


def test_pretrained_resnet_is_cut_to_the_asked_for_stages(tmp_path: Path) -> None:
    ResNetModel(ResNetConfig(**RESNET | {"hidden_sizes": [8, 16, 24], "depths": [1, 1, 1]})).save_pretrained(tmp_path)
    backbone = build_backbone("resnet", RESNET, tmp_path)
    assert backbone.channels == (8, 8, 16)
    assert [feature.shape[1] for feature in backbone(torch.zeros(1, 1, 32, 32))] == [8, 8, 16]
    assert len(build_backbone("resnet", {}, tmp_path).stages) == 4


def test_output_has_the_stride_that_it_names(tiny: Colorizer) -> None:
    assert tiny(torch.zeros(2, 1, 64, 96)).shape == (2, 2, 64 // tiny.output_stride, 96 // tiny.output_stride)
    deconvolution = Colorizer(
        ColorizerConfig(backbone="resnet", backbone_options=RESNET, decoder="deconvolution", decoder_channels=(8, 8, 8))
    ).eval()
    assert (deconvolution.size_multiple, deconvolution.output_stride) == (8, 1)
    assert deconvolution(torch.zeros(1, 1, 16, 24)).shape == (1, 2, 16, 24)


def test_a_fresh_model_predicts_the_mean_color(tiny: Colorizer) -> None:
    ab = tiny(torch.rand(1, 1, 64, 64) * 100)
    torch.testing.assert_close(ab.mean(dim=(0, 2, 3)), torch.tensor(MEAN_AB_NORMALIZED), atol=0.02, rtol=0)


def test_batches_do_not_mix(tiny: Colorizer) -> None:
    lightness = torch.rand(3, 1, 64, 64) * 100
    with torch.no_grad():
        single = torch.cat([tiny(picture[None]) for picture in lightness])
        torch.testing.assert_close(tiny(lightness), single, atol=1e-5, rtol=1e-4)


def test_attention_sees_every_place() -> None:
    attention = SelfAttention(16)
    nn.init.normal_(attention.project.weight, std=1.0)
    x = torch.randn(1, 16, 4, 6, requires_grad=True)
    attention(x)[0, :, 0, 0].sum().backward()
    assert x.grad is not None
    assert (x.grad.abs().sum(dim=1) > 0).all()


def test_every_parameter_gets_a_gradient() -> None:
    model = Colorizer(ColorizerConfig.tiny())
    model(torch.rand(2, 1, 64, 64) * 100).square().sum().backward()
    assert [name for name, parameter in model.named_parameters() if parameter.grad is None] == []


def test_wrong_size_is_refused(tiny: Colorizer) -> None:
    with pytest.raises(ValueError, match="multiples of 32, got 60 x 64"):
        tiny(torch.zeros(1, 1, 60, 64))


def test_round_trip_on_disk(tiny: Colorizer, tmp_path: Path) -> None:
    save_colorizer(tiny, tmp_path / "model")
    assert sorted(path.name for path in (tmp_path / "model").iterdir()) == ["config.json", "model.safetensors"]
    again = load_colorizer(tmp_path / "model")
    assert again.config == tiny.config
    assert not again.training
    lightness = torch.rand(1, 1, 64, 64) * 100
    torch.testing.assert_close(again(lightness), tiny(lightness), atol=2e-3, rtol=0)
    save_colorizer(again, tmp_path / "again")
    names = ("config.json", "model.safetensors")
    assert [(tmp_path / "again" / n).read_bytes() for n in names] == [
        (tmp_path / "model" / n).read_bytes() for n in names
    ]


def test_missing_and_damaged_files_are_named(tiny: Colorizer, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"holds no config\.json"):
        load_colorizer(tmp_path)
    save_colorizer(tiny, tmp_path)
    weights = tmp_path / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:1000])
    with pytest.raises(ModelError, match="is damaged"):
        load_colorizer(tmp_path)
    (tmp_path / "config.json").write_text("[]")
    save_colorizer(tiny, tmp_path / "other")
    weights.write_bytes((tmp_path / "other" / "model.safetensors").read_bytes())
    with pytest.raises(ModelError, match="must hold a JSON object, got list"):
        load_colorizer(tmp_path)
    weights.unlink()
    with pytest.raises(ModelError, match=r"holds no model\.safetensors"):
        load_colorizer(tmp_path)


def test_another_architecture_is_refused(tiny: Colorizer, tmp_path: Path) -> None:
    save_colorizer(tiny, tmp_path)
    config = json.loads((tmp_path / "config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps(config | {"decoder_channels": [24, 16, 8, 8]}))
    with pytest.raises(ModelError, match=r"another architecture: decoder\..* for .*24.* and \d+ more"):
        load_colorizer(tmp_path)
    (tmp_path / "config.json").write_text(json.dumps(config | {"wings": 2}))
    with pytest.raises(ModelError, match=r"unknown: \['wings'\]"):
        load_colorizer(tmp_path)


def test_settings_that_make_no_network_are_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingError, match="no backbone is called 'vgg'; there are: mobilenet_v2, resnet"):
        Colorizer(ColorizerConfig(backbone="vgg"))
    with pytest.raises(SettingError, match="no decoder is called 'magic'"):
        Colorizer(ColorizerConfig(backbone_options={"depth_multiplier": 0.1}, decoder="magic"))
    with pytest.raises(SettingError, match="decoder_channels has 6 entries, backbone mobilenet_v2 5"):
        Colorizer(ColorizerConfig(backbone_options={"depth_multiplier": 0.1}, decoder_channels=(8,) * 6))
    with pytest.raises(SettingError, match="cannot be built with options"):
        build_backbone("resnet", {"layer_type": "unheard-of"})
    with pytest.raises(ModelError, match="no mobilenet_v2 could be loaded from"):
        build_backbone("mobilenet_v2", {}, tmp_path / "absent")
