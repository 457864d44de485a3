"""The tables of training/README.md: every recipe's results and costs, from recipes.json and batch_size.json."""

from collections.abc import Mapping, Sequence
from typing import Any

from autochrome.metrics.frechet import FRECHET_NAME

HEADER = [
    "recipe",
    "parameters",
    "pictures seen",
    "a second",
    "memory in training",
    "CIEDE2000, share of grey's",
    "colorfulness, share of the truth's",
    "better than grey",
    "Fréchet distance (MobileNetV2)",
    "CIEDE2000 share at half the colorfulness",
    "at all of it",
]
NOT_REACHED = "–"


def recipe_rows(recipes: Mapping[str, Any]) -> list[list[str]]:
    """One row a recipe after those of the baselines, all measured on the same photographs."""
    first = next(iter(recipes.values()))
    rows = []
    for name, title in (("grey", "no color at all"), ("tint", "one constant tint")):
        rows.append([title, *[NOT_REACHED] * 4, *_scores(first["baselines"][name]), NOT_REACHED, NOT_REACHED])
    for name, entry in recipes.items():
        facts = entry.get("training")
        costs = (
            [
                f"{facts['num_parameters'] / 1e6:.1f} M",
                f"{facts['num_pictures']:,}",
                f"{facts['pictures_per_s']:.0f}",
                f"{facts['peak_memory_mb']:,} MB" if facts["peak_memory_mb"] else NOT_REACHED,
            ]
            if facts
            else [NOT_REACHED] * 4
        )
        default = entry["by_saturation"][str(float(entry["settings"]["saturation"]))]
        at = entry["ciede2000_share_at_colorfulness_share"]
        shares = [percent(at[share]) if share in at else NOT_REACHED for share in ("0.5", "1.0")]
        rows.append([f"`{name}`", *costs, *_scores(default), *shares])
    return rows


def curve_rows(recipes: Mapping[str, Any]) -> list[list[str]]:
    """Each model's whole curve: CIEDE2000 and, in brackets, colorfulness, at every saturation that all have."""
    saturations = common_saturations(recipes)
    rows = []
    for name, entry in recipes.items():
        points = [entry["by_saturation"][saturation] for saturation in saturations]
        cells = [f"{percent(p['ciede2000_share'])} ({percent(p['colorfulness_share'])})" for p in points]
        rows.append([f"`{name}`", *cells])
    return rows


def common_saturations(recipes: Mapping[str, Any]) -> list[str]:
    """Saturations at which every model was measured, rising."""
    measured: Sequence[set[str]] = [set(entry["by_saturation"]) for entry in recipes.values()]
    return sorted(set.intersection(*measured), key=float)


def batch_rows(batch_sizes: Mapping[str, Any]) -> list[list[str]]:
    """Batch size, peak memory, pictures a second."""
    return [
        [str(row["batch_size"]), f"{row['peak_memory_mb']:,} MB", f"{row['pictures_per_s']:.0f}"]
        for row in batch_sizes["results"]
    ]


def percent(share: float) -> str:
    """0.8234 as 82.3 %."""
    return f"{share * 100:.1f} %"


def _scores(row: Mapping[str, float]) -> list[str]:
    shares = [percent(row[name]) for name in ("ciede2000_share", "colorfulness_share", "better_than_grey")]
    return [*shares, f"{row[FRECHET_NAME]:.1f}"]
