"""Final loss over the learning rate, and over the σ of those tuners that have one.

After Figures 7, 15, 18, 20 and 21 of Roulet et al., "Stepping on the Edge" (2024).
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from lrtransfer.figures import panels, style, tuned
from lrtransfer.figures.summary import over_seeds
from lrtransfer.figures.tables import Drawing, Settings, Tables

_COLUMNS = ["panel", "arm", "size", "x", "value", "low", "high", "n"]


def tuner_sweep(tables: Tables, settings: Settings) -> Drawing:
    """Draw the figure; see the module."""
    runs = tables.runs.assign(
        counted=tuned.counted_loss(tables.runs),
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
        axes.set_xlabel("learning rate η" if name == "η" else "σ")
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
        "edge of stability.",
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
    for (arm, size), part in summary.groupby(["arm", "size"]):
        color: str | style.Color
        color, dash = found[str(arm)]
        if len(sizes) > 1:
            color = colors[int(str(size))]
        x, y = part["x"].to_numpy(float), part["value"].to_numpy(float)
        bars = np.abs(part[["low", "high"]].to_numpy(float).T - y)
        bars = np.minimum(np.nan_to_num(bars), 2 * y)
        axes.errorbar(x, y, yerr=bars, color=color, ls=dash, marker="o", ms=4, elinewidth=0.8)
    axes.set_yscale("log")
    if len(summary):
        low, high = float(summary["value"].min()), float(summary["value"].max())
        axes.set_ylim(low / 2, 2 * high)
    style.plain_log(axes)
    if name == "η":
        axes.set_xscale("log", base=2)
        style.power_axis(axes.xaxis, summary["x"])
    return summary.assign(panel=name)


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


FIGURE = tuner_sweep
