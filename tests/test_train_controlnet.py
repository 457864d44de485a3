"""The launcher of diffusers' example scripts, with a stand-in for them (stand_in_example.py): what it is given, what
becomes of its result, how it is stopped and resumed. The real scripts need torchvision; they were run by hand."""

import json
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from safetensors.torch import load_file
from small_datasets import write_dataset
from tiny_diffusion import make_base, make_controlnet

from autochrome.errors import AutochromeError, DataError, ModelError, SettingError
from autochrome.hub.model import model_files
from training.diffusion.joining import join
from training.diffusion.joining import main as join_main
from training.diffusion.options import script_options
from training.diffusion.plan import count_steps, make_plan
from training.diffusion.recipe import DiffusionRecipe, load_recipe
from training.diffusion.running import run
from training.train_controlnet import main

ROOT = Path(__file__).parent.parent
STAND_IN = Path(__file__).with_name("stand_in_example.py")
CONFIGS = sorted((ROOT / "training" / "configs").glob("*mini.yaml")) + sorted(
    (ROOT / "training" / "configs").glob("controlnet-sd15*.yaml")
)


@pytest.fixture(scope="module")
def rooms(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a base, a ControlNet that fits it, and a dataset of 10 and 3 pictures."""
    folder = tmp_path_factory.mktemp("launcher")
    make_controlnet(make_base(folder / "base"), folder / "controlnet")
    write_dataset(folder / "dataset", num_train=10, num_validation=3)
    return folder


def recipe_values(rooms: Path, output: Path) -> dict[str, Any]:
    return {
        "script": "controlnet",
        "script_path": str(STAND_IN),
        "output_dir": str(output / "run"),
        "pipeline_dir": str(output / "pipeline"),
        "dataset_dir": str(rooms / "dataset"),
        "cache_dir": str(rooms / "cache"),
        "captions": {"text": 1, "text_color": 2, "empty": 1},
        "launch": {"mixed_precision": "no", "num_cpu_threads_per_process": 1},
        "arguments": {
            "pretrained_model_name_or_path": str(rooms / "base"),
            "resolution": 64,
            "train_batch_size": 4,
            "max_train_steps": 60,
            "checkpointing_steps": 1,
            "learning_rate": 0.0001,
            "validation_prompt": ["a dog", "it's"],
        },
        "evaluation": {"num_pictures": 2, "steps": 1},
    }


@pytest.fixture
def recipe_file(rooms: Path, tmp_path: Path) -> Path:
    path = tmp_path / "recipe.yaml"
    path.write_text(json.dumps(recipe_values(rooms, tmp_path)), encoding="utf-8")
    return path


def plan_of(path: Path, *overrides: str, resume: bool = False) -> Any:
    recipe = load_recipe(path, list(overrides))
    return make_plan(recipe, Path(recipe.script_path or STAND_IN), resume=resume)


def test_a_run_is_stopped_resumed_and_described(recipe_file: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """Interrupted in the middle it stops its child; resumed it goes on; then come pipeline, measures and card."""
    run = recipe_file.parent / "run"
    command = [sys.executable, "-m", "training.train_controlnet", str(recipe_file)]
    launcher = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    deadline = time.monotonic() + 300
    while not (run / "checkpoint-3").is_dir() and launcher.poll() is None and time.monotonic() < deadline:
        time.sleep(0.02)
    launcher.send_signal(signal.SIGTERM)
    output, _ = launcher.communicate(timeout=120)
    assert launcher.returncode == 130, output
    assert "stopped; the same command with --resume goes on from the last checkpoint" in output
    assert "Steps: 3/60" in output
    assert "only 60 optimizer steps" in output
    first = json.loads((run / "seen.json").read_text(encoding="utf-8"))
    assert first["arguments"]["resume_from_checkpoint"] is None
    assert not (run / "config.json").exists()
    left = sorted(run.glob("checkpoint-*"))
    time.sleep(0.7)
    assert sorted(run.glob("checkpoint-*")) == left  # the script has stopped, too
    assert main([str(recipe_file)]) == 2
    assert "holds checkpoints; go on from them with --resume" in capfd.readouterr().err

    whole = max(int(path.parent.name.rsplit("-", 1)[1]) for path in run.glob("checkpoint-*/random_states_0.pkl"))
    (run / "checkpoint-99").mkdir()  # as a kill in the middle of writing leaves one
    assert main([str(recipe_file), "--resume"]) == 0
    out, err = capfd.readouterr()
    assert f"half a checkpoint, set aside: {run / 'incomplete-checkpoint-99'}" in err
    assert "Steps: 60/60" in err
    assert "L* of the raw output against the input's, 2 validation pictures: correlation" in out
    second = json.loads((run / "seen.json").read_text(encoding="utf-8"))
    assert second["begin"] == whole < 60
    assert second["arguments"] | {"resume_from_checkpoint": None} == first["arguments"]
    _check_what_the_script_saw(second)
    _check_what_is_left(recipe_file.parent)


def _check_what_the_script_saw(seen: dict[str, Any]) -> None:
    arguments = seen["arguments"]
    assert arguments["validation_prompt"] == ["a dog", "it's"]
    assert arguments["learning_rate"] == 0.0001
    assert arguments["caption_column"] == "captions"
    assert seen["sizes"] == [[64, 64]]
    assert seen["modes"] == ["RGB"]
    # Every third row has no plain caption.
    assert seen["captions"][0] == ["Red."] * 2 + [""]
    assert seen["captions"][1] == ["thing 1", "a blue thing 1", "a blue thing 1", ""]
    assert seen["drawn"] in seen["captions"][0]


def _check_what_is_left(folder: Path) -> None:
    report = json.loads((folder / "run" / "report.json").read_text(encoding="utf-8"))
    assert report["num_steps"] == 60
    assert report["dataset"] == {"name": "dataset", "num_pictures": 10}
    measured = report["measured"]
    assert measured["num_pictures"] == 2
    assert 5 < measured["ciede2000"]["grey"] < 60
    assert measured["ciede2000"]["no_prompt_share"] == pytest.approx(
        measured["ciede2000"]["no_prompt"] / measured["ciede2000"]["grey"], abs=1e-3
    )
    assert set(measured["condition"]) == {
        *("correlation", "correlation_shuffled", "mean_abs_error", "mean_abs_error_shuffled")
    }
    for name in ("run", "pipeline"):
        text = (folder / name / "README.md").read_text(encoding="utf-8")
        head = yaml.safe_load(text.split("---\n")[1])
        assert head["license"] == "apache-2.0"
        assert "base_model" not in head  # a folder of ours means nothing on the Hub
        assert head["model-index"][0]["results"][0]["metrics"][0]["value"] == measured["ciede2000"]["no_prompt"]
        assert "## Is the condition followed?" in text
        assert str(folder) not in text
    assert (folder / "run" / "validation.png").is_file()
    assert {"README.md", "model_index.json"} < set(model_files(folder / "pipeline"))  # it could be pushed as it is
    index = json.loads((folder / "pipeline" / "model_index.json").read_text(encoding="utf-8"))
    assert index["_class_name"] == "StableDiffusionControlNetPipeline"


def test_a_failing_script_gives_its_code_and_its_last_words(
    recipe_file: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert main([str(recipe_file), "arguments.seed=13"]) == 7
    message = capfd.readouterr().err.split("train_controlnet: error: ")[1]
    assert message == "stand_in_example.py ended with code 7:\n  the stand-in was told to fail\n"


def test_a_dry_run_prints_the_command_and_starts_nothing(recipe_file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    changes = ["arguments.gradient_checkpointing=true", "high_noise_share=0.25"]
    assert main([str(recipe_file), "--dry-run", *changes]) == 0
    out, err = capsys.readouterr()
    command = next(line for line in out.splitlines() if "accelerate_cli launch" in line)
    assert command.startswith(f"AUTOCHROME_HIGH_NOISE_SHARE=0.25 {sys.executable} "), "it can be copied as it is"
    assert "run_script.py" in command
    assert "--mixed_precision no --num_cpu_threads_per_process 1 --num_processes 1" in command
    assert "--validation_prompt 'a dog' 'it'\"'\"'s'" in command
    assert " --gradient_checkpointing " in command
    assert "10 pictures, 60 optimizer steps of 4, precision no" in out
    assert "warning: only 60 optimizer steps: ControlNets begin to follow their condition after 3,000" in err
    assert not (recipe_file.parent / "run").exists()


def test_several_processes_without_a_gpu(
    recipe_file: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """`accelerate launch --cpu` would start one, whatever it is asked for; each takes a batch of its own."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    plan = plan_of(recipe_file, "launch.num_processes=2", "launch.cpu=true")
    assert plan.batch_size == 8
    begin = plan.command.index("launch")
    options = plan.command[begin : plan.command.index(str(STAND_IN))]
    assert "--multi_gpu" in options
    assert "--cpu" not in options
    script = recipe_file.with_name("counting.py")
    script.write_text(
        "import accelerate, pathlib\n"
        "accelerator = accelerate.Accelerator()\n"
        "path = pathlib.Path(__file__).with_name(f'{accelerator.process_index} of {accelerator.num_processes}')\n"
        "path.write_text(accelerator.device.type)\n"
    )
    finished = run([*plan.command[:begin], *options, str(script)], plan.environment)
    assert finished.exit_code == 0, capfd.readouterr().err
    assert [path.read_text() for path in sorted(recipe_file.parent.glob("? of 2"))] == ["cpu", "cpu"]


def test_a_missing_package_stops_a_run_and_is_told_by_a_dry_one(
    recipe_file: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "bitsandbytes", None)  # wherever the tests run, it is not there
    eight_bit = "arguments.use_8bit_adam=true"
    assert main([str(recipe_file), eight_bit]) == 2
    sentence = "stand_in_example.py needs bitsandbytes, which is not installed: pip install bitsandbytes\n"
    assert f"train_controlnet: error: {sentence}" in capsys.readouterr().err
    assert main([str(recipe_file), eight_bit, "--dry-run"]) == 0
    assert f"train_controlnet: warning: {sentence}" in capsys.readouterr().err
    assert not (recipe_file.parent / "run").exists()


@pytest.mark.parametrize(
    ("overrides", "error", "message"),
    [
        (
            ["arguments.learning_rat=1"],
            SettingError,
            r"arguments.learning_rat: no such option; did you mean learning_r",
        ),
        (["arguments.qqq=1"], SettingError, r"arguments.qqq: no such option; it knows: caption_column, check"),
        (
            ["arguments.lr_scheduler=linear"],
            SettingError,
            r"lr_scheduler must be one of constant, cosine; got 'linear'",
        ),
        (["arguments.train_batch_size=few"], SettingError, r"train_batch_size must be of type int; got 'few'"),
        (["arguments.gradient_checkpointing=3"], SettingError, r"takes a flag: true or false; got 3"),
        (["arguments.seed=true"], SettingError, r"arguments.seed takes a value, not a flag; got True"),
        (["arguments.seed=[1,2]"], SettingError, r"arguments.seed takes one value; got \[1, 2\]"),
        (["arguments.output_dir=x"], SettingError, r"arguments.output_dir is set by the launcher; use output_dir"),
        (["arguments.push_to_hub=true"], SettingError, r"use `autochrome push-model FOLDER REPO_ID` afterwards"),
        (["arguments.caption_column=text"], SettingError, r"set by the launcher while prepare is true; use captions"),
        (["arguments.max_train_samples=11"], SettingError, r"max_train_samples is 11, but '.*' has 10 training"),
        (["launch.num_proceses=2"], SettingError, r"launch.num_proceses: no such option; did you mean num_processes"),
        (["launch.mixed_precision=bf17"], SettingError, r"launch.mixed_precision must be one of no, fp16, bf16"),
        (["dataset_dir=nowhere"], DataError, r"no dataset in 'nowhere': data/train-\*.parquet is missing"),
        (["arguments.conditioning_image_column=grey"], DataError, r"has no column grey; it has: image, conditioning"),
        (["arguments.pretrained_model_name_or_path=./no"], DataError, r"no base at './no'; arguments.pretrained_model"),
        (["init_from=./no"], DataError, r"no ControlNet in 'no': config.json is missing"),
        (["arguments.train_batch_size=0"], SettingError, r"arguments.train_batch_size must be at least 1, got 0"),
        (["launch.num_processes=two"], SettingError, r"launch.num_processes must be of type int; got 'two'"),
        (["pipeline_dir=tests"], DataError, r"'tests' holds no pipeline with a ControlNet, and one would replace it"),
        (
            ["arguments.pretrained_model_name_or_path=owner/name"],
            SettingError,
            r"pipeline_dir needs a base that is a folder here, and 'owner/name' is none; fetch it, or set pipeline_dir",
        ),
    ],
)
def test_what_cannot_run_is_refused_before_anything_starts(
    recipe_file: Path, overrides: list[str], error: type[AutochromeError], message: str
) -> None:
    with pytest.raises(error, match=message):
        plan_of(recipe_file, *overrides)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"script": "dreambooth"}, r"script must be one of controlnet, text_to_image; got 'dreambooth'"),
        ({"captions": {}}, r"captions leaves nothing to draw from"),
        ({"captions": {"txt": 1}}, r"captions: unknown txt; shares are given to text, text_color, empty"),
        ({"high_noise_share": 1.5}, r"high_noise_share must be from 0 to 1, got 1.5"),
        ({"teacher": "gan-stable"}, r"teacher_captions leaves nothing to draw from"),
        ({"teacher_captions": {"empty": 1}}, r"teacher_captions are for the pictures of a teacher; name one, or drop"),
        (
            {"teacher": "x", "teacher_captions": {"text_color": 1}},
            r"teacher_captions.text_color names the photograph's",
        ),
        ({"teacher": "x", "prepare": False}, r"a teacher colors the prepared copy only: set prepare=true, or drop"),
        ({"captions": {"text": 21}}, r"captions.text must be a whole number from 0 to 20, got 21"),
        ({"prepare": False}, r"captions are mixed in the prepared copy only: set prepare=true, or drop captions"),
        ({"arguments": {"resolution": 64}}, r"arguments.pretrained_model_name_or_path is missing"),
        ({"script": "text_to_image"}, r"pipeline_dir is for script 'controlnet'"),
        ({"evaluation": {"steps": 0}}, r"steps must be an integer from 1 to 100, got 0"),
        ({"evaluation": {"guidance_scale": 0.5}}, r"guidance_scale must be a number from 1.0 to 20.0, got 0.5"),
        ({"evaluation": {"num_pictures": 1}}, r"evaluation.num_pictures must be 0 or at least 2, got 1"),
        ({"arguments": {"pretrained_model_name_or_path": "x", "resolution": 65}}, r"must be a multiple of 8, got 65"),
        ({"epochs": 3}, r"Key 'epochs' not in 'DiffusionRecipe'"),
    ],
)
def test_a_wrong_recipe_is_a_sentence(rooms: Path, tmp_path: Path, change: dict[str, Any], message: str) -> None:
    path = tmp_path / "recipe.yaml"
    path.write_text(json.dumps(recipe_values(rooms, tmp_path) | change), encoding="utf-8")
    with pytest.raises(SettingError, match=message):
        load_recipe(path, [])


def test_a_script_without_a_condition_trains_no_controlnet(recipe_file: Path, tmp_path: Path) -> None:
    script = tmp_path / "train_text_to_image.py"
    script.write_text(STAND_IN.read_text(encoding="utf-8").replace("--conditioning_image_column", "--other"))
    with pytest.raises(SettingError, match="takes no conditioning image, so it trains no ControlNet"):
        plan_of(recipe_file, f"script_path={script}")


def test_the_dataset_itself_is_read_where_nothing_is_prepared(rooms: Path, tmp_path: Path) -> None:
    values = recipe_values(rooms, tmp_path) | {"prepare": False, "captions": {}}
    values["arguments"]["caption_column"] = "text_color"
    path = tmp_path / "recipe.yaml"
    path.write_text(json.dumps(values), encoding="utf-8")
    plan = plan_of(path)
    words = plan.command
    assert words[words.index("--dataset_name") + 1] == str(rooms / "dataset")
    assert words[words.index("--caption_column") + 1] == "text_color"
    with pytest.raises(DataError, match="has no column words; it has: image"):
        plan_of(path, "arguments.caption_column=words")
    assert any("no prompt is ever empty" in warning for warning in plan.warnings)


def test_training_starts_from_a_controlnet_that_fits(recipe_file: Path, rooms: Path, tmp_path: Path) -> None:
    words = plan_of(recipe_file, f"init_from={rooms / 'controlnet'}").command
    assert words[words.index("--controlnet_model_name_or_path") + 1] == str(rooms / "controlnet")
    other = shutil.copytree(rooms / "controlnet", tmp_path / "other")
    config = json.loads((other / "config.json").read_text(encoding="utf-8"))
    (other / "config.json").write_text(json.dumps(config | {"cross_attention_dim": 99}), encoding="utf-8")
    with pytest.raises(ModelError, match=r"does not fit the base .* its cross_attention_dim is 99, and 16 is needed"):
        plan_of(recipe_file, f"init_from={other}")


def test_steps_are_counted_as_the_scripts_count_them() -> None:
    values = {"train_batch_size": 4, "gradient_accumulation_steps": 16, "num_train_epochs": 3, "max_train_steps": None}
    assert count_steps(values, 50_000, 1) == 3 * 782
    assert count_steps(values, 50_000, 2) == 3 * 391
    assert count_steps(values | {"max_train_steps": 9}, 50_000, 2) == 9


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_the_recipes_are_whole(path: Path) -> None:
    recipe: DiffusionRecipe = load_recipe(path, [])
    assert len(CONFIGS) == 4
    assert (recipe.license == "creativeml-openrail-m") is ("sd15" in path.stem)
    if recipe.script == "controlnet":
        known = set(script_options(STAND_IN)) | {
            *("lr_warmup_steps", "checkpoints_total_limit", "dataloader_num_workers", "allow_tf32"),
            *("set_grads_to_none", "enable_xformers_memory_efficient_attention"),
        }
        assert set(recipe.arguments) <= known
        share = recipe.arguments.get("proportion_empty_prompts", 0)
        assert share > 0 or recipe.captions.get("empty", 0) > 0  # else there is no automatic mode


def test_joined_parts_are_a_pipeline_in_float16(rooms: Path, tmp_path: Path) -> None:
    folder = tmp_path / "joined"
    for _ in range(2):  # an older one is replaced
        assert join_main([str(rooms / "base"), str(rooms / "controlnet"), str(folder)]) == 0
    assert sorted(path.name for path in tmp_path.iterdir()) == ["joined"]
    for part, name in (("unet", "diffusion_pytorch_model"), ("controlnet", "diffusion_pytorch_model"),
                       ("vae", "diffusion_pytorch_model"), ("text_encoder", "model")):  # fmt: skip
        origin = rooms / "controlnet" if part == "controlnet" else rooms / "base" / part
        before, after = (load_file(place / f"{name}.safetensors") for place in (origin, folder / part))
        assert before.keys() == after.keys()
        for key, value in before.items():
            assert torch.equal(after[key], value.half() if value.is_floating_point() else value)
    assert (folder / "tokenizer" / "vocab.json").is_file()


def test_parts_that_cannot_be_joined_are_refused(
    rooms: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(ModelError, match=r"holds no model_index.json; a diffusion model is a folder as"):
        join(tmp_path, rooms / "controlnet", tmp_path / "out")
    with pytest.raises(DataError, match="holds no pipeline with a ControlNet, and one would replace it; name another"):
        join(rooms / "base", rooms / "controlnet", rooms / "base")
    damaged = shutil.copytree(rooms / "base", tmp_path / "damaged")
    (damaged / "model_index.json").write_text('{"vae": 1', encoding="utf-8")
    with pytest.raises(ModelError, match=r"model_index.json' is damaged .*; copy or train the base again"):
        join(damaged, rooms / "controlnet", tmp_path / "out")
    shutil.rmtree(damaged)
    weights = tmp_path / "weights"
    shutil.copytree(rooms / "controlnet", weights)
    (weights / "diffusion_pytorch_model.safetensors").write_bytes(b"no weights")
    with pytest.raises(ModelError, match="is damaged"):
        join(rooms / "base", weights, tmp_path / "out")
    (weights / "diffusion_pytorch_model.safetensors").unlink()
    with pytest.raises(ModelError, match=r"holds no diffusion_pytorch_model.safetensors; weights are loaded from safe"):
        join(rooms / "base", weights, tmp_path / "out")
    assert join_main([str(rooms / "base"), str(weights), str(tmp_path / "out")]) == 2
    assert "joining: error: " in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["weights"]
