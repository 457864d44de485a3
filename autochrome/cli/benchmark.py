"""`autochrome benchmark`: how fast, and in how much memory, beside the script that people would write themselves."""

import argparse
import json
import subprocess
import sys
from pathlib import Path
from statistics import median
from typing import Any

from autochrome.errors import UnavailableError
from autochrome.files import write_json

PICTURES = {"512x512": (512, 512), "12-megapixel": (4000, 3000)}
_MB = 1024 * 1024


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Register the command."""
    parser = subparsers.add_parser(
        "benchmark",
        help="measure speed and memory",
        description="Color a 512 x 512 and a 12-megapixel grey JPEG from file to picture (scikit-image's astronaut, "
        "tiled for the large one), and do the same with the script that people write themselves: Pillow's luma, "
        "scikit-image's rgb2lab and lab2rgb in float64 at full size, bilinear a*b*, around the same network at the "
        "same working size. Times are medians, taken in turn in one process; memory is the peak of a fresh process.",
    )
    parser.add_argument("--model", action="append", metavar="ID", help="may be repeated; default: all that are here")
    parser.add_argument("--picture", choices=PICTURES, help="only this one")
    parser.add_argument("--runs", type=int, default=5, metavar="N", help="timed runs of each (default: 5)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the results as JSON")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Measure each model in fresh processes. This one stays small: a child's peak memory starts at its parent's."""
    results = []
    machine: dict[str, Any] = {}
    for model in args.model or _measure("models"):
        for name in [args.picture] if args.picture else PICTURES:
            job = [model, *map(str, PICTURES[name])]
            times, machine = _measure("time", *job, str(max(1, args.runs)))
            memory = {way: _measure("memory", *job, way) for way in ("pipeline", "naive")}
            results.append(_summarize(model, name, times, memory))
            print(_sentence(results[-1]), flush=True)
    import_s = _import_seconds()
    print(f"import autochrome: {import_s * 1000:.0f} ms")
    if args.json is not None:
        write_json({"machine": machine, "import_autochrome_s": import_s, "results": results}, args.json)
    return 0


def _measure(*job: str) -> Any:
    """Run a job of `autochrome.cli.measure` in a fresh process."""
    done = subprocess.run(
        [sys.executable, "-m", "autochrome.cli.measure", *job], capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        reason = done.stderr.strip().splitlines()[-1:] or ["no message"]
        raise UnavailableError(f"cannot measure {' '.join(job)}: {reason[0]}")
    return json.loads(done.stdout)


def _import_seconds() -> float:
    code = "import time; t = time.perf_counter(); import autochrome; print(time.perf_counter() - t)"
    runs = [subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True) for _ in range(5)]
    return median(float(done.stdout) for done in runs)


def _summarize(model: str, picture: str, times: dict[str, Any], memory: dict[str, int]) -> dict[str, Any]:
    return {
        "model": model,
        "picture": picture,
        **times,
        "naive_over_pipeline_time": times["naive_s"] / times["pipeline_s"],
        "pipeline_peak_mb": memory["pipeline"] / _MB,
        "naive_peak_mb": memory["naive"] / _MB,
        "naive_over_pipeline_memory": memory["naive"] / memory["pipeline"],
    }


def _sentence(result: dict[str, Any]) -> str:
    parts = ", ".join(f"{name} {seconds * 1000:.0f}" for name, seconds in result["parts_s"].items())
    return (
        f"{result['model']}, {result['picture']}: {result['pipeline_s'] * 1000:.0f} ms ({parts}), "
        f"{result['pipeline_peak_mb']:.0f} MB; naive script {result['naive_s'] * 1000:.0f} ms "
        f"({result['naive_over_pipeline_time']:.2f} x), {result['naive_peak_mb']:.0f} MB "
        f"({result['naive_over_pipeline_memory']:.2f} x)"
    )
