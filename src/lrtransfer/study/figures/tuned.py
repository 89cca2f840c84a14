"""Pieces of the figures on learning-rate tuners: one line per arm, and the runs behind it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from lrtransfer.study.evidence.final_losses import counted_loss
from lrtransfer.study.figures import style
from lrtransfer.study.figures.summary import over_seeds
from lrtransfer.study.figures.tables import Settings, Tables

_DASHES = ("-", "--", ":", "-.")

Look = tuple[str, str]
"""Colour and line style."""


def looks(arms: Sequence[str]) -> dict[str, Look]:
    """Return a look for each arm; beyond nine arms the line style tells them apart."""
    colors = style.ARM_COLORS
    return {
        arm: (colors[i % len(colors)], _DASHES[i // len(colors) % len(_DASHES)])
        for i, arm in enumerate(arms)
    }


def handles(settings: Settings, found: Mapping[str, Look]) -> list[Line2D]:
    """Legend entries of the arms."""
    return [
        Line2D([], [], color=color, ls=dash, lw=2.2, label=settings.arms[arm].label)
        for arm, (color, dash) in found.items()
    ]


def tuner_of(config: str) -> dict[str, object]:
    """Return the tuner's entry of a run's configuration; empty without one."""
    found: dict[str, object] = json.loads(config).get("tuner") or {}
    return found


def sigma_of(config: str) -> float:
    """Return the σ of the run's tuner at the learning rate 1; NaN where it has none."""
    options = tuner_of(config).get("options")
    named = options.get("sigma") if isinstance(options, dict) else None
    if tuner_of(config).get("name") == "greedy":
        return 1.0
    return float(named) if isinstance(named, (int, float)) else float("nan")


def best_runs(tables: Tables) -> pd.DataFrame:
    """Return each arm's runs at its best learning rate, of the largest size of several.

    The best rate has the lowest mean log loss over seeds.
    """
    runs = tables.runs[tables.runs["size"] == max(tables.sizes())]
    runs = runs.assign(log=np.log(counted_loss(runs).clip(lower=1e-300)))
    means = runs.groupby(["arm", "lr"])["log"].mean().reset_index()
    best = means.loc[means.groupby("arm")["log"].idxmin(), ["arm", "lr"]]
    chosen: pd.DataFrame = runs.merge(best, on=["arm", "lr"])
    return chosen


def curves_of(tables: Tables, runs: pd.DataFrame, columns: Sequence[str]) -> pd.DataFrame:
    """Return arm, seed, step and `columns` of the curves of `runs`; absent columns are NaN."""
    joined = runs[["key", "arm", "seed"]].merge(tables.curves, on="key", how="inner")
    return joined.reindex(columns=["arm", "seed", "step", *columns])


def line_panel(
    axes: Axes,
    curves: pd.DataFrame,
    quantity: str,
    settings: Settings,
    *,
    log: bool,
    x: str = "step",
) -> pd.DataFrame:
    """Draw the mean over seeds of a quantity for each arm, with its interval as a band.

    Args:
        axes: Where to draw.
        curves: Columns arm, seed, step and the quantity.
        quantity: What is drawn.
        settings: For arms and confidence.
        log: Whether the vertical axis is logarithmic.
        x: `step`, or a column whose mean over seeds at a step is the position.

    Returns:
        What is drawn, in long form.
    """
    found = looks(list(settings.arms))
    known = curves.dropna(subset=[quantity]) if quantity in curves else curves.iloc[:0]
    summary = over_seeds(known, ["arm", "step"], quantity, settings.confidence, log=log)
    if summary.empty:
        style.empty(axes, "not measured")
        return pd.DataFrame()
    if x == "step":
        summary["x"] = summary["step"].astype(float)
    else:
        places = known.groupby(["arm", "step"])[x].mean().rename("x").reset_index()
        summary = summary.merge(places, on=["arm", "step"]).dropna(subset=["x"])
    for arm in settings.arms:
        part = summary[summary["arm"] == arm].sort_values("x")
        if part.empty:
            continue
        color, dash = found[arm]
        place = part["x"].to_numpy(float)
        axes.plot(place, part["value"].to_numpy(float), color=color, ls=dash, zorder=3)
        axes.fill_between(
            place,
            part["low"].to_numpy(float),
            part["high"].to_numpy(float),
            color=color,
            # Bands of many arms would cover one another and the lines.
            alpha=0.6 * style.BAND_ALPHA * min(1.0, 3 / summary["arm"].nunique()),
            linewidth=0,
            zorder=2,
        )
    _limits(axes, summary, log=log)
    return summary.assign(panel=quantity if x == "step" else f"{quantity} over {x}")


def _limits(axes: Axes, summary: pd.DataFrame, *, log: bool) -> None:
    """Let means, not the width of an interval of few seeds, set the vertical axis."""
    values = summary["value"].to_numpy(float)
    values = values[np.isfinite(values) & (values > 0 if log else True)]
    if not len(values):
        return
    low, high = float(values.min()), float(values.max())
    if log:
        axes.set_yscale("log")
        axes.set_ylim(low / 1.6, high * 1.6)
        style.plain_log(axes)
    else:
        margin = 0.08 * (high - low) or 0.1
        axes.set_ylim(low - margin, high + margin)
