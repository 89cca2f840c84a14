"""Top eigenvalues of Hessian and NTK against size, by rank and checkpoint.

The question of Figure 2 of Noci et al., "Super Consistency of Neural Network Landscapes and
Learning Rate Transfer" (2024). The paper draws a few ranks over time, one line per width; here
the size is the horizontal axis, so that consistent means flat and the eye need not compare lines.
"""

from __future__ import annotations

import math
from collections.abc import Iterable

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from lrtransfer.study.figures import edges, panels, style
from lrtransfer.study.figures.edges import Edge
from lrtransfer.study.figures.summary import over_seeds
from lrtransfer.study.figures.tables import Drawing, Settings, Tables
from lrtransfer.transfer.size import LARGEST, SMALLEST, Axis

_OPERATORS = {"hessian": "Hessian eigenvalue", "ntk": "NTK eigenvalue"}
_COLUMNS = ["panel", "arm", "operator", "step", "rank", "size", "value", "low", "high", "n"]
_MARKERS = ("o", "s", "D", "^", "v", "P")


def eigenvalues_by_rank(tables: Tables, settings: Settings) -> Drawing:
    """Draw the figure; see the module."""
    values = tables.measured("spectra")
    values = values[values["kind"].isin(_OPERATORS)].astype({"rank": int})
    edge_of = {name: edges.edge_of(tables, settings, name) for name in settings.arms}
    ranks, steps = _ranks(values), _checkpoints(values)
    figure, grid = style.grid(len(_OPERATORS), len(settings.arms), 3.0)
    parts: list[pd.DataFrame] = []
    gaps: list[str] = []
    for row, (operator, title) in zip(grid, _OPERATORS.items(), strict=True):
        for axes, (name, arm) in zip(row, settings.arms.items(), strict=True):
            chosen = values[(values["arm"] == name) & (values["kind"] == operator)]
            part = _panel(axes, chosen, ranks, steps, settings.confidence)
            if operator == "hessian" and len(part):
                part = pd.concat([part, _edge(axes, edge_of[name])], ignore_index=True)
            gaps += panels.lacking_sizes(chosen, tables, name, f"{arm.label} {operator}")
            parts.append(part.assign(arm=name, operator=operator))
        style.row_title(row[0], title)
    for axes, (name, arm) in zip(grid[0], settings.arms.items(), strict=True):
        edge = edge_of[name]
        value = f"   {edge.label}" if edges.known([edge]) else ""
        axes.set_title(f"{arm.label}{value}", fontweight="bold")
    for axes in grid[-1]:
        axes.set_xlabel(tables.axis)
    plotted = panels.long_form(parts, _COLUMNS)
    negative = bool((plotted["value"] < 0.0).any())
    style.legend(figure, _handles(ranks, steps, edge_of.values(), negative=negative))
    facts = _facts(plotted, settings, tables.axis)
    seeds = panels.seeds_of(values, tables)
    caption = panels.caption(
        facts,
        panels.measured_on(tables, settings, seeds),
        "Drawn: seed mean of single eigenvalues (rank 1 is the largest) against the "
        f"{tables.axis} in the width-free normalisation; colour is the rank, marker and shade the "
        "checkpoint (shifted sideways to keep them apart). A flat line is consistent over the "
        f"{tables.axis}.",
        edges.sentence(edge_of.values()),
        panels.band_sentence(seeds, settings, "bars"),
        _residuals(values),
        panels.diverged_sentence(tables),
        panels.gaps_sentence(gaps),
    )
    labels = style.listing(arm.label for arm in settings.arms.values())
    alt = (
        f"Charts for {labels} of Hessian and NTK eigenvalues against the {tables.axis}, by "
        f"rank and checkpoint. {' '.join(facts)}"
    )
    return Drawing(figure, plotted, caption, alt.strip())


def _ranks(values: pd.DataFrame) -> list[int]:
    """First, middle and last rank: 1, 5 and 10 of ten."""
    if values.empty:
        return []
    last = int(values["rank"].max())
    return sorted({1, max(1, last // 2), last})


def _checkpoints(values: pd.DataFrame) -> list[int]:
    """First, middle and last checkpoint; more would hide each other."""
    steps = sorted(int(step) for step in values["step"].unique())
    return sorted({steps[0], steps[len(steps) // 2], steps[-1]}) if steps else []


def _panel(
    axes: Axes, values: pd.DataFrame, ranks: list[int], steps: list[int], confidence: float
) -> pd.DataFrame:
    """Eigenvalue against size for one operator and arm."""
    if values.empty:
        style.empty(axes, "no spectrum")
        return pd.DataFrame(columns=_COLUMNS)
    kept = values[values["rank"].isin(ranks) & values["step"].isin(steps)]
    by = ["step", "rank", "size"]
    # On a logarithmic axis only if every eigenvalue is positive: a negative one is shown.
    log = bool((kept["value"] > 0.0).all())
    summary = over_seeds(kept, by, "value", confidence, log=log)
    summary = summary.assign(panel="eigenvalue")
    colors = _rank_colors(ranks)
    for (step, rank), line in summary.groupby(["step", "rank"]):
        place = steps.index(int(str(step)))
        x = line["size"].to_numpy(dtype=float)
        y = line["value"].to_numpy(dtype=float)
        low, high = line["low"].to_numpy(dtype=float), line["high"].to_numpy(dtype=float)
        alpha = _alpha(place, len(steps))
        color = colors[int(str(rank))]
        # A small shift keeps the bars of the checkpoints apart.
        shifted = x * 2.0 ** (0.09 * (place - (len(steps) - 1) / 2.0))
        axes.vlines(shifted, low, high, color=color, alpha=alpha, linewidth=1.3)
        axes.plot(shifted, y, color=color, alpha=alpha, marker=_MARKERS[place], markersize=4.5)
        below = y < 0.0
        axes.plot(shifted[below], y[below], "o", markersize=11, color="black", fillstyle="none")
    sizes = sorted(float(size) for size in values["size"].unique())
    style.size_axis(axes, sizes)
    axes.set_xlim(sizes[0] / 1.3, sizes[-1] * 1.3)
    if log:
        style.plain_log(axes)
    else:
        style.signed_log(axes, summary["value"].to_numpy(dtype=float))
    return summary


def _edge(axes: Axes, edge: Edge) -> pd.DataFrame:
    """Dashed line at the edge; the panel's title names its value."""
    if not edges.known([edge]):
        return pd.DataFrame(columns=_COLUMNS)
    axes.axhline(edge.value, color=edges.COLOR, linestyle="--", linewidth=1.2, zorder=1)
    return pd.DataFrame({"panel": ["edge"], "value": [edge.value]})


def _rank_colors(ranks: list[int]) -> dict[int, str]:
    return dict(zip(ranks, style.OKABE_ITO, strict=False))


def _alpha(place: int, count: int) -> float:
    """Opacity of a checkpoint: early ones fainter."""
    return 1.0 if count == 1 else 0.4 + 0.6 * place / (count - 1)


def _handles(
    ranks: list[int], steps: list[int], found: Iterable[Edge], *, negative: bool
) -> list[Line2D]:
    """Legend entries: ranks by colour, checkpoints by marker and shade."""
    handles = [
        Line2D([], [], color=color, linewidth=2.5, label=f"rank {rank}")
        for rank, color in _rank_colors(ranks).items()
    ]
    handles += [
        Line2D(
            [], [], color="#333333", alpha=_alpha(place, len(steps)), marker=_MARKERS[place],
            label=f"step {step}",
        )
        for place, step in enumerate(steps)
    ]  # fmt: skip
    handles += edges.handle(found)
    if negative:
        handles.append(
            Line2D(
                [],
                [],
                color="black",
                marker="o",
                linestyle="",
                markersize=9,
                fillstyle="none",
                label="negative",
            )
        )
    return handles


def _residuals(values: pd.DataFrame) -> str:
    """The sentence on eigenvalues that the solver did not pin down; empty if it did."""
    if values.empty or "converged" not in values:
        return ""
    open_ = int((~values["converged"].astype(bool)).sum())
    if not open_:
        return ""
    return f"{open_} of {len(values)} eigenvalues had not converged when the solver stopped."


def _facts(plotted: pd.DataFrame, settings: Settings, axis: Axis) -> list[str]:
    """Largest over smallest net at the last checkpoint, per operator, arm and rank."""
    sentences = []
    for operator, title in _OPERATORS.items():
        clauses = []
        for name, arm in settings.arms.items():
            rows = plotted[
                (plotted["arm"] == name)
                & (plotted["operator"] == operator)
                & (plotted["panel"] == "eigenvalue")
            ]
            rows = rows[rows["step"] == rows["step"].max()]
            ratios = []
            for rank, line in rows.groupby("rank"):
                ends = line.sort_values("size")["value"].astype(float)
                ratio = ends.iloc[-1] / ends.iloc[0]
                if len(ends) > 1 and math.isfinite(ratio) and ends.min() > 0.0:
                    ratios.append(f"{style.number(ratio, 2)} (rank {int(str(rank))})")
            if ratios:
                clauses.append(f"{arm.label} {', '.join(ratios)}")
        if clauses:
            sentences.append(
                f"{title}s, {LARGEST[axis]} over {SMALLEST[axis]} net at the last checkpoint: "
                f"{'; '.join(clauses)}."
            )
    return sentences


DRAWN_FROM = "measured"
FIGURE = eigenvalues_by_rank
