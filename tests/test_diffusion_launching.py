"""Around the launcher: finding the scripts, running a command, preparing the dataset, the card, a base on the Hub."""

import hashlib
import http.server
import io
import json
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet
import pytest
import torch
import yaml
from PIL import Image
from small_datasets import COLORS, row, write_dataset

from autochrome import load_pipeline
from autochrome.errors import DataError, ModelError, SettingError, UnavailableError
from autochrome.models import Colorizer, ColorizerConfig, save_colorizer
from training.diffusion import scripts
from training.diffusion.bases import require_reachable, restore_frozen
from training.diffusion.card import write_card
from training.diffusion.checkpoints import list_checkpoints, set_broken_aside
from training.diffusion.measuring import condition_followed, read_samples
from training.diffusion.preparing import caption_list, prepare
from training.diffusion.recipe import DiffusionRecipe
from training.diffusion.run_script import favor_noise
from training.diffusion.running import exit_code, last_lines, run
from training.diffusion.scripts import RELEASES, find_script, fitting_release
from training.diffusion.teaching import Teacher

ROOT = Path(__file__).parent.parent
SCRIPT = b"print('an example')\n"
CAPTIONS = {"text": 1, "text_color": 2, "empty": 1}


@pytest.fixture
def served(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[str, list[str]]]:
    """A server on loopback that has one script under the pinned commit; its address and what it was asked for."""
    release = RELEASES[0]
    known = f"/{release.commit}/examples/controlnet/train_controlnet.py"
    asked: list[str] = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_response(200 if self.path == known else 404)
            self.send_header("Content-Length", str(len(SCRIPT) if self.path == known else 0))
            self.end_headers()
            if self.path == known:
                self.wfile.write(SCRIPT)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            pass

    monkeypatch.setenv("AUTOCHROME_CACHE", str(tmp_path / "cache"))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}", asked
        server.shutdown()


def pinned(monkeypatch: pytest.MonkeyPatch, digest: str) -> None:
    release = scripts.Release(RELEASES[0].versions, "v0.0.0", RELEASES[0].commit, {"controlnet": digest})
    monkeypatch.setattr(scripts, "RELEASES", (release,))


def test_a_script_is_downloaded_once(
    served: tuple[str, list[str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pinned(monkeypatch, hashlib.sha256(SCRIPT).hexdigest())
    url, asked = served
    path = find_script("controlnet", source=url)
    assert path == tmp_path / "cache" / "scripts" / "v0.0.0" / "train_controlnet.py"
    assert path.read_bytes() == SCRIPT
    assert find_script("controlnet", source=url) == path
    assert len(asked) == 1
    path.write_bytes(b"half of it")  # damaged: fetched again
    assert find_script("controlnet", source=url).read_bytes() == SCRIPT
    assert len(asked) == 2


def test_a_script_that_was_changed_on_the_way_is_not_kept(served: tuple[str, list[str]], tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"is not the script of diffusers v0.40.0 \(SHA-256 .* nothing was kept"):
        find_script("controlnet", source=served[0])
    assert not (tmp_path / "cache").exists()


def test_without_a_network_it_says_where_to_put_the_script(served: tuple[str, list[str]]) -> None:
    where = r"put the file at '.*scripts/v0.40.0/train_text_to_image.py' or give script_path=FILE"
    with pytest.raises(UnavailableError, match=f"cannot download .*404.*{where}"):
        find_script("text_to_image", source=served[0])
    with pytest.raises(UnavailableError, match=f"cannot download .*{where}"):
        find_script("text_to_image", source="http://127.0.0.1:9")


def test_a_given_script_is_taken_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "mine.py"
    path.write_bytes(SCRIPT)
    assert find_script("controlnet", str(path)) == path
    with pytest.raises(DataError, match=r"no script at '.*other.py'; script_path is an example of diffusers, or null"):
        find_script("controlnet", str(tmp_path / "other.py"))


def test_the_release_fits_the_installed_diffusers() -> None:
    assert fitting_release("0.42.1").tag == fitting_release("0.40.0").tag == "v0.40.0"
    with pytest.raises(UnavailableError, match=r"no example scripts are known for diffusers 0.39.0 \(known: >=0.40"):
        fitting_release("0.39.0")
    for release in RELEASES:
        assert set(release.sha256) == {"controlnet", "text_to_image"}
        assert {len(digest) for digest in release.sha256.values()} == {64}


def test_a_command_ends_with_its_own_code(capfd: pytest.CaptureFixture[str]) -> None:
    finished = run(
        [sys.executable, "-c", "import sys; sys.stderr.write('\\r50%, 2it/s\\nwhat went wrong\\n'); sys.exit(5)"]
    )
    assert (finished.exit_code, finished.last_lines) == (5, ["what went wrong"])
    assert capfd.readouterr().err == "\r50%, 2it/s\nwhat went wrong\n"
    assert run([sys.executable, "-c", "import os; os.kill(os.getpid(), 9)"]).exit_code == 137


def test_a_loss_that_is_no_number_ends_the_run() -> None:
    bars = ["Steps:  7%|#| 3/40 [00:02<00:30, 2.4it/s, loss=0.3]", "Steps: 10%|#| 4/40 [00:02<00:30, loss=nan, lr=1]"]
    code = "import sys, time; sys.stderr.write(chr(13).join(sys.argv[1:])); time.sleep(99)"
    with pytest.raises(ModelError, match=r"the loss became NaN.*a lower arguments.learning_rate, from a checkpoint"):
        run([sys.executable, "-c", code, *bars])


def test_timesteps_are_drawn_from_the_noisiest(monkeypatch: pytest.MonkeyPatch) -> None:
    """And nothing else that the scripts draw is touched."""
    uniform = torch.randint
    monkeypatch.setattr(torch, "randint", uniform)  # put back afterwards
    favor_noise(0.5)
    torch.manual_seed(0)
    drawn = torch.randint(0, 1000, (20_000,))
    assert (int(drawn.min()), int(drawn.max())) == (0, 999)
    assert float((drawn >= 950).float().mean()) == pytest.approx(0.5 + 0.5 * 0.05, abs=0.02)
    for arguments in ((10, (4, 3)), (5, 10, (7,))):
        torch.manual_seed(1)
        found = torch.randint(*arguments)
        torch.manual_seed(1)
        assert torch.equal(found, uniform(*arguments))


def test_a_trained_base_gets_its_frozen_parts_back(tmp_path: Path) -> None:
    for folder, content in (("base", b"as it was"), ("trained", b"rounded")):
        for part in ("vae", "text_encoder", "unet"):
            (tmp_path / folder / part).mkdir(parents=True)
            (tmp_path / folder / part / "model.safetensors").write_bytes(content)
    restore_frozen(tmp_path / "base", tmp_path / "trained")
    found = {part: (tmp_path / "trained" / part / "model.safetensors").read_bytes() for part in ("vae", "text_encoder")}
    assert found == {"vae": b"as it was", "text_encoder": b"as it was"}
    assert (tmp_path / "trained" / "unet" / "model.safetensors").read_bytes() == b"rounded"


def test_what_accelerate_adds_to_a_failure_is_left_out() -> None:
    own = "Traceback (most recent call last):\n  File x\nValueError: too small\n"
    added = "Traceback (most recent call last):\n  File y\nsubprocess.CalledProcessError: Command '[a]' "
    said = own + added + "returned non-zero exit status 7.\n"
    assert last_lines(said) == own.splitlines()
    assert exit_code(1, said) == 7
    assert exit_code(1, own + added + "died with <Signals.SIGKILL: 9>.\n") == 137
    assert exit_code(-15, "") == 143


def test_half_a_checkpoint_is_set_aside(tmp_path: Path) -> None:
    for name in ("checkpoint-9", "checkpoint-10", "checkpoint-11", "checkpoint-x"):
        (tmp_path / name).mkdir()
    for name in ("checkpoint-9", "checkpoint-10"):
        (tmp_path / name / "random_states_0.pkl").touch()
    assert [path.name for path in list_checkpoints(tmp_path)] == ["checkpoint-9", "checkpoint-10"]
    assert [path.name for path in set_broken_aside(tmp_path)] == ["incomplete-checkpoint-11"]
    (tmp_path / "checkpoint-11").mkdir()
    assert [path.name for path in set_broken_aside(tmp_path)] == ["incomplete-checkpoint-11-2"]


def test_a_dataset_is_prepared_once(tmp_path: Path) -> None:
    """Squares with their colors and L* kept, a list of captions, and datasets reads it."""
    from datasets import load_dataset

    dataset = write_dataset(tmp_path / "dataset", num_train=4, num_validation=2)
    folder = prepare(dataset, tmp_path / "cache", size_px=32, captions=CAPTIONS)
    assert folder.name.startswith("dataset-32px-")
    before = sorted(path.stat().st_mtime_ns for path in folder.rglob("*.parquet"))
    assert prepare(dataset, tmp_path / "cache", size_px=32, captions=dict(reversed(CAPTIONS.items()))) == folder
    assert sorted(path.stat().st_mtime_ns for path in folder.rglob("*.parquet")) == before
    assert prepare(dataset, tmp_path / "cache", size_px=32, captions={"text": 1}) != folder
    assert len(list((tmp_path / "cache").iterdir())) == 2  # nothing half-made

    loaded = load_dataset(str(folder), cache_dir=str(tmp_path / "datasets"))
    assert {split: len(rows) for split, rows in loaded.items()} == {"train": 4, "validation": 2}
    for number, found in enumerate(loaded["train"]):
        assert found["image"].size == found["conditioning_image"].size == (32, 32)
        assert found["conditioning_image"].mode == "L"
        assert found["captions"] == caption_list(row(number), CAPTIONS)
        original = Image.open(io.BytesIO(row(number)["image"]["bytes"])).convert("RGB")
        middle = np.asarray(original, dtype=float)[40, 48]
        assert np.abs(np.asarray(found["image"], dtype=float)[16, 16] - middle).max() < 6
        grey = np.asarray(Image.open(io.BytesIO(row(number)["conditioning_image"]["bytes"])), dtype=float)[40, 48]
        assert abs(float(np.asarray(found["conditioning_image"])[16, 16]) - grey) < 3


def test_a_teacher_colors_the_training_pictures_once_more(tmp_path: Path) -> None:
    from datasets import load_dataset

    model = tmp_path / "model"
    torch.manual_seed(0)
    save_colorizer(Colorizer(ColorizerConfig.tiny()), model)
    dataset = write_dataset(tmp_path / "dataset", num_train=3, num_validation=2)
    teacher = Teacher(str(model), {"empty": 2, "text": 1})
    settings: dict[str, Any] = {"size_px": 32, "captions": CAPTIONS}
    folder = prepare(dataset, tmp_path / "cache", **settings, teacher=teacher)
    assert folder != prepare(dataset, tmp_path / "cache", **settings)
    loaded = load_dataset(str(folder), cache_dir=str(tmp_path / "datasets"))
    assert {split: len(rows) for split, rows in loaded.items()} == {"train": 6, "validation": 2}
    rows = list(loaded["train"])
    for own, taught in zip(rows[::2], rows[1::2], strict=True):
        assert taught["captions"] == ["", "", *([own["text"]] if own["text"] else [])]
        assert taught["conditioning_image"].tobytes() == own["conditioning_image"].tobytes()
        expected = np.asarray(
            load_pipeline(str(model))(own["conditioning_image"]).images[0].convert("RGB"), dtype=float
        )
        assert np.abs(np.asarray(taught["image"], dtype=float) - expected).mean() < 2, "but for JPEG"
        assert np.abs(np.asarray(own["image"], dtype=float) - expected).mean() > 10


@pytest.mark.parametrize(
    ("words", "captions", "expected"),
    [
        ({"text": "a dog", "text_color": "a brown dog"}, CAPTIONS, ["a dog", "a brown dog", "a brown dog", ""]),
        ({"text": "", "text_color": "Mainly green."}, CAPTIONS, ["Mainly green."] * 2 + [""]),
        ({"text": None, "text_color": None}, {"text": 3}, [""]),
        ({"text": "a dog", "text_color": " "}, {"text_color": 1, "empty": 2}, ["", ""]),
    ],
)
def test_captions_are_mixed_by_their_shares(
    words: Mapping[str, Any], captions: dict[str, int], expected: list[str]
) -> None:
    assert caption_list(words, captions) == expected


def test_a_dataset_that_cannot_be_prepared_is_refused(tmp_path: Path) -> None:
    def attempt(dataset: Path) -> None:
        prepare(dataset, tmp_path / "cache", size_px=32, captions=CAPTIONS)

    with pytest.raises(DataError, match=r"no dataset in '.*nothing': data/train-\*.parquet is missing; dataset_dir is"):
        attempt(tmp_path / "nothing")
    for name, change, message in (
        ("damaged", {"image": {"bytes": b"no picture", "path": "x"}}, r"a picture of 'train-.*' cannot be read: "),
        ("absent", {"image": {"bytes": None, "path": "x"}}, "pictures that are not embedded; build it again with"),
    ):
        dataset = write_dataset(tmp_path / name, num_train=2, num_validation=2)
        path = dataset / "data" / "train-00000-of-00001.parquet"
        table = pyarrow.Table.from_pylist([row(0), row(1) | change], schema=pyarrow.parquet.read_schema(path))
        pyarrow.parquet.write_table(table, path)
        with pytest.raises(DataError, match=message):
            attempt(dataset)
        pyarrow.parquet.write_table(table.drop_columns(["text"]), path)
        with pytest.raises(DataError, match=r"train-.* has no column text; it has: image, conditioning_image"):
            attempt(dataset)
        pyarrow.parquet.write_table(table, path)
        content = path.read_bytes()
        path.write_bytes(content[:4] + bytes(60) + content[64:])  # its list of columns, at the end, is whole
        with pytest.raises(DataError, match=r"train-.*' is damaged: .*; build the dataset again"):
            attempt(dataset)
        path.write_bytes(b"no table")
        with pytest.raises(DataError, match="is not a readable Parquet file"):
            attempt(dataset)
    (tmp_path / "file").touch()
    dataset = write_dataset(tmp_path / "good", num_train=2, num_validation=2)
    with pytest.raises(DataError, match=r"cannot prepare the dataset in '.*file.*; give another cache_dir"):
        prepare(dataset, tmp_path / "file", size_px=32, captions=CAPTIONS)
    assert not list((tmp_path / "cache").iterdir())


def test_two_processes_may_prepare_at_once(tmp_path: Path) -> None:
    dataset = write_dataset(tmp_path / "dataset", num_train=20, num_validation=2)
    code = (
        "import sys; from pathlib import Path; from training.diffusion.preparing import prepare; "
        f"print(prepare(Path({str(dataset)!r}), Path({str(tmp_path / 'cache')!r}), size_px=32, captions={CAPTIONS}))"
    )
    both = [subprocess.Popen([sys.executable, "-c", code], cwd=ROOT, stdout=subprocess.PIPE, text=True) for _ in "ab"]
    said = {process.communicate(timeout=240)[0].strip() for process in both}
    assert [process.returncode for process in both] == [0, 0]
    assert said == {str(path) for path in (tmp_path / "cache").iterdir()}
    assert len(said) == 1


def test_a_followed_condition_is_told_from_an_ignored_one() -> None:
    inputs = [torch.rand(1, 1, 16, 16, generator=torch.Generator().manual_seed(seed)) * 100 for seed in range(3)]
    followed = condition_followed([(given * 0.9 + 3, given) for given in inputs])
    assert followed["correlation"] == pytest.approx(1, abs=1e-4)
    assert followed["mean_abs_error"] < 5
    assert abs(followed["correlation_shuffled"]) < 0.2
    assert followed["mean_abs_error_shuffled"] > 20
    ignored = condition_followed([(inputs[0], given) for given in inputs[1:]])
    assert abs(ignored["correlation"]) < 0.2
    assert condition_followed([(torch.full((1, 1, 4, 4), 50.0), inputs[0][..., :4, :4])])["correlation"] == 0


def test_samples_are_spread_over_the_validation_split(tmp_path: Path) -> None:
    dataset = write_dataset(tmp_path / "dataset", num_train=1, num_validation=6)
    assert [sample.words.split()[1].lower() for sample in read_samples(dataset, 6)[1:3]] == ["blue", "green"]
    chosen = read_samples(dataset, 2)
    assert [sample.words for sample in chosen] == [row(0)["text_color"], row(3)["text_color"]]
    assert chosen[0].picture.getpixel((0, 79)) == COLORS["red"]
    lonely = write_dataset(tmp_path / "lonely", num_train=1, num_validation=1)
    with pytest.raises(DataError, match=r"has 1 validation pictures; to measure, two are needed: build more, or set"):
        read_samples(lonely, 8)


def test_the_card_says_license_base_and_dataset(tmp_path: Path) -> None:
    recipe = DiffusionRecipe(
        script="controlnet",
        output_dir=str(tmp_path / "mine"),
        dataset_dir="x",
        license="creativeml-openrail-m",
        dataset_id="me/photos",
        arguments={"pretrained_model_name_or_path": "stable-diffusion-v1-5/stable-diffusion-v1-5", "resolution": 512},
    )
    report = {
        "script": {"name": "train_controlnet.py", "origin": "v0.40.0"},
        "dataset": {"name": "photos", "num_pictures": 50_000},
        **{"num_steps": 2346, "batch_size": 64, "mixed_precision": "fp16", "seconds": 7200},
    }
    (tmp_path / "mine").mkdir()
    write_card(recipe, report, tmp_path / "mine")
    text = (tmp_path / "mine" / "README.md").read_text(encoding="utf-8")
    head = yaml.safe_load(text.split("---\n")[1])
    assert head["license"] == "creativeml-openrail-m"
    assert head["base_model"] == "stable-diffusion-v1-5/stable-diffusion-v1-5"
    assert head["datasets"] == ["me/photos"]
    assert "model-index" not in head  # nothing was measured
    assert "50,000 training pictures" in text
    assert "2,346 optimizer steps of 64 pictures, fp16 precision, 120 minutes" in text


def test_a_base_that_cannot_be_had_is_a_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    require_reachable(str(tmp_path))
    code = (
        "from training.diffusion.bases import require_reachable\n"
        "from autochrome.errors import UnavailableError\n"
        "try: require_reachable('nobody/nothing-at-all')\n"
        "except UnavailableError as error: print(error)"
    )
    environment = {"HF_HUB_OFFLINE": "1", "HF_HOME": str(tmp_path), "PATH": ""}
    said = subprocess.run([sys.executable, "-c", code], cwd=ROOT, env=environment, capture_output=True, text=True)
    sentence = (
        "the base 'nobody/nothing-at-all' is no folder here, and the Hub does not give it: the Hub cannot be reached"
    )
    assert said.stdout.startswith(sentence), said
    assert "It can be another one, or a folder: arguments.pretrained_model_name_or_path=FOLDER" in said.stdout


def test_the_shares_of_captions_are_checked_before_anything_is_written(tmp_path: Path) -> None:
    with pytest.raises(SettingError, match="captions leaves nothing to draw from; give a share to one of text, text_"):
        prepare(tmp_path, tmp_path / "cache", size_px=32, captions={"text": 0})
    assert json.dumps(sorted(path.name for path in tmp_path.iterdir())) == "[]"
