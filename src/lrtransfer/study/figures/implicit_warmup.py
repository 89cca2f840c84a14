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
_NEEDED = ("arm", "baseline", "size", "step", "log2_s", "ci_low", "ci_high", "predicted")
_STYLES = {"predicted": "--", "simplified": ":"}
_WORDS = {"predicted": "recursion for noise", "simplified": "simplified formula"}


def implicit_warmup(tables: Tables, settings: Settings) -> Drawing:
    """Draw the figure; see the module."""
    courses = tables.fit("implicit_warmup", *_NEEDED, "simplified", "n_seeds")
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
    facts = _facts(tables)
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
    colors = style.size_colors(sizes)
    values = {"value": "log2_s", "low": "ci_low", "high": "ci_high"}
    drawn = {name: np.exp2(courses[column].astype(float)) for name, column in values.items()}
    measured = courses.rename(columns={"step": "x", "n_seeds": "n"})
    measured = measured[["arm", "size", "x", "n"]].assign(**drawn, panel="measured")
    panels.bands(axes, measured, sizes)
    parts = [measured]
    for panel, line in _STYLES.items():
        part = measured.drop(columns=["low", "high", "n"])
        part = part.assign(panel=panel, value=np.exp2(courses[panel].astype(float)))
        for size, of_size in part.groupby("size"):
            axes.plot(of_size["x"], of_size["value"], line, color=colors[int(str(size))], lw=1.2)
        parts.append(part)
    axes.axhline(1.0, color="#333333", lw=0.8)
    axes.set_yscale("log", base=2)
    style.plain_log(axes)
    style.step_axis(axes, int(measured["x"].max()))
    return parts


def _facts(tables: Tables) -> list[str]:
    """How far prediction and measurement lie apart, and what is left late in training."""
    summary = tables.fit("warmup_summary", "size", "quantity", "value", "ci_low", "ci_high")
    words = {
        "deviation": "measured and predicted s differ by {} in log₂ in the mean",
        "left": "in the second half of training {} of log₂ m is left",
        "delay": "s passes 1/√2 at 2^({}) times the update of the simplified formula",
    }
    sentences = []
    for size, rows in summary.groupby("size"):
        clauses = []
        for row in rows.dropna(subset=["value"]).to_dict("records"):
            limits = style.interval(float(row["ci_low"]), float(row["ci_high"]))
            value = f"{style.number(float(row['value']), 2)} {limits}"
            clauses.append(words[str(row["quantity"])].format(value))
        if clauses:
            sentences.append(f"At {tables.axis} {size}: {'; '.join(clauses)}.")
    return sentences


FIGURE = implicit_warmup
