"""The metrics for Hugging Face `evaluate`: held to scikit-image and to formulas written here, with every way in.

`evaluate` takes seconds to import, so one fixture loads all four, offline and with its caches in a temporary folder.
"""

import importlib
import io
import json
import math
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import numpy.typing as npt
import PIL.Image
import pytest
import skimage.data
import yaml
from skimage.color import deltaE_ciede2000, rgb2lab
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

from autochrome.errors import InputError

ROOT = Path(__file__).parent.parent
FOLDERS = {name: ROOT / "metric_spaces" / name for name in ("ciede2000", "colorfulness", "psnr", "ssim")}
Pixels = npt.NDArray[np.uint8]
Modules = dict[str, Any]


@pytest.fixture(scope="module")
def evaluate(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ModuleType]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HF_HUB_OFFLINE", "1")
        patch.setenv("HF_HOME", str(tmp_path_factory.mktemp("hf")))
        patch.setattr(sys, "path", sys.path.copy())  # evaluate adds the folder of its copies
        yield importlib.import_module("evaluate")


@pytest.fixture(scope="module")
def modules(evaluate: ModuleType) -> Modules:
    return {name: evaluate.load(os.path.relpath(folder)) for name, folder in FOLDERS.items()}


def near(expected: Any) -> Any:
    """Equal within 1e-3, or 1e-4 of it: scikit-image rounds the matrix of sRGB, CIEDE2000 60 is 0.002 lower there."""
    return pytest.approx(expected, rel=1e-4, abs=1e-3)


def noise(width: int, height: int, seed: int = 0) -> Pixels:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


def flat(*rgb: int) -> Pixels:
    return np.broadcast_to(np.array(rgb, dtype=np.uint8), (14, 17, 3)).copy()


PHOTO: Pixels = skimage.data.astronaut()[:96:2, 150:290:2]
PAIRS = {
    "random": (noise(31, 23), noise(31, 23, seed=1)),
    "photograph": (PHOTO[:, ::-1], PHOTO),
    "grey against color": (np.repeat(PHOTO[..., 1:2], 3, axis=-1), PHOTO),
    "constant": (flat(200, 30, 90), flat(20, 130, 60)),
    "constant greys": (flat(100, 100, 100), flat(120, 120, 120)),
    "tiny": (noise(11, 11), noise(11, 11, seed=1)),
    "one pixel": (noise(1, 1), noise(1, 1, seed=1)),
    "identical": (PHOTO, PHOTO),
    "identical greys": (flat(7, 7, 7), flat(7, 7, 7)),
}


def expected_scores(name: str, prediction: Pixels, reference: Pixels) -> dict[str, float]:
    """What scikit-image says, and for colorfulness the paper's formula."""
    x, y = prediction / 255, reference / 255
    if name == "ciede2000":
        return {"ciede2000": float(deltaE_ciede2000(rgb2lab(x), rgb2lab(y)).mean())}
    if name == "psnr":
        same = np.array_equal(x, y)  # where scikit-image divides by 0 and the module says 100 dB
        return {"psnr": 100.0 if same else float(peak_signal_noise_ratio(y, x, data_range=1))}
    if name == "ssim":
        options = {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False}
        return {"ssim": float(structural_similarity(x, y, channel_axis=-1, data_range=1, **options))}
    red, green, blue = (255 * x[..., channel] for channel in range(3))
    opponents = {"colorfulness": (red - green, (red + green) / 2 - blue)}
    opponents["colorfulness_abs"] = tuple(map(np.abs, opponents["colorfulness"]))  # type: ignore[assignment]
    return {
        key: math.hypot(rg.std(), yb.std()) + 0.3 * math.hypot(rg.mean(), yb.mean())
        for key, (rg, yb) in opponents.items()
    }


def columns(name: str, predictions: Any, references: Any) -> dict[str, Any]:
    return {"predictions": predictions} | ({} if name == "colorfulness" else {"references": references})


def to_bytes(picture: Pixels | PIL.Image.Image, kind: str = "PNG", **options: Any) -> bytes:
    buffer = io.BytesIO()
    (picture if isinstance(picture, PIL.Image.Image) else PIL.Image.fromarray(picture)).save(buffer, kind, **options)
    return buffer.getvalue()


@pytest.mark.parametrize("pair", PAIRS)
@pytest.mark.parametrize("name", FOLDERS)
def test_agrees_with_an_independent_implementation(modules: Modules, name: str, pair: str) -> None:
    prediction, reference = PAIRS[pair]
    if name == "ssim" and pair == "one pixel":
        with pytest.raises(InputError, match="picture 0: ssim needs pictures of at least 11 x 11 pixels"):
            modules[name].compute(predictions=[prediction], references=[reference])
        return
    scores = modules[name].compute(**columns(name, [prediction], [reference]))
    assert scores == near(expected_scores(name, prediction, reference))


@pytest.mark.parametrize("name", FOLDERS)
def test_batches_add_up_to_the_mean(modules: Modules, name: str) -> None:
    pairs = [PAIRS["random"], PAIRS["photograph"], PAIRS["constant"]]
    singly = [expected_scores(name, *pair) for pair in pairs]
    predictions, references = zip(*pairs, strict=True)
    modules[name].add_batch(**columns(name, predictions[:2], references[:2]))
    modules[name].add(prediction=predictions[2], **({} if name == "colorfulness" else {"reference": references[2]}))
    scores = modules[name].compute(per_picture=True)
    for key in singly[0]:
        assert scores[f"{key}_per_picture"] == near([score[key] for score in singly])
        assert scores[key] == near(np.mean([score[key] for score in singly]))
    assert len(scores) == 2 * len(singly[0])


def test_the_four_can_be_combined(evaluate: ModuleType, modules: Modules) -> None:
    combined = evaluate.combine(list(modules.values()))
    pairs = [PAIRS["random"], PAIRS["photograph"]]
    predictions, references = map(list, zip(*pairs, strict=True))
    expected: dict[str, float] = {}
    for name in FOLDERS:
        singly = [expected_scores(name, *pair) for pair in pairs]
        expected |= {key: float(np.mean([score[key] for score in singly])) for key in singly[0]}
    combined.add_batch(predictions=predictions[:1], references=references[:1])
    combined.add_batch(predictions=predictions[1:], references=references[1:])
    assert combined.compute() == near(expected)
    assert combined.compute(predictions=predictions, references=references) == near(expected)


def test_every_form_of_a_picture_is_the_same_picture(modules: Modules, tmp_path: Path) -> None:
    reference = noise(30, 20)
    path = tmp_path / "ä b.png"
    path.write_bytes(to_bytes(reference))
    transparent = PIL.Image.fromarray(np.dstack([reference, noise(30, 20)[..., :1]]))
    turned = PIL.Image.fromarray(np.rot90(reference))
    exif = turned.getexif()
    exif[274] = 6  # EXIF: show it turned clockwise by a quarter
    forms: list[Any] = [
        path,
        str(path),
        path.read_bytes(),
        {"path": str(path), "bytes": None},
        {"path": None, "bytes": path.read_bytes()},
        PIL.Image.fromarray(reference),
        PIL.Image.open(path),
        transparent,
        reference[:, ::-1][:, ::-1],
        to_bytes(turned, exif=exif),
    ]
    scores = modules["psnr"].compute(predictions=forms, references=[reference] * len(forms), per_picture=True)
    assert scores["psnr_per_picture"] == [100.0] * len(forms)
    grey: Pixels = reference[..., 0]
    deep = grey.astype(np.uint16) * 257
    greys = [grey, PIL.Image.fromarray(grey), PIL.Image.fromarray(deep)]
    same = [np.dstack([grey] * 3)] * 3
    assert modules["psnr"].compute(predictions=greys, references=same) == {"psnr": 100.0}


def test_a_picture_is_scored_as_it_is_in_memory(modules: Modules, tmp_path: Path) -> None:
    """Left to `datasets`, the first would be compressed once more, and the second read from its file again."""
    jpeg = PIL.Image.open(io.BytesIO(to_bytes(noise(64, 48), "JPEG", quality=95)))
    assert modules["psnr"].compute(predictions=[jpeg], references=[np.asarray(jpeg)]) == {"psnr": 100.0}
    path = tmp_path / "white.png"
    path.write_bytes(to_bytes(flat(255, 255, 255)))
    edited = PIL.Image.open(path)
    edited.paste((0, 0, 0), (0, 0, 17, 14))
    scores = modules["psnr"].compute(predictions=[edited], references=[flat(0, 0, 0)])
    assert scores == {"psnr": 100.0}


@pytest.mark.parametrize(
    ("predictions", "references", "text"),
    [
        (
            [PHOTO, PHOTO],
            [PHOTO, PHOTO[:40]],
            "picture 1: prediction is 70 x 48 pixels and reference is 70 x 40; metrics",
        ),
        (
            [3],
            [PHOTO],
            "a picture was expected, got int; give a path, the bytes of a file, a PIL image or a uint8 array",
        ),
        ([None], [PHOTO], "a picture was expected, got NoneType"),
        ([PHOTO / 255], [PHOTO], r"a picture was expected, got array of float64 with shape \(48, 70, 3\)"),
        ([PHOTO[..., :2]], [PHOTO], r"got array of uint8 with shape \(48, 70, 2\)"),
        ([{"path": None, "bytes": None}], [PHOTO], "a picture was expected, got dict"),
        (["nowhere.png"], [PHOTO], "picture 0: 'nowhere.png' does not exist"),
        ([b"hello"], [PHOTO], "picture 0: the picture cannot be read as a picture: its content is of no known"),
        ([to_bytes(PHOTO)[:500]], [PHOTO], "picture 0: the picture is a damaged, cut-off or unusual PNG file"),
        ([], [], "there are no pictures to score; add at least one"),
        ([PHOTO], None, "references are missing; this metric takes predictions and references"),
        ([PHOTO], [PHOTO, PHOTO], r"Mismatch in the number of predictions \(1\) and references \(2\)"),
    ],
)
def test_bad_input_is_refused(modules: Modules, predictions: Any, references: Any, text: str) -> None:
    with pytest.raises(ValueError, match=text):
        modules["ciede2000"].compute(predictions=predictions, references=references)
    scores = modules["ciede2000"].compute(predictions=[PHOTO], references=[PHOTO])
    assert scores == {"ciede2000": 0}, "nothing of the refused input may stay"


@pytest.mark.parametrize("name", FOLDERS)
def test_says_what_it_is(evaluate: ModuleType, modules: Modules, name: str) -> None:
    module = modules[name]
    assert module.name == name
    assert re.search(r"@(article|inproceedings)\{\w+,\n", module.citation)
    assert re.search(r"then (the mean )?over the pictures", " ".join(module.description.split()))
    assert "per_picture (bool)" in module.inputs_description
    assert all(key in module.inputs_description for key in expected_scores(name, PHOTO, PHOTO))
    assert list(module.features) == (["predictions"] if name == "colorfulness" else ["predictions", "references"])
    assert {type(feature).__name__ for feature in module.features.values()} == {"Image"}


@pytest.mark.parametrize("name", FOLDERS)
def test_evaluate_names_the_right_package(evaluate: ModuleType, name: str) -> None:
    """Where autochrome is missing, `evaluate` says what to install; PyPI's autochrome is somebody else's."""
    found = sys.modules["evaluate.loading"].get_imports(str(FOLDERS[name] / f"{name}.py"))
    sources = {library: source for kind, library, source, _ in found if kind == "library"}
    assert sources["autochrome"] == "git+https://huggingface.co/spaces/OWNER/autochrome"
    assert ("internal", "pictures", "pictures", None) in found


@pytest.mark.parametrize("name", FOLDERS)
def test_the_folder_can_be_pushed_as_a_space(name: str) -> None:
    folder = FOLDERS[name]
    front, body = (folder / "README.md").read_text(encoding="utf-8").removeprefix("---\n").split("\n---\n", 1)
    card = yaml.safe_load(front)
    ours = yaml.safe_load((ROOT / "README.md").read_text(encoding="utf-8").split("\n---\n", 1)[0])
    assert {key: card[key] for key in ("sdk", "sdk_version", "python_version", "license")} == {
        key: ours[key] for key in ("sdk", "sdk_version", "python_version", "license")
    }
    assert {"evaluate", "metric"} <= set(card["tags"])
    assert len(card["short_description"]) <= 60, "the Hub takes no more"
    assert (folder / card["app_file"]).is_file()
    assert f"metric_spaces/{name}" in body
    lines = (folder / "requirements.txt").read_text(encoding="utf-8").splitlines()
    assert [re.split("[ >]", line)[0] for line in lines if line[0] != "#"] == ["autochrome", "datasets", "evaluate"]
    # Never by its bare name, which on PyPI is another project's.
    assert any(re.match(r"autochrome @ git\+https://huggingface.co/spaces/\w+/autochrome@\w+$", line) for line in lines)


@pytest.mark.parametrize("file", ["pictures.py", "app.py", "requirements.txt"])
def test_what_each_space_carries_along_is_the_same(file: str) -> None:
    texts = {(folder / file).read_text(encoding="utf-8").replace(name, "NAME") for name, folder in FOLDERS.items()}
    assert len(texts) == 1


PAGES = """
import importlib.util, json, sys
import gradio
given = json.load(sys.stdin)
results = {}
for name, app in given["apps"].items():
    spec = importlib.util.spec_from_file_location(name, app)
    page = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(page)
    paths = given["pictures"][:len(page.metric.features)]
    refusals = []
    for wrong in (None, given["text"]):
        try:
            page.score(*paths[:-1], wrong)
        except gradio.Error as error:
            refusals.append(error.message)
    labels = [component.label for component in page.demo.input_components]
    results[name] = {"scores": page.score(*paths), "refusals": refusals, "labels": labels}
print(json.dumps(results))
"""
"""Builds the four pages; in a process of its own, because Gradio's blocks leave event loops behind."""


def test_the_pages_score_pictures(tmp_path: Path) -> None:
    paths = [tmp_path / "prediction.png", tmp_path / "reference.png"]
    for path, pixels in zip(paths, PAIRS["photograph"], strict=True):
        path.write_bytes(to_bytes(pixels))
    text = tmp_path / "text.png"
    text.write_text("no picture")
    given = {
        "apps": {name: str(folder / "app.py") for name, folder in FOLDERS.items()},
        "pictures": list(map(str, paths)),
        "text": str(text),
    }
    done = subprocess.run(
        [sys.executable, "-c", PAGES],
        input=json.dumps(given),
        env={**os.environ, "HF_HOME": str(tmp_path / "hf"), "HF_HUB_OFFLINE": "1"},
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    for name, result in json.loads(done.stdout).items():
        inputs = ["predictions"] if name == "colorfulness" else ["predictions", "references"]
        assert result["labels"] == inputs
        assert result["scores"] == near(expected_scores(name, *PAIRS["photograph"]))
        assert result["refusals"][0] == f"Give a picture for each of: {', '.join(inputs)}."
        assert "picture 0: 'text.png' cannot be read as a picture" in result["refusals"][1]
