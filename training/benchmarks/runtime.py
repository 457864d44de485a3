"""What runs a network fastest on a CPU: `python -m training.benchmarks.runtime [--model ID]... [--json FILE]`.

torch in float32 (channels_last, as the pipeline has it), torch in bfloat16 (autocast; only where the processor has it,
elsewhere it is emulated and ten times slower) and ONNX Runtime in float32, at several render factors and numbers of
threads. They run in turn, so that noise hits all alike; times are medians, on the clock and of the processor (all
threads together), which other processes disturb less. Beside them stands how far a*b* are from torch's in float32.
"""

import argparse
import os
import platform
import statistics
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # idle threads sleep, as everywhere else

import onnxruntime
import PIL.Image
import skimage.data
import torch
from torch import Tensor

from autochrome.catalog import load_pipeline
from autochrome.color import AB_SCALE
from autochrome.files import write_json
from autochrome.models import Colorizer
from autochrome.models.onnx import OnnxColorizer
from autochrome.pipelines import FeedforwardPipeline

RENDER_FACTORS = (12, 16, 32)
WARM_UPS = 3
Run = Callable[[Tensor], Tensor]


def has_bfloat16() -> bool:
    """Whether the processor computes in bfloat16; asking is the only way to know."""
    return bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())


def make_runtimes(model: Colorizer) -> dict[str, Run]:
    """Each runtime by name: L* `(1, 1, H, W)` to ab_normalized; ONNX Runtime takes as many threads as torch has now."""

    def in_torch(lightness: Tensor, dtype: torch.dtype | None) -> Tensor:
        context = torch.autocast("cpu", dtype) if dtype is not None else nullcontext()
        with torch.inference_mode(), context:
            answer: Tensor = model(lightness)
        return answer

    runtimes: dict[str, Run] = {"torch float32": lambda lightness: in_torch(lightness, None)}
    if has_bfloat16():
        runtimes["torch bfloat16"] = lambda lightness: in_torch(lightness, torch.bfloat16)
    return runtimes | {"onnx float32": OnnxColorizer(model)}


def measure(runtimes: Mapping[str, Run], lightness: Tensor, num_runs: int) -> dict[str, dict[str, float]]:
    """Median milliseconds of each runtime, taken in turn, and its distance from torch in float32 (Lab units)."""
    clock: dict[str, list[float]] = {name: [] for name in runtimes}
    processor: dict[str, list[float]] = {name: [] for name in runtimes}
    for turn in range(WARM_UPS + num_runs):
        for name, run in runtimes.items():
            start, start_of_work = time.perf_counter(), time.process_time()
            run(lightness)
            if turn >= WARM_UPS:
                clock[name].append(time.perf_counter() - start)
                processor[name].append(time.process_time() - start_of_work)
    reference = runtimes["torch float32"](lightness)
    wall, cpu = ({name: statistics.median(times[name]) for name in runtimes} for times in (clock, processor))
    measured = {}
    for name, run in runtimes.items():
        difference = (run(lightness) - reference).abs() * AB_SCALE
        measured[name] = {
            "median_ms": round(wall[name] * 1000, 1),
            "cpu_ms": round(cpu[name] * 1000, 1),
            "times_as_fast_as_torch_float32": round(wall["torch float32"] / wall[name], 2),
            "times_less_work_than_torch_float32": round(cpu["torch float32"] / cpu[name], 2),
            "mean_ab_difference": float(f"{difference.mean().item():.2g}"),
            "max_ab_difference": float(f"{difference.max().item():.2g}"),
        }
    return measured


def main() -> int:
    """Command-line entry."""
    parser = argparse.ArgumentParser(prog="python -m training.benchmarks.runtime", description=__doc__)
    parser.add_argument("--model", action="append", help="may be repeated; default: gan-artistic and cnn-classic")
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--runs", type=int, default=21)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    photo = PIL.Image.fromarray(skimage.data.astronaut()).convert("L").convert("RGB")
    rows = []
    for name in options.model or ["gan-artistic", "cnn-classic"]:
        pipeline = load_pipeline(name, device="cpu")
        if not isinstance(pipeline, FeedforwardPipeline):
            parser.error(f"{name} is no feedforward model")
        for threads in options.threads:
            torch.set_num_threads(threads)
            runtimes = make_runtimes(pipeline.model)
            for factor in RENDER_FACTORS:
                lightness = pipeline.prepare_lightness(photo, factor)
                for runtime, values in measure(runtimes, lightness, options.runs).items():
                    rows.append(
                        {"model": name, "threads": threads, "render_factor": factor, "runtime": runtime, **values}
                    )
                    print(*rows[-1].values(), sep="\t")
    if options.json:
        write_json({"machine": describe_machine(), "num_runs": options.runs, "results": rows}, options.json)
    return 0


def describe_machine() -> dict[str, Any]:
    """What the times depend on."""
    return {
        "cpu_capability": torch.backends.cpu.get_cpu_capability(),
        "bfloat16": has_bfloat16(),
        "cores": os.cpu_count(),
        "load_average": round(os.getloadavg()[0], 1),
        "python": platform.python_version(),
        "torch": torch.__version__,
        "onnxruntime": onnxruntime.__version__,
    }


if __name__ == "__main__":
    sys.exit(main())
