"""Gauss-Newton part against residual part of the Hessian over training, one panel per arm.

After Figure 5 of Noci et al., "Super Consistency of Neural Network Landscapes and Learning Rate
Transfer" (2024): H = G + R, and a curve runs through (λ_max(G), λ_max(R)).
"""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from lrtransfer.study.figures import edges, panels, style
from lrtransfer.study.figures.edges import Edge
from lrtransfer.study.figures.tables import Drawing, Settings, Tables

_GAUSS_NEWTON = "gauss_newton"
_RESIDUAL = "hessian_residual"
_COLUMNS = ["panel", "arm", "size", "seed", "step", "x", "value", "n"]


def phase_plane(tables: Tables, settings: Settings) -> Drawing:
    """Draw the figure; see the module."""
    curves = tables.measured("curves").reindex(
        columns=["arm", "size", "seed", "step", _GAUSS_NEWTON, _RESIDUAL]
    )
    curves = curves.dropna(subset=[_GAUSS_NEWTON, _RESIDUAL])
    edge_of = {name: edges.edge_of(tables, settings, name) for name in settings.arms}
    sizes = tables.sizes()
    figure, grid = style.grid(1, len(settings.arms), 3.8)
    parts: list[pd.DataFrame] = []
    gaps: list[str] = []
    for axes, (name, arm) in zip(grid[0], settings.arms.items(), strict=True):
        chosen = curves[curves["arm"] == name]
        parts.append(_panel(axes, chosen, edge_of[name], sizes).assign(arm=name))
        gaps += panels.lacking_sizes(chosen, tables, name, f"{arm.label} curve")
        axes.set_title(panels.arm_title(arm), fontweight="bold")
        axes.set_xlabel("Gauss-Newton part λ(G)")
        axes.set_ylabel("")
    grid[0, 0].set_ylabel("residual part λ(R)")
    style.legend(figure, [*style.size_handles(tables.axis, sizes), *_marks(edge_of)])
    plotted = panels.long_form(parts, _COLUMNS)
    facts = _facts(plotted, tables, settings, edge_of)
    seeds = panels.seeds_of(curves, tables)
    caption = panels.caption(
        facts,
        panels.measured_on(tables, settings, seeds),
        "Drawn: the largest eigenvalues of the two parts of the Hessian H = G + R in the "
        "width-free normalisation as training goes on, from the open circle to the filled one; "
        "thick lines, seed means; thin lines, single seeds. The sharpness lies within λ(R) of "
        "λ(G).",
        edges.sentence(edge_of.values()),
        panels.diverged_sentence(tables),
        panels.gaps_sentence(gaps),
    )
    labels = style.listing(arm.label for arm in settings.arms.values())
    alt = f"Residual against Gauss-Newton part of the Hessian for {labels}. {' '.join(facts)}"
    return Drawing(figure, plotted, caption, alt.strip())


def _panel(axes: Axes, curves: pd.DataFrame, edge: Edge, sizes: list[int]) -> pd.DataFrame:
    """One arm: a curve per size with its start and its end."""
    if curves.empty:
        style.empty(axes, "λ(G) and λ(R) not measured")
        return pd.DataFrame(columns=_COLUMNS)
    colors = style.size_colors(sizes)
    columns = {_GAUSS_NEWTON: "x", _RESIDUAL: "value"}
    paths = curves.rename(columns=columns).drop(columns="arm").assign(panel="seed")
    look = {"sort": False, "linewidth": 0.6, "alpha": 0.35, "zorder": 2}
    panels.lines(axes, paths.sort_values("step"), sizes, units="seed", **look)
    parts = []
    for size, of_size in curves.groupby("size"):
        color = colors[int(str(size))]
        # A mean over fewer seeds than the step before would jump: only steps that all reached.
        counts = of_size.groupby("step")["seed"].transform("count")
        common = of_size[counts == of_size["seed"].nunique()]
        mean = common.groupby("step")[[_GAUSS_NEWTON, _RESIDUAL]].mean().reset_index()
        x, y = mean[_GAUSS_NEWTON].to_numpy(), mean[_RESIDUAL].to_numpy()
        axes.plot(x, y, color=color, zorder=3)
        axes.plot(x[:1], y[:1], "o", color=color, markerfacecolor="white", zorder=5)
        axes.plot(x[-1:], y[-1:], "o", color=color, markeredgecolor="white", zorder=5)
        parts.append(
            pd.DataFrame({"panel": "mean", "size": int(str(size)), "step": mean["step"], "x": x,
                          "value": y, "n": of_size["seed"].nunique()})
        )  # fmt: skip
    parts.append(paths)
    low, high = (float(bound) for bound in (curves[_RESIDUAL].min(), curves[_RESIDUAL].max()))
    axes.set_ylim(min(0.0, low) - 0.04 * (high - low), high + 0.1 * (high - low) + 1e-12)
    right = float(np.fmax(curves[_GAUSS_NEWTON].max(), edge.value))
    axes.set_xlim(min(0.0, float(curves[_GAUSS_NEWTON].min())) - 0.02 * right, 1.06 * right)
    edges.line(axes, edge, vertical=True)
    if edges.known([edge]):
        parts.append(pd.DataFrame({"panel": ["edge"], "x": [edge.value]}))
    return pd.concat(parts, ignore_index=True)


def _marks(edge_of: dict[str, Edge]) -> list[Line2D]:
    gray = "#333333"
    return [
        *edges.handle(edge_of.values()),
        Line2D([], [], color=gray, marker="o", markerfacecolor="white", ls="", label="start"),
        Line2D([], [], color=gray, marker="o", ls="", label="end"),
    ]


def _facts(
    plotted: pd.DataFrame, tables: Tables, settings: Settings, edge_of: dict[str, Edge]
) -> list[str]:
    """Where λ(G) starts and ends at the smallest and the largest size, per arm."""
    sentences = []
    for name, arm in settings.arms.items():
        rows = plotted[(plotted["arm"] == name) & (plotted["panel"] == "mean")]
        clauses = []
        for size in sorted({rows["size"].min(), rows["size"].max()}) if len(rows) else []:
            path = rows[rows["size"] == size].sort_values("step")["x"]
            ends = (style.number(float(path.iloc[i]), 2) for i in (0, -1))
            clauses.append(f"from {' to '.join(ends)} at {tables.axis} {size}")
        if clauses:
            edge = edge_of[name].value
            where = "" if math.isnan(edge) else f" (edge {style.number(edge, 2)})"
            sentences.append(f"{arm.label}: λ(G) goes {', '.join(clauses)}{where}.")
    return sentences


DRAWN_FROM = "measured"
FIGURE = phase_plane
