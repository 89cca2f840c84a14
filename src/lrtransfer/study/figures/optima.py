"""Optimal learning rate against size, all arms in one panel: who drifts, and how far.

A line that is flat transfers. The third columns of Figures 1, 4, 6 and 13 of Noci et al., "Super
Consistency of Neural Network Landscapes and Learning Rate Transfer" (2024), hold the same numbers.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from lrtransfer.study.figures import panels, style
from lrtransfer.study.figures.tables import Drawing, Settings, Tables

_COLUMNS = ["panel", "arm", "size", "value", "low", "high", "n"]
_HEIGHT = 4.2  # inches; more where many arms have labels
_LABEL_HEIGHT = 0.567  # inches


def optima(tables: Tables, settings: Settings) -> Drawing:
    """Draw the figure; see the module."""
    found = tables.shown("optimum", settings.confidence)
    slopes = tables.shown("drift", settings.confidence)
    height = max(_HEIGHT, _LABEL_HEIGHT * len(settings.arms))
    figure, grid = style.grid(1, 1, height, extra=0.3)
    axes: Axes = grid[0, 0]
    points = [_points(found, name) for name in settings.arms]
    gaps = [
        gap
        for (name, arm), part in zip(settings.arms.items(), points, strict=True)
        for gap in panels.lacking_sizes(part, tables, name, f"{arm.label} optimum")
    ]
    plotted = panels.long_form(points, _COLUMNS)
    if plotted.empty:
        style.empty(axes, "no optimum: every run diverged, or none was fitted")
    else:
        trends = _draw(axes, points, slopes, tables, settings)
        plotted = panels.long_form([*points, *trends], _COLUMNS)
    facts = _facts(slopes, tables, settings)
    caption = panels.caption(
        facts,
        panels.measured_on(tables, settings, tables.seeds()),
        "Drawn: the fitted optimum of each net with its "
        f"{100 * settings.confidence:g} % interval (an arrow where it is open: the optimum lies at "
        "or beyond the end of the grid), arms shifted sideways to keep them apart; dashed, the "
        "fitted drift.",
        panels.gaps_sentence(gaps),
    )
    labels = style.listing(arm.label for arm in settings.arms.values())
    alt = f"Optimal learning rate against {tables.axis} for {labels}. {' '.join(facts)}"
    return Drawing(figure, plotted, caption, alt.strip())


def _points(found: pd.DataFrame, name: str) -> pd.DataFrame:
    """One arm's optima that exist, by size."""
    rows = found[(found["arm"] == name) & np.isfinite(found["value"].astype(float))]
    names = {"ci_low": "low", "ci_high": "high", "n_seeds": "n"}
    return rows.rename(columns=names).assign(panel="optimum").sort_values("size")


def _draw(
    axes: Axes,
    points: list[pd.DataFrame],
    slopes: pd.DataFrame,
    tables: Tables,
    settings: Settings,
) -> list[pd.DataFrame]:
    """All arms with their drifts; returns the drifts' ends."""
    bottom, top = _limits(points)
    axes.set_ylim(bottom, top)
    sizes = [float(size) for size in tables.sizes()]
    style.size_axis(axes, sizes)
    axes.set_xlim(sizes[0] / 1.25, sizes[-1] * 1.25)
    axes.set_xlabel(tables.axis + " (samples)" * panels.lengths_vary(tables))
    axes.set_ylabel("log₂ of the optimal learning rate η*")
    axes.set_title(
        f"at the right: drift in octaves per octave of {tables.axis} "
        f"[{100 * settings.confidence:g} % interval]",
        loc="right",
        fontsize=9.5,
    )
    labels, trends = [], []
    looks = panels.arm_looks(settings)
    apart = min(0.07, 0.42 / max(len(points) - 1, 1))
    for place, ((name, arm), part) in enumerate(zip(settings.arms.items(), points, strict=True)):
        if part.empty:
            continue
        color, marker = looks[name]
        shift = 2.0 ** (apart * (place - (len(points) - 1) / 2.0))
        _marks(axes, part, shift, color, marker)
        slope = slopes[slopes["arm"] == name]
        trend = _trend(part, slope).assign(arm=name)
        if len(trend):
            axes.plot(trend["size"] * shift, trend["value"], color=color, ls="--", lw=1.1, zorder=2)
        trends.append(trend)
        end = (float(part["size"].iloc[-1]) * shift, float(part["value"].iloc[-1]))
        labels.append((end, f"{arm.label}\n{_drift_text(slope)}", color))
    _label(axes, labels, gap=_LABEL_HEIGHT / max(_HEIGHT, _LABEL_HEIGHT * len(settings.arms)))
    return trends


def _limits(points: Sequence[pd.DataFrame]) -> tuple[float, float]:
    """The vertical span of all optima and closed intervals, with room around it."""
    columns = ["value", "low", "high"]
    every = np.concatenate([part[columns].to_numpy(dtype=float).ravel() for part in points])
    every = every[np.isfinite(every)]
    room = max(0.5, 0.08 * float(every.max() - every.min()))
    return float(every.min()) - room, float(every.max()) + room


def _marks(axes: Axes, part: pd.DataFrame, shift: float, color: str, marker: str) -> None:
    """Dots with intervals; an arrow at the panel's edge where an interval is open."""
    bottom, top = axes.get_ylim()
    for size, value, low, high in part[["size", "value", "low", "high"]].itertuples(index=False):
        x = size * shift
        ends = np.clip([value if math.isnan(low) else low, value if math.isnan(high) else high],
                       bottom, top)  # fmt: skip
        axes.plot([x, x], ends, color=color, lw=2.0, zorder=3)
        for end, arrow in ((low, "v"), (high, "^")):
            if math.isinf(end):
                edge = bottom if end < 0 else top
                axes.plot(x, edge, marker=arrow, color=color, clip_on=False, zorder=5)
    axes.plot(
        part["size"] * shift, part["value"], color=color, marker=marker, markersize=6.5,
        markeredgecolor="white", linestyle="none", zorder=4,
    )  # fmt: skip


def _trend(part: pd.DataFrame, slope: pd.DataFrame) -> pd.DataFrame:
    """The two ends of the fitted drift, a line through the centre of the optima."""
    x = np.log2(part["size"].to_numpy(dtype=float))
    value = float(slope["value"].iloc[0]) if len(slope) else math.nan
    if not math.isfinite(value) or len(x) < 2:
        return pd.DataFrame(columns=_COLUMNS)
    ends = np.array([x.min(), x.max()])
    line = float(part["value"].mean()) + value * (ends - x.mean())
    return pd.DataFrame({"panel": "drift", "size": np.exp2(ends).round(), "value": line})


def _drift_text(slope: pd.DataFrame) -> str:
    """An arm's drift with its interval, in few characters."""
    if slope.empty or not math.isfinite(float(slope["value"].iloc[0])):
        return "no drift fitted"
    return style.estimate(slope.iloc[0])


def _label(axes: Axes, labels: list[tuple[tuple[float, float], str, str]], gap: float) -> None:
    """Name each arm right of its last optimum; labels that would touch are pushed apart.

    `gap` is their least distance as a part of the panel's height.
    """
    bottom, top = axes.get_ylim()
    ordered = sorted(labels, key=lambda label: label[0][1])
    places = _apart([(end[1] - bottom) / (top - bottom) for end, _, _ in ordered], gap)
    for (end, text, color), place in zip(ordered, places, strict=True):
        leader = {"arrowstyle": "-", "color": color, "lw": 1.2, "relpos": (0.0, 0.5)}
        axes.annotate(
            text, xy=end, xytext=(1.035, place), textcoords="axes fraction", fontsize=9,
            va="center", ha="left", annotation_clip=False, arrowprops=leader,
        )  # fmt: skip


def _apart(heights: Sequence[float], gap: float) -> list[float]:
    """Places near increasing `heights`, at least `gap` apart, centred on where they crowd."""
    crowds: list[list[float]] = []
    for height in heights:
        crowds.append([height])
        # A crowd that touches the one below joins it, and both share one centre.
        while len(crowds) > 1 and _reach(crowds[-1], gap)[0] < _reach(crowds[-2], gap)[1] + gap:
            last = crowds.pop()
            crowds[-1] += last
    starts = [(_reach(crowd, gap)[0], len(crowd)) for crowd in crowds]
    return [start + i * gap for start, count in starts for i in range(count)]


def _reach(crowd: Sequence[float], gap: float) -> tuple[float, float]:
    """First and last place of a crowd spread evenly about its mean height."""
    half = gap * (len(crowd) - 1) / 2.0
    centre = sum(crowd) / len(crowd)
    return centre - half, centre + half


def _facts(slopes: pd.DataFrame, tables: Tables, settings: Settings) -> list[str]:
    """The drift of each arm in one sentence."""
    clauses = []
    for name, arm in settings.arms.items():
        slope = slopes[slopes["arm"] == name]
        if len(slope) and math.isfinite(float(slope["value"].iloc[0])):
            bound = " (a bound)" if panels.is_bound(slope.iloc[0]) else ""
            clauses.append(f"{_drift_text(slope)} for {arm.label}{bound}")
    if not clauses:
        return []
    return [f"Drift of the optimum, in octaves per octave of {tables.axis}: {'; '.join(clauses)}."]


DRAWN_FROM = "runs"
FIGURE = optima
