"""The jobs of `autochrome benchmark`, each in a process of its own: `python -m autochrome.cli.measure JOB ...`.

Each prints one JSON value. Peak memory is a fact about a whole process, so a job that measures it does nothing else.
"""

import io
import json
import os
import platform
import sys
import time
from collections.abc import Callable
from statistics import median
from typing import Any

import numpy as np
import PIL.Image
import torch

from autochrome.catalog import load_catalog, load_pipeline
from autochrome.errors import AutochromeError, SettingError
from autochrome.image import working_size
from autochrome.pipelines import BlendPipeline, FeedforwardPipeline, SteerablePipeline
from autochrome.pipelines.feedforward import PX_PER_RENDER_FACTOR

WARM_UPS = 2
Measured = FeedforwardPipeline | BlendPipeline | SteerablePipeline


def main() -> int:
    """Run the job that the command line names."""
    jobs: dict[str, Callable[..., Any]] = {"models": models, "time": times, "memory": peak_memory}
    job, *arguments = sys.argv[1:]
    try:
        print(json.dumps(jobs[job](*arguments)))
    except AutochromeError as error:
        print(error, file=sys.stderr)
        return 2
    return 0


def models() -> list[str]:
    """The models that can be loaded here and color by themselves, without directions, in one pass."""
    rows = [row for row in load_catalog() if row.unavailable_reason() is None and row.kind != "diffusion"]
    return [row.id for row in rows if not row.needs_directions]


def times(model: str, width: str, height: str, runs: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Median seconds of the pipeline, of its parts, and of the naive script, taken in turn, so noise hits both.

    Beside them what they depend on: the machine.
    """
    pipeline = _load(model)
    picture = grey_photograph(int(width), int(height))
    pipeline_runs, naive_runs, parts = [], [], []
    for turn in range(WARM_UPS + int(runs)):
        if isinstance(pipeline, SteerablePipeline):
            pipeline.forget()  # what it keeps of a picture would make every run but the first look faster
        start = time.perf_counter()
        out = pipeline(picture)
        middle = time.perf_counter()
        naive_colorize(pipeline, picture)
        end = time.perf_counter()
        if turn >= WARM_UPS:
            pipeline_runs.append(middle - start)
            naive_runs.append(end - middle)
            parts.append(out.timings)
    seconds = {
        "pipeline_s": median(pipeline_runs),
        "naive_s": median(naive_runs),
        "parts_s": {name: median(part[name] for part in parts) for name in parts[0]},
    }
    device = (pipeline.halves[0] if isinstance(pipeline, BlendPipeline) else pipeline).device
    machine = {
        "cpu_capability": torch.backends.cpu.get_cpu_capability(),
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "device": torch.cuda.get_device_name() if device.type == "cuda" else device.type,
        "python": platform.python_version(),
        "torch": torch.__version__,
    }
    return seconds, machine


def peak_memory(model: str, width: str, height: str, way: str) -> int:
    """Peak resident bytes of a process that colors one picture, with everything it loads."""
    import resource

    pipeline = _load(model)
    picture = grey_photograph(int(width), int(height))
    if way == "naive":
        naive_colorize(pipeline, picture)
    else:
        pipeline(picture)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def grey_photograph(width: int, height: int) -> bytes:
    """A grey JPEG of scikit-image's astronaut, repeated where the picture is larger than the photograph."""
    import skimage.data

    photograph = np.asarray(PIL.Image.fromarray(skimage.data.astronaut()).convert("L"))
    rows, columns = -(-height // photograph.shape[0]), -(-width // photograph.shape[1])
    buffer = io.BytesIO()
    PIL.Image.fromarray(np.tile(photograph, (rows, columns))[:height, :width]).save(buffer, "JPEG", quality=90)
    return buffer.getvalue()


def naive_colorize(pipeline: Measured, file: bytes) -> PIL.Image.Image:
    """What people write: everything in float64 at full size, the same networks at the same working size."""
    from skimage.color import lab2rgb, rgb2lab

    grey = PIL.Image.open(io.BytesIO(file)).convert("L")
    full = np.stack([np.asarray(grey)] * 3, axis=-1) / 255.0
    lightness = rgb2lab(full)[..., :1]
    maps = []
    for half in pipeline.halves if isinstance(pipeline, BlendPipeline) else (pipeline,):
        side_px = PX_PER_RENDER_FACTOR * int(half.settings["render_factor"].default)
        size = working_size(grey.width, grey.height, side_px, half.model.size_multiple)
        small = np.stack([np.asarray(grey.resize(size, PIL.Image.Resampling.BILINEAR))] * 3, axis=-1) / 255.0
        with torch.no_grad():
            batch = torch.from_numpy(rgb2lab(small)[..., 0]).float()[None, None].to(half.device)
            ab = torch.nn.functional.interpolate(half.model(batch) * 110, size=full.shape[:2], mode="bilinear").cpu()
        maps.append(ab[0].permute(1, 2, 0).double().numpy())
    lab = np.concatenate([lightness, np.mean(maps, axis=0)], axis=-1)
    return PIL.Image.fromarray((lab2rgb(lab) * 255).round().astype(np.uint8))


def _load(model: str) -> Measured:
    pipeline = load_pipeline(model)
    if not isinstance(pipeline, Measured):
        raise SettingError(
            f"{model} does not color in one pass, which the script beside it does; to measure a diffusion model: "
            "python -m training.benchmarks.diffusion_speed"
        )
    return pipeline


if __name__ == "__main__":
    sys.exit(main())
