"""The networks: architecture, weights on disk, and what is refused."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from autochrome.errors import ModelError, SettingError
from autochrome.models import Colorizer, ColorizerConfig, load_colorizer, save_colorizer
from autochrome.models.bins import NUM_BINS
from autochrome.models.config import CHOICES
from autochrome.models.decoders.layers import MEAN_AB_NORMALIZED

RESNET: dict[str, Any] = {"embedding_size": 8, "hidden_sizes": [8, 16], "depths": [1, 1], "layer_type": "basic"}


@pytest.fixture
def tiny() -> Colorizer:
    torch.manual_seed(0)
    return Colorizer(ColorizerConfig.tiny()).eval()


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

    def load_as(**changes: object) -> None:
        (tmp_path / "config.json").write_text(json.dumps(config | changes))
        load_colorizer(tmp_path)

    with pytest.raises(
        ModelError,
        match=r"another architecture: decoder\.skips\.0\.weight has shape \(16, 32, 1, 1\), the network \(24, 32, 1, "
        r"1\) \(and \d+ more differences\)",
    ):
        load_as(decoder_channels=[24, 16, 8, 8])
    with pytest.raises(ModelError, match=r"another architecture: they lack decoder\.levels\.0\.1\.depthwise\.weight"):
        load_as(decoder_blocks=2, attention_strides=[])
    with pytest.raises(
        ModelError, match=r"another architecture: they have decoder\.levels\.1\.1\.norm\.bias, the netw"
    ):
        load_as(attention_strides=[32])
    with pytest.raises(ModelError, match=r"unknown: \['wings'\]"):
        load_as(wings=2)
    with pytest.raises(ModelError, match=r"config\.json describes no network that can be built: no head is called 'c'"):
        load_as(head="c")


def test_a_config_from_before_an_entry_was_invented_means_its_default(tiny: Colorizer, tmp_path: Path) -> None:
    save_colorizer(tiny, tmp_path)
    config = json.loads((tmp_path / "config.json").read_text())
    later = ("backbone_stages", "decoder_dropout", "normalization", "head", "fusion", "fusion_classes")
    (tmp_path / "config.json").write_text(json.dumps({k: v for k, v in config.items() if k not in later}))
    assert load_colorizer(tmp_path).config == tiny.config == ColorizerConfig.tiny()


TINY_BACKBONES: dict[str, dict[str, Any]] = {
    "mobilenet_v2": {"depth_multiplier": 0.1},
    "resnet": RESNET,
    "efficientnet_lite": {"width": 0.1},
    "convnext": {"hidden_sizes": [8, 16], "depths": [1, 1]},
    "convolutions": {"channels": [4, 8, 8]},
}
DECODERS = [name for name in CHOICES["decoder"] if name != "steered_unet"]  # which has test_steering.py
NORMALIZATIONS = CHOICES["normalization"]


def combinations() -> list[ColorizerConfig]:
    """Every backbone with every decoder, every decoder with every normalization, both heads and fusion with all."""
    return [
        ColorizerConfig(
            backbone=backbone,
            backbone_options=options,
            decoder=decoder,
            decoder_channels=(8, 4),
            decoder_blocks=1 + i % 2,
            decoder_dropout=0.5 if decoder == "unet_deconvolution" else 0.0,
            normalization=NORMALIZATIONS[(i + j) % 4],
            head=CHOICES["head"][(i + j // 2) % 2],
            fusion=(i // 2 + j) % 2 == 0,
            fusion_classes=3 if (i // 2 + j) % 2 == 0 and backbone != "convolutions" else 0,
            attention_strides=(32, 8),
        )
        for i, (backbone, options) in enumerate(TINY_BACKBONES.items())
        for j, decoder in enumerate(DECODERS)
    ]


@pytest.mark.parametrize(
    "config", combinations(), ids=lambda c: f"{c.backbone}-{c.decoder}-{c.normalization}-{c.head}-{c.fusion}"
)
def test_every_design_trains_and_is_the_same_again_from_disk(config: ColorizerConfig, tmp_path: Path) -> None:
    torch.manual_seed(0)
    model = Colorizer(config)
    lightness = torch.rand(2, 1, 64, 96) * 100
    size = (64 // model.output_stride, 96 // model.output_stride)
    raw = model(lightness, raw=True)
    assert raw.shape == (2, NUM_BINS if config.head == "bins" else 2, *size)
    raw.square().sum().backward()
    wrong = [n for n, p in model.named_parameters() if p.grad is None or not torch.isfinite(p.grad).all()]
    assert wrong == []
    assert {name.partition(".")[0] for name, _ in model.named_parameters()} == {"backbone", "decoder"}

    state = {name: value.clone() for name, value in model.eval().state_dict().items()}
    save_colorizer(model, tmp_path / "model")
    assert all(torch.equal(value, state[name]) for name, value in model.state_dict().items())
    again = load_colorizer(tmp_path / "model")
    assert again.config == config
    assert not again.training
    with torch.no_grad():
        ab = model(lightness)
        assert ab.shape == (2, 2, *size)
        torch.testing.assert_close(model.ab_from_raw(model(lightness, raw=True)), ab)
        torch.testing.assert_close(again(lightness), ab, atol=5e-3, rtol=0)
        torch.testing.assert_close(ab.mean(dim=(0, 2, 3)), torch.tensor(MEAN_AB_NORMALIZED), atol=0.03, rtol=0)
    save_colorizer(again, tmp_path / "again")
    for name in ("config.json", "model.safetensors"):
        assert (tmp_path / "again" / name).read_bytes() == (tmp_path / "model" / name).read_bytes()


def test_fewer_stages_are_a_smaller_network_of_a_finer_stride() -> None:
    config = replace(ColorizerConfig.tiny(), backbone_stages=3, decoder_channels=(8, 8), fusion=True)
    model = Colorizer(config).eval()
    assert (model.size_multiple, model.output_stride) == (8, 4)
    assert model(torch.zeros(1, 1, 8, 16)).shape == (1, 2, 2, 4)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"backbone": "vgg"},
            "no backbone is called 'vgg'; there are: mobilenet_v2, resnet, efficientnet_lite, convnext",
        ),
        (
            {"decoder": "magic"},
            "no decoder is called 'magic'; there are: unet, steered_unet, deconvolution, pixel_shuffle",
        ),
        ({"normalization": "layer"}, "no normalization is called 'layer'; there are: batch, instance, spectral, none"),
        ({"head": "rgb"}, "no head is called 'rgb'; there are: ab, bins"),
        ({"decoder_channels": ()}, r"decoder_channels must be a list of widths above 0, got \(\)"),
        ({"decoder_channels": (8, 0)}, r"decoder_channels must be a list of widths above 0, got \(8, 0\)"),
        ({"decoder_channels": 8}, "decoder_channels must be a list of widths above 0, got 8"),
        ({"decoder_channels": (8,) * 6}, "decoder_channels has 6 entries, backbone mobilenet_v2 5"),
        (
            {"decoder": "deconvolution", "decoder_channels": (8,) * 6},
            "6 doublings from stride 32 would be finer than the picture; leave some out",
        ),
        ({"decoder_blocks": 0}, "decoder_blocks must be an integer above 0, got 0"),
        ({"decoder_dropout": 1.0}, "decoder_dropout must be 0 or more and below 1, got 1.0"),
        ({"decoder_dropout": 0.5}, "decoder_dropout belongs to decoder unet_deconvolution; unet has none"),
        ({"backbone_stages": 0}, "backbone_stages must be an integer above 0 or null, got 0"),
        ({"backbone_stages": 9}, "backbone mobilenet_v2 has 5 stages; got backbone_stages 9"),
        ({"fusion": True, "fusion_classes": -1}, "fusion_classes must be 0 or a number of classes, got -1"),
        ({"fusion_classes": 10}, "fusion_classes needs fusion: true and the whole backbone"),
        ({"fusion": True, "fusion_classes": 10, "backbone_stages": 3}, "needs fusion: true and the whole backbone"),
        ({"decoder_channels": (10, 8, 8, 8)}, "self-attention needs a width that is a multiple of 4, got 10"),
    ],
)
def test_settings_that_make_no_network_are_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(SettingError, match=message):
        Colorizer(replace(ColorizerConfig.tiny(), **changes))
