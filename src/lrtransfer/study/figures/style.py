"""How every figure looks: palettes, font sizes, axes in powers of two, number formats."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import matplotlib as mpl
import numpy as np
import numpy.typing as npt
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.lines import Line2D
from matplotlib.ticker import FixedLocator, MaxNLocator, NullFormatter, NullLocator

Color = tuple[float, float, float]

# Okabe & Ito (2008): told apart under every common colour blindness. For categories.
OKABE_ITO: tuple[str, ...] = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
# For more arms: Okabe & Ito's black, a wine red of Tol's (2021) and a gray.
ARM_COLORS: tuple[str, ...] = (*OKABE_ITO, "#000000", "#882255", "#7F7F7F")
BAND_ALPHA = 0.18
FIGURE_WIDTH = 11.0  # inches; a README shows it at about 1,000 pixels, so 10 pt reads as 11.5 px


def rc() -> Any:
    """Matplotlib settings for `matplotlib.rc_context`."""
    import seaborn as sns  # takes over a second, and the report needs words and colours alone

    return {
        **sns.axes_style("ticks", {"axes.grid": True, "grid.color": "#E6E6E6"}),
        "font.family": "sans-serif",
        "font.sans-serif": ["DejaVu Sans"],  # ships with matplotlib: the same bytes everywhere
        "font.size": 10.0,
        "axes.titlesize": 10.5,
        "axes.labelsize": 10.0,
        "xtick.labelsize": 9.0,
        "ytick.labelsize": 9.0,
        "legend.fontsize": 9.5,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "grid.linewidth": 0.6,
        "lines.linewidth": 1.6,
        "axes.unicode_minus": True,
        "text.parse_math": False,  # a label is shown as it is written, whatever dollars it has
        "figure.facecolor": "white",
        "savefig.facecolor": "white",
    }


def size_colors(sizes: Sequence[int]) -> dict[int, Color]:
    """One colour per size: viridis from light (small) to dark (large), without its yellow end."""
    ordered = sorted(sizes)
    positions = np.linspace(0.86, 0.0, len(ordered)) if len(ordered) > 1 else np.array([0.3])
    colormap = mpl.colormaps["viridis"]
    return {
        size: (float(r), float(g), float(b))
        for size, (r, g, b, _) in zip(ordered, colormap(positions), strict=True)
    }


def grid(rows: int, columns: int, row_height: float, extra: float = 0.9) -> tuple[Figure, Any]:
    """A figure of panels.

    Args:
        rows: Number of rows of panels.
        columns: Number of columns of panels.
        row_height: Height of a row in inches.
        extra: Height for the legend and the labels below, in inches.

    Returns:
        The figure and its panels, an object array of shape (rows, columns).
    """
    figure = Figure(
        figsize=(FIGURE_WIDTH, rows * row_height + extra),
        layout=ConstrainedLayoutEngine(w_pad=0.06, h_pad=0.06),
    )
    axes = figure.subplots(rows, columns, squeeze=False)
    return figure, axes


def row_title(axes: Axes, text: str) -> None:
    """Name a row of panels at the left of its first one; long names take two lines."""
    text = text.replace("   ", "\n") if len(text) > 24 else text
    axes.set_ylabel(text, fontweight="bold", fontsize=11, labelpad=8)


def legend(figure: Figure, handles: Sequence[Line2D], title: str | None = None) -> None:
    """One legend above all panels, in as many rows as its labels need."""
    figure.legend(
        handles=list(handles),
        loc="outside upper center",
        ncols=_legend_columns([str(handle.get_label()) for handle in handles]),
        frameon=False,
        title=title,
        handlelength=1.8,
        columnspacing=1.4,
    )


def _legend_columns(labels: Sequence[str]) -> int:
    """Columns of a legend, filled downwards, at most eight and no wider than the figure."""
    for rows in range(max(1, math.ceil(len(labels) / 8)), len(labels) + 1):
        columns = math.ceil(len(labels) / rows)
        chunks = [labels[i : i + rows] for i in range(0, len(labels), rows)]
        # A letter of 9.5 pt is about 0.08 inches wide; line and gaps of an entry take 0.5.
        width = sum(0.5 + 0.08 * max(map(len, chunk)) for chunk in chunks)
        if width <= FIGURE_WIDTH - 0.2:
            return columns
    return 1


def size_handles(axis: str, sizes: Sequence[int]) -> list[Line2D]:
    """Legend entries for `size_colors`; `axis` is what a size is, width or depth."""
    colors = size_colors(sizes)
    return [
        Line2D([], [], color=colors[size], linewidth=2.5, label=f"{axis} {size}")
        for size in sorted(sizes)
    ]


def empty(axes: Axes, reason: str) -> None:
    """Say in a panel why it is empty."""
    axes.text(0.5, 0.5, reason, transform=axes.transAxes, ha="center", va="center", color="#666666")
    axes.grid(False)
    axes.set_xticks([])
    axes.set_yticks([])


def step_axis(axes: Axes, last: int) -> None:
    """Logarithmic axis of training steps with room for step 0 at its left."""
    axes.set_xscale("symlog", base=2, linthresh=1.0, linscale=0.6)
    top = max(1, math.ceil(math.log2(max(last, 2))))
    stride = 1 if top <= 5 else math.ceil(top / 5)
    ticks = [0.0, *(2.0**power for power in range(0, top + 1, stride))]
    _ticks(axes.xaxis, ticks, [f"{int(tick)}" for tick in ticks])
    axes.set_xlim(-0.25, last * 1.15)


def power_axis(axis: Any, values: Iterable[float], *, labels: bool = True) -> None:
    """Put the ticks of a logarithmic axis on powers of two, at most seven of them."""
    positive = [value for value in values if value > 0.0 and math.isfinite(value)]
    if not positive:
        return
    low, high = (math.log2(bound) for bound in (min(positive), max(positive)))
    exponents = range(math.ceil(low - 1e-9), math.floor(high + 1e-9) + 1)
    stride = max(1, math.ceil(len(exponents) / 7))
    ticks = [2.0**exponent for exponent in exponents[::stride]]
    _ticks(axis, ticks, [number(tick) for tick in ticks] if labels else [""] * len(ticks))


def size_axis(axes: Axes, sizes: Sequence[float]) -> None:
    """Logarithmic horizontal axis whose ticks are sizes, at most seven of them."""
    axes.set_xscale("log", base=2)
    ticks = sorted(sizes)[:: max(1, math.ceil(len(sizes) / 7))]
    _ticks(axes.xaxis, ticks, [number(tick, 6) for tick in ticks])


def plain_log(axes: Axes) -> None:
    """Logarithmic vertical axis with three to nine ticks that read as plain numbers."""
    axes.set_yscale("log")
    ticks = log_ticks(*axes.get_ylim())
    _ticks(axes.yaxis, ticks, [number(tick) for tick in ticks])


def log_ticks(low: float, high: float) -> list[float]:
    """Round numbers between two positive limits: at 1, 2 and 5 of each decade if there is room.

    Over many decades only every second, third … power of ten; over less than one, more of them.
    """
    first, last = math.floor(math.log10(low)), math.ceil(math.log10(high))
    stride = max(1, math.ceil((last - first) / 9))
    usual = (1.0, 2.0, 5.0) if high / low < 300.0 else (1.0,)
    for steps in (usual, (1.0, 2.0, 5.0), (1.0, 1.5, 2.0, 3.0, 4.0, 5.0, 7.0)):
        decades = [d for d in range(first, last + 1) if d % stride == 0]
        ticks = [s * 10.0**d for d in decades for s in steps if low <= s * 10.0**d <= high]
        if len(ticks) >= 3:
            return ticks
    return [t for t in MaxNLocator(5).tick_values(low, high) if t > 0.0 and low <= t <= high]


def signed_log(axes: Axes, values: npt.NDArray[np.float64]) -> None:
    """Vertical axis for values of both signs: logarithmic away from zero, linear around it."""
    sizes = np.abs(values[np.isfinite(values) & (values != 0.0)])
    if not len(sizes):
        return
    first = math.floor(math.log10(float(np.quantile(sizes, 0.1))))
    last = max(first + 1, math.ceil(math.log10(float(sizes.max()))))
    axes.set_yscale("symlog", linthresh=10.0**first, linscale=0.7)
    axes.axhline(0.0, color="#333333", linewidth=0.8)
    low, high = axes.get_ylim()
    decades = [10.0**power for power in range(first, last + 1)]
    ticks = [t for t in (*(-d for d in decades), 0.0, *decades) if low <= t <= high]
    _ticks(axes.yaxis, ticks, [number(tick) for tick in ticks])


def number(value: float, digits: int = 3) -> str:
    """A number for readers: few digits, a true minus sign, powers of ten when extreme."""
    if math.isnan(value):
        return "–"
    if math.isinf(value):
        return "∞" if value > 0 else "−∞"
    text = f"{value:.{digits}g}"
    if "e" in text:
        mantissa, exponent = text.split("e")
        powers = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
        head = "" if mantissa == "1" else f"{mantissa}×"
        text = f"{head}10{str(int(exponent)).translate(powers)}"
    return text.replace("-", "−")


def interval(low: float, high: float, digits: int = 2) -> str:
    """An interval for readers; "–" where there is none."""
    if math.isnan(low) or math.isnan(high):
        return "–"
    return f"[{number(low, digits)}, {number(high, digits)}]"


def estimate(row: Mapping[Any, Any] | pd.Series) -> str:
    """An estimate for readers, of a row with `value`, `ci_low` and `ci_high`: "0.8 [0.7, 0.9]"."""
    limits = interval(float(row["ci_low"]), float(row["ci_high"]))
    return f"{number(float(row['value']), 2)} {limits}"


def listing(values: Iterable[object]) -> str:
    """Values in a sentence: "a, b and c"."""
    words = [str(value) for value in values]
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"


def _ticks(axis: Any, ticks: Sequence[float], labels: Sequence[str]) -> None:
    axis.set_major_locator(FixedLocator(list(ticks)))
    axis.set_ticklabels(list(labels))
    axis.set_minor_locator(NullLocator())
    axis.set_minor_formatter(NullFormatter())
