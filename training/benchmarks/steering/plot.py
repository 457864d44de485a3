"""The points of the steering benchmark as a picture."""

from pathlib import Path
from typing import Any

from training.benchmarks.steering.tasks import COUNTS

_LABELS = {"points": "this model", "suggested": "this model, where it asks", "scribbles": "Levin's optimization"}


def plot_points(results: dict[str, Any], path: Path) -> None:
    """CIEDE2000 against the number of true points, of all ways on the same photographs."""
    from matplotlib.figure import Figure

    found = results["beside_others"]
    figure = Figure(figsize=(7, 4.5), layout="constrained")
    axes = figure.subplots()
    for kind, label in _LABELS.items():
        counts = [count for count in COUNTS if f"{kind}_{count}" in found]
        axes.plot(counts, [found[f"{kind}_{count}"] for count in counts], "o-", label=label)
    axes.axhline(found["automatic"], color="grey", linestyle="--", label="this model, no point")
    axes.axhline(1.0, color="black", linewidth=0.8, label="no colour at all")
    axes.set(
        xscale="log",
        xlabel="points of the true colour",
        ylabel="CIEDE2000, share of grey's (lower is nearer)",
        title=f"{found['num_pictures']} photographs",
        xticks=COUNTS,
    )
    axes.set_xticklabels([str(count) for count in COUNTS])
    axes.grid(alpha=0.3)
    axes.legend()
    figure.savefig(path, dpi=110)
