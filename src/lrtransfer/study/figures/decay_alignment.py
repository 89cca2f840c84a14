"""Alignment of weights and updates with their inputs, and their ratio, over training.

After Figure 4 of Kosson et al., "Weight Decay may matter more than muP for Learning Rate Transfer
in Practice" (2025).
"""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from lrtransfer.study.evidence.phases import second_half
from lrtransfer.study.figures import panels, style
from lrtransfer.study.figures.arm_panels import curve, share_vertical
from lrtransfer.study.figures.tables import Drawing, Settings, Tables

_QUANTITIES = {
    "weight_alignment": "weight alignment α_W",
    "update_alignment_without_decay": "update alignment α_ΔW",
    "alignment_ratio_without_decay": "ratio α_ΔW/α_W",
}
_COLUMNS = ["panel", "arm", "quantity", "size", "x", "value", "low", "high", "n"]
_MOST_ARMS = 2


def decay_alignment(tables: Tables, settings: Settings) -> Drawing:
    """Draw the figure; see the module. A row for each of the first two arms."""
    arms = dict(list(settings.arms.items())[:_MOST_ARMS])
    sizes, inputs = tables.sizes(), _inputs(tables)
    figure, grid = style.grid(len(arms), len(_QUANTITIES), 2.9)
    parts: list[pd.DataFrame] = []
    gaps: list[str] = []
    for row, (name, arm) in zip(grid, arms.items(), strict=True):
        for axes, (quantity, title) in zip(row, _QUANTITIES.items(), strict=True):
            part = curve(axes, tables, settings, name, quantity)
            part = part.assign(panel="mean", arm=name, quantity=quantity)
            gaps += panels.lacking_sizes(part, tables, name, f"{arm.label} {title}")
            parts.append(part)
            if len(part):
                parts.append(_laws(axes, quantity, inputs).assign(arm=name, quantity=quantity))
        style.row_title(row[0], panels.arm_title(arm))
    for column, title in zip(grid.T, _QUANTITIES.values(), strict=True):
        share_vertical(list(column))
        column[0].set_title(title, fontweight="bold")
        column[-1].set_xlabel("training step")
    law = Line2D([], [], color="#333333", ls=":", label="1/√C and √C")
    style.legend(figure, [*style.size_handles(tables.axis, sizes), law])
    plotted = panels.long_form(parts, _COLUMNS)
    facts = _facts(plotted, settings, tables)
    caption = panels.caption(
        facts,
        panels.measured_on(tables, settings, tables.seeds()),
        "Drawn: geometric means over the hidden weights, on the batch of the update, weight decay "
        "taken out of it. Dotted, what μP assumes at each width: α_W = 1/√C and a ratio of √C, "
        "with C a layer's inputs; a ratio of 1 is that of independent samples in large batches.",
        panels.band_sentence(tables.seeds(), settings),
        panels.diverged_sentence(tables),
        panels.gaps_sentence(gaps),
    )
    alt = f"Weight and update alignment and their ratio over training. {' '.join(facts)}"
    return Drawing(figure, plotted, caption, alt.strip())


def _inputs(tables: Tables) -> dict[int, float]:
    """Return size -> inputs of the layer that sees the fewest samples per input."""
    curves = tables.measured("curves")
    if "layer_fan_in" not in curves:
        return {}
    known = curves.dropna(subset=["layer_fan_in"])
    return {int(str(s)): float(part.iloc[0]) for s, part in known.groupby("size")["layer_fan_in"]}


def _laws(axes: Axes, quantity: str, inputs: dict[int, float]) -> pd.DataFrame:
    """Draw what μP assumes of a quantity, a dotted line per size."""
    power = {"weight_alignment": -0.5, "alignment_ratio_without_decay": 0.5}.get(quantity)
    rows = []
    for size, color in style.size_colors(list(inputs)).items() if inputs else ():
        if power is not None:
            value = inputs[size] ** power
            axes.axhline(value, color=color, ls=":", lw=1.1)
            rows.append({"panel": "law", "size": size, "value": value})
    if quantity == "alignment_ratio_without_decay":
        axes.axhline(1.0, color="#333333", lw=0.8)
    return pd.DataFrame(rows, columns=_COLUMNS)


def _facts(plotted: pd.DataFrame, settings: Settings, tables: Tables) -> list[str]:
    """Where the ratio starts and where it is later, at the smallest and the largest net."""
    sentences = []
    ratio = plotted[
        (plotted["quantity"] == "alignment_ratio_without_decay") & (plotted["panel"] == "mean")
    ]
    for name, rows in ratio.groupby("arm", sort=False):
        clauses = []
        for size in sorted({rows["size"].min(), rows["size"].max()}):
            of_size = rows[rows["size"] == size].sort_values("x")
            late = of_size[of_size["x"].isin(second_half(list(of_size["x"])))]["value"]
            ends = [float(of_size["value"].iloc[0]), math.exp(float(np.log(late).mean()))]
            words = " to ".join(style.number(value, 2) for value in ends)
            clauses.append(f"from {words} at {tables.axis} {size}")
        label = settings.arms[str(name)].label
        sentences.append(
            f"{label}: from the first update to the second half of training the ratio goes "
            f"{style.listing(clauses)}."
        )
    return sentences


DRAWN_FROM = "decay"
FIGURE = decay_alignment
