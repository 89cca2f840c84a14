"""The implicit warm-up s_t, measured and predicted.

After Figure 5 of Kosson et al., "Weight Decay may matter more than muP for Learning Rate Transfer
in Practice" (2025).
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from lrtransfer.study.figures import panels, style
from lrtransfer.study.figures.tables import Drawing, Settings, Tables

_COLUMNS = ["panel", "arm", "size", "x", "value", "low", "high", "n"]
_STYLES = {"predicted": "--", "simplified": ":"}
_WORDS = {"predicted": "recursion for noise", "simplified": "simplified formula"}


def implicit_warmup(tables: Tables, settings: Settings) -> Drawing:
    """Draw the figure; see the module."""
    courses = tables.course("implicit_warmup", settings.confidence)
    figure, grid = style.grid(1, 1, 4.2)
    axes = grid[0, 0]
    parts = _draw(axes, courses, tables.sizes())
    axes.set_xlabel("training step")
    axes.set_ylabel("s: relative update, scaled over unscaled learning rate")
    plotted = panels.long_form(parts, _COLUMNS)
    entries = [Line2D([], [], color="#333333", ls=_STYLES[n], label=w) for n, w in _WORDS.items()]
    shown = set(plotted["size"].dropna().astype(int))
    sizes = style.size_handles(tables.axis, tables.sizes())
    sizes = [h for h, size in zip(sizes, sorted(tables.sizes()), strict=True) if size in shown]
    style.legend(figure, [*sizes, *entries])
    lacking = {} if len(courses) else settings.arms
    missing = [f"{arm.label} warm-up" for arm in lacking.values()]
    facts = _facts(tables, settings)
    caption = panels.caption(
        facts,
        panels.measured_on(tables, settings, tables.seeds()),
        "Drawn: the relative update of the hidden weights under μP's learning rate and independent "
        "weight decay over that of unscaled ones, weight decay taken out; dashed, the recursion "
        "for noise with the schedule of the run; dotted, the formula for weights that are in "
        "equilibrium all along. Without weight decay's doing it would stay at 1/m.",
        panels.band_sentence(tables.seeds(), settings),
        panels.diverged_sentence(tables),
        panels.gaps_sentence(missing),
    )
    alt = "The implicit warm-up over training, measured and by two formulas."
    return Drawing(figure, plotted, caption, " ".join([alt, *facts]))


def _draw(axes: Axes, courses: pd.DataFrame, sizes: list[int]) -> list[pd.DataFrame]:
    if courses.empty:
        style.empty(axes, "not measured")
        return []
    limits = {"value": "value", "low": "ci_low", "high": "ci_high"}
    drawn = {name: np.exp2(courses[column].astype(float)) for name, column in limits.items()}
    names = {"quantity": "panel", "step": "x", "n_seeds": "n"}
    courses = courses.rename(columns=names)[["arm", "size", *names.values()]].assign(**drawn)
    measured = courses[courses["panel"] == "measured"]
    panels.bands(axes, measured, sizes)
    parts = [measured]
    for panel, line in _STYLES.items():
        part = courses[courses["panel"] == panel].drop(columns=["low", "high", "n"])
        panels.lines(axes, part, sizes, linestyle=line, linewidth=1.2, zorder=2)
        parts.append(part)
    axes.axhline(1.0, color="#333333", lw=0.8)
    axes.set_yscale("log", base=2)
    style.plain_log(axes)
    style.step_axis(axes, int(measured["x"].max()))
    return parts


def _facts(tables: Tables, settings: Settings) -> list[str]:
    """How far prediction and measurement lie apart, and what is left late in training."""
    words = {
        "deviation": "measured and predicted s differ by {} in log₂ in the mean",
        "delay": "s passes 1/√2 at 2^({}) times the update of the simplified formula",
        "left": "in the second half of training {} of log₂ m is left",
    }
    clauses: dict[int, list[str]] = {}
    for name, sentence in words.items():
        rows = tables.shown(f"warmup_{name}", settings.confidence).dropna(subset=["value"])
        for row in rows.to_dict("records"):
            clauses.setdefault(int(row["size"]), []).append(sentence.format(style.estimate(row)))
    return [f"At {tables.axis} {size}: {'; '.join(clauses[size])}." for size in sorted(clauses)]


DRAWN_FROM = "decay"
FIGURE = implicit_warmup
