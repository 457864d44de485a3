"""Training: recipes, photographs, losses, averaged weights, checkpoints, and the trainer as a process with a kill."""

import json
import math
import os
import shutil
import signal
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from autochrome.color import AB_SCALE, rgb_to_lab, split_lab
from autochrome.errors import DataError, ModelError, SettingError
from autochrome.models import Colorizer, ColorizerConfig, load_colorizer, save_colorizer
from training.checkpoint import list_checkpoints, load_checkpoint, save_checkpoint
from training.config import Phase, TrainConfig, describe_fields, load_config
from training.data import Crops, centre_square, open_photos, random_crop, split_photos
from training.ema import ema_decay, update_ema
from training.losses import LOSSES, LossInput
from training.train_gan import Schedule, build_model, main
from training.validation import score_model

ROOT = Path(__file__).parent.parent


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An archive of 40 small colour pictures (one colour and one gradient each) and one that is broken."""
    path = tmp_path_factory.mktemp("photos") / "photos.zip"
    rng = np.random.default_rng(0)
    with zipfile.ZipFile(path, "w") as archive:
        for index in range(40):
            ramp = np.linspace(0.2, 1, 48)[:, None, None] * rng.integers(60, 255, (1, 1, 3))
            pixels = np.broadcast_to(ramp, (48, 40 + index % 5, 3)).astype(np.uint8)
            with archive.open(f"set/{index:02}.png", "w") as member:
                Image.fromarray(pixels).save(member, format="PNG")
        archive.writestr("set/broken.png", b"\x89PNG\r\n\x1a\n nothing more")
        archive.writestr("metadata.jsonl", "{}\n")
    return path


@pytest.fixture(scope="module")
def recipe(photos: Path) -> Path:
    """A recipe of two phases, 18 steps in all, with a tiny network."""
    path = photos.parent / "tiny.yaml"
    architecture = {name: value for name, value in ColorizerConfig.tiny().to_dict().items() if name != "backbone"}
    phase = {"size_px": 32, "learning_rate": 0.01, "final_learning_rate": 0.001}
    phases = [
        phase | {"num_kimg": 0.024, "losses": {"smooth_l1_ab": 1.0}},
        phase | {"num_kimg": 0.048, "losses": {"ciede2000_ab": 1.0, "colorfulness_floor": 1.0}},
    ]
    values = {
        "name": "tiny", "photos": [str(photos)], "architecture": architecture, "phases": phases, "batch_size": 4,
        "validation_share": 0.2, "checkpoint_every_kimg": 0.008, "validate_every_kimg": 1.0, "warmup_steps": 2,
        "output_dir": str(photos.parent / "runs"), "cache_dir": str(photos.parent / "cache"), "frozen_stages": 1,
    }  # fmt: skip
    path.write_text(json.dumps(values))
    return path


def _run(recipe: Path, *arguments: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-W", "error", "-m", "training.train_gan", str(recipe), *arguments]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def test_resume_after_a_kill_gives_the_same_weights(recipe: Path) -> None:
    runs = recipe.parent / "runs"
    whole = _run(recipe, "name=whole")
    killed = _run(recipe, "name=killed", "warmup_steps=2")
    deadline = time.monotonic() + 120
    while not list_checkpoints(runs / "killed") and time.monotonic() < deadline:
        time.sleep(0.02)
    os.kill(killed.pid, signal.SIGKILL)
    killed.communicate()
    output, _ = whole.communicate(timeout=120)
    assert whole.returncode == 0, output
    # The kill may come late: go back to the second newest checkpoint, as if it had come earlier.
    assert list_checkpoints(runs / "killed")
    for checkpoint in list_checkpoints(runs / "killed")[1:]:
        shutil.rmtree(checkpoint)
    shutil.rmtree(runs / "killed" / "model", ignore_errors=True)
    resumed = _run(recipe, "name=killed", "--resume")
    output, _ = resumed.communicate(timeout=120)
    assert resumed.returncode == 0, output
    assert "resuming from" in output
    first, second = (runs / name / "model" / "model.safetensors" for name in ("whole", "killed"))
    assert first.read_bytes() == second.read_bytes()

    assert load_colorizer(runs / "whole" / "model").config == ColorizerConfig.tiny()
    assert [path.name for path in list_checkpoints(runs / "whole")] == ["checkpoint-16", "checkpoint-18"]
    lines = [json.loads(line) for line in (runs / "whole" / "log.jsonl").read_text().splitlines()]
    scores = [line for line in lines if line["kind"] == "validation"]
    assert scores[-1]["num_pictures"] == 72
    assert 0 < scores[-1]["ciede2000_share"] < 3
    with Image.open(runs / "whole" / "validation.png") as grid:
        assert grid.height == 3 * 32
    assert load_config(runs / "whole" / "recipe.yaml", []).name == "whole"
    assert list((runs / "whole" / "tensorboard").iterdir())


def test_two_processes_share_each_batch(recipe: Path) -> None:
    """The same script under `accelerate launch`: as many pictures in all, one log, one model."""
    launch = [sys.executable, "-m", "accelerate.commands.launch", "--cpu", "--num_processes", "2"]
    plain = ["--num_machines", "1", "--mixed_precision", "no", "--dynamo_backend", "no"]
    arguments = ["-m", "training.train_gan", str(recipe), "name=pair", "mixed_precision=fp32"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [*launch, *plain, *arguments], cwd=ROOT, env=environment, capture_output=True, text=True, timeout=180
    )
    assert done.returncode == 0, done.stderr
    runs = recipe.parent / "runs"
    lines = [json.loads(line) for line in (runs / "pair" / "log.jsonl").read_text().splitlines()]
    assert [line["num_pictures"] for line in lines if line["kind"] == "validation"] == [72], (
        "one process writes the log"
    )
    assert load_colorizer(runs / "pair" / "model").config == ColorizerConfig.tiny()


def test_a_second_run_does_not_overwrite_the_first(recipe: Path, capsys: pytest.CaptureFixture[str]) -> None:
    model = Colorizer(ColorizerConfig.tiny())
    folder = recipe.parent / "runs" / "taken"
    save_checkpoint(
        folder, step=3, model=model, averaged=model, optimizer=torch.optim.Adam(model.parameters()), recipe=""
    )
    assert main([str(recipe), "name=taken"]) == 2
    assert "holds checkpoints; go on from them with --resume" in capsys.readouterr().err


def test_a_loss_that_is_not_finite_stops_the_run(recipe: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["name=exploded", "phases.0.learning_rate=1e30", "warmup_steps=0", "max_gradient_norm=1e30"]
    assert main([str(recipe), *arguments]) == 2
    assert "the loss is" in capsys.readouterr().err


def test_dry_run_prints_the_resolved_recipe(recipe: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(recipe), "seed=7", "--dry-run"]) == 0
    output = capsys.readouterr().out
    assert "seed: 7" in output
    assert "18 steps" in output


@pytest.mark.parametrize("path", sorted((ROOT / "training" / "configs").glob("*.yaml")), ids=lambda path: path.stem)
def test_every_recipe_resolves(path: Path, photos: Path) -> None:
    config = load_config(path, [f"photos=[{photos}]", "backbone_weights=null"])
    assert config.name == path.stem
    assert build_model(config).size_multiple
    assert all(loss in LOSSES for phase in config.phases for loss in phase.losses)


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["batch=3"], "'batch'"),
        (["batch_size=many"], "'many'"),
        (["batch_size=0"], "batch_size must be above 0, got 0"),
        (["photos=???"], "leaves open: photos"),
        (["phases=[]"], "phases is empty"),
        (["phases.0.losses=null"], "losses"),
        (["mixed_precision=int8"], "mixed_precision must be one of auto, fp32, bf16, fp16; got 'int8'"),
        (["validation_share=1"], "validation_share must lie between 0 and 1"),
        (["crop_scale=[1.0,0.5]"], "crop_scale must be two rising shares"),
        (["init_from=a", "backbone_weights=b"], "contradict each other"),
    ],
)
def test_wrong_recipes_are_refused(recipe: Path, overrides: list[str], message: str) -> None:
    with pytest.raises(SettingError, match=message.replace("?", r"\?")):
        load_config(recipe, overrides)


def test_recipes_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no recipe at"):
        load_config(tmp_path / "absent.yaml", [])
    (tmp_path / "bad.yaml").write_text("a: [1, 2")
    with pytest.raises(DataError, match="is not valid YAML"):
        load_config(tmp_path / "bad.yaml", [])


def test_wrong_architectures_are_refused(recipe: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert main([str(recipe), "--dry-run", "phases.0.losses={magic: 1}"]) == 2
    assert main([str(recipe), "--dry-run", "phases.0.size_px=40"]) == 2
    assert main([str(recipe), "--dry-run", "architecture.wings=2"]) == 2
    assert main([str(recipe), "--dry-run", f"init_from={tmp_path}"]) == 2
    save_colorizer(Colorizer(ColorizerConfig.tiny()), tmp_path)
    assert main([str(recipe), "--dry-run", f"init_from={tmp_path}", "architecture.decoder_blocks=2"]) == 2
    errors = capsys.readouterr().err
    for message in (
        "no loss is called 'magic'", "size_px must be a multiple of 32, got 40", r"unknown: ['wings']",
        "holds no config.json", "has another architecture than the recipe asks for",
    ):  # fmt: skip
        assert message in errors


def test_training_starts_from_a_finished_model(recipe: Path, tmp_path: Path) -> None:
    save_colorizer(Colorizer(ColorizerConfig.tiny()), tmp_path)
    model = build_model(load_config(recipe, [f"init_from={tmp_path}"]))
    saved = load_colorizer(tmp_path)
    assert all(torch.equal(a, b) for a, b in zip(model.parameters(), saved.parameters(), strict=True))
    frozen = [parameter.requires_grad for parameter in model.backbone.stages[0].parameters()]
    assert not any(frozen)
    assert all(parameter.requires_grad for parameter in model.backbone.stages[1].parameters())


def test_help_has_a_sentence_for_every_field() -> None:
    text = describe_fields()
    for name, owner in [(n, c) for c in (TrainConfig, Phase) for n in c.__dataclass_fields__]:
        assert f"\n  {name}: " in f"\n{text}", (owner, name)
    assert text.count("\n      ") == len(TrainConfig.__dataclass_fields__) + len(Phase.__dataclass_fields__)


def test_schedule_falls_within_each_phase(recipe: Path) -> None:
    schedule = Schedule(load_config(recipe, ["phases.1.learning_rate=0.004"]))
    assert (schedule.num_steps, schedule.ends) == (18, [6, 18])
    assert [schedule.phase(step) is schedule.phases[1] for step in (5, 6, 17)] == [False, True, True]
    assert schedule.learning_rate(0) == pytest.approx(0.01 / 2)
    assert schedule.learning_rate(3) == pytest.approx(0.001 + 0.009 / 2)
    assert schedule.learning_rate(6) == pytest.approx(0.004)
    rates = [schedule.learning_rate(step) for step in range(6, 18)]
    assert rates == sorted(rates, reverse=True)


def test_photographs_are_decoded_once_and_bad_ones_listed(photos: Path, tmp_path: Path) -> None:
    store = open_photos([str(photos)], tmp_path, side_px=24)
    assert len(store) == 40
    assert min(store.photo(0).shape[1:]) == 24
    (cache,) = tmp_path.iterdir()
    assert "set/broken.png" in (cache / "rejected.txt").read_text()
    before = (cache / "pixels.bin").stat().st_mtime_ns
    again = open_photos([str(photos)], tmp_path, side_px=24)
    assert (cache / "pixels.bin").stat().st_mtime_ns == before
    assert torch.equal(again.photo(7), store.photo(7))
    folder = tmp_path / "folder"
    with zipfile.ZipFile(photos) as archive:
        archive.extractall(folder)
    unzipped = open_photos([str(folder)], tmp_path / "cache", side_px=24)
    assert unzipped.names == store.names
    assert torch.equal(unzipped.photo(39), store.photo(39))


def test_sources_without_photographs_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no photographs at"):
        open_photos([str(tmp_path / "absent.zip")], tmp_path / "cache", 24)
    (tmp_path / "text.zip").write_text("not an archive")
    with pytest.raises(DataError, match=r"is not a readable \.zip archive"):
        open_photos([str(tmp_path / "text.zip")], tmp_path / "cache", 24)
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="not one readable picture in"):
        open_photos([str(tmp_path / "empty")], tmp_path / "cache", 24)
    assert not list((tmp_path / "cache").glob("*/"))


def test_split_depends_on_names_alone() -> None:
    names = [f"{i}.png" for i in range(1000)]
    training, validation = split_photos(names, 0.1)
    assert sorted(training + validation) == list(range(1000))
    assert 60 < len(validation) < 140
    reverse, _ = split_photos(names[::-1], 0.1)
    assert {names[i] for i in training} == {names[::-1][i] for i in reverse}


def test_crops_depend_on_seed_and_position_alone(photos: Path, tmp_path: Path) -> None:
    store = open_photos([str(photos)], tmp_path, side_px=48)

    def crops(steps: list[int], seed: int = 0, process: tuple[int, int] = (0, 1)) -> Crops:
        return Crops(
            store, range(40), steps=steps, sizes_px=[32] * len(steps), batch_size=4, crop_scale=(0.4, 1.0),
            crop_aspect=1.3, seed=seed, process=process,
        )  # fmt: skip

    batch = crops([0, 1, 2])[2]
    assert batch.shape == (4, 3, 32, 32)
    assert torch.equal(batch, crops([2])[0])
    assert not torch.equal(batch, crops([2], seed=1)[0])
    assert torch.equal(batch[1::2], crops([2], process=(1, 2))[0])
    assert not torch.equal(crops([0])[0], crops([10])[0]), "the second epoch must crop anew"


@given(st.integers(0, 10**6), st.integers(1, 300), st.integers(1, 300), st.floats(0.05, 1), st.floats(1, 2))
def test_random_crops_lie_inside(seed: int, height: int, width: int, smallest: float, aspect: float) -> None:
    rng = np.random.default_rng(seed)
    top, left, crop_height, crop_width = random_crop(rng, (height, width), (smallest, 1.0), aspect)
    assert 0 <= top <= height - crop_height < height
    assert 0 <= left <= width - crop_width < width


def test_centre_square_keeps_the_middle() -> None:
    photo = torch.zeros(3, 20, 60, dtype=torch.uint8)
    photo[:, :, 20:40] = 200
    assert (centre_square(photo, 10) == 200).all()


def _loss_input(share: float = 0.5) -> LossInput:
    torch.manual_seed(0)
    lightness, ab = split_lab(rgb_to_lab(torch.rand(2, 3, 8, 8)))
    return LossInput(ab / AB_SCALE, ab / AB_SCALE, lightness, share)


@pytest.mark.parametrize("name", LOSSES)
@pytest.mark.parametrize("prediction", ["grey", "truth", "wild"])
def test_losses_have_finite_gradients(name: str, prediction: str) -> None:
    data = _loss_input()
    start = {"grey": torch.zeros_like(data.target), "truth": data.target, "wild": data.target * -2}[prediction]
    data.prediction = start.clone().requires_grad_()
    loss = LOSSES[name](data)
    loss.backward()
    assert loss.item() >= 0
    assert data.prediction.grad is not None
    assert data.prediction.grad.isfinite().all()


def test_losses_are_least_at_the_truth() -> None:
    data = _loss_input()
    for name, loss in LOSSES.items():
        assert loss(data).item() < 1e-3, name
    for name in ("mse_ab", "smooth_l1_ab", "ciede2000_ab", "colorfulness_floor"):
        grey = LossInput(torch.zeros_like(data.target), data.target, data.lightness, 0.5)
        assert LOSSES[name](grey).item() > 1e-2, name


def test_colorfulness_floor_is_a_floor() -> None:
    """Nothing above the aim, and pulled outwards below it."""
    data = _loss_input(share=0.5)
    data.prediction = data.target * 0.8
    assert LOSSES["colorfulness_floor"](data).item() == 0
    data.prediction = (data.target * 0.2).requires_grad_()
    LOSSES["colorfulness_floor"](data).backward()
    assert data.prediction.grad is not None
    assert (data.prediction.grad * data.target).sum() < 0


def test_averaged_weights_follow_the_formula() -> None:
    model, averaged = torch.nn.BatchNorm1d(2), torch.nn.BatchNorm1d(2)
    with torch.no_grad():
        model.weight.fill_(3.0)
        averaged.weight.fill_(1.0)
    model.state_dict()["num_batches_tracked"].fill_(9)
    update_ema(averaged, model, decay=0.75)
    assert averaged.weight.tolist() == [1.5, 1.5]
    assert averaged.state_dict()["num_batches_tracked"].item() == 9
    assert ema_decay(5.0, 10**9, 50) == pytest.approx(0.5 ** (50 / 5000))
    assert ema_decay(5.0, 2000, 50) == pytest.approx(0.5 ** (50 / 100))
    with pytest.raises(AssertionError, match="not the same network"):
        update_ema(averaged, torch.nn.Linear(2, 2), decay=0.5)


def test_checkpoint_of_another_architecture_is_refused(tmp_path: Path) -> None:
    model, other = Colorizer(ColorizerConfig.tiny()), torch.nn.Linear(2, 2)
    save_checkpoint(
        tmp_path, step=1, model=model, averaged=model, optimizer=torch.optim.Adam(model.parameters()), recipe=""
    )
    with pytest.raises(ModelError, match="another architecture than the recipe"):
        load_checkpoint(
            tmp_path / "checkpoint-1", model=other, averaged=other, optimizer=torch.optim.Adam(other.parameters())
        )


def test_validation_scores_the_constant_model(photos: Path, tmp_path: Path) -> None:
    """A model that predicts no colour scores as grey does: share 1, no colourfulness, better nowhere."""

    class Grey(torch.nn.Module):
        def forward(self, lightness: torch.Tensor) -> torch.Tensor:
            return torch.zeros(len(lightness), 2, lightness.shape[2] // 4, lightness.shape[3] // 4)

    store = open_photos([str(photos)], tmp_path, side_px=48)
    scores = score_model(Grey(), store, range(10), 32, torch.device("cpu"))
    assert scores.values["ciede2000_share"] == pytest.approx(1, abs=1e-3)
    assert scores.values["colorfulness_share"] < 0.01
    assert scores.values["better_than_grey"] <= 1
    assert scores.grid.shape == (3, 3 * 32, 8 * 32)
    assert not math.isnan(scores.values["ciede2000_share_at_0.5"])
