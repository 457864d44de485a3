"""The tables of README and model cards, made from measured results."""

import copy
import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from huggingface_hub import ModelCard

from autochrome.catalog import Catalog, load_catalog
from training.benchmarks import table

README = """# Title

<!-- results:start -->
old
<!-- results:end -->

Text.

<!-- speed:start -->
<!-- speed:end -->
"""
CARD = "---\nlicense: apache-2.0\ntags:\n- photography\n---\n" + README + "\nEnd: “é”.\n"


def scores(ciede2000: float, share: float, colorfulness: float, better: float) -> dict[str, float]:
    return {
        "ciede2000": ciede2000,
        "ciede2000_share": share,
        "colorfulness_share": colorfulness,
        "better_than_grey": better,
    }


QUALITY = {
    "tiny-one": {
        "num_pictures": 560,
        "versions": {"autochrome": "0.1.0", "torch": "2.13.0"},
        "settings": {"merge_lightness": True, "render_factor": 16, "saturation": 1.0, "seed": 0},
        "ciede2000_share_at_colorfulness_share": {"0.35": 0.87, "0.5": 0.8812},
        "by_saturation": {"0.5": scores(9.6, 0.91, 0.3, 0.8), "1.0": scores(9.3456, 0.8901, 0.5432, 0.789)},
        "baselines": {"grey": scores(10.5, 1, 0, 0), "tint": scores(10.2, 0.9714, 0.21, 0.61)},
    },
}
QUALITY["tiny-two"] = copy.deepcopy(QUALITY["tiny-one"])
QUALITY["tiny-two"]["ciede2000_share_at_colorfulness_share"] = {"0.5": 0.9, "1.0": 0.987}
QUALITY["tiny-two"]["by_saturation"] = {"1.0": scores(10.01, 0.9533, 0.4, 0.66)}
SPEED = {
    "machine": {
        "cpu_capability": "AVX512",
        "cores": 2,
        "threads": 2,
        "device": "cpu",
        "python": "3.11.7",
        "torch": "2.13.0",
    },
    "import_autochrome_s": 0.0123,
    "results": [
        {
            "model": model,
            "picture": "12-megapixel",
            "pipeline_s": 0.8504,
            "parts_s": {"read": 0.1, "prepare": 0.05, "predict": 0.0312, "render": 0.5},
            "naive_s": 5.1,
            "naive_over_pipeline_time": 6.0,
            "pipeline_peak_mb": 612.3,
            "naive_peak_mb": 4321.0,
            "naive_over_pipeline_memory": 7.06,
        }
        for model in ("tiny-one", "tiny-two")
    ],
}


class Place:
    """A repository with two tiny models, their cards, a README and results."""

    def __init__(self, root: Path, tiny_catalog: Catalog) -> None:
        self.root = root
        rows = []
        for row in tiny_catalog:
            assert isinstance(row.source, Path)
            source = root / "weights" / row.id
            if row.source.is_dir():
                shutil.copytree(row.source, source)
                (source / "README.md").write_text(CARD, encoding="utf-8")
            rows.append(replace(row, source=source))
        self.catalog = Catalog(tuple(rows))
        (root / "training" / "benchmarks").mkdir(parents=True)
        (root / "README.md").write_text(README, encoding="utf-8")
        self.write("quality.json", QUALITY)
        self.write("speed.json", SPEED)

    def write(self, name: str, content: object) -> None:
        (self.root / "training" / "benchmarks" / name).write_text(json.dumps(content), encoding="utf-8")

    def run(self, *arguments: str) -> int:
        return table.main(list(arguments), root=self.root, catalog=self.catalog)

    def text(self, path: str = "README.md") -> str:
        return (self.root / path).read_text(encoding="utf-8")


@pytest.fixture
def place(tmp_path: Path, tiny_catalog: Catalog) -> Place:
    return Place(tmp_path, tiny_catalog)


def test_the_readme_gets_both_tables(place: Place) -> None:
    assert place.run() == 0
    lines = place.text().splitlines()
    assert "| no color at all | 10.50 | 100.0 % | 0.0 % | 0.0 % | – | – | 560 |" in lines
    assert "| one constant tint | 10.20 | 97.1 % | 21.0 % | 61.0 % | – | – | 560 |" in lines
    assert "| `tiny-one` | 9.35 | 89.0 % | 54.3 % | 78.9 % | 88.1 % | – | 560 |" in lines
    assert "| `tiny-two` | 10.01 | 95.3 % | 40.0 % | 66.0 % | 90.0 % | 98.7 % | 560 |" in lines
    assert "with autochrome 0.1.0, torch 2.13.0." in place.text()
    assert "| `tiny-two` | 12-megapixel | 850 ms | 31 ms | 612 MB | 5,100 ms | 4,321 MB | 6.0 times as long |" in lines
    assert "Medians on 2 CPU cores (AVX512, 2 threads, device cpu), Python 3.11.7, torch 2.13.0" in place.text()
    assert "old" not in place.text()
    assert "not-installed" not in place.text()
    tables = [line for line in lines if line.startswith("|")]
    assert len(tables) == 6 + 4
    assert {line.count("|") for line in tables} == {9}
    without = [line for line in lines if line and line[0] not in "|`M5–"]
    assert without == [line for line in README.splitlines() if line and line != "old"]


def test_sizes_are_those_of_the_weights(place: Place, tiny_catalog: Catalog) -> None:
    assert place.run() == 0
    model: Any = tiny_catalog["tiny-one"].load_pipeline()
    parameters = sum(parameter.numel() for parameter in model.model.parameters())
    assert f"`tiny-one`: {parameters / 1e6:.1f} million parameters, " in place.text()
    assert "working side 256 px, saturation 1." in place.text()


def test_a_card_has_its_own_model_and_a_model_index(place: Place) -> None:
    assert place.run() == 0
    path = "weights/tiny-two/README.md"
    assert "| `tiny-two` | 10.01 " in place.text(path)
    assert "tiny-one" not in place.text(path)
    assert place.text(path).endswith("\nEnd: “é”.\n")
    card = ModelCard.load(place.root / path)
    assert card.data.license == "apache-2.0"
    assert card.data.tags == ["photography"]
    assert card.data.model_name == "tiny-two"
    assert {entry.metric_type: entry.metric_value for entry in card.data.eval_results} == {
        "ciede2000": 10.01,
        "ciede2000_share": 0.9533,
        "colorfulness_share": 0.4,
        "better_than_grey": 0.66,
        "ciede2000_share_at_half": 0.9,
        "ciede2000_share_at_one": 0.987,
    }
    assert {entry.dataset_name for entry in card.data.eval_results} == {"560 photographs that were never trained on"}
    other = ModelCard.load(place.root / "weights/tiny-one/README.md")
    assert "ciede2000_share_at_one" not in {entry.metric_type for entry in other.data.eval_results}


def test_check_tells_what_is_stale_and_writes_nothing(place: Place, capsys: pytest.CaptureFixture[str]) -> None:
    assert place.run("--check") == 1
    assert place.text() == README
    assert capsys.readouterr().out.count("stale: ") == 3
    assert place.run() == 0
    assert capsys.readouterr().out.count("written: ") == 3
    assert place.run("--check") == 0
    assert place.run() == 0
    assert capsys.readouterr().out == ""
    card = place.root / "weights/tiny-one/README.md"
    card.write_text(card.read_text(encoding="utf-8").replace("9.35", "8.35"), encoding="utf-8")
    assert place.run("--check") == 1
    assert capsys.readouterr().out == f"stale: {card}\n"


def changed(content: Any, *path: Any, to: Any = None) -> Any:
    """A copy of JSON with the entry at a path replaced, or taken out."""
    content = copy.deepcopy(content)
    place = content
    for key in path[:-1]:
        place = place[key]
    if to is None:
        del place[path[-1]]
    else:
        place[path[-1]] = to
    return content


def unlink(path: str) -> Callable[[Place], None]:
    return lambda place: (place.root / path).unlink()


def write(name: str, content: object) -> Callable[[Place], None]:
    return lambda place: place.write(name, content)


def rewrite(path: str, old: str, new: str) -> Callable[[Place], None]:
    def breach(place: Place) -> None:
        (place.root / path).write_text(place.text(path).replace(old, new), encoding="utf-8")

    return breach


@pytest.mark.parametrize(
    ("breach", "text"),
    [
        (
            unlink("training/benchmarks/quality.json"),
            "quality.json; make it with: python -m training.benchmarks.quality",
        ),
        (unlink("training/benchmarks/speed.json"), "speed.json; make it with: autochrome benchmark --json training/"),
        (rewrite("training/benchmarks/speed.json", "}", ""), "speed.json cannot be read (Expecting"),
        (write("quality.json", [1]), "quality.json must hold a JSON object; make it with: python -m"),
        (
            write("quality.json", changed(QUALITY, "tiny-two")),
            "quality.json has no model tiny-two, only tiny-one; make",
        ),
        (
            write("quality.json", changed(QUALITY, "tiny-one", "settings", "render_factor", to=20)),
            "quality.json has tiny-one with render_factor 20, the catalog's default is 16; make it with",
        ),
        (
            write("quality.json", changed(QUALITY, "tiny-one", "by_saturation", "1.0")),
            "quality.json has tiny-one at saturation 0.5, not at the catalog's default 1.0; name it with --saturations",
        ),
        (
            write("quality.json", changed(QUALITY, "tiny-one", "baselines", "grey", "ciede2000", to=9.9)),
            "the models of quality.json were not measured on one set; make it with",
        ),
        (
            write("quality.json", changed(QUALITY, "tiny-one", "num_pictures")),
            "training/benchmarks lack 'num_pictures'; make it with: python -m training.benchmarks.quality",
        ),
        (
            write("speed.json", changed(SPEED, "results", 1)),
            "speed.json has no model tiny-two; make it with: autochrome benchmark",
        ),
        (
            rewrite("README.md", "<!-- speed:end -->", ""),
            "README.md needs one <!-- speed:start --> and after it <!-- speed:end -->, each on a line of its own",
        ),
        (
            rewrite("weights/tiny-one/README.md", "Text.", "<!-- speed:start -->"),
            "weights/tiny-one/README.md needs one <!-- speed:start --> and after it",
        ),
        (unlink("weights/tiny-one/README.md"), "README.md cannot be read (No such file or directory); every shipped"),
        (unlink("weights/tiny-one/config.json"), ""),
    ],
)
def test_what_cannot_be_shown_is_refused(
    place: Place, breach: Callable[[Place], None], text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    breach(place)
    before = {path: path.read_bytes() for path in place.root.rglob("README.md")}
    code = place.run()
    errors = capsys.readouterr().err
    if not text:  # a model that is not here is no breach: it is left out
        assert (code, errors) == (0, "")
        assert "tiny-one" not in place.text()
        return
    assert code == 2
    assert errors.startswith("table: error: ")
    assert text in errors
    assert {path: path.read_bytes() for path in place.root.rglob("README.md")} == before


def test_a_catalog_without_models_is_refused(place: Place, capsys: pytest.CaptureFixture[str]) -> None:
    place.catalog = Catalog((place.catalog["not-installed"],))
    assert place.run("--check") == 2
    assert "none of the catalog's models is here; train one, or put its weights" in capsys.readouterr().err


def test_the_committed_tables_are_current(capsys: pytest.CaptureFixture[str]) -> None:
    """No number without a measurement: without results the tables are empty, with them they are what they say."""
    if (table.ROOT / table.FOLDER / "quality.json").is_file():
        assert table.main(["--check"]) == 0, capsys.readouterr()
        return
    cards = [row.source / "README.md" for row in load_catalog() if isinstance(row.source, Path)]
    for path in [table.ROOT / "README.md", *cards]:
        text = path.read_text(encoding="utf-8")
        assert "model-index" not in text
        for name in ("results", "speed"):
            assert f"<!-- {name}:start -->\n<!-- {name}:end -->" in text, path


RECIPES_README = "# Training\n\n" + "\n".join(
    f"<!-- {name}:start -->\nold\n<!-- {name}:end -->" for name in ("recipes", "curves", "batches")
)


def test_the_recipes_get_rows_with_costs_and_curves(place: Place) -> None:
    recipes: dict[str, Any] = copy.deepcopy(QUALITY)
    for entry in recipes.values():
        for row in (*entry["by_saturation"].values(), *entry["baselines"].values()):
            row["frechet_mobilenet_v2"] = 68.31
    recipes["tiny-one"]["training"] = {
        "num_parameters": 329_314,
        "num_pictures": 12_000,
        "pictures_per_s": 31.4,
        "peak_memory_mb": 1234,
    }
    place.write("recipes.json", recipes)
    place.write("batch_size.json", {"results": [{"batch_size": 4, "peak_memory_mb": 1001, "pictures_per_s": 20.4}]})
    (place.root / "training" / "README.md").write_text(RECIPES_README, encoding="utf-8")
    assert place.run() == 0
    text = place.text("training/README.md")
    assert "old" not in text
    assert (
        "| `tiny-one` | 0.3 M | 12,000 | 31 | 1,234 MB | 89.0 % | 54.3 % | 78.9 % | 68.3 | 88.1 % | – |"
        in text.splitlines()
    )
    assert "| no color at all | – | – | – | – | 100.0 % | 0.0 % | 0.0 % | 68.3 | – | – |" in text.splitlines()
    assert "|  | x 1.0 |" in text.splitlines()
    assert "| `tiny-two` | 95.3 % (40.0 %) |" in text.splitlines()
    assert "| 4 | 1,001 MB | 20 |" in text.splitlines()
    assert "560 photographs that were never trained on." in text
    assert place.run("--check") == 0


def test_recipes_that_were_not_measured_are_named(place: Place, capsys: pytest.CaptureFixture[str]) -> None:
    (place.root / "training" / "README.md").write_text(RECIPES_README, encoding="utf-8")
    assert place.run() == 2
    assert "there is no" in capsys.readouterr().err
