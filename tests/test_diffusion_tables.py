"""What a diffusion model costs, and its tables: in README beside steerable, and in its own card."""

import copy
import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from huggingface_hub import ModelCard
from test_table import CARD, QUALITY, README, Place
from tiny_diffusion import make_pipeline

from autochrome.catalog import Catalog
from autochrome.cli.measure import times
from autochrome.errors import DataError, SettingError, UnavailableError
from autochrome.naming.terms import COLOR_NAMES
from autochrome.pipelines import DiffusionPipeline
from training.benchmarks import diffusion_speed
from training.benchmarks.diffusion_rows import speed_rows, swap_header, swap_rows, words_rows, words_sentences
from training.benchmarks.steering_speed import grey_jpeg

BETTER = {"better_than_grey": 0.7, "better_than_grey_interval": [0.65, 0.7512]}


def way(ciede2000: float, **more: Any) -> dict[str, Any]:
    return {
        "psnr": 24.118,
        "ssim": 0.93349,
        "ciede2000": ciede2000,
        "ciede2000_share": ciede2000 / 10,
        "colorfulness_share": 0.5,
        **more,
    }


def words_of(named: float, best: float | None) -> dict[str, Any]:
    beside = BETTER | {"better_than_none": 0.6123, "better_than_none_interval": [0.551, 0.67]}
    ways = {"grey": way(10), "tint": way(10.2, **BETTER), "none": way(9.5, **BETTER)}
    ways |= {"text": way(9.4, **beside), "text_color": way(named, **beside)}
    if best is not None:
        ways |= {"none_best_of_4": way(best, **beside), "text_color_best_of_4": way(best - 0.2, **beside)}
    swaps = {"num_pictures": 99, "num_swaps": 1792, "right_way": 0.91234, "right_way_interval": [0.89, 0.93]}
    by_color = {color: {"right_way": 0.9, "shift": 1.25} for color in COLOR_NAMES}
    return {
        "automatic": {"num_pictures": 560, "none": way(9.6, **BETTER)},
        "captions": {"num_pictures": 241, **ways},
        "swaps": swaps | {"shift": 2.345, "shift_interval": [2.0, 2.6], "by_color": by_color},
        "in_place": {"num_pictures": 30, "change_in_place": 0.2512, "area": 0.1},
    }


WORDS = {"tiny-diffusion": words_of(8.9, 8.1), "tiny-steerable": words_of(8.4, None)}
SPEED: dict[str, Any] = {
    "model": "tiny-diffusion",
    "megapixels": 1.0,
    "steps": 8,
    "threads": 2,
    "cpu_capability": "AVX512",
    "device": "cpu",
    "median_ms": {"gan-artistic": 180.0, "steerable, a prompt": 240.0, "no prompt": 800.4, "a prompt": 1234.5},
    "parts_ms": {"read": 20.0, "prepare": 10.0, "words": 12.4, "steps": 1000.0, "decode": 45.0, "render": 145.0},
    "over": {"gan-artistic": 6.9, "steerable, a prompt": 5.1},
    "peak_memory_mb": 1234,
    "ms_a_picture_by_batch": {"1": 1060.0, "4": 1041.0},
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_pipeline(tmp_path_factory.mktemp("model") / "tiny-diffusion")


@pytest.fixture
def place(tmp_path: Path, tiny_catalog: Catalog, folder: Path) -> Place:
    """A repository with a diffusion model and its results beside the two tiny ones."""
    place = Place(tmp_path, tiny_catalog)
    source = tmp_path / "weights" / "tiny-diffusion"
    shutil.copytree(folder, source)
    block = "<!-- words:start -->\n<!-- words:end -->\n"
    (source / "README.md").write_text(CARD + block, encoding="utf-8")
    (tmp_path / "README.md").write_text(README + block, encoding="utf-8")
    row = replace(place.catalog["tiny-one"], id="tiny-diffusion", kind="diffusion", source=source)
    place.catalog = Catalog((*place.catalog, replace(row, settings=DiffusionPipeline.SETTINGS)))
    entry: dict[str, Any] = copy.deepcopy(QUALITY["tiny-one"])
    entry["settings"] = {name: setting.default for name, setting in DiffusionPipeline.SETTINGS.items()}
    place.write("quality.json", QUALITY | {"tiny-diffusion": entry})
    place.write("diffusion_words.json", WORDS)
    place.write("diffusion_speed.json", SPEED)
    return place


def test_prompts_stand_below_the_baselines() -> None:
    rows = words_rows(WORDS, ["tiny-diffusion", "tiny-steerable"])
    assert [row[0] for row in rows] == [
        "no color at all",
        "one constant tint",
        "`tiny-diffusion`: none: the automatic mode",
        "`tiny-diffusion`: none, the best of four candidates",
        "`tiny-diffusion`: a caption without color words",
        "`tiny-diffusion`: a caption that names colors",
        "`tiny-diffusion`: the same, the best of four candidates",
        "`tiny-steerable`: none: the automatic mode",
        "`tiny-steerable`: a caption without color words",
        "`tiny-steerable`: a caption that names colors",
    ]
    named = ["24.12", "0.933", "8.90", "89.0 %", "50.0 %", "61.2 % (55.1 % to 67.0 %)", "241"]
    assert rows[5][1:] == named
    assert rows[0][1:] == ["24.12", "0.933", "10.00", "100.0 %", "50.0 %", "–", "241"]


def test_models_of_different_photographs_do_not_share_a_table() -> None:
    words = copy.deepcopy(WORDS)
    words["tiny-steerable"]["captions"]["grey"]["ciede2000"] = 11
    with pytest.raises(DataError, match="tiny-steerable and tiny-diffusion were measured on different photographs"):
        words_rows(words, list(words))


def test_swaps_stand_by_color_and_all_together() -> None:
    models = list(WORDS)
    assert swap_header(models)[1:3] == ["`tiny-diffusion`: the right way", "by"]
    rows = swap_rows(WORDS, models)
    assert [row[0] for row in rows] == [*COLOR_NAMES, "all"]
    assert rows[0][1:] == ["90.0 %", "1.2", "90.0 %", "1.2"]
    assert rows[-1][1:3] == ["91.2 % (89.0 % to 93.0 %)", "2.3"]
    text = words_sentences(WORDS, models)
    assert "1,792 swaps of the one color word in the captions of 99 photographs" in text
    assert "`tiny-steerable`: of that change 25.1 % falls on the thing" in text
    assert "all 560 photographs, better than grey on 70.0 % (65.0 % to 75.1 %)." in text


def test_the_parts_of_a_run_are_named() -> None:
    rows = speed_rows(SPEED)
    assert rows[2:4] == [["text encoder", "12"], ["steps", "1,000"]]
    assert rows[-1] == ["all", "1,234"]


def test_readme_and_card_get_what_words_do(place: Place, capsys: pytest.CaptureFixture[str]) -> None:
    assert place.run() == 0, capsys.readouterr().err
    card = place.text("weights/tiny-diffusion/README.md")
    for text in (place.text(), card):
        assert "| `tiny-diffusion`: a caption that names colors | 24.12 | 0.933 | 8.90 | 89.0 % | 50.0 % |" in text
        assert "| `tiny-diffusion` | 9.35 | 89.0 % |" in text
        assert "working side 128 px, saturation 1." in text
    assert "| text encoder | 12 |" in card
    assert "Peak memory of a fresh process 1,234 MB." in card
    assert "1,041 ms a picture in runs of 4" in card
    assert "| `tiny-diffusion` | 12-megapixel" not in place.text(), "speed.json is for what works in one pass"
    assert ModelCard(card).data.get("model_name") == "tiny-diffusion"
    assert place.run("--check") == 0


@pytest.mark.parametrize(
    ("name", "content", "text"),
    [
        ("diffusion_words.json", {}, "lack 'tiny-diffusion'; make it with: "),
        (
            "diffusion_speed.json",
            SPEED | {"model": "other"},
            "diffusion_speed.json is of other, not tiny-diffusion; make",
        ),
        ("diffusion_words.json", [], "diffusion_words.json must hold a JSON object; make it with: python -m training."),
    ],
)
def test_results_that_do_not_fit_are_refused(
    place: Place, name: str, content: object, text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    place.write(name, content)
    assert place.run() == 2
    assert text in capsys.readouterr().err


def test_results_at_other_steps_are_refused(place: Place, capsys: pytest.CaptureFixture[str]) -> None:
    path = place.root / "training" / "benchmarks" / "quality.json"
    quality = json.loads(path.read_text(encoding="utf-8"))
    quality["tiny-diffusion"]["settings"]["steps"] = 3
    place.write("quality.json", quality)
    assert place.run() == 2
    assert "quality.json has tiny-diffusion with steps 3, the catalog's default is 8; make" in capsys.readouterr().err


def test_time_goes_to_every_part_and_every_picture_of_a_batch(folder: Path) -> None:
    pipe = diffusion_speed.load_diffusion(str(folder))
    found = diffusion_speed.measure_batches(pipe, grey_jpeg(), (1, 3), steps=1, runs=1)
    assert list(found) == ["1", "3"]
    assert all(ms > 0 for ms in found.values())
    ways = {"one": lambda: pipe(grey_jpeg(), steps=1)}
    milliseconds, parts = diffusion_speed.medians(ways, 1)
    assert set(parts["one"]) == {"read", "prepare", "words", "steps", "decode", "render"}
    assert 0.5 * milliseconds["one"] < sum(parts["one"].values()) <= milliseconds["one"] * 1.01


def test_a_fresh_process_tells_its_memory(folder: Path) -> None:
    assert 100 < diffusion_speed.peak_memory_mb(str(folder), steps=1) < 4000


def test_the_benchmark_of_one_pass_is_not_for_it(folder: Path) -> None:
    with pytest.raises(SettingError, match=r"tiny-diffusion does not color in one pass.*benchmarks\.diffusion_speed"):
        times(str(folder), "64", "64", "1")


def test_only_models_that_work_in_steps_are_timed(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SettingError, match=r"gan-artistic is no diffusion model, it takes .*; give diffusion-mini"):
        diffusion_speed.load_diffusion("gan-artistic")
    with pytest.raises(UnavailableError, match=r"the memory of no-such-model cannot be measured: .*no-such-model"):
        diffusion_speed.peak_memory_mb("no-such-model", 1)
    assert diffusion_speed.main(["--model", "gan-artistic", "--only-memory"]) == 2
    assert "diffusion_speed: error: gan-artistic is no diffusion model" in capsys.readouterr().err
