"""The config of the dataset builder: what it reads, what it refuses, and the recipes that come with it."""

import json
from pathlib import Path

import pytest
import yaml

from autochrome.errors import DataError, SettingError
from dataset_builder.__main__ import main
from dataset_builder.config import config_to_yaml, describe_fields, load_config

CONFIGS = sorted((Path(__file__).parent.parent / "dataset_builder" / "configs").glob("*.yaml"))


def write(folder: Path, **entries: object) -> Path:
    path = folder / "config.yaml"
    source = {"type": "imagefolder", "name": "photos", "path": "photos.zip"}
    path.write_text(json.dumps({"name": "n", "output_dir": "out", "sources": [source], **entries}), encoding="utf-8")
    return path


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_configs_that_come_with_it_are_valid(path: Path, tmp_path: Path) -> None:
    config = load_config(path, [])
    assert config.sources
    kept = tmp_path / "kept.yaml"  # as it lies beside a result
    kept.write_text(config_to_yaml(config), encoding="utf-8")
    assert load_config(kept, []) == config


def test_all_five_are_there() -> None:
    assert {path.stem for path in CONFIGS} == {"photos", "coco", "kaggle", "basset_hound", "urls"}


def test_any_value_can_be_overridden_by_its_dotted_path(tmp_path: Path) -> None:
    overrides = ["sources.0.path=other.zip", "sources.0.share=0.5", "pictures.size=256", "filters.min_chroma=null"]
    config = load_config(write(tmp_path), overrides)
    assert config.sources[0]["path"] == "other.zip"
    assert config.sources[0]["share"] == 0.5
    assert config.pictures.size == 256
    assert config.filters.min_chroma is None
    assert config.sources[0]["limit"] is None  # every default is spelled out


def test_what_does_not_decide_the_bytes_may_differ(tmp_path: Path) -> None:
    one = load_config(write(tmp_path), ["num_workers=3", "engine=ray", "chunk_size=7", "output_dir=elsewhere"])
    assert one.decisive() == load_config(write(tmp_path), []).decisive()
    assert one.decisive() != load_config(write(tmp_path), ["seed=1"]).decisive()


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("pictures.side=3", "config .*config.yaml: .*side"),
        ("chunk_size=many", "could not be converted to Integer"),
        ("chunk_size", "is no override; they look like key=value"),
        ("chunk_size=0", "chunk_size must be at least 1, got 0"),
        ("shard_mb=0", "shard_mb must be at least 1, got 0"),
        ("num_workers=-1", "num_workers must be 0 .* got -1"),
        ("engine=spark", "engine must be one of pool, ray; got 'spark'"),
        ("splits.validation=1", "whose sum is below 1, got 1.0 and 0.05"),
        ("sources=[]", "sources is empty"),
        ("sources.3.path=x", "config .*config.yaml: "),
        ("sources.0.type=video", "sources.0.type must be one of imagefolder, .*; got 'video'"),
        ("sources.0.path=null", "sources.0 .imagefolder.: Incompatible value 'None'"),
        ("sources.0.share=0", "sources.0.share must lie above 0"),
        ("sources.0.limit=0", "sources.0.limit must be at least 1 or null, got 0"),
        ("sources.0.split=dev", "sources.0.split must be null or train, validation, test; got 'dev'"),
        ("sources.0.color=red", "sources.0 .imagefolder.: .*color"),
    ],
)
def test_refusals(tmp_path: Path, override: str, message: str) -> None:
    with pytest.raises(SettingError, match=message):
        load_config(write(tmp_path), [override])


def test_refusals_of_files(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no config at"):
        load_config(tmp_path / "absent.yaml", [])
    broken = tmp_path / "broken.yaml"
    broken.write_text("a: [", encoding="utf-8")
    with pytest.raises(DataError, match="is not valid YAML"):
        load_config(broken, [])
    broken.write_text("- a", encoding="utf-8")
    with pytest.raises(DataError, match="holds no entries like `name: photos`"):
        load_config(broken, [])
    broken.write_text("name: x\noutput_dir: out", encoding="utf-8")
    with pytest.raises(SettingError, match="leaves open: sources"):
        load_config(broken, [])
    with pytest.raises(SettingError, match=r"sources.0 \(urls\) leaves open: path"):
        load_config(write(tmp_path, sources=[{"type": "urls", "name": "web"}]), [])
    twice = [{"type": "imagefolder", "name": "a", "path": path} for path in ("one.zip", "two.zip")]
    with pytest.raises(SettingError, match="every source needs a name of its own, got a, a"):
        load_config(write(tmp_path, sources=twice), [])


def test_help_explains_every_field() -> None:
    text = describe_fields()
    lines = text.splitlines()
    fields = [line for line in lines if line.startswith("  ") and not line.startswith("      ")]
    assert len(fields) > 50
    assert len([line for line in lines if line.startswith("      ")]) == len(fields)
    assert "sources.N, type: coco:" in text
    assert "captions_path: str" in text


def test_dry_run_prints_the_resolved_config(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["build", str(write(tmp_path)), "--output", str(tmp_path / "a: b"), "--dry-run", "seed=7"]) == 0
    printed = yaml.safe_load(capsys.readouterr().out)
    assert printed["seed"] == 7
    assert printed["output_dir"] == str(tmp_path / "a: b")
    assert not (tmp_path / "a: b").exists()


def test_errors_are_one_line_and_exit_2(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["build", str(tmp_path / "absent.yaml")]) == 2
    error = capsys.readouterr().err
    assert error.startswith("dataset_builder: no config at")
    assert error.count("\n") == 1
