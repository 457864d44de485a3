"""The command line as a whole, `models` and `benchmark`."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from autochrome import __version__
from autochrome.cli import main
from autochrome.models import Colorizer, ColorizerConfig, save_colorizer


def run_python(*arguments: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run([sys.executable, *arguments], capture_output=True, text=True, check=False)


def test_help_loads_no_torch_and_asks_openmp_to_wait_quietly() -> None:
    code = (
        "import os, sys; os.environ.pop('OMP_WAIT_POLICY', None); import autochrome.cli\n"
        "try: autochrome.cli.main(['--help'])\n"
        "except SystemExit as done: assert done.code == 0\n"
        "heavy = {'torch', 'PIL', 'numpy', 'transformers', 'skimage'} & set(sys.modules); assert not heavy, heavy\n"
        "assert os.environ['OMP_WAIT_POLICY'] == 'PASSIVE'"
    )
    done = run_python("-c", code)
    assert done.returncode == 0, done.stderr
    for command in ("colorize", "evaluate", "models", "benchmark"):
        assert command in done.stdout


def test_module_is_the_program() -> None:
    done = run_python("-m", "autochrome.cli", "--version")
    assert (done.returncode, done.stdout.strip()) == (0, f"Autochrome {__version__}")


def test_wrong_usage_is_two(capsys: pytest.CaptureFixture[str]) -> None:
    for argv in ([], ["paint"], ["colorize", "a.jpg"], ["colorize", "a.jpg", "--output", "o", "--seed", "x"]):
        with pytest.raises(SystemExit) as caught:
            main(argv)
        assert caught.value.code == 2
    assert "autochrome" in capsys.readouterr().err


def test_models_as_text_and_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["models"]) == 0
    text = capsys.readouterr().out
    assert text.index("gan-artistic  (Artistic, Apache-2.0)") < text.index("cnn-classic")
    assert "render_factor=" in text
    assert "(7..45)" in text
    assert main(["models", "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)
    trained = ["natural", "gan-artistic", "gan-stable", "steerable", "diffusion-mini", "controlnet-sd15", "cnn-classic"]
    assert [row["id"] for row in rows] == [*trained, "scribbles", "segments"]
    assert rows[0]["settings"]["seed"] == {"default": 0, "min": 0, "max": 4294967295}
    assert (rows[0]["source"], rows[1]["source"]) == ("gan-artistic+gan-stable", "weights/gan-artistic")


def test_benchmark_measures_both_ways(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    save_colorizer(Colorizer(ColorizerConfig.tiny()), tmp_path / "tiny")
    model = str(tmp_path / "tiny")
    argv = ["benchmark", "--model", model, "--picture", "512x512", "--runs", "1", "--json", str(tmp_path / "out.json")]
    assert main(argv) == 0
    assert "naive script" in capsys.readouterr().out
    content = json.loads((tmp_path / "out.json").read_text(encoding="utf-8"))
    assert content["machine"]["threads"] >= 1
    assert 0 < content["import_autochrome_s"] < 5
    [result] = content["results"]
    assert (result["model"], result["picture"]) == (model, "512x512")
    assert result["naive_over_pipeline_time"] == pytest.approx(result["naive_s"] / result["pipeline_s"])
    assert set(result["parts_s"]) == {"read", "prepare", "predict", "render"}
    assert 50 < result["pipeline_peak_mb"] < 4000
    assert 50 < result["naive_peak_mb"] < 8000


def test_benchmark_of_an_unknown_model_is_one_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["benchmark", "--model", "gan-artistik"]) == 2
    assert "error: cannot measure" in (err := capsys.readouterr().err)
    assert "did you mean gan-artistic?" in err
    assert len(err.splitlines()) == 1
