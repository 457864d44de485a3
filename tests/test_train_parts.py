"""The parts of a small diffusion model, trained for a few steps: killed, resumed, and what a recipe may not say."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import torch
from diffusers import StableDiffusionPipeline
from finished_datasets import make_row, write_dataset
from PIL import Image
from tiny_text_encoder import write_text_encoder

from autochrome.color import rgb_to_lab
from autochrome.errors import ModelError
from autochrome.models.bins import NUM_BINS, bin_centers
from training.checkpoint import list_checkpoints
from training.parts.autoencoder import build_autoencoder, reconstruction_losses
from training.parts.config import AutoencoderConfig, load_parts_config
from training.parts.data import Captioned, crops
from training.parts.loop import train
from training.parts.targets import color_shares
from training.parts.text_encoder import make_targets
from training.parts.vocabulary import learn_tokenizer
from training.train_parts import main

ROOT = Path(__file__).parent.parent


@pytest.fixture(scope="module")
def recipe(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A recipe of a dozen steps, beside its dataset."""
    path = tmp_path_factory.mktemp("parts")
    splits = {"train": range(6), "validation": range(6, 9)}
    write_dataset(path / "dataset", {name: [make_row(index) for index in rows] for name, rows in splits.items()})
    write_text_encoder(path / "sentences")
    autoencoder = {"block_out_channels": [8, 8], "batch_size": 2, "crop_px": 16, "num_steps": 6, "num_whole_steps": 2}
    text = {
        "vocabulary_size": 540, "max_tokens": 12, "hidden_size": 16, "num_layers": 1, "num_heads": 2, "batch_size": 3,
        "num_steps": 6, "sentence_encoder": str(path / "sentences"),
        "backbone": str(ROOT / "autochrome/weights/mobilenet-v2"),
    }  # fmt: skip
    values = {
        "dataset_dir": str(path / "dataset"), "output_dir": str(path / "whole"), "cache_dir": str(path / "cache"),
        "size_px": 32, "checkpoint_every": 2, "autoencoder": autoencoder, "text": text,
        "unet": {"block_out_channels": [16, 32], "cross_attention": [False, True], "attention_heads": 2},
    }  # fmt: skip
    (path / "recipe.yaml").write_text(json.dumps(values))
    return path / "recipe.yaml"


def test_a_killed_run_goes_on_as_if_nothing_had_been(recipe: Path) -> None:
    killed = recipe.with_name("killed")
    assert main([str(recipe)]) == 0
    command = [sys.executable, "-m", "training.train_parts", str(recipe), f"output_dir={killed}"]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    deadline = time.monotonic() + 120
    while process.poll() is None and not list_checkpoints(killed / "autoencoder") and time.monotonic() < deadline:
        time.sleep(0.01)
    os.kill(process.pid, signal.SIGKILL)
    output, _ = process.communicate()
    assert list_checkpoints(killed / "autoencoder"), output
    shutil.rmtree(killed / "base", ignore_errors=True)  # had the kill come late
    shutil.rmtree(killed / "vae", ignore_errors=True)
    assert main([str(recipe), f"output_dir={killed}", "--resume"]) == 0
    whole = recipe.with_name("whole")
    names = [path.relative_to(whole / "base") for path in (whole / "base").rglob("*") if path.is_file()]
    assert len(names) > 8
    for name in names:
        assert (killed / "base" / name).read_bytes() == (whole / "base" / name).read_bytes(), name
    check_base(whole)


def check_base(output: Path) -> None:
    """The base draws a picture of its own size, and the logs name every loss."""
    base = StableDiffusionPipeline.from_pretrained(output / "base", use_safetensors=True)
    base.set_progress_bar_config(disable=True)
    generator = torch.Generator().manual_seed(0)
    picture = base("a picture", num_inference_steps=2, generator=generator).images[0]
    assert isinstance(picture, Image.Image)
    assert picture.size == (32, 32)
    assert base.scheduler.config.prediction_type == "v_prediction"
    for part, losses in (("autoencoder", {"ab", "coarse_lightness"}), ("text", {"sense", "colors", "match"})):
        lines = [json.loads(line) for line in (output / part / "log.jsonl").read_text().splitlines()]
        assert losses <= set(lines[-1]), lines[-1]
        assert lines[-1]["kind"] == "validation"
    assert base.vae.config.scaling_factor == pytest.approx(vae_scale(output), rel=1e-3)


def vae_scale(output: Path) -> float:
    lines = [json.loads(line) for line in (output / "autoencoder" / "log.jsonl").read_text().splitlines()]
    return float(lines[-1]["scaling_factor"])


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("stages=[unet]", "stages must name some of autoencoder, text_encoder; got"),
        ("size_px=33", "size_px must be a multiple of 2, at least 4; got 33"),
        ("autoencoder.crop_px=64", "autoencoder.crop_px must be at most size_px .32.; it is 64"),
        ("unet.cross_attention=[true]", "one entry for each of unet.block_out_channels"),
        ("text.sentence_encoder=nowhere", "no model in 'nowhere'; the text encoder learns from it"),
        ("dataset_dir=nowhere", "no dataset in 'nowhere'"),
        ("depth=3", "depth"),
    ],
)
def test_what_cannot_be(recipe: Path, override: str, message: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(recipe), "output_dir=" + str(recipe.with_name("none")), override]) == 2
    assert re.search(message, capsys.readouterr().err)
    assert not recipe.with_name("none").exists()


def test_a_finished_folder_is_not_overwritten(recipe: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "something").touch()
    assert main([str(recipe), f"output_dir={tmp_path}"]) == 2
    assert "is not empty; go on with --resume" in capsys.readouterr().err


def test_a_dry_run_trains_nothing(recipe: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(recipe), f"output_dir={tmp_path / 'new'}", "--dry-run"]) == 0
    assert "crop_px=16" in capsys.readouterr().out
    assert not (tmp_path / "new").exists()


def test_a_loss_that_is_no_number_ends_the_training(tmp_path: Path) -> None:
    layer = torch.nn.Linear(1, 1)

    def losses(step: int) -> dict[str, torch.Tensor]:
        return {"ab": layer.weight.sum() * (float("nan") if step == 1 else 1.0)}

    with pytest.raises(ModelError, match=r"the loss of the autoencoder is nan at step 2; go on with --resume from"):
        train(
            "autoencoder",
            tmp_path,
            {"layer": layer},
            losses,
            num_steps=4,
            learning_rate=0.1,
            checkpoint_every=9,
            resume=False,
            recipe="",
        )


def test_targets_are_kept_for_the_same_texts_only(recipe: Path, tmp_path: Path) -> None:
    config = load_parts_config(recipe, []).text
    pictures = torch.zeros(2, 3, 32, 32, dtype=torch.uint8)
    data = Captioned(pictures, ["a dog", ""], ["a brown dog", "Mainly green."])
    cache = tmp_path / "targets.safetensors"
    first = make_targets(data, ["sky"], config, cache)
    written = cache.stat().st_mtime_ns
    assert torch.equal(make_targets(data, ["sky"], config, cache).senses, first.senses)
    assert cache.stat().st_mtime_ns == written
    other = make_targets(data, ["sea"], config, cache)
    assert cache.stat().st_mtime_ns != written
    assert other.texts[-1] == "sea"


def test_the_shipped_recipe_is_one() -> None:
    config = load_parts_config(ROOT / "training/configs/diffusion-parts.yaml", [])
    assert config.size_px == 128
    assert config.text.hidden_size % config.text.num_heads == 0


def test_a_perfect_reconstruction_costs_nothing_and_a_grey_one_its_color() -> None:
    rgb = torch.rand(2, 3, 16, 16, generator=torch.Generator().manual_seed(0))
    assert all(value.item() < 1e-3 for value in reconstruction_losses(rgb * 2 - 1, rgb, 1.0).values())
    grey = torch.full_like(rgb, 0.5)
    expected = rgb_to_lab(rgb)[:, 1:].abs().mean().item()
    assert reconstruction_losses(grey * 2 - 1, rgb, 1.0)["ab"].item() == pytest.approx(expected, abs=1e-3)
    beyond = reconstruction_losses(torch.full_like(rgb, 1.5), torch.ones_like(rgb), 1.0)
    assert beyond["outside"].item() == pytest.approx(20 * 0.25)
    assert beyond["ab"].item() < 1e-3


def test_an_autoencoder_begins_with_its_picture_coming_through() -> None:
    model = build_autoencoder(AutoencoderConfig(block_out_channels=[8, 16, 16]), 32)
    feature = torch.rand(1, 16, 8, 8, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        block = model.encoder.mid_block.resnets[0]
        torch.testing.assert_close(block(feature, None), feature + block.conv2.bias[:, None, None])
        smaller = model.encoder.down_blocks[1].downsamplers[0](feature)
        larger = model.decoder.up_blocks[0].upsamplers[0](feature)
    torch.testing.assert_close(smaller, torch.nn.functional.avg_pool2d(feature, 2) + offset(model.encoder, 1))
    shift = model.decoder.up_blocks[0].upsamplers[0].conv.bias[:, None, None]
    torch.testing.assert_close(larger, feature.repeat_interleave(2, -1).repeat_interleave(2, -2) + shift)


def offset(encoder: Any, level: int) -> torch.Tensor:
    bias: torch.Tensor = encoder.down_blocks[level].downsamplers[0].conv.bias[:, None, None]
    return bias


def test_crops_belong_to_their_step_alone() -> None:
    pictures = torch.arange(3 * 3 * 8 * 8, dtype=torch.uint8).reshape(3, 3, 8, 8)
    first, again, other = (crops(pictures, step, seed=1, batch_size=4, side=4) for step in (5, 5, 6))
    assert first.shape == (4, 3, 4, 4)
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_shares_of_colors_lie_where_the_picture_is() -> None:
    red = torch.zeros(1, 3, 32, 32, dtype=torch.uint8)
    red[:, 0] = 200
    shares = color_shares(red)
    assert shares.shape == (1, NUM_BINS)
    assert shares.sum().item() == pytest.approx(1, abs=1e-4)
    center = (shares[0, :, None] * bin_centers()).sum(dim=0)
    truth = rgb_to_lab(red.float() / 255)[0, 1:, 0, 0]
    assert (center - truth).norm().item() < 6


def test_a_tokenizer_knows_its_captions_and_spells_the_rest(tmp_path: Path) -> None:
    captions = ["A red boat on the lake", "a red boat", "the boat"]
    tokenizer = learn_tokenizer(captions, vocabulary_size=560, max_tokens=16)
    assert tokenizer.tokenize("red boat") == ["red</w>", "boat</w>"]
    assert len(tokenizer) <= 560
    assert tokenizer("")["input_ids"] == [tokenizer.bos_token_id, tokenizer.eos_token_id]
    for text in ("zeppelin", "über 42", "日本", "😀"):
        ids = tokenizer(text)["input_ids"]
        assert tokenizer.decode(ids, skip_special_tokens=True).replace(" ", "") == text.replace(" ", "")
    assert len(tokenizer("boat " * 40, truncation=True)["input_ids"]) == 16
    tokenizer.save_pretrained(tmp_path)
    loaded = type(tokenizer).from_pretrained(tmp_path)
    assert loaded("a red zeppelin")["input_ids"] == tokenizer("a red zeppelin")["input_ids"]
    assert loaded.model_max_length == 16
