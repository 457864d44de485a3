"""The figures of a report, drawn with matplotlib: each is a function that draws on given axes, in any theme."""

import io
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from autochrome.errors import UnavailableError
from autochrome.report.density import AB_LIMIT, Array, blurred, level_around, plane_colors
from autochrome.report.markup import number

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

DPI = 192
"""Two pixels of a figure for one of the page."""


@dataclass(frozen=True)
class Theme:
    """Colors of figures on light or dark paper."""

    paper: str
    ink: str
    faint: str
    line: str
    result: str
    truth: str
    tint: str


LIGHT = Theme("#ffffff", "#1d1d1b", "#6f6f6b", "#d9d9d5", "#c04a24", "#2f7a48", "#a07828")
DARK = Theme("#161616", "#ececea", "#9b9b97", "#3a3a38", "#f0825a", "#77c795", "#d9b366")


def require_matplotlib() -> None:
    """Raises `UnavailableError` where matplotlib is not installed."""
    try:
        import matplotlib  # noqa: F401
    except ImportError as error:
        raise UnavailableError(
            "a report needs matplotlib, which is not installed; install it with: pip install matplotlib"
        ) from error


def render(draw: Callable[["Figure", Theme], None], size: tuple[float, float], theme: Theme) -> bytes:
    """A figure of `size` inches as a PNG. The same bytes for the same data; nothing of matplotlib's state is kept."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    buffer = io.BytesIO()
    with _style(theme):
        figure = Figure(figsize=size, dpi=DPI, layout="constrained", facecolor=theme.paper)
        FigureCanvasAgg(figure)
        draw(figure, theme)
        figure.savefig(buffer, format="png", metadata={"Software": None})
    return buffer.getvalue()


def draw_curve(figure: "Figure", theme: Theme, evaluation: dict[str, Any]) -> None:
    """CIEDE2000 against colorfulness, as shares of grey's and of the truth's, as the saturation is scaled."""
    curve = evaluation["curve"]
    x, y = np.array(curve["colorfulness_share"]), np.array(curve["ciede2000_share"])
    axes = figure.add_subplot()
    axes.axhline(1, color=theme.faint, linewidth=1, linestyle=(0, (4, 3)), label="plain grey")
    tint = _tint_point(evaluation)
    if tint is not None:
        axes.plot(*tint, "s", color=theme.tint, markersize=6, linestyle="none", label="one constant tint")
    axes.plot(x, y, color=theme.result, linewidth=2, marker="o", markersize=3)
    for share, key, legend in ((0.5, "at_half", "at equal colorfulness"), (1.0, "at_one", None)):
        axes.axvline(share, color=theme.line, linewidth=1, zorder=0)
        if curve.get(key) is None:
            continue
        if interval := curve.get("intervals", {}).get(key):
            axes.plot([share, share], interval, color=theme.result, linewidth=1.5)
        look: dict[str, Any] = {"linestyle": "none", "markersize": 6.5, "zorder": 6, "markerfacecolor": theme.paper}
        axes.plot(share, curve[key], "D", color=theme.result, label=legend, **look)
        _label(axes, f"{curve[key]:.2f}", (share, curve[key]), (8, -14), theme.result, theme)
    delivered = np.isclose(curve["saturation"], 1)
    if delivered.any():
        big: dict[str, Any] = {"marker": "o", "markersize": 8, "zorder": 5, "linestyle": "none"}
        axes.plot(x[delivered], y[delivered], color=theme.result, label="as delivered", **big)
    right = min(max(1.25, x.max()), 1.6)
    shown = y[x <= right]
    low, high = min(shown.min(), 0.9), min(max(shown.max(), 1.05), 1.7)
    axes.set_xlim(0, right)
    axes.set_ylim(low - 0.15 * (high - low), high + 0.2 * (high - low))
    axes.legend(loc="upper left", frameon=False, fontsize=8.5, labelcolor=theme.faint, handlelength=1.6)
    axes.set_xlabel("colorfulness, share of the truth’s")
    axes.set_ylabel("CIEDE2000, share of plain grey’s")


def draw_scatter(figure: "Figure", theme: Theme, pictures: Sequence[dict[str, Any]]) -> None:
    """Colorfulness of each result against that of its truth; the few far away are drawn at the edge."""
    result = _column(pictures, "colorfulness")
    truth = result - _column(pictures, "delta_colorfulness")
    limit = max(1.25 * float(np.percentile(np.maximum(result, truth), 97)), 10.0)
    axes = figure.add_subplot()
    axes.set_aspect("equal")
    axes.plot([0, limit], [0, limit], color=theme.truth, linewidth=1.4)
    axes.plot([0, limit], [0, limit / 2], color=theme.faint, linewidth=1, linestyle=(0, (4, 3)))
    size, alpha = (16, 0.75) if len(pictures) < 300 else (7, 0.35)
    outside = np.maximum(result, truth) > limit
    for chosen, marker in ((~outside, "o"), (outside, "D")):
        points = truth[chosen].clip(0, limit), result[chosen].clip(0, limit)
        look: dict[str, Any] = {"color": theme.result, "alpha": alpha, "linewidths": 0, "clip_on": False, "zorder": 3}
        axes.scatter(*points, s=size, marker=marker, **look)
    _label(axes, "as colorful as the truth", (limit, limit), (-3, -10), theme.truth, theme, 45)
    _label(axes, "half as colorful", (limit, limit / 2), (-4, -6), theme.faint, theme, 26.6)
    axes.set(xlim=(0, limit), ylim=(0, limit))
    axes.set_xlabel("colorfulness of the truth")
    axes.set_ylabel("colorfulness of the result")


def draw_distributions(figure: "Figure", theme: Theme, evaluation: dict[str, Any]) -> None:
    """A histogram of each metric: shaded from p25 to p75, ticks below at p5 and p95, lines at median and at grey."""
    names = list(evaluation["metrics"])
    columns = DISTRIBUTION_COLUMNS
    figure.set_layout_engine("constrained", wspace=0.09, hspace=0.06)
    grid = figure.subplots(-(-len(names) // columns), columns, squeeze=False)
    for axes in grid.flat[len(names) :]:
        axes.set_axis_off()
    for name, axes in zip(names, grid.flat, strict=False):
        values = _column(evaluation["pictures"], name)
        values = values[np.isfinite(values)]
        axes.set_title(name, loc="left", fontsize=9)
        axes.set_yticks([])
        axes.spines["left"].set_visible(False)
        if not values.size:
            axes.set_xticks([])
            continue
        summary = evaluation["metrics"][name]
        axes.set_title(number(summary["median"]), loc="right", fontsize=9, color=theme.result)
        _histogram(axes, theme, values, summary)
        grey = evaluation["baselines"].get("grey", {}).get(name, {}).get("mean")
        left, right = axes.get_xlim()
        if grey is not None and left <= grey <= right:
            axes.axvline(grey, color=theme.ink, linewidth=1.2, linestyle=(0, (3, 2)))


DISTRIBUTION_COLUMNS = 4


def _histogram(axes: "Axes", theme: Theme, values: Array, summary: dict[str, Any]) -> None:
    bins = min(30, max(6, round(2 * len(values) ** 0.5)))
    spread = max(float(np.ptp(values)), abs(float(values[0])) * 1e-3, 1e-6)
    counts, edges = np.histogram(values, bins, (values.min() - 0.02 * spread, values.max() + 0.02 * spread))
    axes.axvspan(summary["p25"], summary["p75"], color=theme.line, alpha=0.55, linewidth=0)
    ticks: dict[str, Any] = {"markersize": 11, "markeredgewidth": 1.4, "clip_on": False, "zorder": 5}
    axes.plot([summary["p5"], summary["p95"]], [0, 0], "|", color=theme.ink, **ticks)
    axes.stairs(counts, edges, fill=True, color=theme.result, alpha=0.6)
    axes.axvline(float(np.median(values)), color=theme.result, linewidth=1.6)
    axes.set_xlim(edges[0], edges[-1])
    axes.set_ylim(0, counts.max() * 1.12)
    axes.locator_params(axis="x", nbins=4)


def draw_density(figure: "Figure", theme: Theme, density: Array) -> None:
    """Where the colors of results and truth lie in the a*b* plane; lines around the densest 50 % and 90 % of pixels."""
    colors = plane_colors(density.shape[-1])
    extent = (-AB_LIMIT, AB_LIMIT, -AB_LIMIT, AB_LIMIT)
    top = density.max()
    grid = figure.subplots(1, 2, sharex=True, sharey=True)
    for axes, cells, title in zip(grid, density, ("result", "truth"), strict=True):
        alpha = np.where(cells > 0, (1.1 + np.log10(np.maximum(cells / top, 1e-9)) / 4.5).clip(0.12, 1), 0)
        axes.imshow(np.dstack((colors, alpha)), origin="lower", extent=extent, interpolation="nearest")
        smooth = blurred(cells)
        enclosing = {level_around(smooth, 0.5), level_around(smooth, 0.9)}
        levels = sorted(level for level in enclosing if smooth.min() < level < smooth.max())
        if levels:
            centers = (np.arange(len(cells)) + 0.5) / len(cells) * 2 * AB_LIMIT - AB_LIMIT
            axes.contour(centers, centers, smooth, levels, colors=theme.ink, linewidths=1)
        axes.axhline(0, color=theme.faint, linewidth=0.5)
        axes.axvline(0, color=theme.faint, linewidth=0.5)
        axes.set_title(title, loc="left", fontsize=10, color=theme.ink)
        axes.set_xlabel("a*   green – red")
    grid[0].set_ylabel("b*   blue – yellow")


def error_palette() -> npt.NDArray[np.uint8]:
    """The colors of the error map, `(256, 3)`: black is no error."""
    import matplotlib

    return (np.array(matplotlib.colormaps["inferno"](np.arange(256)))[:, :3] * 255).round().astype(np.uint8)


def error_stops(count: int = 9) -> Iterator[tuple[float, str]]:
    """The palette of the error map as (share of its range, #rrggbb), for a legend."""
    palette = error_palette()
    for share in np.linspace(0, 1, count).tolist():
        red, green, blue = palette[round(share * 255)]
        yield share, f"#{red:02x}{green:02x}{blue:02x}"


def _column(pictures: Sequence[dict[str, Any]], name: str) -> Array:
    """A metric of all pictures; NaN where there is none."""
    return np.array([picture.get(name) for picture in pictures], dtype=np.float64)


def _tint_point(evaluation: dict[str, Any]) -> tuple[float, float] | None:
    tint, grey = (evaluation["baselines"].get(name, {}) for name in ("tint", "grey"))
    share = evaluation["shares"].get("colorfulness_of_reference")
    if not share or not {"colorfulness", "ciede2000"} <= tint.keys() or not grey["ciede2000"]["mean"]:
        return None
    truth = evaluation["metrics"]["colorfulness"]["mean"] / share
    return tint["colorfulness"]["mean"] / truth, tint["ciede2000"]["mean"] / grey["ciede2000"]["mean"]


def _label(
    axes: "Axes",
    text: str,
    point: tuple[float, float],
    offset: tuple[float, float],
    color: str,
    theme: Theme,
    rotation: float = 0,
) -> None:
    """Text beside a point, `offset` in points of print; rotated text ends there, to lie below the end of a line."""
    from matplotlib.patheffects import withStroke

    axes.annotate(
        text,
        point,
        offset,
        textcoords="offset points",
        ha="right" if rotation else "left",
        va="top" if rotation else "baseline",
        color=color,
        fontsize=9,
        rotation=rotation,
        rotation_mode="anchor",
        path_effects=[withStroke(linewidth=2.5, foreground=theme.paper)],
        zorder=7,
    )


@contextmanager
def _style(theme: Theme) -> Iterator[None]:
    """matplotlib's own defaults, whatever the person has configured, in the theme's colors; undone at the end."""
    import matplotlib

    with matplotlib.rc_context():
        matplotlib.rcdefaults()
        matplotlib.rcParams.update(
            {
                "text.color": theme.ink,
                "text.parse_math": False,
                "axes.facecolor": theme.paper,
                "axes.edgecolor": theme.faint,
                "axes.labelcolor": theme.faint,
                "axes.labelsize": 9,
                "axes.linewidth": 0.8,
                "axes.spines.top": False,
                "axes.spines.right": False,
                "xtick.color": theme.faint,
                "ytick.color": theme.faint,
                "xtick.labelsize": 8.5,
                "ytick.labelsize": 8.5,
            }
        )
        yield
