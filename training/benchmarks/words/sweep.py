"""Steps, guidance and saturation against nearness and vividness: curves from which defaults are chosen.

For every number of steps and guidance scale each photograph is colored without a prompt and with its `text_color`, and
scored at several saturations, which cost no run; and its caption's color word is swapped for one other. All at the
size of the model's own a*b*, without the merge at full size, so that the model is what takes the time.
"""

import time
from collections import defaultdict
from collections.abc import Sequence
from itertools import product
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor
from tqdm import tqdm

from autochrome.color import lab_to_gamut, merge_lab, rgb_to_lab
from autochrome.metrics.ciede2000 import ciede2000_lab
from autochrome.metrics.colorfulness import colorfulness
from autochrome.metrics.curve import SATURATIONS
from autochrome.naming.terms import COLOR_NAMES
from autochrome.pipelines import Pipeline
from training.benchmarks.photos import Photo
from training.benchmarks.words.asking import asking
from training.benchmarks.words.listening import prompts_of
from training.benchmarks.words.scoring import mean_with_interval
from training.benchmarks.words.swaps import colored_caption, response, with_color

WAYS = ("none", "text_color")
Run = dict[str, Any]


def sweep(
    pipe: Pipeline, photos: Sequence[Photo], grid: dict[str, Sequence[float]], settings: dict[str, Any]
) -> list[Run]:
    """A run for every combination of the settings in `grid`, e.g. `{"steps": (4, 8), "guidance_scale": (1.0, 2.0)}`.

    Photographs without captions are left out. Each run holds `settings`, for each way and saturation CIEDE2000 as a
    share of grey's and colorfulness as a share of the truth's, what the swaps did at saturation 1, and the median
    seconds of a picture.
    """
    spoken = [photo for photo in photos if photo.captions]
    runs = []
    for values in tqdm(list(product(*grid.values())), desc="sweep", unit=" combinations", disable=None):
        chosen = dict(zip(grid, values, strict=True))
        runs.append({"settings": chosen, **_run(pipe, spoken, settings | chosen)})
    return runs


def _run(pipe: Pipeline, photos: Sequence[Photo], settings: dict[str, Any]) -> Run:
    scores: dict[str, list[Tensor]] = defaultdict(list)
    beside: list[Tensor] = []
    swaps, seconds = [], []
    for index, photo in enumerate(photos):
        ask = asking(pipe, photo.picture, **settings, saturation=1.0)
        start = time.perf_counter()
        answers = ask([prompts_of(photo)[way] for way in WAYS])
        seconds.append((time.perf_counter() - start) / len(WAYS))
        truth = F.interpolate(photo.lab, answers[0].shape[-2:], mode="area")
        grey, itself = _score(truth, torch.zeros_like(truth[:, 1:])), _score(truth, truth[:, 1:])
        beside.append(torch.stack([grey[0], itself[1]]))
        for way, ab in zip(WAYS, answers, strict=True):
            scores[way].append(torch.stack([_score(truth, ab * saturation) for saturation in SATURATIONS]))
        if (caption := colored_caption(photo)) is not None:
            color = COLOR_NAMES[index % len(COLOR_NAMES)]
            without, other = ask([with_color(caption, ""), with_color(caption, color)])
            swaps += response([(color, other - without)])
    difference, vividness = torch.stack(beside).mean(dim=0).tolist()
    run: Run = {"median_seconds": round(float(np.median(seconds)), 4), "num_swaps": len(swaps)}
    for way, found in scores.items():
        means = torch.stack(found).mean(dim=0).tolist()
        run[way] = {
            str(saturation): {
                "ciede2000_share": round(mean_difference / difference, 4),
                "colorfulness_share": round(mean_vividness / vividness, 4),
            }
            for saturation, (mean_difference, mean_vividness) in zip(SATURATIONS, means, strict=True)
        }
    if swaps:
        for name in ("right_way", "shift"):
            run |= mean_with_interval(name, [one[name] for one in swaps])
    return run


def _score(truth: Tensor, ab: Tensor) -> Tensor:
    """Mean CIEDE2000 and colorfulness, `(2,)`, of a*b* under the true lightness."""
    rgb = lab_to_gamut(merge_lab(truth[:, :1], ab))
    difference = ciede2000_lab(rgb_to_lab(rgb), truth).mean()
    return torch.stack([difference, colorfulness(rgb.clamp(0, 1))[0]])


def plot_sweep(runs: Sequence[Run], path: Any) -> None:
    """The curves over the saturations: a part a number of steps, a color a guidance scale, dashed without a prompt."""
    from matplotlib.figure import Figure

    steps = sorted({run["settings"]["steps"] for run in runs})
    scales = sorted({run["settings"]["guidance_scale"] for run in runs})
    figure = Figure(figsize=(4.5 * len(steps) + 1, 4.5), layout="constrained")
    parts = figure.subplots(1, len(steps), sharey=True, squeeze=False)[0]
    points = [point for run in runs for way in WAYS for point in run[way].values()]
    lowest, dullest = (min(point[name] for point in points) for name in ("ciede2000_share", "colorfulness_share"))
    limits = {"xlim": (0, max(1.6, 3 * dullest)), "ylim": (lowest - 0.05, max(1.2, lowest + 0.6))}
    for axes, count in zip(parts, steps, strict=True):
        for run in (run for run in runs if run["settings"]["steps"] == count):
            scale = run["settings"]["guidance_scale"]
            for way, style in zip(WAYS, ("--", "-"), strict=True):
                axes.plot(
                    [point["colorfulness_share"] for point in run[way].values()],
                    [point["ciede2000_share"] for point in run[way].values()],
                    f"o{style}",
                    color=f"C{scales.index(scale)}",
                    markersize=3,
                    label=f"guidance {scale:g}, {'no prompt' if way == 'none' else 'color caption'}",
                )
        axes.axhline(1.0, color="black", linewidth=0.8)
        axes.set(title=f"{count} steps", xlabel="colorfulness, share of the truth's", **limits)
        axes.grid(alpha=0.3)
    parts[0].set_ylabel("CIEDE2000, share of grey's (lower is nearer)")
    parts[-1].legend(fontsize=7)
    figure.savefig(path, dpi=110)
