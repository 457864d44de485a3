"""What a further direction costs: `python -m training.benchmarks.steering_speed [--runs N] [--json FILE]`.

A one-megapixel photograph (scikit-image's astronaut, enlarged), from a grey JPEG to a picture in memory:

- the whole first pass of gan-artistic and of steerable, at their default settings, without directions and with all;
- a further point, word, palette or exemplar on what is kept of the photograph, as the page does it: on a reduced copy.

Medians, the ways taken in turn within one process, so that noise hits all.
"""

import argparse
import io
import json
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

import numpy as np
import PIL.Image
import skimage.data
import torch

from autochrome.catalog import load_pipeline
from autochrome.errors import AutochromeError
from autochrome.files import write_json
from autochrome.image import read_picture
from autochrome.pipelines import SteerablePipeline

SIDE_PX = 1000
PREVIEW_SIDE_PX = 640
"""What a page shows of a photograph while somebody draws."""

WARM_UPS = 2


def grey_jpeg() -> bytes:
    """One megapixel."""
    picture = PIL.Image.fromarray(skimage.data.astronaut()).convert("L").resize((SIDE_PX, SIDE_PX))
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", quality=90)
    return buffer.getvalue()


def ways(fresh: SteerablePipeline, steerable: SteerablePipeline) -> dict[str, Callable[[int], object]]:
    """What is timed, by name; each takes the number of the run, so that no direction is given twice.

    Two pipelines: `fresh` forgets each photograph, the other keeps what it saw.
    """
    artistic = load_pipeline("gan-artistic")
    file = grey_jpeg()
    kept = read_picture(file)
    kept.thumbnail((PREVIEW_SIDE_PX, PREVIEW_SIDE_PX))
    exemplar = PIL.Image.fromarray(skimage.data.coffee())
    words = ("red", "orange", "yellow", "green", "blue", "purple", "pink", "brown")

    def point(run: int) -> dict[str, object]:
        x, y = np.random.default_rng(run).random(2)
        return {"x": float(x), "y": float(y), "color": f"#{(run * 7919) % 0xFFFFFF:06x}"}

    def first(run: int, **directions: Any) -> object:
        fresh.forget()
        return fresh(file, **directions)

    def palette(run: int) -> list[str]:
        return [str(point(run + index)["color"]) for index in range(4)]

    prompt = "a woman in a {} suit".format
    return {
        "first pass, gan-artistic": lambda run: artistic(file),
        "first pass": first,
        "first pass, a prompt and a point": lambda run: first(run, prompt=prompt(words[run % 8]), hints=[point(run)]),
        "a further point": lambda run: steerable(kept, hints=[point(i) for i in range(run % 10 + 1)]),
        "a further word": lambda run: steerable(kept, prompt=prompt(words[run % 8])),
        "a further palette": lambda run: steerable(kept, palette=palette(run)),
        "a further point beside an exemplar": lambda run: steerable(kept, hints=[point(run)], exemplar=exemplar),
    }


def measure(runs: int) -> dict[str, object]:
    """Median milliseconds of each way, and what they are beside the first pass."""
    fresh, kept = load_pipeline("steerable"), load_pipeline("steerable")
    assert isinstance(fresh, SteerablePipeline)
    assert isinstance(kept, SteerablePipeline)
    timed = ways(fresh, kept)
    seconds: dict[str, list[float]] = {name: [] for name in timed}
    for run in range(WARM_UPS + runs):
        for name, way in timed.items():
            start = time.perf_counter()
            way(run)
            if run >= WARM_UPS:
                seconds[name].append(time.perf_counter() - start)
    medians = {name: round(median(values) * 1000, 1) for name, values in seconds.items()}
    first = medians["first pass"]
    return {
        "megapixels": SIDE_PX**2 / 1e6,
        "preview_side_px": PREVIEW_SIDE_PX,
        "threads": torch.get_num_threads(),
        "cpu_capability": torch.backends.cpu.get_cpu_capability(),
        "median_ms": medians,
        "first_pass_over_gan_artistic": round(first / medians["first pass, gan-artistic"], 2),
        "share_of_first_pass": {name: round(ms / first, 3) for name, ms in medians.items() if "further" in name},
    }


def main() -> int:
    """Command-line entry."""
    parser = argparse.ArgumentParser(prog="python -m training.benchmarks.steering_speed", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--runs", type=int, default=15)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    try:
        result = measure(max(1, options.runs))
    except AutochromeError as error:
        print(f"steering_speed: error: {error}", file=sys.stderr)
        return 2
    print(json.dumps(result, indent=1))
    if options.json:
        write_json(result, options.json)
    return 0


if __name__ == "__main__":
    sys.exit(main())
