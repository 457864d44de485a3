"""The benchmark of words: what is said to a model, how its answers are scored, and the command on tiny models."""

import io
import json
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import pytest
import torch
from skimage.data import astronaut, chelsea, coffee
from steered_models import lively_model
from tiny_diffusion import make_pipeline
from tiny_text_encoder import write_text_encoder
from torch import Tensor

from autochrome.catalog import load_pipeline
from autochrome.errors import DataError, SettingError
from autochrome.models import Colorizer, ColorizerConfig, save_colorizer
from autochrome.naming import anchor_of
from autochrome.naming.terms import COLOR_NAMES
from training.benchmarks import diffusion_words
from training.benchmarks.masks import MASKS_PATH, MarkedPicture, read_masks
from training.benchmarks.photos import Photo, read_photos
from training.benchmarks.words.asking import asking, require_prompt
from training.benchmarks.words.listening import prompts_of
from training.benchmarks.words.measuring import summarize_swaps
from training.benchmarks.words.scoring import Judge, Scored, mean_with_interval, summarize
from training.benchmarks.words.swaps import colored_caption, in_place, response, swap_colors, with_color

MARKED = read_masks(MASKS_PATH)[0]
ARCHIVE = [
    (MARKED.file_name, astronaut(), ["A woman smiles .", MARKED.caption]),
    ("cat.jpg", chelsea(), ["A brown cat looks up ."]),
    ("cup.jpg", coffee(), []),
]


def photo(*captions: str, color: tuple[int, int, int] = (30, 60, 200)) -> Photo:
    return Photo("a.jpg", PIL.Image.new("RGB", (48, 32), color), captions)


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three photographs, two of them with captions, one of those with its thing marked."""
    path = tmp_path_factory.mktemp("photos") / "photos.zip"
    with zipfile.ZipFile(path, "w") as opened:
        for name, picture, _ in ARCHIVE:
            buffer = io.BytesIO()
            PIL.Image.fromarray(picture).resize((96, 64)).save(buffer, "PNG")
            opened.writestr(name, buffer.getvalue())
        rows = [json.dumps({"file_name": name, "captions": captions}) for name, _, captions in ARCHIVE]
        opened.writestr("metadata.jsonl", "\n".join(rows))
    return path


@pytest.fixture(scope="module")
def diffusion(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_pipeline(tmp_path_factory.mktemp("diffusion") / "tiny-diffusion")


@pytest.fixture(scope="module")
def steerable(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("steerable") / "tiny-steerable"
    save_colorizer(lively_model(), folder)
    write_text_encoder(folder / "text_encoder")
    return folder


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("plain") / "tiny-plain"
    save_colorizer(Colorizer(ColorizerConfig.tiny()), folder)
    return folder


def test_a_photograph_is_described_as_in_the_dataset() -> None:
    assert prompts_of(photo()) == {"none": ""}
    assert prompts_of(photo("A red ball .", "A ball .")) == {"none": "", "text": "A ball.", "text_color": "A red ball."}
    assert prompts_of(photo("A wall"))["text_color"] == "A wall. Mainly blue."


def test_the_caption_with_just_one_of_the_colors_is_swapped() -> None:
    assert colored_caption(photo("A red and blue ball .", "a dark Green door", "a pink cat")) == "a dark Green door"
    assert colored_caption(photo("A white ball .")) is None
    assert with_color("a dark Green door", "pink") == "a pink door"
    assert with_color("A bored man in red .", "") == "A bored man in ."


def obedient(prompts: Sequence[str]) -> list[Tensor]:
    """Colors the left half of every picture as it is told, the hue only half so much the right one."""
    answers = []
    for prompt in prompts:
        named = [color for color in COLOR_NAMES if f" {color} " in prompt]
        ab = torch.tensor(anchor_of(named[0])[1:] if named else (0.0, 0.0)).view(1, 2, 1, 1)
        answers.append(torch.cat([ab.expand(1, 2, 4, 4), ab.expand(1, 2, 4, 4) / 2], dim=-1) + 7.0)
    return answers


def test_a_model_that_obeys_goes_the_right_way_and_where_it_should() -> None:
    changes = swap_colors(obedient, "a red door")
    assert [color for color, _ in changes] == list(COLOR_NAMES)
    found = response(changes)
    for color, one in zip(COLOR_NAMES, found, strict=True):
        assert one == {"shift": pytest.approx(0.75 * np.hypot(*anchor_of(color)[1:]), rel=1e-4), "right_way": 1.0}
    opposite = response([(color, -change) for color, change in changes])
    assert [one["shift"] for one in opposite] == pytest.approx([-one["shift"] for one in found])
    assert {one["right_way"] for one in opposite} == {0.0}
    left = MarkedPicture("a.jpg", "a red door", "door", "red", (((0, 0), (0.5, 0), (0.5, 1), (0, 1)),))
    assert in_place(changes, left) == {"change_in_place": pytest.approx(2 / 3, abs=1e-4), "area": 0.5}


def test_swaps_are_summed_up_for_all_and_by_color() -> None:
    swapped = [response(swap_colors(obedient, "a red door")), response(swap_colors(obedient, "a red door"))]
    swapped[1][0] = {"shift": -1.0, "right_way": 0.0}
    found = summarize_swaps(swapped)
    assert (found["num_pictures"], found["num_swaps"]) == (2, 16)
    assert found["right_way"] == pytest.approx(15 / 16, abs=1e-4)
    assert found["right_way_interval"] == [0.875, 1.0]
    assert found["by_color"]["red"]["right_way"] == 0.5
    assert found["by_color"]["blue"] == {"right_way": 1.0, "shift": round(swapped[0][4]["shift"], 4)}


def test_the_judge_knows_the_truth_from_grey() -> None:
    picture = PIL.Image.fromarray(astronaut()).resize((96, 64))
    judge = Judge(Photo("a.png", picture, ()))
    perfect, baselines = judge.score(picture), judge.baselines()
    assert perfect["ciede2000"] < 1e-3
    assert perfect["psnr"] == pytest.approx(100)
    assert perfect["colorfulness"] == baselines["truth"]["colorfulness"]
    assert baselines["grey"]["ciede2000"] > 5
    assert baselines["grey"]["colorfulness"] < 0.1
    assert judge.score(picture.convert("L"))["ciede2000"] == pytest.approx(baselines["grey"]["ciede2000"], rel=0.3)


def scored(grey: float, none: float, text: float) -> Scored:
    values = {"grey": grey, "tint": grey, "none": none, "text": text}
    numbers = {way: {"psnr": 20.0, "ssim": 0.9, "ciede2000": v, "colorfulness": v} for way, v in values.items()}
    return numbers | {"truth": {"colorfulness": 8.0}}


def test_ways_are_compared_photograph_by_photograph() -> None:
    found = summarize([scored(10, 8, 7), scored(10, 12, 11), scored(10, 8, 9), scored(10, 8, 6)])
    assert found["none"]["ciede2000"] == 9
    assert found["none"]["ciede2000_share"] == 0.9
    assert found["none"]["better_than_grey"] == 0.75
    assert found["text"]["better_than_none"] == 0.75
    assert found["text"]["below_none"] == 0.75
    assert found["text"]["below_none_interval"] == [-0.5, 1.75]
    assert found["text"]["colorfulness_share"] == pytest.approx(33 / 4 / 8, abs=1e-4)
    assert "better_than_none" not in found["none"]
    assert "better_than_none" not in found["tint"]
    assert "better_than_grey" not in found["grey"]
    assert "truth" not in found


def test_witnesses_of_one_photograph_are_not_independent() -> None:
    values = [1.0] * 8 + [0.0] * 8 + [1.0] * 8
    alone = mean_with_interval("x", values)
    together = mean_with_interval("x", values, [0] * 8 + [1] * 8 + [2] * 8)
    assert alone["x"] == together["x"] == pytest.approx(2 / 3, abs=1e-4)
    assert together["x_interval"] == [0.0, 1.0]
    assert alone["x_interval"][0] > 0.3
    assert mean_with_interval("x", [0.5])["x_interval"] is None


@pytest.mark.parametrize("kind", ["diffusion", "steerable"])
def test_asking_twice_is_answered_once(kind: str, request: pytest.FixtureRequest) -> None:
    """The same words, the same colors; other words, others: the seed is the same, so it was the words."""
    pipe = load_pipeline(request.getfixturevalue(kind))
    settings: dict[str, Any] = {"steps": 2} if kind == "diffusion" else {}
    picture = PIL.Image.fromarray(coffee()).resize((96, 64))
    first, again, other = asking(pipe, picture, **settings)(["a red photo", "a red photo", "a blue photo"])
    assert torch.equal(first, again)
    assert (first - other).abs().max() > 0.01
    (doubled,) = asking(pipe, picture, saturation=2.0, **settings)(["a red photo"])
    torch.testing.assert_close(doubled, first * 2)


def test_the_command_measures_several_models_in_one_file(
    archive: Path, diffusion: Path, steerable: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    results = tmp_path / "words.json"
    arguments = [str(archive), "--json", str(results)]
    assert diffusion_words.main([*arguments, "--model", str(diffusion), "--steps", "1"]) == 0, capsys.readouterr().err
    assert diffusion_words.main([*arguments, "--model", str(steerable)]) == 0, capsys.readouterr().err
    found = json.loads(results.read_text(encoding="utf-8"))
    assert list(found) == ["tiny-diffusion", "tiny-steerable"]
    for result in found.values():
        assert result["automatic"]["num_pictures"] == 3
        assert result["captions"]["num_pictures"] == 2
        assert (result["swaps"]["num_pictures"], result["swaps"]["num_swaps"]) == (2, 16)
        assert result["in_place"]["num_pictures"] == 1
    mini, steered = found.values()
    assert mini["settings"]["steps"] == 1
    assert mini["automatic"]["grey"] == steered["automatic"]["grey"]
    ways = set(mini["captions"]) - set(steered["captions"])
    assert ways == {"none_best_of_4", "text_color_best_of_4"}
    for way in ways:
        first = mini["captions"][way.removesuffix("_best_of_4")]
        assert mini["captions"][way]["ciede2000"] < first["ciede2000"], "the first is one of the four"
    assert "better_than_none_interval" in steered["captions"]["text_color"]


def test_the_sweep_gives_a_curve_for_every_combination(
    archive: Path, diffusion: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    results, plot = tmp_path / "sweep.json", tmp_path / "sweep.png"
    arguments = [str(archive), "--model", str(diffusion), "--sweep", "--json", str(results), "--plot", str(plot)]
    grid = ["--sweep-steps", "1", "2", "--sweep-guidance-scales", "1", "3"]
    assert diffusion_words.main([*arguments, *grid]) == 0, capsys.readouterr().err
    found = json.loads(results.read_text(encoding="utf-8"))["tiny-diffusion"]
    assert found["num_pictures"] == 2
    runs = [(run["settings"]["steps"], run["settings"]["guidance_scale"]) for run in found["runs"]]
    assert runs == [(1, 1.0), (1, 3.0), (2, 1.0), (2, 3.0)]
    for run in found["runs"]:
        vividness = [point["colorfulness_share"] for point in run["text_color"].values()]
        assert vividness == sorted(vividness)
        assert run["num_swaps"] == 2
        assert run["median_seconds"] > 0
    assert found["runs"][0]["text_color"] != found["runs"][1]["text_color"]
    with PIL.Image.open(plot) as opened:
        assert opened.width > opened.height


def test_what_does_not_listen_is_refused(
    archive: Path, plain: Path, steerable: Path, diffusion: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SettingError, match=r"tiny-plain takes no prompt, only merge_lightness, .* give a model that"):
        require_prompt(load_pipeline(plain))
    bare = tmp_path / "bare.zip"
    with zipfile.ZipFile(archive) as opened, zipfile.ZipFile(bare, "w") as written:
        written.writestr("cup.jpg", opened.read("cup.jpg"))
        written.writestr("metadata.jsonl", json.dumps({"file_name": "cup.jpg"}))
    for arguments, text in (
        ([archive, "--model", plain], "tiny-plain takes no prompt"),
        ([archive, "--model", steerable, "--steps", "3"], "tiny-steerable takes no steps"),
        ([archive, "--model", steerable, "--sweep"], "--sweep needs a model with steps and guidance_scale, neither"),
        ([archive, "--model", diffusion, "--sweep", "--steps", "3"], "neither of them given; tiny-diffusion takes"),
        ([bare, "--model", diffusion, "--sweep"], "--sweep needs photographs with captions; there are none in"),
        ([tmp_path / "no.zip", "--model", steerable], "no.zip is no .zip with metadata.jsonl and its pictures"),
        ([archive, "--model", steerable, "--plot", "curve.jpg"], "the plot is a PNG"),
    ):
        assert diffusion_words.main([str(argument) for argument in arguments]) == 2
        assert text in capsys.readouterr().err


def test_long_descriptions_are_no_captions(tmp_path: Path, archive: Path) -> None:
    path = tmp_path / "long.zip"
    with zipfile.ZipFile(archive) as opened, zipfile.ZipFile(path, "w") as written:
        written.writestr("cup.jpg", opened.read("cup.jpg"))
        row = {"file_name": "cup.jpg", "captions": ["a cup " * 60, "A cup ."]}
        written.writestr("metadata.jsonl", json.dumps(row))
    (found,) = read_photos(path)
    assert found.captions == ("A cup .",)
    with pytest.raises(DataError, match=r"is no \.zip with metadata\.jsonl and its pictures"):
        next(read_photos(tmp_path / "absent.zip"))
