"""What the render factor does: `python -m training.benchmarks.render_factor PHOTOS MODEL [options]`.

A model colors the photographs at each working side (16 px x render factor). At equal colorfulness the factor with the
lowest CIEDE2000 is the best; the time of the network grows with its square. The photographs must be others than those
that the model is reported on: this is where its default is chosen.
"""

import argparse
import sys
from pathlib import Path
from typing import Any

from autochrome.catalog import load_pipeline
from autochrome.errors import AutochromeError
from autochrome.evaluation.plotting import require_plotting
from autochrome.files import write_json
from training.benchmarks.quality import measure, model_name

FACTORS = (7, 8, 10, 12, 14, 16, 20, 25, 30, 35, 45)
SATURATIONS = (0.5, 1.0, 1.5, 2.0, 3.0)


def plot(model: str, by_factor: dict[str, dict[str, Any]], path: Path) -> None:
    """CIEDE2000 at half and at all of the truth's colorfulness, and the colorfulness as delivered, by factor."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(10, 4), layout="constrained")
    near, vivid = figure.subplots(1, 2)
    factors = [int(factor) for factor in by_factor]
    for share, label in (("0.5", "half of"), ("1.0", "all of")):
        values = [entry["ciede2000_share_at_colorfulness_share"].get(share) for entry in by_factor.values()]
        near.plot(factors, [float("nan") if value is None else value for value in values], "o-", label=label)
    near.set(xlabel="render factor", ylabel="CIEDE2000, share of grey's (lower is nearer)", title=model)
    near.legend(title="at this share of the truth's colorfulness")
    default = [entry["as_delivered"]["colorfulness_share"] for entry in by_factor.values()]
    vivid.plot(factors, default, "o-")
    vivid.set(xlabel="render factor", ylabel="colorfulness as delivered, share of the truth's")
    for axes in (near, vivid):
        axes.grid(alpha=0.3)
    figure.savefig(path, dpi=110)


def main() -> int:
    """Command-line entry."""
    parser = argparse.ArgumentParser(prog="python -m training.benchmarks.render_factor", description=__doc__)
    parser.add_argument("photos", type=Path, help="folder or .zip of color photographs, not those of the test")
    parser.add_argument("model", help="catalog id or folder of weights")
    parser.add_argument("--factors", type=int, nargs="+", default=FACTORS)
    parser.add_argument("--limit", type=int, help="only about so many pictures, evenly spaced")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--plot", type=Path, help="a PNG of the curves; needs matplotlib")
    options = parser.parse_args()
    by_factor: dict[str, dict[str, Any]] = {}
    try:
        if options.plot:
            require_plotting(options.plot)
        pipeline = load_pipeline(options.model)
        saturation = str(float(pipeline.settings["saturation"].default))
        for factor in options.factors:
            result = measure(pipeline, options.photos, SATURATIONS, {"render_factor": factor}, options.limit)
            by_saturation = result.pop("by_saturation")
            by_factor[str(factor)] = result | {"as_delivered": by_saturation[saturation]}
            at = result["ciede2000_share_at_colorfulness_share"]
            print(factor, by_factor[str(factor)]["as_delivered"], at, result["median_seconds"], flush=True)
        if options.json:
            write_json({model_name(options.model): by_factor}, options.json)
        if options.plot:
            plot(options.model, by_factor, options.plot)
    except AutochromeError as error:
        print(f"render_factor: error: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
