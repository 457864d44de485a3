"""Training with directions: captions find their pictures, a killed run goes on, the finished model takes directions."""

import json
import subprocess
import sys
import time
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import pyarrow as pa
import pytest
import torch
from pyarrow import parquet
from steered_models import STEERED, lively_model
from tiny_text_encoder import write_text_encoder
from torch import Tensor

from autochrome.errors import DataError
from autochrome.models import Colorizer, ColorizerConfig, load_colorizer, save_colorizer
from autochrome.models.text_encoder import TextEncoder
from autochrome.pipelines import SteerablePipeline
from training.checkpoint import list_checkpoints
from training.config import load_config
from training.data import Crops, PhotoStore, open_photos
from training.directions import DirectionMix
from training.losses import LOSSES, LossInput
from training.train_gan import build_model, main
from training.validation import score_directed

ROOT = Path(__file__).parent.parent


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Photographs with captions, a plain model, a text encoder, and a recipe of three steps that brings them together.

    Of 24 pictures of one color each with a lighter half, the first twelve have captions, the next six a label.
    """
    path = tmp_path_factory.mktemp("directed")
    rng = np.random.default_rng(0)
    lines = []
    with zipfile.ZipFile(path / "photos.zip", "w") as archive:
        for index in range(24):
            pixels = np.full((70, 80, 3), rng.integers(30, 160, 3), dtype=np.uint8)
            pixels[:, 40:] += 60
            with archive.open(f"{index:02}.png", "w") as member:
                PIL.Image.fromarray(pixels).save(member, format="PNG")
            said: dict[str, object] = {"captions": [f"a hat of number {index}", "a hat"]} if index < 12 else {}
            said |= {"label": "sea_lion"} if index < 18 else {}
            lines.append(json.dumps({"file_name": f"{index:02}.png", **said}))
        archive.writestr("metadata.jsonl", "\n".join(lines))
    torch.manual_seed(0)
    save_colorizer(Colorizer(ColorizerConfig.tiny()), path / "plain")
    write_text_encoder(path / "words")
    losses = {"ciede2000_ab": 1.0, "colorfulness_floor": 1.0, "expected_error": 0.2}
    phase = {"size_px": 64, "num_kimg": 0.012, "learning_rate": 0.01, "final_learning_rate": 0.001, "losses": losses}
    recipe = {
        "name": "directed", "photos": [str(path / "photos.zip")], "init_from": str(path / "plain"),
        "architecture": STEERED.to_dict(), "text_encoder": str(path / "words"), "directions": {"max_hints": 9},
        "phases": [phase], "batch_size": 4, "frozen_stages": 5, "warmup_steps": 1, "validation_share": 0.2,
        "checkpoint_every_kimg": 0.004, "validate_every_kimg": 1, "mixed_precision": "fp32", "cache_side_px": 64,
        "output_dir": str(path / "runs"), "cache_dir": str(path / "cache"),
    }  # fmt: skip
    (path / "recipe.yaml").write_text(json.dumps(recipe))
    return path


@pytest.fixture(scope="module")
def store(folder: Path) -> PhotoStore:
    return open_photos([str(folder / "photos.zip")], folder / "cache", 64, with_captions=True)


def test_a_killed_run_goes_on_as_if_nothing_had_been(folder: Path) -> None:
    recipe, runs = folder / "recipe.yaml", folder / "runs"
    assert main([str(recipe), "name=whole"]) == 0
    command = [sys.executable, "-W", "error", "-m", "training.train_gan", str(recipe), "name=killed"]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    deadline = time.monotonic() + 300
    while process.poll() is None and not list_checkpoints(runs / "killed") and time.monotonic() < deadline:
        time.sleep(0.01)
    process.kill()
    output, _ = process.communicate()
    for late in list_checkpoints(runs / "killed"):
        if late.name == "checkpoint-3":  # the kill came late: go back
            late.rename(runs / "late")
    assert list_checkpoints(runs / "killed"), output
    assert main([str(recipe), "name=killed", "--resume"]) == 0
    names = ["model/config.json", "model/model.safetensors"]
    names += [f"model/text_encoder/{name}" for name in ("config.json", "model.safetensors", "tokenizer.json")]
    names += [f"checkpoint-3/{part}.safetensors" for part in ("model", "averaged", "optimizer")]
    for name in names:
        assert (runs / "killed" / name).read_bytes() == (runs / "whole" / name).read_bytes(), name
    check_log(runs / "whole" / "log.jsonl")
    check_model(folder)


def check_log(path: Path) -> None:
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    (scores,) = (line for line in lines if line["kind"] == "validation")
    for name in ("", "_named", "_palette", "_points_10", "_points_100"):
        assert 0 < scores[f"ciede2000_share{name}"] < 4
    assert all("expected_error" in line for line in lines if line["kind"] == "train")


def check_model(folder: Path) -> None:
    """What came out takes every direction, and its frozen backbone is the one that it began with."""
    finished = folder / "runs" / "whole" / "model"
    pipeline = SteerablePipeline.from_folder(finished)
    photo = PIL.Image.new("RGB", (90, 70), (90, 90, 90))
    photo.paste((160, 160, 160), (45, 0, 90, 70))
    plain = pipeline(photo)
    hint = {"x": 0.0, "y": 0.0, "color": "#c03030"}
    directions: list[dict[str, Any]] = [{"prompt": "a red hat"}, {"palette": "#c03030,#2040a0"}, {"hints": [hint]}]
    for asked in directions:
        assert not torch.equal(pipeline(photo, **asked).ab, plain.ab), asked
    assert pipeline(photo, prompt="a red hat").images[0].size == (90, 70)
    assert (folder / "words" / "tokenizer.json").read_bytes() == (finished / "text_encoder/tokenizer.json").read_bytes()
    before, after = load_colorizer(folder / "plain").state_dict(), load_colorizer(finished).state_dict()
    for name, value in before.items():
        moved = not torch.equal(value, after[name])
        assert moved != name.startswith("backbone.") or "num_batches" in name or not value.any(), name


def test_captions_stay_with_their_pictures(store: PhotoStore, folder: Path) -> None:
    assert len(store.captions) == len(store) == 24
    assert store.captions[store.names.index("03.png")] == ["a hat of number 3", "a hat"]
    assert store.captions[14] == ["a photo of sea lion"]
    assert store.captions[20] == []
    assert open_photos([str(folder / "photos.zip")], folder / "cache", 64).captions == [], "nobody asked"


def test_a_datasets_colored_captions_are_used(tmp_path: Path, store: PhotoStore, folder: Path) -> None:
    with zipfile.ZipFile(folder / "photos.zip") as archive:
        image = [{"bytes": archive.read(f"0{index}.png"), "path": None} for index in range(3)]
    (tmp_path / "data").mkdir()
    texts = ["a red hat", "", "the sea"]
    table = pa.table({"image": image, "text_color": texts, "text": ["a hat", "", "the sea"]})
    parquet.write_table(table, tmp_path / "data" / "train-00000-of-00001.parquet")
    found = open_photos([str(tmp_path)], tmp_path / "cache", 64, with_captions=True)
    assert found.captions == [["a red hat"], [], ["the sea"]]
    parquet.write_table(table.drop_columns("text_color"), tmp_path / "data" / "train-00000-of-00001.parquet")
    with pytest.raises(DataError, match="has no column text_color; it has: image, text"):
        open_photos([str(tmp_path)], tmp_path / "other", 64, with_captions=True)


def crops(store: PhotoStore, steps: list[int], **settings: Any) -> Crops:
    options: dict[str, Any] = {"seed": 0, "crop_scale": (0.4, 1.0), "crop_aspect": 1.3} | settings
    options = {"directions": DirectionMix(nothing_share=0.1)} | options
    return Crops(store, range(24), steps=steps, sizes_px=[32] * len(steps), batch_size=8, **options)


def test_a_batchs_directions_depend_on_seed_and_position_alone(store: PhotoStore) -> None:
    batch = crops(store, [0, 1, 2])[2]
    again, half = crops(store, [2])[0], crops(store, [2], process=(1, 2))[0]
    assert batch.directed is not None
    assert again.directed is not None
    assert half.directed is not None
    assert torch.equal(batch.photos, again.photos)
    assert all(torch.equal(*pair) for pair in zip(batch.directed[:2], again.directed[:2], strict=True))
    assert batch.directed.texts == again.directed.texts
    assert half.directed.texts == batch.directed.texts[1::2]
    torch.testing.assert_close(half.directed.hints, batch.directed.hints[1::2, : half.directed.hints.shape[1]])
    other = crops(store, [2], seed=1)[0]
    assert other.directed is not None
    assert other.directed.texts != batch.directed.texts
    assert crops(store, [2], directions=None)[0].directed is None


def test_words_are_of_their_own_picture(store: PhotoStore) -> None:
    """Without other hues and names, every text is one of the picture's captions: its color tells which it is."""
    mix = DirectionMix(nothing_share=0, words_share=1, hue_shift_share=0, named_colors_share=0)
    means = {tuple(store.photo(index).flatten(1)[:, 0].tolist()): index for index in range(24)}
    whole = crops(store, [0, 1, 2], directions=mix, crop_scale=(1.0, 1.0), crop_aspect=1.0)
    for batch in (whole[step] for step in range(3)):
        assert batch.directed is not None
        for photo, text in zip(batch.photos, batch.directed.texts, strict=True):
            (index,) = {means[key] for key in map(tuple, photo.flatten(1).T.tolist()) if key in means}
            captions = store.captions[index]
            assert text in captions if captions else text.startswith("Mainly ")


def test_scores_of_directions_are_the_same_every_time(store: PhotoStore, folder: Path) -> None:
    words = TextEncoder(folder / "words")
    model = lively_model().train()
    first = score_directed(model, store, range(4), 64, words)
    assert first == score_directed(model, store, range(4), 64, words)
    assert set(first) == {f"ciede2000_share_{name}" for name in ("named", "palette", "points_10", "points_100")}
    assert "ciede2000_share_named" not in score_directed(model, store, range(4), 64, None)


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["directions.words_share=2"], "directions.words_share must lie in 0..1, got 2"),
        (["directions.often=1"], "often"),
        (["text_encoder=null"], "directions.words_share needs text_encoder, the folder of one; or set it to 0"),
        (["directions=null"], "text_encoder is given, but the recipe has no directions: give it some"),
        (
            ["init_from=null", "architecture.decoder=unet"],
            "directions need architecture.decoder 'steered_unet'",
        ),
        (["architecture.decoder=unet"], "directions need decoder 'steered_unet', got 'unet'"),
        (
            ["directions=null", "text_encoder=null", "architecture.decoder=unet"],
            "the loss expected_error needs decoder 'steered_unet', got 'unet'",
        ),
        (["architecture.decoder_blocks=2"], "has another architecture than the recipe asks for"),
    ],
)
def test_recipes_that_contradict_themselves_are_refused(
    folder: Path, overrides: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([str(folder / "recipe.yaml"), *overrides, "--dry-run"]) == 2
    assert message in capsys.readouterr().err


def test_a_missing_text_encoder_stops_the_run(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(folder / "recipe.yaml"), "name=mute", f"text_encoder={folder / 'none'}"]) == 2
    assert "none holds no config.json; a text encoder has it" in capsys.readouterr().err


def test_a_steered_model_can_be_trained_further(folder: Path, tmp_path: Path) -> None:
    model = lively_model()
    save_colorizer(model, tmp_path)
    config = load_config(folder / "recipe.yaml", [f"init_from={tmp_path}"])
    again = build_model(config)
    torch.testing.assert_close(again.state_dict(), model.state_dict(), atol=1e-3, rtol=1e-3)


def loss_input(prediction: Tensor, log_mean: Tensor) -> LossInput:
    target = torch.zeros_like(prediction)
    raw = torch.cat([prediction, log_mean], dim=1)
    return LossInput(prediction, target, torch.full_like(log_mean, 50), 0.5, raw=raw)


def test_the_best_answer_is_the_mean_error() -> None:
    """Found by gradient descent on one number for all places."""
    torch.manual_seed(0)
    prediction = torch.rand(2, 2, 8, 8) * 0.3
    log_mean = torch.zeros((), requires_grad=True)
    optimizer = torch.optim.Adam([log_mean], lr=0.1)
    for _ in range(200):
        optimizer.zero_grad()
        LOSSES["expected_error"](loss_input(prediction, log_mean.expand(2, 1, 8, 8))).backward()
        optimizer.step()
    mean = torch.linalg.vector_norm(prediction, dim=1).mean()
    assert log_mean.exp().item() == pytest.approx(mean.item(), rel=0.01)


def test_the_prediction_is_not_pushed_by_what_is_expected_of_it() -> None:
    prediction = torch.rand(1, 2, 4, 4, requires_grad=True)
    log_mean = torch.zeros(1, 1, 4, 4, requires_grad=True)
    LOSSES["expected_error"](loss_input(prediction, log_mean)).backward()
    assert prediction.grad is None or not prediction.grad.any()
    assert log_mean.grad is not None
    assert log_mean.grad.abs().min() > 0


@pytest.mark.parametrize("log_mean", [-1e4, 0.0, 1e4])
def test_the_loss_stays_finite(log_mean: float) -> None:
    value = LOSSES["expected_error"](loss_input(torch.rand(1, 2, 4, 4), torch.full((1, 1, 4, 4), log_mean)))
    assert value.isfinite()
