"""A ControlNet of a person's own, at every door: Python, the command line, the environment, the Hub."""

import json
import subprocess
import sys
from pathlib import Path, PurePosixPath
from typing import Any

import PIL.Image
import pytest
import torch
from diffusers import ControlNetModel
from loopback_hub import Blob, Fault, Hub, Repo, serve_hub
from model_folders import write_card
from tiny_diffusion import make_base, make_controlnet, make_pipeline

from autochrome import load_pipeline
from autochrome.catalog import load_catalog
from autochrome.catalog.own_parts import BASE_VARIABLE, CONTROLNET_VARIABLE, OwnParts
from autochrome.cli import main
from autochrome.cli.coloring import Order
from autochrome.errors import DataError, ModelError, SettingError, UnavailableError
from autochrome.hub.model import model_files
from autochrome.inputs import Item
from autochrome.pipelines import DiffusionPipeline

ROOT = Path(__file__).parent.parent
ROW = "controlnet-sd15"
DRIVER = """
import json, sys
from pathlib import Path
from autochrome.errors import AutochromeError
import PIL.Image

def push(folder, repo_id):
    from autochrome.hub.model import push_model
    return {"commit": push_model(Path(folder), repo_id).commit}

def load(model, **options):
    from autochrome import load_pipeline
    pipe = load_pipeline(model, device="cpu", **options)
    out = pipe(PIL.Image.new("RGB", (40, 40), "grey"), steps=1)
    return {"model_id": pipe.model_id, "ab": out.ab.flatten()[:4].tolist()}

def here(repo_id, commit, kind):
    from autochrome.hub.diffusion import CONTROLNET_FILES, DIFFUSION_FILES
    from autochrome.hub.model import is_cached, pull_model
    files = {"controlnet": CONTROLNET_FILES, "base": DIFFUSION_FILES}.get(kind)
    pulled = pull_model(repo_id, commit, files)
    found = {path.relative_to(pulled.folder).as_posix() for path in pulled.folder.rglob("*") if path.is_file()}
    return {"cached": is_cached(repo_id, commit, files), "files": sorted(found)}

said = []
for command, arguments, options in json.loads(sys.argv[1]):
    try:
        said.append(globals()[command](*(one.format(said=said) for one in arguments), **options))
    except AutochromeError as error:
        said.append(f"{type(error).__name__}: {error}")
print(json.dumps(said))
"""


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folders: `base`, a ControlNet `grey` for it, `other`, which does not fit, and `whole`."""
    folder = tmp_path_factory.mktemp("models")
    base = make_base(folder / "base")
    make_controlnet(base, folder / "grey")
    make_pipeline(folder / "whole")
    ControlNetModel(
        block_out_channels=(8, 16),
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
        layers_per_block=1,
        cross_attention_dim=24,
        attention_head_dim=2,
        norm_num_groups=4,
        conditioning_embedding_out_channels=(4, 4, 8, 8),
    ).save_pretrained(folder / "other")
    return folder


@pytest.fixture(autouse=True)
def no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(CONTROLNET_VARIABLE, raising=False)
    monkeypatch.delenv(BASE_VARIABLE, raising=False)


def test_python_takes_folders(models: Path, grey_photo: Path) -> None:
    pipe = load_pipeline(ROW, controlnet=models / "grey", base=models / "base", device="cpu")
    assert isinstance(pipe, DiffusionPipeline)
    assert pipe.model_id == "controlnet-sd15@grey,base", "another ControlNet, another name in a picture's metadata"
    assert pipe.settings["steps"].default == 20
    out = pipe(grey_photo, steps=1)
    assert out.images[0].size == (203, 131)
    assert json.loads(out.metadata()["Settings"])["negative_prompt"] == "black and white photo, sepia"


def test_the_environment_names_them_too(models: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(CONTROLNET_VARIABLE, str(models / "grey"))
    monkeypatch.setenv(BASE_VARIABLE, f" {models / 'base'} ")
    assert load_pipeline(ROW, device="cpu").model_id == "controlnet-sd15@grey,base"
    with pytest.raises(ModelError, match="its cross_attention_dim is 24, and 16 is needed"):
        load_pipeline(ROW, controlnet=models / "other", device="cpu")  # an argument goes before the environment


def test_the_row_is_visible_with_the_reason(monkeypatch: pytest.MonkeyPatch, models: Path) -> None:
    row = load_catalog()[ROW]
    told = row.to_dict()
    assert told["source"]["repo_id"] == "stable-diffusion-v1-5/stable-diffusion-v1-5"
    assert len(told["source"]["revision"]) == 40
    if not torch.cuda.is_available():
        assert (told["available"], told["reason"]) == (False, "It needs a GPU, and there is none here.")
        with pytest.raises(UnavailableError, match="model controlnet-sd15 is not available: It needs a GPU"):
            load_pipeline(ROW, controlnet=models / "grey", base=models / "base")
    with pytest.raises(
        UnavailableError, match="It needs a ControlNet of yours, a folder or a repository of the Hub: --co"
    ):
        load_pipeline(ROW, device="cpu")
    assert row.unavailable_reason("cpu", OwnParts("grey", "base")) is None
    monkeypatch.setenv(CONTROLNET_VARIABLE, "somebody/controlnet")
    assert row.unavailable_reason("cpu") is None


def test_bad_parts_are_told(models: Path) -> None:
    with pytest.raises(
        SettingError, match="the controlnet of controlnet-sd15 must be a folder, or a repository of the H"
    ):
        load_pipeline(ROW, controlnet="no such folder", base=models / "base", device="cpu")
    with pytest.raises(
        ModelError, match=r"does not fit the base in .*: its cross_attention_dim is 24, and 16 is needed"
    ):
        load_pipeline(ROW, controlnet=models / "other", base=models / "base", device="cpu")
    with pytest.raises(ModelError, match=r"holds no model_index.json; a diffusion model is a folder"):
        load_pipeline(ROW, controlnet=models / "grey", base=models / "grey", device="cpu")
    with pytest.raises(ModelError, match="as the controlnet of a diffusion model a ControlNetModel is taken"):
        load_pipeline(ROW, controlnet=models / "base" / "unet", base=models / "base", device="cpu")
    with pytest.raises(
        ModelError, match="is a ControlNet, and works with the base on which it was trained: load_pipel"
    ):
        load_pipeline(models / "grey", device="cpu")
    with pytest.raises(ModelError, match="is a base without a ControlNet, and colors nothing by itself"):
        load_pipeline(models / "base", device="cpu")
    for model in ("gan-stable", models / "whole", None, "owner/name"):
        with pytest.raises(
            SettingError, match="takes no controlnet and no base; they are for rows like controlnet-sd15"
        ):
            load_pipeline(model, controlnet=models / "grey", device="cpu")
    for model in (ROW, models / "whole"):
        parts: dict[str, Any] = {"controlnet": models / "grey", "base": models / "base"} if model == ROW else {}
        with pytest.raises(SettingError, match="runtime 'onnx' is for"):
            load_pipeline(model, runtime="onnx", device="cpu", **parts)


def test_a_whole_folder_is_a_model(models: Path) -> None:
    pipe = load_pipeline(models / "whole", device="cpu")
    assert isinstance(pipe, DiffusionPipeline)
    assert (pipe.model_id, pipe.settings["steps"].default) == ("whole", 8)


def test_the_command_line(models: Path, grey_photo: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def colorize(*options: str, controlnet: str = "grey") -> int:
        parts = ["--controlnet", str(models / controlnet), "--base", str(models / "base"), "--device", "cpu"]
        common = ["--steps", "1", "--guidance-scale", "3", "--conditioning-scale", "0.5", "--negative-prompt", ""]
        output = ["--output", str(tmp_path / "out"), "--json", str(tmp_path / "out.json")]
        return main(["colorize", str(grey_photo), "--model", ROW, *parts, *common, *output, *options])

    assert colorize("--prompt", "red " * 60) == 0
    said = capsys.readouterr()
    assert "note: The prompt is longer than what is read; this was left out: red red" in said.err
    assert "1 colored" in said.out
    done = json.loads((tmp_path / "out.json").read_text())
    assert done["model"] == "controlnet-sd15@grey,base"
    asked = {"steps": 1, "guidance_scale": 3.0, "conditioning_scale": 0.5, "negative_prompt": ""}
    assert done["settings"] == {**done["settings"], **asked}
    with PIL.Image.open(tmp_path / "out" / "portrait.png") as result:
        assert (result.size, result.info["Model"]) == ((203, 131), done["model"])

    assert colorize("--prompt", "red " * 60) == 0
    assert "1 already there" in capsys.readouterr().out
    assert colorize(controlnet="other") == 2
    assert "its cross_attention_dim is 24, and 16 is needed" in capsys.readouterr().err
    assert colorize("--render-factor", "9") == 2
    assert "controlnet-sd15@grey,base takes no render_factor; its settings are:" in capsys.readouterr().err
    assert colorize("--prompt", "x" * 1001) == 2
    assert "prompt must be a text of at most 1,000 characters, got 1,001" in capsys.readouterr().err


def test_other_processes_load_the_same(models: Path, tmp_path: Path) -> None:
    """What an order that is sent to one does there."""
    options = {"controlnet": str(models / "grey"), "base": str(models / "base"), "device": "cpu"}
    PIL.Image.new("RGB", (40, 40), "grey").save(tmp_path / "photo.png")
    do = Order(ROW, "auto", {"steps": 1}, tmp_path / "out", measure=False, options=options)()
    record = do(Item("photo", PurePosixPath("photo.png"), tmp_path / "photo.png"))
    assert (record["status"], record["width"]) == ("done", 40)
    with PIL.Image.open(tmp_path / "out" / "photo.png") as result:
        assert result.info["Model"] == "controlnet-sd15@grey,base"


def test_models_tells_a_default_text(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["models"]) == 0
    said = capsys.readouterr().out
    assert "negative_prompt='black and white photo, sepia' (a text of at most 1,000 characters)" in said
    assert "prompt (a text of at most 1,000 characters)" in said


def stored(folder: Path) -> dict[str, Blob]:
    return {
        path.relative_to(folder).as_posix(): Blob(path.read_bytes(), lfs=path.suffix == ".safetensors")
        for path in folder.rglob("*")
        if path.is_file()
    }


def run(hub: Hub, home: Path, *jobs: tuple[str, list[str], dict[str, str]], offline: bool = False) -> list[Any]:
    """What each job gave, or its error; `{said[0][commit]}` in an argument stands for what an earlier one gave."""
    environment = hub.environment(home) | ({"HF_HUB_OFFLINE": "1"} if offline else {})
    command = [sys.executable, "-c", DRIVER, json.dumps(jobs)]
    result = subprocess.run(command, env=environment, cwd=ROOT, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    said = json.loads(result.stdout)
    assert isinstance(said, list)
    return said


def test_the_hub_has_them_too(models: Path, tmp_path: Path) -> None:
    whole = tmp_path / "whole"
    make_pipeline(whole)
    write_card(whole, pictures=None, widget=None)
    repos = {
        "user/base": {**stored(models / "base"), "unet/diffusion_pytorch_model.bin": Blob(b"pickle", lfs=True)},
        "user/grey": stored(models / "grey"),
        "user/other": stored(models / "other"),
        "user/pickled": {path.replace(".safetensors", ".bin"): blob for path, blob in stored(models / "base").items()},
    }
    with serve_hub() as hub:
        for repo_id, files in repos.items():
            hub.repos["model", repo_id] = Repo("model", repo_id, private=False)
            hub.repos["model", repo_id].commit("initial commit", files)
        hub.faults.append(Fault("GET", "/api/models/user/gated", 403, {"X-Error-Code": "GatedRepo"}))
        own: dict[str, str] = {"controlnet": "user/grey", "base": "user/base"}
        pushed, pulled, loaded, other, pickled, gated, gone = run(
            hub,
            tmp_path / "home",
            ("push", [str(whole), "user/whole"], {}),
            ("load", ["user/whole@{said[0][commit]}"], {}),
            ("load", [ROW], own),
            ("load", [ROW], {**own, "controlnet": "user/other"}),
            ("load", [ROW], {**own, "base": "user/pickled"}),
            ("load", [ROW], {**own, "base": "user/gated"}),
            ("load", [ROW], {**own, "base": "user/gone"}),
        )
        fetched = {path for _, path in hub.requests if "/resolve/" in path}
        commits = {repo_id: hub.repos["model", repo_id].commits[-1].sha for repo_id in ("user/base", "user/grey")}
        whole_here, grey_here, base_here, never = run(
            hub,
            tmp_path / "home",
            ("here", ["user/whole", pushed["commit"], ""], {}),
            ("here", ["user/grey", commits["user/grey"], "controlnet"], {}),
            ("here", ["user/base", commits["user/base"], "base"], {}),
            ("here", ["user/base", "0" * 40, "base"], {}),
            offline=True,
        )
    assert not any(path.endswith(".bin") for path in fetched), "what is pickled is not even fetched"
    assert pulled["model_id"] == f"user/whole@{pushed['commit']}"
    assert loaded["model_id"] == f"{ROW}@user/grey@{commits['user/grey']},user/base@{commits['user/base']}"
    for found, folder in ((whole_here, whole), (grey_here, models / "grey"), (base_here, models / "base")):
        assert found["cached"], "what was fetched by its commit needs no network"
        assert {*found["files"], "README.md"} == {*stored(folder), "README.md"}
    assert "ModelError: the ControlNet in '" in other
    assert "its cross_attention_dim is 24, and 16 is needed" in other
    assert "weights are loaded from safetensors only, never from pickled" in pickled
    assert gated.startswith(
        f"UnavailableError: the base of {ROW}, 'user/gated', is no folder here, and the Hub does not"
    )
    assert "the token in HF_TOKEN may not read 'user/gated' (403" in gated
    assert "It can be another one (base=, --base, or the environment variable AUTOCHROME_BASE)" in gated
    assert "the Hub finds no 'user/gone' (404" in gone
    assert never.startswith("UnavailableError: the Hub cannot be reached (")


def test_what_goes_to_the_hub(models: Path, tmp_path: Path) -> None:
    make_pipeline(tmp_path / "whole")
    with pytest.raises(DataError, match=r"holds no README.md; a model is published with a card"):
        model_files(tmp_path / "whole")
    write_card(tmp_path / "whole", pictures=None, widget=None)
    files = set(model_files(tmp_path / "whole"))
    assert {"README.md", "model_index.json", "tokenizer/merges.txt", "vae/config.json"} < files
    assert "controlnet/diffusion_pytorch_model.safetensors" in files
    (tmp_path / "whole" / "unet" / "diffusion_pytorch_model.bin").write_bytes(b"pickle")
    with pytest.raises(DataError, match=r"unet/diffusion_pytorch_model.bin' has no place in a model on the Hub"):
        model_files(tmp_path / "whole")
    controlnet = make_controlnet(models / "base", tmp_path / "controlnet")
    write_card(controlnet, pictures=None, widget=None)
    assert set(model_files(controlnet)) == {"README.md", "config.json", "diffusion_pytorch_model.safetensors"}
