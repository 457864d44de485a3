"""How long a diffusion model takes: `python -m training.benchmarks.diffusion_speed [--model ID_OR_FOLDER] [options]`.

A one-megapixel photograph (scikit-image's astronaut, enlarged), from a grey JPEG to a picture in memory, under a
prompt, divided into the pipeline's own parts; beside it, in turn within the same process so that noise hits all,
gan-artistic and steerable. Medians. Peak memory is that of a fresh process that colors the photograph once.

Several candidates in one run, as time a picture, without reading and merging: four, and on a GPU sixteen.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from statistics import median
from typing import Any

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

import torch

from autochrome.catalog import load_pipeline
from autochrome.errors import AutochromeError, SettingError, UnavailableError
from autochrome.files import write_json
from autochrome.pipelines import ColorizationOutput, DiffusionPipeline, SteerablePipeline
from training.benchmarks.quality import model_name
from training.benchmarks.steering_speed import SIDE_PX, grey_jpeg

PROMPT = "a woman in an orange suit before a blue flag"
WARM_UPS = 1
BATCHES = {"cpu": (1, 4), "cuda": (1, 4, 16)}
BESIDE_THE_MODEL = ("read", "render")
"""Laps of a run that are no work of the network's device."""


def measure(model: str, steps: int, runs: int) -> dict[str, Any]:
    """Milliseconds of the model, of its parts and of the two fast models, and the model's peak memory."""
    memory_mb = peak_memory_mb(model, steps)  # first: a child's peak starts at what its parent holds
    pipe = load_diffusion(model)
    artistic, steerable = load_pipeline("gan-artistic"), load_pipeline("steerable")
    assert isinstance(steerable, SteerablePipeline)
    file = grey_jpeg()

    def directed() -> ColorizationOutput:
        steerable.forget()
        return steerable(file, prompt=PROMPT)

    ways: dict[str, Callable[[], ColorizationOutput]] = {
        "gan-artistic": lambda: artistic(file),
        "steerable, a prompt": directed,
        "no prompt": lambda: pipe(file, steps=steps),
        "a prompt": lambda: pipe(file, steps=steps, prompt=PROMPT),
    }
    milliseconds, parts = medians(ways, runs)
    return {
        "model": model_name(model),
        "megapixels": SIDE_PX**2 / 1e6,
        "steps": steps,
        "settings": {name: pipe.settings[name].default for name in ("guidance_scale", "candidates", "negative_prompt")},
        "threads": torch.get_num_threads(),
        "cpu_capability": torch.backends.cpu.get_cpu_capability(),
        "device": torch.cuda.get_device_name() if pipe.device.type == "cuda" else pipe.device.type,
        "median_ms": milliseconds,
        "parts_ms": parts["a prompt"],
        "over": {
            name: round(milliseconds["a prompt"] / milliseconds[name], 1)
            for name in ("gan-artistic", "steerable, a prompt")
        },
        "peak_memory_mb": memory_mb,
        "ms_a_picture_by_batch": measure_batches(pipe, file, BATCHES[pipe.device.type], steps, runs),
    }


def measure_batches(
    pipe: DiffusionPipeline, file: bytes, batches: tuple[int, ...], steps: int, runs: int
) -> dict[str, float]:
    """Median milliseconds of the network and what belongs to it, for each picture of a run of so many candidates."""
    most = max(int(pipe.settings["candidates"].maximum), *batches)
    pipe.settings = {**pipe.settings, "candidates": replace(pipe.settings["candidates"], maximum=most)}
    if pipe.device.type != "cpu":
        pipe.batch_size = most
    found = {}
    for count in batches:
        seconds = []
        for _ in range(WARM_UPS + runs):
            out = pipe(file, steps=steps, prompt=PROMPT, candidates=count)
            seconds.append(sum(lap for name, lap in out.timings.items() if name not in BESIDE_THE_MODEL))
        found[str(count)] = round(median(seconds[WARM_UPS:]) * 1000 / count, 1)
    return found


def peak_memory_mb(model: str, steps: int) -> int:
    """Peak resident megabytes (10^6 bytes) of a fresh process that colors the photograph once, under a prompt.

    Raises:
        UnavailableError: it failed; the text is its own last line.
    """
    command = [sys.executable, "-m", "training.benchmarks.diffusion_speed", "--model", model, "--steps", str(steps)]
    done = subprocess.run([*command, "--only-memory"], capture_output=True, text=True, check=False)
    if done.returncode:
        reason = (done.stderr.strip().splitlines() or ["no message"])[-1]
        raise UnavailableError(f"the memory of {model} cannot be measured: {reason}")
    return int(done.stdout)


def color_once(model: str, steps: int) -> int:
    """Color the photograph and tell this process's peak resident megabytes."""
    pipe = load_diffusion(model)
    pipe(grey_jpeg(), steps=steps, prompt=PROMPT)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return round((peak if sys.platform == "darwin" else peak * 1024) / 1e6)


def load_diffusion(model: str) -> DiffusionPipeline:
    """Load a model. Raises SettingError where it is no diffusion model."""
    pipe = load_pipeline(model)
    if not isinstance(pipe, DiffusionPipeline):
        raise SettingError(
            f"{pipe.model_id} is no diffusion model, it takes {', '.join(pipe.settings)}; give diffusion-mini, or a "
            "folder of such a one; `autochrome benchmark` measures the others"
        )
    return pipe


def medians(
    ways: dict[str, Callable[[], ColorizationOutput]], runs: int
) -> tuple[dict[str, float], dict[str, dict[str, float]]]:
    """Milliseconds of each way, and of its parts, the ways taken in turn."""
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    laps: dict[str, list[dict[str, float]]] = {name: [] for name in ways}
    for run in range(WARM_UPS + runs):
        for name, way in ways.items():
            start = time.perf_counter()
            out = way()
            if run >= WARM_UPS:
                seconds[name].append(time.perf_counter() - start)
                laps[name].append(out.timings)
    parts = {
        name: {part: round(median(lap.get(part, 0.0) for lap in found) * 1000, 1) for part in found[0]}
        for name, found in laps.items()
    }
    return {name: round(median(values) * 1000, 1) for name, values in seconds.items()}, parts


def main(arguments: list[str] | None = None) -> int:
    """Command-line entry."""
    parser = argparse.ArgumentParser(prog="python -m training.benchmarks.diffusion_speed", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--model", default="diffusion-mini", metavar="ID_OR_FOLDER")
    parser.add_argument("--steps", type=int, default=8)
    parser.add_argument("--runs", type=int, default=7)
    parser.add_argument("--json", type=Path, metavar="FILE")
    parser.add_argument("--only-memory", action="store_true", help="only the peak memory of this process, in MB")
    options = parser.parse_args(arguments)
    try:
        if options.only_memory:
            print(color_once(options.model, options.steps))
            return 0
        result = measure(options.model, options.steps, max(1, options.runs))
    except AutochromeError as error:
        print(f"diffusion_speed: error: {error}", file=sys.stderr)
        return 2
    print(json.dumps(result, indent=1))
    if options.json:
        write_json(result, options.json)
    return 0


if __name__ == "__main__":
    sys.exit(main())
