"""ONNX: every architecture survives the export, the picture is the same, and what cannot be exported is refused."""

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import PIL.Image
import pytest
import skimage.data
import torch

from autochrome import load_pipeline
from autochrome.cli import main
from autochrome.errors import ModelError, SettingError, UnavailableError
from autochrome.models import Colorizer, ColorizerConfig
from autochrome.models.onnx import OnnxColorizer, export_onnx
from autochrome.pipelines import BlendPipeline, FeedforwardPipeline

TINY_RESNET = {"hidden_sizes": [8, 8, 16], "depths": [1, 1, 1], "layer_type": "basic", "embedding_size": 8}
TINY_CONVNEXT = {"hidden_sizes": [8, 8, 16, 16], "depths": [1, 1, 1, 1]}
TINY: dict[str, Any] = {"decoder_channels": (16, 16, 8, 8), "decoder_blocks": 1}
MOBILE: dict[str, Any] = {"backbone_options": {"depth_multiplier": 0.1}, **TINY}
ARCHITECTURES: dict[str, dict[str, Any]] = {
    "unet": MOBILE,
    "bins": {**MOBILE, "head": "bins"},
    "instance norm": {**MOBILE, "normalization": "instance"},
    "fusion": {**MOBILE, "fusion": True},
    "pixel shuffle": {**MOBILE, "decoder": "pixel_shuffle"},
    "efficientnet": {"backbone": "efficientnet_lite", "backbone_options": {"width": 0.25}, **TINY},
    "convnext": {"backbone": "convnext", "backbone_options": TINY_CONVNEXT, **TINY},
    "resnet, deconvolution": {
        **{"backbone": "resnet", "backbone_options": TINY_RESNET},
        **{"decoder": "deconvolution", "decoder_channels": (8, 8, 8)},
    },
    "pix2pix": {
        **{"backbone": "convolutions", "backbone_options": {"channels": [8, 8, 8, 8]}},
        **{"decoder": "unet_deconvolution", "decoder_channels": (8, 8, 8, 8)},
    },
}


def colorizer(**config: Any) -> Colorizer:
    torch.manual_seed(0)
    return Colorizer(ColorizerConfig(**config)).eval().requires_grad_(False)


@pytest.fixture(scope="module")
def tiny() -> Colorizer:
    return colorizer(**MOBILE)


@pytest.fixture(scope="module")
def photo() -> PIL.Image.Image:
    return PIL.Image.fromarray(skimage.data.coffee()).convert("L").convert("RGB").resize((300, 200))


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_every_architecture_gives_torchs_answer(name: str) -> None:
    model = colorizer(**ARCHITECTURES[name])
    exported = OnnxColorizer(model)
    side = model.size_multiple
    for batch, height, width in ((1, 4 * side, 3 * side), (3, 2 * side, 7 * side)):
        lightness = 100 * torch.rand(batch, 1, height, width)
        torch.testing.assert_close(exported(lightness), model(lightness), rtol=1e-4, atol=1e-5)


def test_the_file_says_what_goes_in_and_what_comes_out(tiny: Colorizer) -> None:
    content = export_onnx(tiny, {"model": "tiny"})
    file = onnx.load_from_string(content)
    told = {entry.key: entry.value for entry in file.metadata_props}
    assert ColorizerConfig.from_dict(json.loads(told["config"])) == tiny.config
    numbers = {name: float(told[name]) for name in ("size_multiple", "output_stride", "ab_scale")}
    assert numbers == {"size_multiple": 32, "output_stride": 4, "ab_scale": 110}
    assert told["model"] == "tiny"
    assert "keep L* (0..100)" in told["preprocessing"]
    session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
    [given], [made] = session.get_inputs(), session.get_outputs()
    assert (given.name, given.type, given.shape) == ("lightness", "tensor(float)", ["batch", 1, "height", "width"])
    lightness = np.full((2, 1, 64, 96), 50, np.float32)
    assert session.run([made.name], {given.name: lightness})[0].shape == (2, 2, 16, 24)


@pytest.mark.parametrize("model", ["natural", "cnn-classic"])
def test_the_picture_is_the_same(model: str, photo: PIL.Image.Image) -> None:
    by_torch = load_pipeline(model, device="cpu")(photo)
    pipeline = load_pipeline(model, runtime="onnx")
    networks = pipeline.halves if isinstance(pipeline, BlendPipeline) else [pipeline]
    assert {network.runtime for network in networks if isinstance(network, FeedforwardPipeline)} == {"onnx"}
    by_onnx = pipeline(photo)
    assert (by_torch.ab - by_onnx.ab).abs().max() < 1e-3
    levels = np.abs(np.asarray(by_torch.images[0], np.int16) - np.asarray(by_onnx.images[0], np.int16))
    assert levels.max() <= 1
    assert (levels.max(axis=-1) > 0).mean() < 0.001
    assert by_onnx.metadata() == by_torch.metadata()
    assert pipeline(photo).images[0].tobytes() == by_onnx.images[0].tobytes()


def test_mirrored_mean_runs_on_onnx_too(tiny: Colorizer, photo: PIL.Image.Image) -> None:
    both = [FeedforwardPipeline(tiny, device="cpu", flip_average=True, runtime=name) for name in ("torch", "onnx")]
    first, second = (pipeline(photo, render_factor=7).ab for pipeline in both)
    torch.testing.assert_close(first, second, rtol=0, atol=1e-3)


def test_auto_is_onnx_on_a_cpu_and_where_it_can_be(tiny: Colorizer, monkeypatch: pytest.MonkeyPatch) -> None:
    steered = colorizer(**MOBILE, decoder="steered_unet")
    assert FeedforwardPipeline(tiny, device="cpu", runtime="auto").runtime == "onnx"
    assert FeedforwardPipeline(tiny, device="cpu").runtime == "torch"
    assert FeedforwardPipeline(steered, device="cpu", runtime="auto").runtime == "torch"
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    assert FeedforwardPipeline(tiny, device="cpu", runtime="auto").runtime == "torch"


def test_what_cannot_run_on_onnx_is_refused(tiny: Colorizer, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(SettingError, match="runtime must be one of torch, onnx, auto, got 'tensorrt'"):
        FeedforwardPipeline(tiny, runtime="tensorrt")
    with pytest.raises(SettingError, match="runtime 'onnx' runs on the CPU, not on meta; leave the device out"):
        FeedforwardPipeline(colorizer(**MOBILE), device="meta", runtime="onnx")
    with pytest.raises(SettingError, match=r"takes directions \(words, hints, a palette\) cannot be exported to ONNX"):
        OnnxColorizer(colorizer(**MOBILE, decoder="steered_unet"))
    with pytest.raises(SettingError, match="for feedforward models and their blends; run segments with 'torch'"):
        load_pipeline("segments", runtime="onnx")
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(UnavailableError, match=r"needs onnx and onnxruntime; install them with: pip install 'autochr"):
        OnnxColorizer(tiny)


class _SizeMatters(Colorizer):
    """A network with what the exporter takes for a constant: the width as a plain number."""

    def forward(self, lightness: torch.Tensor, raw: bool = False, conditions: Any = None) -> torch.Tensor:
        return super().forward(lightness, raw, conditions) + int(lightness.shape[-1]) / 1000


def test_an_export_that_gives_another_answer_is_refused() -> None:
    model = _SizeMatters(ColorizerConfig(**MOBILE)).eval().requires_grad_(False)
    with pytest.raises(ModelError, match=r"does not survive the export to ONNX: a\*b\* differ from torch's by 3\.52, "):
        export_onnx(model)


def test_a_network_that_gives_no_numbers_is_refused() -> None:
    model = colorizer(**MOBILE)
    next(model.decoder.parameters()).fill_(float("nan"))
    with pytest.raises(ModelError, match=r"differ from torch's by nan, allowed is 0\.01; run it"):
        OnnxColorizer(model)


def test_the_command_writes_a_file_that_runs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["export", "cnn-classic", "--output", str(tmp_path / "new")]) == 0
    path = tmp_path / "new" / "model.onnx"
    assert capsys.readouterr().out == f"{path}: 3.4 MB; ONNX Runtime gives torch's answer\n"
    assert [file.name for file in path.parent.iterdir()] == ["model.onnx"]
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    told = session.get_modelmeta().custom_metadata_map
    assert json.loads(told["settings"])["render_factor"] == {"default": 14, "min": 7, "max": 45}
    assert (told["model"], told["px_per_render_factor"], told["flip_average"]) == ("cnn-classic", "16", "false")


@pytest.mark.parametrize(
    ("model", "message"),
    [
        ("natural", "natural is the mean of several networks; export gan-artistic and gan-stable, and take the mean"),
        ("segments", "only feedforward models can be exported to ONNX, and segments is none"),
        ("nobody", "there is no model 'nobody'"),
    ],
)
def test_the_command_refuses_in_one_sentence(
    model: str, message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["export", model, "--output", str(tmp_path / "new")]) == 2
    assert message in capsys.readouterr().err
    assert not (tmp_path / "new").exists()


def test_the_command_line_colors_with_it(photo: PIL.Image.Image, tmp_path: Path) -> None:
    photo.save(tmp_path / "photo.png")
    made = {}
    for runtime in ("onnx", "auto", "torch"):
        output = tmp_path / runtime
        argv = ["colorize", "--model", "cnn-classic", "--runtime", runtime, "--output", str(output)]
        assert main([*argv, str(tmp_path / "photo.png")]) == 0
        made[runtime] = (output / "photo.png").read_bytes()
    on_cpu = not torch.cuda.is_available()
    assert made["auto"] == made["onnx" if on_cpu else "torch"]
