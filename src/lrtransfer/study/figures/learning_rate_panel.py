"""A panel: final loss over the learning rate, one curve per size, with fitted optima."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from lrtransfer.study.figures import panels, style
from lrtransfer.study.figures.summary import over_seeds
from lrtransfer.study.figures.tables import Settings, Tables


def learning_rate_panel(axes: Axes, tables: Tables, settings: Settings, name: str) -> pd.DataFrame:
    """Draw the final loss of one arm, the optimum of each size, and divergences.

    Returns:
        What is drawn: panel (transfer, survivors, diverged, optimum), arm, size, x (log2 of the
        learning rate), value, n, intervals low, high (loss) and x_low, x_high (optimum).
    """
    runs = tables.runs[tables.runs["arm"] == name]
    if runs.empty:
        style.empty(axes, "no run")
        return pd.DataFrame(columns=["panel", "arm", "size", "x", "value"])
    by = ["arm", "size", "log2_lr"]
    finished = runs[runs["status"] == "ok"]
    log = not tables.signed
    summary = over_seeds(finished, by, "final_loss", settings.confidence, log=log)
    diverged = runs[runs["status"] != "ok"].groupby(by).size().rename("n").reset_index()
    partial = summary.set_index(by).index.isin(diverged.set_index(by).index)
    complete = summary[~partial].rename(columns={"log2_lr": "x"}).assign(panel="transfer")
    survivors = summary[partial].rename(columns={"log2_lr": "x"}).assign(panel="survivors")
    crosses = diverged.rename(columns={"log2_lr": "x"}).assign(panel="diverged")
    sizes = tables.sizes()
    panels.bands(axes, complete, sizes)
    _lost(axes, survivors, crosses, sizes)
    grid = np.sort(runs["log2_lr"].unique())
    axes.set_xlim(grid[0] - 0.6, grid[-1] + 0.6)
    whole = np.arange(math.ceil(grid[0]), math.floor(grid[-1]) + 1)
    axes.set_xticks(whole[:: math.ceil(len(whole) / 9)] if len(whole) else grid)
    optima = _optima(axes, tables, settings, name, complete)
    return pd.concat([complete, survivors, crosses, optima], ignore_index=True)


def handles(drawn: set[str]) -> list[Line2D]:
    """Legend entries for what `drawn` names of the panels of `learning_rate_panel`."""
    look: dict[str, Any] = {"color": "#333333", "linestyle": ""}
    marks = {
        "optimum": Line2D([], [], color="#333333", marker="o", label="optimum, interval"),
        "diverged": Line2D([], [], marker="x", label="a seed diverged", **look),
        "survivors": Line2D([], [], marker="o", mfc="white", label="mean of the others", **look),
    }
    return [mark for panel, mark in marks.items() if panel in drawn]


def _lost(axes: Axes, survivors: pd.DataFrame, crosses: pd.DataFrame, sizes: list[int]) -> None:
    """Crosses where a seed diverged, open circles for the mean of the seeds that did not."""
    colors = style.size_colors(sizes)
    for size, x, value in survivors[["size", "x", "value"]].itertuples(index=False):
        axes.plot(x, value, marker="o", markerfacecolor="white", color=colors[size], zorder=4)
    for size, x in crosses[["size", "x"]].itertuples(index=False):
        # One line of crosses per size, so that none hides another.
        height = 0.975 - 0.03 * sizes.index(size)
        axes.plot(
            x, height, marker="x", markersize=5, markeredgewidth=1.5, color=colors[size],
            transform=axes.get_xaxis_transform(), clip_on=False, zorder=5,
        )  # fmt: skip


def _optima(
    axes: Axes, tables: Tables, settings: Settings, name: str, complete: pd.DataFrame
) -> pd.DataFrame:
    """A dot at each fitted optimum with its interval as a bar, open ends as arrows."""
    optima = tables.shown("optimum", settings.confidence, arm=name)
    optima = optima[np.isfinite(optima["value"].astype(float))]
    colors = style.size_colors(tables.sizes())
    left, right = axes.get_xlim()
    rows = []
    for optimum in optima.to_dict("records"):
        size, x = int(optimum["size"]), float(optimum["value"])
        curve = complete[complete["size"] == size]
        if curve.empty or size not in colors:
            continue
        # On the drawn curve, so that the dot belongs to its line by eye.
        rates, losses = curve["x"].astype(float), curve["value"].astype(float)
        height = float(np.interp(x, rates, losses if tables.signed else np.log(losses)))
        value = height if tables.signed else math.exp(height)
        low, high = float(optimum["ci_low"]), float(optimum["ci_high"])
        ends = [x if math.isnan(low) else low, x if math.isnan(high) else high]
        axes.plot(np.clip(ends, left, right), [value] * 2, color=colors[size], lw=2.6, zorder=5)
        for end, bound, marker in ((ends[0], left, "<"), (ends[1], right, ">")):
            if not left <= end <= right:
                axes.plot(bound, value, marker=marker, color=colors[size], clip_on=False, zorder=6)
        axes.plot(
            x, value, marker="o", markersize=6.5, color=colors[size], markeredgecolor="white",
            zorder=6,
        )  # fmt: skip
        rows.append([name, size, x, value, low, high, optimum["n_seeds"], "optimum"])
    columns = ["arm", "size", "x", "value", "x_low", "x_high", "n", "panel"]
    return pd.DataFrame(rows, columns=columns)
