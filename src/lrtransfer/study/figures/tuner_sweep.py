"""Final loss over the learning rate, and over the σ of those tuners that have one.

After Figures 7, 15, 18, 20 and 21 of Roulet et al., "Stepping on the Edge" (2024).
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from lrtransfer.study.evidence.final_losses import counted_loss
from lrtransfer.study.figures import panels, style, tuned
from lrtransfer.study.figures.summary import over_seeds
from lrtransfer.study.figures.tables import Drawing, Settings, Tables

_COLUMNS = ["panel", "arm", "size", "x", "value", "low", "high", "n"]


def tuner_sweep(tables: Tables, settings: Settings) -> Drawing:
    """Draw the figure; see the module."""
    runs = tables.runs.assign(
        counted=counted_loss(tables.runs),
        sigma=[tuned.sigma_of(config) for config in tables.runs["config"]],
        tuner=[str(tuned.tuner_of(c).get("name", "constant")) for c in tables.runs["config"]],
    )
    fixed = runs[runs["tuner"] == "constant"].assign(x=lambda f: f["lr"])
    edged = runs[runs["sigma"].notna()].assign(x=lambda f: f["sigma"] * f["lr"])
    shown = [(name, part) for name, part in (("η", fixed), ("σ", edged)) if len(part)]
    figure, grid = style.grid(1, max(len(shown), 1), 3.8)
    sizes = tables.sizes()
    parts = []
    for axes, (name, part) in zip(grid[0], shown, strict=False):
        parts.append(_panel(axes, part, name, settings, sizes))
        axes.set_xlabel("learning rate η" if name == "η" else "σ, in units of the greedy rate")
    if not shown:
        style.empty(grid[0, 0], "no arm with a learning rate or a σ to choose")
    grid[0, 0].set_ylabel(f"final {panels.loss_title(tables)}")
    style.legend(figure, _entries(settings, sizes, runs))
    facts = _facts(edged, settings)
    caption = panels.caption(
        facts,
        panels.measured_on(tables, settings, tables.seeds()),
        f"Drawn: the mean training loss of the last {panels.per_arm(settings, 'loss_window')} "
        "steps; a diverged run counts with its initial loss. σ = 1 is the greedy rate, σ = 2 the "
        "edge of stability. An arrow marks an interval that leaves the panel.",
        panels.band_sentence(tables.seeds(), settings, "bars"),
    )
    labels = style.listing(arm.label for arm in settings.arms.values())
    alt = f"Final loss over learning rate and over σ of {labels}. {' '.join(facts)}"
    plotted = panels.long_form([p for p in parts if len(p)], _COLUMNS)
    return Drawing(figure, plotted, caption, alt.strip())


def _panel(
    axes: Axes, runs: pd.DataFrame, name: str, settings: Settings, sizes: list[int]
) -> pd.DataFrame:
    summary = over_seeds(runs, ["arm", "size", "x"], "counted", settings.confidence, log=True)
    found, colors = tuned.looks(list(settings.arms)), style.size_colors(sizes)
    axes.set_yscale("log")
    if len(summary):
        axes.set_ylim(*_window(summary))
    style.plain_log(axes)
    lines = list(summary.groupby(["arm", "size"]))
    span = float(summary["x"].max() - summary["x"].min()) or 1.0
    for place, ((arm, size), part) in enumerate(lines):
        color: str | style.Color
        color, dash = found[str(arm)]
        if len(sizes) > 1:
            color = colors[int(str(size))]
        aside = place - (len(lines) - 1) / 2
        x, y = part["x"].to_numpy(float), part["value"].to_numpy(float)
        # Arms share abscissas: shifted sideways, no interval hides another.
        x = x * 1.03**aside if name == "η" else x + 0.006 * span * aside
        axes.plot(x, y, color=color, ls=dash, marker="o", ms=4, zorder=3)
        _bars(axes, x, part, color)
    if name == "η":
        axes.set_xscale("log", base=2)
        style.power_axis(axes.xaxis, summary["x"])
    return summary.assign(panel=name)


def _window(summary: pd.DataFrame) -> tuple[float, float]:
    """Vertical limits: all means, and of their intervals what lies within a factor of four."""
    low, high = float(summary["value"].min()), float(summary["value"].max())
    ends = summary[["low", "high"]].astype(float)
    bottom = max(float(np.nanmin([low, ends["low"].min()])), low / 4)
    top = min(float(np.nanmax([high, ends["high"].max()])), 4 * high)
    return bottom / 1.25, 1.25 * top


def _bars(axes: Axes, x: np.ndarray, part: pd.DataFrame, color: str | style.Color) -> None:
    """Intervals; an arrow at the panel's edge where one leaves it."""
    bottom, top = axes.get_ylim()
    ends = part[["low", "high"]].to_numpy(float)
    for place, (low, high) in zip(x, ends, strict=True):
        axes.plot([place] * 2, np.clip([low, high], bottom, top), color=color, lw=0.9, zorder=2)
        for out, edge, arrow in ((low < bottom, bottom, "v"), (high > top, top, "^")):
            if out:
                axes.plot(place, edge, marker=arrow, ms=5, color=color, clip_on=False, zorder=4)


def _entries(settings: Settings, sizes: list[int], runs: pd.DataFrame) -> list[Line2D]:
    axis = str(runs["axis"].iloc[0]) if len(runs) else "width"
    if len(sizes) > 1:
        return style.size_handles(axis, sizes)
    drawn = set(runs.loc[runs["sigma"].notna() | (runs["tuner"] == "constant"), "arm"])
    found = tuned.looks(list(settings.arms))
    return tuned.handles(settings, {arm: look for arm, look in found.items() if arm in drawn})


def _facts(edged: pd.DataFrame, settings: Settings) -> list[str]:
    """The best σ of every arm that tries several."""
    clauses = []
    for (arm, size), part in edged.groupby(["arm", "size"], sort=False):
        logs = part.assign(log=np.log(part["counted"].clip(lower=1e-300)))
        means = logs.groupby("x")["log"].mean()
        if len(means) > 1 and str(arm) in settings.arms:
            several = edged.loc[edged["arm"] == arm, "size"].nunique() > 1
            where = f" at {part['axis'].iloc[0]} {size}" if several else ""
            best = style.number(float(str(means.idxmin())), 5)
            clauses.append(f"{best} for {settings.arms[str(arm)].label}{where}")
    return [f"Best σ: {', '.join(clauses)}."] if clauses else []


DRAWN_FROM = "tuners"
FIGURE = tuner_sweep
