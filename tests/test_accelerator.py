"""ZeroGPU: nothing happens without it, and with it the real `spaces` package decorates."""

import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest
import torch

from autochrome.ui.accelerator import gpu_seconds, on_accelerator, wants_zero_gpu

DECORATED = """
from autochrome.ui.accelerator import on_accelerator

def run(model, source, settings):
    return model

def seconds(model, source, settings):
    return 7

decorated = on_accelerator(run, seconds)
print(decorated is not run and hasattr(decorated, "zerogpu"))  # the mark that spaces.GPU leaves
"""


def double(value: int) -> int:
    return 2 * value


def test_elsewhere_nothing_changes(monkeypatch: pytest.MonkeyPatch) -> None:
    for value in (None, "false", "0", ""):
        monkeypatch.delenv("SPACES_ZERO_GPU", raising=False)
        if value is not None:
            monkeypatch.setenv("SPACES_ZERO_GPU", value)
        assert not wants_zero_gpu()
        assert on_accelerator(double, lambda value: value) is double
    assert "spaces" not in sys.modules


def test_seconds_follow_from_the_settings() -> None:
    assert gpu_seconds("feedforward", {}) == 6
    assert gpu_seconds("feedforward", {"candidates": 6, "steps": 50}) == 8, "only a diffusion model has steps"
    assert gpu_seconds("diffusion", {}) == 15
    assert gpu_seconds("diffusion", {"steps": 30, "candidates": 2}) == 35
    assert gpu_seconds("diffusion", {"steps": 1000, "candidates": 6}) == 120
    assert gpu_seconds("diffusion", {"steps": "many", "candidates": -1}) == 15, "refused later, by the model"


@pytest.mark.parametrize("zero_gpu", [False, True])
def test_the_real_package(tmp_path: Path, zero_gpu: bool) -> None:
    """In a process of its own: on ZeroGPU it patches torch, which must be a build for CUDA."""
    if find_spec("spaces") is None:
        pytest.skip("the package spaces is not installed (pip install --no-deps spaces==0.51.3)")
    if zero_gpu and torch.version.cuda is None:
        pytest.skip("ZeroGPU's patches need torch's build for CUDA")
    zero = {"SPACES_ZERO_GPU": "true", "SPACES_ZERO_DEVICE_API_URL": "http://127.0.0.1:1"} if zero_gpu else {}
    environment = {**os.environ, **zero, "HOME": str(tmp_path)}
    code = DECORATED if zero_gpu else f"import spaces\n{DECORATED}spaces.GPU(duration=seconds)(run)"
    result = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code], env=environment, capture_output=True, text=True, timeout=120
    )
    assert result.stdout == f"{zero_gpu}\n", result.stderr
    assert result.returncode == 0, result.stderr
