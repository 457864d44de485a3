"""How near the truth, and how vivid: `python -m training.benchmarks.quality PHOTOS MODEL [MODEL ...] [options]`.

CIEDE2000 alone rewards dullness and colourfulness alone rewards noise, so a model is a curve: its a*b* are scaled by a
saturation factor, and at each factor both are measured on full-size results, as shares of plain grey's CIEDE2000 and of
the truth's colourfulness. At the model's default saturation the Fréchet distance on MobileNetV2's features, too. Grey
and one constant tint stand beside it. MODEL is a catalog id or a folder of weights, as `training.train_gan` leaves it.
With `--json`, models that the file holds already stay in it, if they were measured on the same photographs.
"""

import argparse
import json
import sys
from collections import defaultdict
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from autochrome.catalog import load_pipeline
from autochrome.errors import AutochromeError, DataError
from autochrome.evaluation.plotting import require_plotting
from autochrome.files import write_json
from autochrome.image import picture_to_tensor, read_picture
from autochrome.inputs import select
from autochrome.metrics.baselines import BASELINES
from autochrome.metrics.ciede2000 import ciede2000_of
from autochrome.metrics.colorfulness import colorfulness
from autochrome.metrics.comparison import Comparison
from autochrome.metrics.curve import SATURATIONS
from autochrome.metrics.frechet import FRECHET_NAME, FeatureMoments, FrechetFeatures, frechet_distance
from autochrome.pipelines import FeedforwardPipeline, Pipeline

SHARES = (0.35, 0.5, 0.8, 1.0)
LIBRARIES = ("torch", "pillow")


def measure(
    pipeline: Pipeline, photos: Path, saturations: Sequence[float], settings: dict[str, Any], limit: int | None
) -> dict[str, Any]:
    """Color every photograph once and score it at each saturation and the default; plain numbers, ready for JSON."""
    default = str(float(pipeline.settings["saturation"].default))
    saturations = sorted({*map(float, saturations), float(default)})
    differences: dict[str, list[float]] = defaultdict(list)
    vividness: dict[str, list[float]] = defaultdict(list)
    moments: dict[str, FeatureMoments] = defaultdict(FeatureMoments)
    features = FrechetFeatures()
    seconds = []
    items = select([photos]).items
    for item in tqdm(items[:: max(1, len(items) // (limit or len(items)))], unit=" pictures", disable=None):
        picture = read_picture(item.read()).convert("RGB")
        reference = picture_to_tensor(picture)
        output = pipeline(picture, **settings)
        seconds.append(output.seconds)
        results = {str(value): picture_to_tensor(output.render(saturation=value)) for value in saturations}
        results |= {name: make(reference) for name, make in BASELINES.items()}
        comparison = Comparison(reference, reference)
        for name, result in results.items():
            differences[name].append(ciede2000_of(comparison.against_same_reference(result)).item())
            vividness[name].append(colorfulness(result).item())
            if name in (default, *BASELINES):
                moments[name].add(features(result))
        vividness["truth"].append(colorfulness(reference).item())
        moments["truth"].add(features(reference))
    grey = np.array(differences["grey"])
    rows = {
        name: {
            "ciede2000": round(float(np.mean(values)), 4),
            "ciede2000_share": round(float(np.mean(values) / grey.mean()), 4),
            "colorfulness_share": round(float(np.mean(vividness[name]) / np.mean(vividness["truth"])), 4),
            "better_than_grey": round(float((np.array(values) < grey).mean()), 4),
        }
        for name, values in differences.items()
    }
    for name in set(moments) - {"truth"}:
        rows[name][FRECHET_NAME] = round(frechet_distance(moments[name], moments["truth"]), 3)
    curve = sorted(
        (rows[str(value)]["colorfulness_share"], rows[str(value)]["ciede2000_share"]) for value in saturations
    )
    vivid, shares = zip(*curve, strict=True)
    at = {str(s): round(float(np.interp(s, vivid, shares)), 4) for s in SHARES if vivid[0] <= s <= vivid[-1]}
    return {
        "num_pictures": len(grey),
        "versions": {name: version(name) for name in LIBRARIES},
        "settings": output.settings,
        "median_seconds": round(float(np.median(seconds)), 4),
        "ciede2000_share_at_colorfulness_share": at,
        "by_saturation": {str(value): rows[str(value)] for value in saturations},
        "baselines": {name: rows[name] for name in BASELINES},
    }


def print_table(results: dict[str, Any]) -> None:
    """One row a model and saturation, the baselines first."""
    print(f"{'':28}{'CIEDE2000':>10}{'of grey':>9}{'colorful':>10}{'beats grey':>12}{'Frechet':>9}")
    first = next(iter(results.values()))
    rows = list(first["baselines"].items())
    for model, result in results.items():
        rows += [(f"{model} x{value}", row) for value, row in result["by_saturation"].items()]
    for name, row in rows:
        frechet = f"{row[FRECHET_NAME]:9.2f}" if FRECHET_NAME in row else ""
        print(
            f"{name:28}{row['ciede2000']:10.2f}{row['ciede2000_share']:9.3f}"
            f"{row['colorfulness_share']:10.3f}{row['better_than_grey']:12.1%}{frechet}"
        )
    print(f"{first['num_pictures']} pictures")


def plot(results: dict[str, Any], path: Path) -> None:
    """The curves of all models in one picture."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 5), layout="constrained")
    axes = figure.subplots()
    for model, result in results.items():
        rows = result["by_saturation"].values()
        axes.plot(
            [row["colorfulness_share"] for row in rows], [row["ciede2000_share"] for row in rows], "o-", label=model
        )
    for name, row in next(iter(results.values()))["baselines"].items():
        axes.plot(row["colorfulness_share"], row["ciede2000_share"], "s", label=name)
    axes.set(
        xlabel="colourfulness, share of the truth's (right is more vivid)",
        ylabel="CIEDE2000, share of grey's (lower is nearer)",
        title=f"{next(iter(results.values()))['num_pictures']} photographs",
        xlim=(-0.05, 1.6),
        ylim=(0.8, 1.6),
    )
    axes.grid(alpha=0.3)
    axes.legend()
    figure.savefig(path, dpi=110)


def main() -> int:
    """Command-line entry."""
    parser = argparse.ArgumentParser(prog="python -m training.benchmarks.quality", description=__doc__)
    parser.add_argument("photos", type=Path, help="folder or .zip of colour photographs never trained on")
    parser.add_argument("models", nargs="+", help="catalog ids or folders of weights")
    parser.add_argument("--saturations", type=float, nargs="+", default=SATURATIONS)
    parser.add_argument("--render-factor", type=int)
    parser.add_argument("--flip-average", action="store_true", help="mean of the picture and its mirror image")
    parser.add_argument("--limit", type=int, help="only about so many pictures, evenly spaced")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--plot", type=Path, help="a PNG of the curves; needs matplotlib")
    options = parser.parse_args()
    settings = {} if options.render_factor is None else {"render_factor": options.render_factor}
    try:
        if options.plot:
            require_plotting(options.plot)
        results = earlier_results(options.json)
        for model in options.models:
            pipeline = load_pipeline(model)
            if options.flip_average and isinstance(pipeline, FeedforwardPipeline):
                pipeline.flip_average = True
            measured = measure(pipeline, options.photos, options.saturations, settings, options.limit)
            results = {name: entry for name, entry in results.items() if entry["baselines"] == measured["baselines"]}
            results[model_name(model)] = measured | training_facts(pipeline, Path(model))
            if options.json:
                write_json(results, options.json)
        print_table(results)
        if options.plot:
            plot(results, options.plot)
    except AutochromeError as error:
        print(f"quality: error: {error}", file=sys.stderr)
        return 2
    return 0


def model_name(model: str) -> str:
    """A catalog id as it is; of a trainer's folder `.../NAME/model` the recipe's name, of another its own."""
    path = Path(model)
    if not path.is_dir():
        return model
    path = path.resolve()
    return path.parent.name if path.name == "model" else path.name


def training_facts(pipeline: Pipeline, folder: Path) -> dict[str, Any]:
    """Of a trainer's folder: parameters, pictures seen, and from its log speed (median) and memory (largest)."""
    log = folder / ".." / "log.jsonl"
    if not log.is_file() or not isinstance(pipeline, FeedforwardPipeline):
        return {}
    lines = [json.loads(line) for line in log.read_text(encoding="utf-8").splitlines()]
    steps = [line for line in lines if line["kind"] == "train"]
    return {
        "training": {
            "num_parameters": sum(parameter.numel() for parameter in pipeline.model.parameters()),
            "num_pictures": max(line["num_pictures"] for line in steps),
            "pictures_per_s": round(float(np.median([line["pictures_per_s"] for line in steps])), 1),
            "peak_memory_mb": max(round(line.get("peak_memory_mb", 0)) for line in steps),
        }
    }


def earlier_results(path: Path | None) -> dict[str, Any]:
    """What a file of results holds already; nothing where there is none. Raises DataError where it cannot be read."""
    if path is None or not path.exists():
        return {}
    try:
        found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise DataError(f"{path} cannot be read ({error}); remove it or give another --json") from error
    return found


if __name__ == "__main__":
    sys.exit(main())
