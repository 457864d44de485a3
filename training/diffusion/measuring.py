"""What a trained ControlNet does: is the condition followed, and how near are the colors, beside grey and one tint."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow.parquet
import torch
from PIL import Image
from torch import Tensor
from tqdm import tqdm

from autochrome.errors import DataError
from autochrome.image import picture_to_lightness, picture_to_tensor, read_picture, resize
from autochrome.metrics import ciede2000
from autochrome.metrics.baselines import grey_baseline, tint_baseline
from autochrome.pipelines.base import ColorizationOutput, Pipeline
from training.diffusion.preparing import require_columns
from training.diffusion.recipe import Evaluation

_COLUMNS = ("image", "conditioning_image", "text_color")
_GRID_ROWS = 6
_GRID_SIDE_PX = 128


@dataclass(frozen=True)
class Sample:
    """A validation picture."""

    picture: Image.Image
    """The truth, RGB."""
    grey: Image.Image
    """What the model is given, RGB."""
    words: str
    """Its caption with color words; may be empty."""


@dataclass(frozen=True)
class Measures:
    """What was measured, and pictures of it."""

    values: dict[str, Any]
    """Plain numbers for report.json; see `measure`."""
    grid: Image.Image
    """Some pictures in rows: grey, colored without words, colored with them, the truth."""


def measure(pipe: Pipeline, dataset_dir: Path, evaluation: Evaluation) -> Measures:
    """Color validation pictures at their full size without words and with the color caption.

    `values` has `num_pictures`; `seconds_per_picture` (mean, one run); `condition`: `correlation` (Pearson, over the
    pixels of a picture, then the mean) and `mean_abs_error` (L* units) of the raw output's L* against the input's at
    the working size, and the same against another picture's input (`..._shuffled`), which is what ignoring the
    condition would score; `ciede2000`: means of `grey`, `tint`, `no_prompt`, `color_caption` with the L* merge,
    each model row also as a share of grey's, and `better_with_words`, a share of the captioned pictures.

    Raises:
        DataError: the dataset has fewer than two validation pictures.
    """
    samples = read_samples(dataset_dir, evaluation.num_pictures)
    common: dict[str, Any] = {"steps": evaluation.steps, "merge_lightness": True}
    if evaluation.guidance_scale is not None:
        common["guidance_scale"] = evaluation.guidance_scale
    lightness: list[tuple[Tensor, Tensor]] = []
    errors: list[dict[str, float]] = []
    rows: list[tuple[Image.Image, ...]] = []
    seconds = []
    for number, sample in enumerate(tqdm(samples, desc="measuring", unit="picture")):
        seed = evaluation.seed + number
        silent = pipe(sample.grey, seed=seed, **common)
        spoken = pipe(sample.grey, seed=seed, prompt=sample.words, **common) if sample.words else silent
        lightness.append((silent.lightness, _input_lightness(sample, silent)))
        errors.append(_errors(sample, silent.images[0], spoken.images[0]))
        seconds.append(silent.seconds)
        if len(rows) < _GRID_ROWS:
            rows.append((sample.grey, silent.images[0], spoken.images[0], sample.picture))
    means = {name: sum(one[name] for one in errors) / len(errors) for name in errors[0]}
    captioned = [one for one, sample in zip(errors, samples, strict=True) if sample.words]
    better = sum(one["color_caption"] < one["no_prompt"] for one in captioned) / max(1, len(captioned))
    shares = {f"{name}_share": means[name] / means["grey"] for name in ("no_prompt", "color_caption")}
    values = {
        "num_pictures": len(samples),
        "steps": evaluation.steps,
        "seconds_per_picture": sum(seconds) / len(seconds),
        "condition": condition_followed(lightness),
        "ciede2000": {**means, **shares, "better_with_words": better},
    }
    return Measures(_rounded(values), _grid(rows))


def read_samples(dataset_dir: Path, count: int) -> list[Sample]:
    """At most `count` pictures of the validation split, evenly spread; see `require_samples` for what it raises."""
    files, total = require_samples(dataset_dir)
    count = min(count, total)
    chosen = {index * total // count for index in range(count)}
    return [_sample(row) for index, row in enumerate(_rows(files)) if index in chosen]


def require_samples(dataset_dir: Path) -> tuple[list[Path], int]:
    """The files of the validation split, and how many pictures they have: several, each is another's wrong input.

    Raises:
        DataError: there are fewer than two, or a column is missing.
    """
    files = sorted((dataset_dir / "data").glob("validation-*.parquet"))
    total = sum(require_columns(path, _COLUMNS) for path in files)
    if total < 2:
        raise DataError(
            f"'{dataset_dir}' has {total} validation pictures; to measure, two are needed: build more, or set "
            "evaluation.num_pictures=0"
        )
    return files, total


def condition_followed(pairs: list[tuple[Tensor, Tensor]]) -> dict[str, float]:
    """How far outputs have the lightness that they were given, and, beside it, somebody else's.

    Args:
        pairs: of each picture the raw output's L* and the input's, both `(1, 1, h, w)`, 0..100.
    """
    values: dict[str, list[float]] = {"correlation": [], "mean_abs_error": []}
    values |= {f"{name}_shuffled": [] for name in values}
    for number, (output, own) in enumerate(pairs):
        other = pairs[(number + 1) % len(pairs)][1]
        other = resize(other, (output.shape[-1], output.shape[-2]))
        for suffix, given in (("", own), ("_shuffled", other)):
            values[f"correlation{suffix}"].append(_correlation(output, given))
            values[f"mean_abs_error{suffix}"].append((output - given).abs().mean().item())
    return {name: sum(numbers) / len(numbers) for name, numbers in values.items()}


def _correlation(one: Tensor, other: Tensor) -> float:
    """Pearson's; 0 where one of the two is flat."""
    value = torch.corrcoef(torch.stack((one.flatten(), other.flatten())))[0, 1].item()
    return value if value == value else 0.0


def _rows(files: list[Path]) -> Iterator[dict[str, Any]]:
    for path in files:
        with pyarrow.parquet.ParquetFile(path) as file:
            for batch in file.iter_batches(batch_size=64, columns=list(_COLUMNS)):
                yield from batch.to_pylist()


def _sample(row: dict[str, Any]) -> Sample:
    picture, grey = (read_picture(row[name]["bytes"]).convert("RGB") for name in ("image", "conditioning_image"))
    return Sample(picture, grey, (row["text_color"] or "").strip())


def _input_lightness(sample: Sample, output: ColorizationOutput) -> Tensor:
    height, width = output.lightness.shape[-2:]
    return resize(picture_to_lightness(sample.grey), (width, height))


def _errors(sample: Sample, silent: Image.Image, spoken: Image.Image) -> dict[str, float]:
    truth = picture_to_tensor(sample.picture)
    predictions = {
        "grey": grey_baseline(truth),
        "tint": tint_baseline(truth),
        "no_prompt": picture_to_tensor(silent),
        "color_caption": picture_to_tensor(spoken),
    }
    return {name: ciede2000(prediction, truth).item() for name, prediction in predictions.items()}


def _grid(rows: list[tuple[Image.Image, ...]]) -> Image.Image:
    side = _GRID_SIDE_PX
    grid = Image.new("RGB", (side * len(rows[0]), side * len(rows)), "white")
    for y, row in enumerate(rows):
        for x, picture in enumerate(row):
            small = picture.convert("RGB")
            small.thumbnail((side, side))
            grid.paste(small, (x * side + (side - small.width) // 2, y * side + (side - small.height) // 2))
    return grid


def _rounded(values: dict[str, Any]) -> dict[str, Any]:
    return {
        name: _rounded(value) if isinstance(value, dict) else round(value, 4) if isinstance(value, float) else value
        for name, value in values.items()
    }
