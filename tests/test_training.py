"""Training: recipes, schedules, averaged weights, checkpoints, and the trainer as a process that is killed."""

import json
import math
import os
import re
import shutil
import subprocess
import sys
import time
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file
from torch.nn.utils.parametrizations import spectral_norm

from autochrome.errors import DataError, ModelError, SettingError
from autochrome.models import Colorizer, ColorizerConfig, load_colorizer, save_colorizer
from training.checkpoint import list_checkpoints, load_checkpoint, save_checkpoint
from training.config import SECTIONS, describe_fields, load_config
from training.data import open_photos
from training.ema import ema_decay, update_ema
from training.schedule import Schedule
from training.train_gan import build_adversary, build_model, build_optimizer, main
from training.validation import score_model

ROOT = Path(__file__).parent.parent
CONFIGS = sorted((ROOT / "training" / "configs").glob("*.yaml"))
RECIPES = [path for path in CONFIGS if "\nphases:" in path.read_text(encoding="utf-8")]
"""Those of this trainer; others have tests of their own."""
TINY = ColorizerConfig.tiny().to_dict()


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
    """A recipe of all three stages (steps 0 to 11, 12 to 19, 20 to 31) with tiny networks."""
    path = photos.parent / "tiny.yaml"
    phase = {"size_px": 32, "learning_rate": 0.01, "final_learning_rate": 0.001}
    phases = [
        phase | {"num_kimg": 0.024, "losses": {"smooth_l1_ab": 1.0}},
        phase | {"num_kimg": 0.024, "losses": {"ciede2000_ab": 1.0, "colorfulness_floor": 1.0}},
        phase | {"num_kimg": 0.032, "stage": "discriminator"},
        phase | {
            "num_kimg": 0.048, "stage": "adversarial", "losses": {"smooth_l1_ab": 1.0}, "adversarial_weight": 0.5,
            "feature_matching_weight": 0.1,
        },
    ]  # fmt: skip
    values = {
        "name": "tiny", "photos": [str(photos)], "architecture": TINY, "phases": phases, "batch_size": 4,
        "discriminator": {"kind": "multiscale", "channels": 8, "num_halvings": 1, "num_scales": 1},
        "snapshot_every_kimg": 0.024, "num_snapshot_pictures": 3, "validation_share": 0.2,
        "checkpoint_every_kimg": 0.008, "validate_every_kimg": 0.048, "warmup_steps": 2,
        "output_dir": str(photos.parent / "runs"), "cache_dir": str(photos.parent / "cache"), "frozen_stages": 1,
    }  # fmt: skip
    path.write_text(json.dumps(values))
    return path


GENERATOR_ONLY = [
    "discriminator=null",
    "phases.2={stage: generator, losses: {mse_ab: 1.0}}",
    "phases.3={stage: generator, adversarial_weight: 0, feature_matching_weight: 0}",
]
"""Overrides that leave the generator's stage alone."""
PHASE = "size_px: 32, num_kimg: 1, learning_rate: 1, final_learning_rate: 1"


def _run(recipe: Path, *arguments: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-W", "error", "-m", "training.train_gan", str(recipe), *arguments]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def _steps(folder: Path) -> list[int]:
    return [int(path.name.rsplit("-", 1)[1]) for path in list_checkpoints(folder)]


STAGES = {"generator": range(2, 12), "discriminator": range(12, 20), "killed": range(22, 32)}
PARTS = ("model", "averaged", "optimizer", "discriminator", "discriminator_optimizer")


def _kill_in_the_last_stage(process: subprocess.Popen[str], runs: Path) -> None:
    """Follow the run `killed`, put a checkpoint of each earlier stage aside as a run of its own, kill in the last one.

    Old checkpoints soon vanish; one that does while it is copied gives way to the next of its stage.
    """
    deadline = time.monotonic() + 300
    while process.poll() is None and time.monotonic() < deadline:
        for stage, steps in STAGES.items():
            newest = max(set(_steps(runs / "killed")) & set(steps), default=None)
            if newest is not None and not (runs / stage).is_dir():
                try:
                    shutil.copytree(runs / "killed" / f"checkpoint-{newest}", runs / "partial" / f"checkpoint-{newest}")
                    (runs / "partial").rename(runs / stage)
                except (shutil.Error, OSError):
                    shutil.rmtree(runs / "partial", ignore_errors=True)
        if newest is not None:
            break
        time.sleep(0.01)
    process.kill()
    output, _ = process.communicate()
    shutil.rmtree(runs / "killed" / "checkpoint-32", ignore_errors=True)  # the kill came late: go back
    for stage, steps in STAGES.items():
        assert set(_steps(runs / stage)) & set(steps), f"no checkpoint in stage {stage}: {output}"


def test_resume_after_a_kill_gives_the_same_weights(recipe: Path) -> None:
    """From each stage: every network, both optimizers, the scores of the snapshots and the choice are the same."""
    runs = recipe.parent / "runs"
    with _run(recipe, "name=whole") as whole, _run(recipe, "name=killed") as killed:  # the photographs decoded by both
        _kill_in_the_last_stage(killed, runs)
        output, _ = whole.communicate(timeout=300)
    assert whole.returncode == 0, output
    assert "->" in output, "no table of snapshots"
    for stage in STAGES:
        assert main([str(recipe), f"name={stage}", "--resume"]) == 0
        for name in ("model/model.safetensors", *(f"checkpoint-32/{part}.safetensors" for part in PARTS)):
            assert (runs / stage / name).read_bytes() == (runs / "whole" / name).read_bytes(), (stage, name)
        choices = [json.loads((runs / name / "snapshots.json").read_text()) for name in (stage, "whole")]
        assert choices[0] == choices[1]

    folder = runs / "whole"
    assert load_colorizer(folder / "model").config == load_colorizer(folder / "snapshots" / "20").config
    assert _steps(folder) == [30, 32]
    assert load_config(folder / "recipe.yaml", []).name == "whole"
    assert list((folder / "tensorboard").iterdir())
    with Image.open(folder / "validation.png") as grid:
        assert grid.height == 3 * 32
    _check_log([json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()])
    _check_choice(folder)


def _check_log(lines: list[dict[str, Any]]) -> None:
    scores = [line for line in lines if line["kind"] == "validation"]
    assert [line["num_pictures"] for line in scores] == [48, 96, 128]
    assert 0 < scores[-1]["ciede2000_share"] < 3
    trained = {line["step"]: line for line in lines if line["kind"] == "train"}
    assert {"smooth_l1_ab", "loss", "rate"} < trained[0].keys()
    assert {"discriminator", "told_apart"} < trained[12].keys()
    assert not {"smooth_l1_ab", "adversarial"} & trained[12].keys()
    assert {"discriminator", "adversarial", "feature_matching", "smooth_l1_ab"} < trained[31].keys()
    assert all(line["pictures_per_s"] > 0 and line["peak_memory_mb"] > 50 for line in trained.values())


def _check_choice(folder: Path) -> None:
    """The chosen snapshot's weights are those of `model/`; the first is what the generator's stage ended with."""
    choice = json.loads((folder / "snapshots.json").read_text())
    assert [row["step"] for row in choice["snapshots"]] == [20, 26, 32]
    assert choice["chosen"] == min(choice["snapshots"], key=lambda row: row["score"])["step"]
    assert choice["frechet"] == "frechet_mobilenet_v2"
    chosen = folder / "snapshots" / str(choice["chosen"]) / "model.safetensors"
    assert chosen.read_bytes() == (folder / "model" / "model.safetensors").read_bytes()


def test_two_processes_share_each_batch(recipe: Path) -> None:
    """The same script under `accelerate launch`: as many pictures in all, one log, one model."""
    # With --cpu, accelerate would start one process; `multi_gpu` is its word for torchrun.
    launch = [sys.executable, "-m", "accelerate.commands.launch", "--multi_gpu", "--num_processes", "2"]
    plain = ["--num_machines", "1", "--mixed_precision", "no", "--dynamo_backend", "no"]
    arguments = ["-m", "training.train_gan", str(recipe), "name=pair", "mixed_precision=fp32"]
    arguments += ["validate_every_kimg=1", "snapshot_every_kimg=1"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "ACCELERATE_USE_CPU": "true"}
    done = subprocess.run(
        [*launch, *plain, *arguments], cwd=ROOT, env=environment, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr
    assert "2 processes, " in done.stdout, "not one that took the whole batch"
    runs = recipe.parent / "runs"
    lines = [json.loads(line) for line in (runs / "pair" / "log.jsonl").read_text().splitlines()]
    assert [line["num_pictures"] for line in lines if line["kind"] == "validation"] == [128], (
        "one process writes the log"
    )
    assert json.loads((runs / "pair" / "snapshots.json").read_text())["chosen"] in (20, 32)


def test_a_second_run_does_not_overwrite_the_first(recipe: Path, capsys: pytest.CaptureFixture[str]) -> None:
    model = Colorizer(ColorizerConfig.tiny())
    folder = recipe.parent / "runs" / "taken"
    save_checkpoint(folder, step=3, networks={"model": model}, optimizers={}, recipe="")
    assert main([str(recipe), "name=taken"]) == 2
    assert "holds checkpoints; go on from them with --resume" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["phases.0.learning_rate=1e30"], r"step \d+, phases\[0\] \(generator\): the .* is (nan|inf)"),
        (["phases.2.learning_rate=1e30"], r"phases\[2\] \(discriminator\): the (discriminator|gradient of the disc)"),
        (["phases.3.adversarial_weight=1e39"], r"step 20, phases\[3\] \(adversarial\): the (loss|gradient of the gen)"),
    ],
)
def test_a_value_that_is_not_finite_stops_the_run(
    recipe: Path, overrides: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """It says where, and the checkpoint that is left can be loaded and holds numbers alone."""
    name = f"exploded-{message[-4:].strip(')')}"
    arguments = [f"name={name}", "warmup_steps=0", "max_gradient_norm=1e30", "validate_every_kimg=1", *overrides]
    assert main([str(recipe), *arguments]) == 2
    error = capsys.readouterr().err
    assert re.search(message, error)
    assert "the last checkpoint is kept: lower the learning rates" in error
    for checkpoint in list_checkpoints(recipe.parent / "runs" / name):
        model = Colorizer(ColorizerConfig.tiny())
        load_checkpoint_parts(checkpoint, model)
        assert all(value.isfinite().all() for value in model.state_dict().values())


def load_checkpoint_parts(checkpoint: Path, model: Colorizer) -> None:
    """Put a checkpoint's `model` alone into a network."""
    model.load_state_dict(load_file(checkpoint / "model.safetensors"))


def test_dry_run_prints_the_resolved_recipe(recipe: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(recipe), "seed=7", "--dry-run"]) == 0
    output = capsys.readouterr().out
    assert "seed: 7" in output
    assert "32 steps" in output


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_every_recipe_resolves(path: Path, photos: Path) -> None:
    open_entries = {"text_encoder": "folder", "init_from": str(ROOT / "autochrome" / "weights" / "gan-artistic")}
    text = path.read_text(encoding="utf-8")
    given = [f"{name}={value}" for name, value in open_entries.items() if f"{name}: ???" in text]
    config = load_config(path, [f"photos=[{photos}]", "backbone_weights=null", *given])
    assert config.name == path.stem
    model = build_model(config)
    assert model.size_multiple
    assert (build_adversary(config, model) is None) == (config.discriminator is None)


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
        (["phases.0.losses={magic: 1}"], r"phases\[0\].losses: no loss is called 'magic'; there are: mse_ab"),
        (["phases.0.losses={classification: 1}"], "classification needs architecture.head 'bins'"),
        (["split_counts=[3, 1]"], "split_counts must be empty or three numbers"),
        (["augmentation.contrast=0.5"], "augmentation.contrast is a factor of at least 1"),
        (["photo_filters.max_brightness=101"], "max_brightness must rise within 0..100"),
        (["gan_loss=wasserstein"], "gan_loss must be one of hinge, least_squares, logistic; got 'wasserstein'"),
        (["snapshot_every_kimg=0"], "snapshot_every_kimg must be above 0, got 0"),
        (["discriminator.kind=shallow"], "discriminator.kind must be one of patch, multiscale, deep; got 'shallow'"),
        (["discriminator.normalization=batch"], "discriminator.normalization must be one of spectral, instance, none"),
        (["discriminator.channels=0"], "discriminator.channels must be above 0"),
        (["discriminator=null"], r"phases\[2\] has stage 'discriminator', but the recipe has no discriminator"),
        (["phases.0.stage=critic"], r"phases\[0\].stage must be one of generator, discriminator, adversarial"),
        ([f"phases=[{{{PHASE}}}]"], r"phases\[0\].losses is empty"),
        (["phases.2.losses={mse_ab: 1}"], r"phases\[2\].losses are the generator's, which stands still"),
        (["phases.3.adversarial_weight=0"], r"phases\[3\].adversarial_weight must be above 0 in stage 'adversarial'"),
        (["phases.1.adversarial_weight=1"], r"phases\[1\].adversarial_weight belongs to stage 'adversarial'"),
        (["phases.0.discriminator_learning_rate=1"], r"phases\[0\].discriminator_learning_rate belongs to stage"),
        (["discriminator.kind=patch"], "feature_matching_weight needs discriminator.kind 'multiscale', got 'patch'"),
        (["phases.3.feature_matching_weight=-1"], "feature_matching_weight must not be below 0"),
        ([f"phases=[{{stage: discriminator, {PHASE}}}, {{stage: adversarial, adversarial_weight: 1, {PHASE}}}]"],
         "nothing has trained a generator yet"),
        ([*GENERATOR_ONLY[1:]], "discriminator is given, but no phase has stage"),
        ([f"phases=[{{losses: {{mse_ab: 1}}, {PHASE}}}, {{stage: discriminator, {PHASE}}}]"],
         "the last phase has stage 'discriminator'"),
    ],
)  # fmt: skip
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
    assert main([str(recipe), "--dry-run", "phases.0.size_px=40"]) == 2
    assert main([str(recipe), "--dry-run", "architecture.wings=2"]) == 2
    assert main([str(recipe), "--dry-run", f"init_from={tmp_path}"]) == 2
    save_colorizer(Colorizer(ColorizerConfig.tiny()), tmp_path)
    assert main([str(recipe), "--dry-run", f"init_from={tmp_path}", "architecture.decoder_blocks=2"]) == 2
    classes = ["phases.0.losses={classification: 1}", "architecture={}"]
    assert main([str(recipe), "--dry-run", f"init_from={tmp_path}", *classes]) == 2
    assert main([str(recipe), "--dry-run", "discriminator.num_halvings=3"]) == 2
    errors = capsys.readouterr().err
    for message in (
        "size_px must be a multiple of 32, got 40", r"unknown: ['wings']",
        "the loss classification needs a model with head 'bins', got head 'ab'",
        "at size_px 32 the model's output is 8 pixels wide, and this discriminator needs 24: raise size_px",
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


def test_everything_that_may_learn_is_in_the_optimizer(recipe: Path) -> None:
    config = load_config(recipe, ["backbone_learning_rate_scale=0.3", "architecture.fusion=true"])
    model = build_model(config)
    groups = build_optimizer(model, config).param_groups
    scales = {id(parameter): group["scale"] for group in groups for parameter in group["params"]}
    for name, parameter in model.named_parameters():
        expected = (0.3 if name.startswith("backbone.") else 1.0) if parameter.requires_grad else None
        assert scales.get(id(parameter)) == expected, name


def test_help_has_a_sentence_for_every_field() -> None:
    text = describe_fields()
    for name, owner in [(n, c) for c in SECTIONS for n in c.__dataclass_fields__]:
        assert f"\n  {name}: " in f"\n{text}", (owner, name)
    assert text.count("\n      ") == sum(len(section.__dataclass_fields__) for section in SECTIONS)


def test_schedule_falls_within_each_phase(recipe: Path) -> None:
    schedule = Schedule(load_config(recipe, ["phases.1.learning_rate=0.004", "phases.1.num_kimg=0.048"]))
    assert (schedule.num_steps, schedule.ends) == (38, [6, 18, 26, 38])
    assert [schedule.phase(step) is schedule.phases[1] for step in (5, 6, 17, 18)] == [False, True, True, False]
    assert schedule.learning_rate(0) == pytest.approx(0.01 / 2)
    assert schedule.learning_rate(3) == pytest.approx(0.001 + 0.009 / 2)
    assert schedule.learning_rate(6) == pytest.approx(0.004)
    rates = [schedule.learning_rate(step) for step in range(6, 18)]
    assert rates == sorted(rates, reverse=True)


def test_discriminators_have_rates_of_their_own(recipe: Path) -> None:
    config = load_config(recipe, [])
    schedule = Schedule(config)
    assert schedule.discriminator_learning_rate(12) == schedule.learning_rate(12) == pytest.approx(0.01)
    assert schedule.discriminator_learning_rate(20) == pytest.approx(0.05)
    config.phases[3].discriminator_learning_rate = 0.02
    assert schedule.discriminator_learning_rate(26) == pytest.approx(2 * schedule.learning_rate(26))
    assert [step for step in range(32) if schedule.adversary_enters(step)] == [20]


def test_snapshots_run_from_the_first_adversarial_step_to_the_end(recipe: Path) -> None:
    schedule = Schedule(load_config(recipe, []))
    assert schedule.snapshot_steps(0.016, 40) == [20, 24, 28, 32]
    assert schedule.snapshot_steps(0.02, 40) == [20, 25, 30, 32]
    assert schedule.snapshot_steps(None, 40) == list(range(20, 33))
    assert schedule.snapshot_steps(None, 24_000) == [20, 26, 32]
    assert Schedule(load_config(recipe, GENERATOR_ONLY)).snapshot_steps(0.016, 40) == []
    joint = Schedule(load_config(recipe, [f"phases.{i}={{stage: adversarial, adversarial_weight: 1}}" for i in (0, 1)]
                                 + ["phases.2={stage: generator, losses: {mse_ab: 1}}"]))  # fmt: skip
    assert joint.snapshot_steps(0.024, 40) == [0, 6, 12, 26, 32]
    assert [step for step in range(32) if joint.adversary_enters(step)] == [0, 20]


def test_averaged_weights_follow_the_formula() -> None:
    model, averaged = torch.nn.BatchNorm1d(2), torch.nn.BatchNorm1d(2)
    with torch.no_grad():
        model.weight.fill_(3.0)
        averaged.weight.fill_(1.0)
    model.state_dict()["num_batches_tracked"].fill_(9)
    update_ema(averaged, model, decay=0.75)
    assert averaged.weight.tolist() == [1.5, 1.5]
    assert averaged.state_dict()["num_batches_tracked"].item() == 9
    normalized, mean = (spectral_norm(torch.nn.Linear(3, 3)) for _ in range(2))
    update_ema(mean, normalized, decay=0.75)
    for name, value in normalized.state_dict().items():
        assert torch.equal(mean.state_dict()[name], value) == name.endswith(("._u", "._v")), name
    assert ema_decay(5.0, 10**9, 50) == pytest.approx(0.5 ** (50 / 5000))
    assert ema_decay(5.0, 2000, 50) == pytest.approx(0.5 ** (50 / 100))
    with pytest.raises(AssertionError, match="not the same network"):
        update_ema(averaged, torch.nn.Linear(2, 2), decay=0.5)


def test_checkpoints_of_other_networks_are_refused(tmp_path: Path) -> None:
    model, other = Colorizer(ColorizerConfig.tiny()), torch.nn.Linear(2, 2)
    optimizers = {"optimizer": torch.optim.Adam(model.parameters())}
    path = save_checkpoint(tmp_path, step=1, networks={"model": model}, optimizers=optimizers, recipe="")
    with pytest.raises(ModelError, match="another architecture than the recipe: model: Missing key"):
        load_checkpoint(path, networks={"model": other}, optimizers=optimizers)
    with pytest.raises(ModelError, match=r"holds model, optimizer, but the recipe needs discriminator, model, opt"):
        load_checkpoint(path, networks={"model": model, "discriminator": other}, optimizers=optimizers)


def test_only_the_newest_checkpoints_stay(tmp_path: Path) -> None:
    for step in (2, 10, 4):
        save_checkpoint(tmp_path, step=step, networks={"model": torch.nn.Linear(1, 1)}, optimizers={}, recipe="")
    assert _steps(tmp_path) == [4, 10]


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
