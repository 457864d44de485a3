"""Backbones: the same features as the networks they come from, and what is refused."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn
from transformers import (
    ConvNextConfig,
    ConvNextForImageClassification,
    MobileNetV2Config,
    MobileNetV2ForImageClassification,
    MobileNetV2Model,
    ResNetConfig,
    ResNetForImageClassification,
    ResNetModel,
)

from autochrome.errors import ModelError, SettingError
from autochrome.models.backbones import build_backbone
from autochrome.models.backbones.resnet import LAYERS

QUARTER = {"depth_multiplier": 0.25}
RESNET: dict[str, Any] = {"embedding_size": 8, "hidden_sizes": [8, 16], "depths": [1, 1], "layer_type": "basic"}
CONVNEXT: dict[str, Any] = {"hidden_sizes": [8, 16, 24], "depths": [1, 1, 1]}


def shuffle_statistics(model: nn.Module) -> None:
    """Batch norm statistics that matter."""
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            assert module.running_mean is not None
            assert module.running_var is not None
            nn.init.uniform_(module.running_mean, -0.5, 0.5)
            nn.init.uniform_(module.running_var, 0.5, 2)
            nn.init.uniform_(module.weight, 0.5, 2)
            nn.init.uniform_(module.bias, -0.5, 0.5)


@pytest.fixture
def mobilenet(tmp_path: Path) -> MobileNetV2ForImageClassification:
    """A MobileNetV2 classifier of transformers, saved in `tmp_path`."""
    torch.manual_seed(0)
    config = MobileNetV2Config(**QUARTER, layer_norm_eps=1e-3, num_labels=7)
    model = MobileNetV2ForImageClassification(config).eval()
    shuffle_statistics(model)
    model.save_pretrained(tmp_path)
    return model


@pytest.mark.parametrize("training", [False, True])
def test_folded_mobilenet_equals_transformers(
    mobilenet: MobileNetV2ForImageClassification, tmp_path: Path, training: bool
) -> None:
    """One grey channel, no batch norm, another way of padding: the same features at every stride, in both modes."""
    backbone = build_backbone("mobilenet_v2", QUARTER, tmp_path, num_classes=7).train(training)
    grey = torch.rand(2, 1, 64, 96) * 2 - 1
    source = mobilenet.mobilenet_v2
    with torch.no_grad():
        expected = [source.conv_stem(grey.expand(-1, 3, -1, -1))]
        for layer in source.layer:
            expected.append(layer(expected[-1]))
        features = backbone(grey)
        assert backbone.head is not None
        vector = backbone.head(features[-1])
        logits = mobilenet(grey.expand(-1, 3, -1, -1)).logits
    for feature, index in zip(features, (0, 2, 5, 12, 16), strict=True):
        torch.testing.assert_close(feature, expected[index], rtol=1e-4, atol=1e-4)
    assert [64 // feature.shape[2] for feature in features] == list(backbone.strides)
    assert [feature.shape[1] for feature in features] == list(backbone.channels)
    assert vector.shape[1] == backbone.head.num_features == 1280 + 7
    torch.testing.assert_close(vector[:, -7:], logits, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(
    "options", [QUARTER, {"depth_multiplier": 0.35, "expand_ratio": 4, "min_depth": 12, "finegrained_output": False}]
)
def test_a_mobilenet_without_transformers_is_the_same_network(options: dict[str, Any], tmp_path: Path) -> None:
    """Parts, their names and what they compute, and how far random weights of a beginning are spread."""
    config = MobileNetV2Config(**options, layer_norm_eps=1e-3, num_labels=7)
    MobileNetV2ForImageClassification(config).save_pretrained(tmp_path)
    plain = build_backbone("mobilenet_v2", options, num_classes=7).eval()
    folded = build_backbone("mobilenet_v2", options, tmp_path, num_classes=7).eval()
    for name, tensor in plain.state_dict().items():
        expected = folded.state_dict()[name]
        assert tensor.shape == expected.shape, name
        if tensor.numel() > 1000:  # fewer random numbers say too little
            assert tensor.std().item() == pytest.approx(expected.std().item(), rel=0.15), name
    plain.load_state_dict(folded.state_dict())
    grey = torch.rand(1, 1, 32, 64) * 2 - 1
    with torch.no_grad():
        pairs = list(zip(plain(grey), folded(grey), strict=True))
        assert plain.head is not None
        assert folded.head is not None
        pairs.append((plain.head(pairs[-1][0]), folded.head(pairs[-1][1])))
    for mine, theirs in pairs:
        torch.testing.assert_close(mine, theirs)
    assert (plain.channels, plain.strides) == (folded.channels, folded.strides)


def test_a_finished_model_loads_without_transformers() -> None:
    """Whose import takes some seconds of processor time, for which the first person would wait."""
    code = "import sys, autochrome; autochrome.load_pipeline('natural'); sys.exit('transformers' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_resnet_has_the_asked_for_stages() -> None:
    backbone = build_backbone("resnet", RESNET)
    features = backbone(torch.zeros(1, 1, 32, 64))
    assert [tuple(feature.shape) for feature in features] == [(1, 8, 16, 32), (1, 8, 8, 16), (1, 16, 4, 8)]


def test_resnets_by_their_number_of_layers() -> None:
    backbone = build_backbone("resnet", {"layers": 18})
    millions = sum(parameter.numel() for parameter in backbone.parameters()) / 1e6
    assert millions == pytest.approx(11.2, abs=0.05)  # the paper's, without its classifier
    assert backbone.strides == (2, 4, 8, 16, 32)
    # Two or three convolutions a block, one at the beginning and the classifier.
    for layers, options in LAYERS.items():
        per_block = {"basic": 2, "bottleneck": 3}[options["layer_type"]]
        assert per_block * sum(options["depths"]) + 2 == layers
    with pytest.raises(SettingError, match="a ResNet has layers 18, 34, 50, 101; got 19"):
        build_backbone("resnet", {"layers": 19})


def test_pretrained_resnet_is_cut_to_the_asked_for_stages(tmp_path: Path) -> None:
    ResNetModel(ResNetConfig(**RESNET | {"hidden_sizes": [8, 16, 24], "depths": [1, 1, 1]})).save_pretrained(tmp_path)
    backbone = build_backbone("resnet", RESNET, tmp_path)
    assert backbone.channels == (8, 8, 16)
    assert [feature.shape[1] for feature in backbone(torch.zeros(1, 1, 32, 32))] == [8, 8, 16]
    with pytest.raises(
        ModelError, match=r"has layer_type basic, backbone_options say bottleneck; write backbone_options: \{layer_t"
    ):
        build_backbone("resnet", {}, tmp_path)
    with pytest.raises(ModelError, match=r"has hidden_sizes \[8, 16\], backbone_options say \[8, 32\]"):
        build_backbone("resnet", RESNET | {"hidden_sizes": [8, 32]}, tmp_path)


def test_classifier_of_a_pretrained_resnet(tmp_path: Path) -> None:
    model = ResNetForImageClassification(ResNetConfig(**RESNET, num_labels=5)).eval()
    shuffle_statistics(model)
    model.save_pretrained(tmp_path)
    backbone = build_backbone("resnet", RESNET, tmp_path, num_classes=5).eval()
    grey = torch.rand(1, 1, 64, 64) * 2 - 1
    with torch.no_grad():
        assert backbone.head is not None
        logits = backbone.head(backbone(grey)[-1])[:, -5:]
        expected = model(grey.expand(-1, 3, -1, -1) / (2 * 0.226)).logits
    torch.testing.assert_close(logits, expected, rtol=1e-4, atol=1e-4)
    with pytest.raises(ModelError, match="tells 5 classes apart; write fusion_classes: 5, or 0"):
        build_backbone("resnet", RESNET, tmp_path, num_classes=9)
    with pytest.raises(SettingError, match=r"needs the whole ResNet, which has hidden_sizes \[8, 16\]; write fusion_c"):
        build_backbone("resnet", RESNET | {"hidden_sizes": [8], "depths": [1]}, tmp_path, num_classes=5)


def test_pretrained_convnext_reads_grey_exactly(tmp_path: Path) -> None:
    torch.manual_seed(0)
    model = ConvNextForImageClassification(
        ConvNextConfig(**CONVNEXT, num_stages=3, num_labels=4, layer_scale_init_value=0.5)
    ).eval()
    model.save_pretrained(tmp_path)
    backbone = build_backbone("convnext", CONVNEXT, tmp_path, num_classes=4).eval()
    grey = torch.rand(2, 1, 64, 96)
    mean, deviation = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])
    colors = (grey.expand(-1, 3, -1, -1) - mean.view(3, 1, 1)) / deviation.view(3, 1, 1)
    with torch.no_grad():
        features = backbone(grey * 2 - 1)
        assert backbone.head is not None
        torch.testing.assert_close(backbone.head(features[-1])[:, -4:], model(colors).logits, rtol=1e-3, atol=1e-4)
    assert [feature.shape[1:] for feature in features] == [(8, 16, 24), (16, 8, 12), (24, 4, 6)]
    assert (backbone.strides, backbone.channels) == ((4, 8, 16), (8, 16, 24))


def test_convolutions_halve_and_have_no_norm_at_their_ends() -> None:
    backbone = build_backbone("convolutions", {"channels": [4, 8, 8]}, normalization="instance")
    assert [tuple(feature.shape[1:]) for feature in backbone(torch.zeros(1, 1, 16, 8))] == [
        (4, 8, 4), (8, 4, 2), (8, 2, 1)
    ]  # fmt: skip
    normed = [any(isinstance(part, nn.InstanceNorm2d) for part in stage.modules()) for stage in backbone.stages]
    assert normed == [False, True, False]
    with pytest.raises(SettingError, match=r"takes the option channels, a list of widths; got \{'width': 3\}"):
        build_backbone("convolutions", {"width": 3})
    with pytest.raises(SettingError, match="convolutions has no pretrained weights"):
        build_backbone("convolutions", {}, Path("anywhere"))
    with pytest.raises(SettingError, match="convolutions is no classifier; write fusion_classes: 0"):
        build_backbone("convolutions", {}, num_classes=10)


def test_stages_are_cut_from_the_coarse_end() -> None:
    whole = build_backbone("mobilenet_v2", {"depth_multiplier": 0.1}, num_classes=0)
    cut = build_backbone("mobilenet_v2", {"depth_multiplier": 0.1}, num_stages=3, num_classes=0)
    assert (cut.strides, cut.channels) == ((2, 4, 8), whole.channels[:3])
    assert cut.head is not None
    assert cut.head(cut(torch.zeros(1, 1, 32, 32))[-1]).shape == (1, cut.channels[-1])
    for stages in (0, 6):
        with pytest.raises(SettingError, match=f"mobilenet_v2 has 5 stages; got backbone_stages {stages}"):
            build_backbone("mobilenet_v2", {"depth_multiplier": 0.1}, num_stages=stages)


def test_a_folder_with_something_else_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="no mobilenet_v2 could be loaded from"):
        build_backbone("mobilenet_v2", {}, tmp_path / "absent")
    MobileNetV2Model(MobileNetV2Config(**QUARTER)).save_pretrained(tmp_path)
    with pytest.raises(
        ModelError, match=r"has depth_multiplier 0.25, backbone_options say 1.0; write backbone_options"
    ):
        build_backbone("mobilenet_v2", {}, tmp_path)
    with pytest.raises(ModelError, match=r"another architecture: classifier\.bias, classifier\.weight"):
        build_backbone("mobilenet_v2", QUARTER, tmp_path, num_classes=10)


def test_options_that_make_no_network_are_refused() -> None:
    with pytest.raises(
        SettingError, match="no backbone is called 'vgg'; there are: mobilenet_v2, resnet, efficientnet"
    ):
        build_backbone("vgg", {})
    refused: list[tuple[str, dict[str, Any]]] = [
        ("resnet", {"layer_type": "unheard-of"}),
        ("convnext", {"depths": 3}),
        ("mobilenet_v2", {"depth_multiplier": 0}),
    ]
    for name, options in refused:
        with pytest.raises(SettingError, match=f"backbone {name} cannot be built with options"):
            build_backbone(name, options)
