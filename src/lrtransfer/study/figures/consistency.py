"""Distance to the largest net over time and its power law, one row per arm.

After Figure 3 of Noci et al., "Super Consistency of Neural Network Landscapes and Learning Rate
Transfer" (2024): g(t) = |S_N(t) − S_∞(t)| ≈ a·t^β, with the largest net for S_∞.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from lrtransfer.study.evidence.consistency import DISTANCE_COLUMNS, distances
from lrtransfer.study.evidence.measured import measured_curves, quantity_curves
from lrtransfer.study.figures import panels, style
from lrtransfer.study.figures.summary import over_seeds
from lrtransfer.study.figures.tables import Drawing, Settings, Tables
from lrtransfer.transfer.size import LARGEST, POOLED, Axis

#: What is compared over sizes -> its title.
QUANTITIES = {
    "sharpness": "sharpness λ",
    "preconditioned_sharpness": "sharpness λ(P⁻¹H)",
    "subset_loss": "training loss",
    "ntk": "largest NTK eigenvalue",
    "gauss_newton": "largest Gauss-Newton eigenvalue",
    "directional_sharpness": "directional sharpness",
    "trace": "trace of the Hessian",
}
#: What is drawn where nothing was measured.
_USUAL = ("sharpness", "subset_loss", "ntk")
_COLUMNS = ["panel", "arm", "quantity", "size", "seed", "x", "value", "n", "beta"]


def consistency(tables: Tables, settings: Settings) -> Drawing:
    """Draw the figure; see the module."""
    gaps_to_largest = _distances(tables)
    fitted = _fitted(tables, settings.confidence)
    sizes = tables.sizes()
    found = set(gaps_to_largest["quantity"])
    titles = {q: title for q, title in QUANTITIES.items() if q in (found or _USUAL)}
    figure, grid = style.grid(len(settings.arms), len(titles), 2.75)
    parts: list[pd.DataFrame] = []
    gaps: list[str] = []
    for row, (name, arm) in zip(grid, settings.arms.items(), strict=True):
        for axes, (quantity, title) in zip(row, titles.items(), strict=True):
            chosen = gaps_to_largest
            chosen = chosen[(chosen["arm"] == name) & (chosen["quantity"] == quantity)]
            laws = fitted[(fitted["arm"] == name) & (fitted["quantity"] == quantity)]
            part = _panel(
                axes, chosen, laws, sizes,
                steps=arm.steps, confidence=settings.confidence, columns=4 - len(titles),
            )  # fmt: skip
            if part.empty:
                gaps.append(f"{arm.label} {title}")
            parts.append(part.assign(arm=name, quantity=quantity))
        style.row_title(row[0], arm.label)
    heads = {**titles, "subset_loss": panels.loss_title(tables)}
    for axes, quantity in zip(grid[0], titles, strict=True):
        axes.set_title(f"distance in {heads[quantity]}", fontweight="bold")
    for axes in grid[-1]:
        axes.set_xlabel("training step")
    law = Line2D([], [], color="#333333", linestyle="--", label="power law a·tᵝ")
    handles = style.size_handles(tables.axis, sizes)
    style.legend(figure, [*(handles[:-1] or handles), law])
    plotted = panels.long_form(parts, _COLUMNS)
    facts = _facts(fitted, settings, titles, tables.axis)
    largest = LARGEST[tables.axis]
    caption = panels.caption(
        facts,
        panels.measured_on(tables, settings, tables.seeds()),
        f"Drawn: g(t), the absolute distance of each net to the seed mean of the {largest} net "
        f"({tables.axis} {max(sizes)}), in the units of the column; dashed, the least-squares "
        f"power law with its exponent β and {100 * settings.confidence:g} % interval. Distance and "
        "β contain the noise of the seeds, which alone gives β > 0 where it grows in time; the "
        "claims are on the distance without it.",
        "Thick lines: geometric means over seeds; thin lines: single seeds."
        if tables.seeds() > 1
        else "A single seed.",
        panels.diverged_sentence(tables),
        panels.gaps_sentence(gaps),
    )
    labels = style.listing(arm.label for arm in settings.arms.values())
    alt = (
        f"Log-log charts for {labels} of the distance to the {largest} net over training, in "
        f"{style.listing(titles.values())}. {' '.join(facts)}"
    )
    return Drawing(figure, plotted, caption, alt.strip())


def _distances(tables: Tables) -> pd.DataFrame:
    """g(t) of every measured quantity, arm, size and seed."""
    measured = measured_curves(tables.runs, tables.curves)
    curves = [c for quantity in QUANTITIES for c in quantity_curves(measured, quantity)]
    parts = [part for c in curves if len(part := distances(c))]
    return pd.concat(parts) if parts else pd.DataFrame(columns=DISTANCE_COLUMNS)


def _fitted(tables: Tables, confidence: float) -> pd.DataFrame:
    """The power law of each net: `value` and limits of β, and `log_a`."""
    of = ["arm", "fixed", "quantity", "size"]
    scale = tables.shown("distance_scale", confidence).rename(columns={"value": "log_a"})
    laws = tables.shown("distance_exponent", confidence).merge(scale[[*of, "log_a"]], on=of)
    return laws[laws["size"] != POOLED]


def _panel(
    axes: Axes,
    gaps_to_largest: pd.DataFrame,
    laws: pd.DataFrame,
    sizes: list[int],
    *,
    steps: int,
    confidence: float,
    columns: int,
) -> pd.DataFrame:
    """Distances of one arm and quantity, with their power laws."""
    after = gaps_to_largest[gaps_to_largest["step"].astype(float) >= 1]
    by = ["size", "step"]
    summary = over_seeds(after, by, "distance", confidence, log=True)
    summary = summary.rename(columns={"step": "x"}).assign(panel="distance")
    if summary.empty:
        style.empty(axes, "no distance: not measured, or one size")
        return pd.DataFrame(columns=_COLUMNS)
    # Single seeds instead of bands: the intervals of three logarithms would hide the curves.
    summary = summary.drop(columns=["low", "high"]).astype({"size": int, "x": float})
    seeds = _seeds(axes, after, sizes)
    panels.lines(axes, summary, sizes)
    axes.set_ylabel("")
    axes.set_xlabel("")
    axes.set_xscale("log", base=2)
    style.power_axis(axes.xaxis, [1.0, float(steps)])
    axes.set_xlim(0.85, steps * 1.18)
    fits = _laws(axes, laws, summary, sizes)
    drawn = pd.concat([summary["value"], seeds["value"]])
    low, high = float(drawn.min()), float(drawn.max())
    columns = max(1, min(columns, 2))
    lines = 1 + math.ceil(max(1, len(fits["size"].unique())) / columns)
    # The legend stands above the curves, in room made for it.
    room = (max(high / low, 3.0)) ** (0.05 + 0.11 * lines)
    axes.set_ylim(low / 1.3, high * room)
    style.plain_log(axes)
    handles, labels = axes.get_legend_handles_labels()
    title = f"β [{100 * confidence:g} % interval]"
    if handles:
        axes.legend(
            handles,
            labels,
            title=title,
            title_fontsize=8,
            alignment="left",
            loc="upper left",
            ncols=columns,
            fontsize=8,
            framealpha=0.8,
            edgecolor="none",
            handlelength=1.0,
            columnspacing=0.8,
            handletextpad=0.4,
            labelspacing=0.2,
            borderaxespad=0.2,
        )
    return pd.concat([summary, seeds, fits], ignore_index=True)


def _seeds(axes: Axes, after: pd.DataFrame, sizes: list[int]) -> pd.DataFrame:
    """One thin line per size and seed."""
    positive = after[after["distance"] > 0].astype({"size": int, "step": float})
    columns = {"step": "x", "distance": "value"}
    drawn = positive[["size", "seed", *columns]].rename(columns=columns)
    panels.lines(axes, drawn, sizes, units="seed", linewidth=0.7, alpha=0.4, zorder=2)
    return drawn.assign(panel="distance of a seed")


def _laws(axes: Axes, laws: pd.DataFrame, summary: pd.DataFrame, sizes: list[int]) -> pd.DataFrame:
    """Dashed power laws over the measured steps, one per size."""
    colors = style.size_colors(sizes)
    parts = [pd.DataFrame(columns=["size", "x", "value", "low", "high", "beta"])]
    for law in laws.sort_values("size").to_dict("records"):
        size, beta, log_a = int(law["size"]), float(law["value"]), float(law["log_a"])
        steps = summary.loc[summary["size"] == size, "x"].to_numpy(dtype=float)
        if size not in colors or not math.isfinite(beta + log_a) or len(steps) < 2:
            continue
        ends = np.array([steps.min(), steps.max()])
        values = np.exp(log_a) * ends**beta
        low, high = float(law["ci_low"]), float(law["ci_high"])
        bounds = "" if math.isnan(low + high) else f" [{low:.2f}, {high:.2f}]"
        label = f"{beta:.2f}{bounds}".replace("-", "−")
        axes.plot(
            ends, values, color=colors[size], linestyle="--", linewidth=1.1, zorder=4, label=label
        )
        parts.append(pd.DataFrame({"size": size, "x": ends, "value": values, "beta": beta}))
    return pd.concat([part for part in parts if len(part)] or parts).assign(panel="power law")


def _facts(
    fitted: pd.DataFrame, settings: Settings, titles: Mapping[str, str], axis: Axis
) -> list[str]:
    """The range of exponents per arm."""
    sentences = []
    for name, arm in settings.arms.items():
        clauses = []
        for quantity, title in titles.items():
            rows = fitted[(fitted["arm"] == name) & (fitted["quantity"] == quantity)]
            betas = rows["value"].astype(float).dropna()
            if len(betas):
                low, high = (style.number(bound, 2) for bound in (betas.min(), betas.max()))
                span = low if low == high else f"{low} to {high}"
                clauses.append(f"{span} for the {title.removesuffix(' λ')}")
        if clauses:
            sentences.append(f"{arm.label}: exponents β over {axis}s {', '.join(clauses)}.")
    return sentences


DRAWN_FROM = "measured"
FIGURE = consistency
