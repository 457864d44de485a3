"""The picture of a comparison: the systems' curves, and the share of pictures that one won over the other."""

from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from autochrome.errors import SettingError, UnavailableError
from autochrome.evaluation.conventions import CONVENTIONS
from autochrome.files import replacing

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_COLORS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000")
"""Okabe and Ito's, which color-blind people can tell apart too."""


def require_plotting(path: Path) -> None:
    """Raises `UnavailableError` without matplotlib, `SettingError` where the file would be no PNG."""
    if find_spec("matplotlib") is None:
        raise UnavailableError("a plot needs matplotlib, which is not installed: pip install matplotlib")
    if path.suffix.lower() != ".png":
        raise SettingError(f"the plot is a PNG, and '{path}' has another suffix; give a name that ends in .png")


def plot_comparison(comparison: Mapping[str, Any], path: Path) -> None:
    """Draw what `compare` gave as a PNG file.

    Raises:
        UnavailableError: matplotlib is not installed.
        SettingError: the path does not end in .png.
        DataError: the file cannot be written.
    """
    require_plotting(path)
    from matplotlib.figure import Figure

    with_curve = {name: system["curve"] for name, system in comparison["systems"].items() if "curve" in system}
    figure = Figure(figsize=(12 if with_curve else 7, 5), layout="constrained")
    axes = figure.subplots(1, 2 if with_curve else 1, squeeze=False)[0]
    if with_curve:
        _draw_curves(axes[0], with_curve)
    _draw_won(axes[-1], comparison["differences"])
    figure.suptitle(f"{comparison['num_pictures']} pictures, 95% intervals")
    with replacing(path) as temporary:
        figure.savefig(temporary, format="png", dpi=130)


def _draw_curves(axes: "Axes", curves: Mapping[str, Any]) -> None:
    for index, (name, curve) in enumerate(curves.items()):
        color = _COLORS[index % len(_COLORS)]
        vivid, difference = curve["colorfulness_share"], curve["ciede2000_share"]
        axes.plot(vivid, difference, "-", color=color, label=name)
        given = curve["saturation"].index(1.0)
        axes.plot(vivid[given], difference[given], "o", color=color)
        for key, share in (("at_half", 0.5), ("at_one", 1.0)):
            ends = curve["intervals"][key]
            if ends is not None:
                axes.plot([share, share], ends, "-", color=color, linewidth=4, alpha=0.4, solid_capstyle="butt")
    axes.plot(0, 1, "s", color="grey", label="plain grey")
    axes.axhline(1, color="grey", linewidth=0.8, linestyle=":")
    axes.set(
        title="Near the truth, or vivid (dots: as given; lower is better)",
        xlabel="colorfulness, share of the truth's",
        ylabel="CIEDE2000, share of plain grey's",
        xlim=(-0.05, 1.6),
    )
    inside = [
        value
        for curve in curves.values()
        for vivid, value in zip(curve["colorfulness_share"], curve["ciede2000_share"], strict=True)
        if vivid <= 1.6
    ]
    axes.set_ylim(min(0.9, *inside) - 0.05, max(1.1, *inside) + 0.05)
    axes.grid(alpha=0.3)
    axes.legend()


def _draw_won(axes: "Axes", differences: list[dict[str, Any]]) -> None:
    names = [name for name in differences[0]["metrics"] if CONVENTIONS[name].better is not None]
    for index, pair in enumerate(differences):
        color = _COLORS[(len(_COLORS) - 1 - index) % len(_COLORS)] if len(differences) > 1 else "#333333"
        offset = (index - (len(differences) - 1) / 2) * 0.6 / len(differences)
        for row, name in enumerate(names):
            found = pair["metrics"][name]
            ends = found["second_won_interval"]
            if ends is not None:
                axes.plot([100 * end for end in ends], [row + offset] * 2, "-", color=color)
            label = f"{pair['second']} against {pair['first']}" if row == 0 else None
            axes.plot(100 * found["second_won"], row + offset, "o", color=color, label=label)
    axes.axvline(50, color="grey", linewidth=0.8)
    axes.set(title="Share of pictures won", xlabel="%", xlim=(0, 100), ylim=(len(names) - 0.5, -0.5))
    axes.set_yticks(range(len(names)), names)
    axes.grid(axis="x", alpha=0.3)
    axes.legend()
