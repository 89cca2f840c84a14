"""Sharpness, loss and learning-rate transfer over width, one row per arm.

After Figure 1 of Noci et al., "Super Consistency of Neural Network Landscapes and Learning Rate
Transfer" (2024).
"""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from lrtransfer.figures import panels, style
from lrtransfer.figures.summary import over_seeds, spread
from lrtransfer.figures.tables import Drawing, Settings, Tables

_COLUMNS = ["panel", "arm", "width", "x", "value", "low", "high", "n", "x_low", "x_high"]
_FAR_ABOVE_EDGE = 8.0  # beyond this multiple of 2/η₀ a linear axis would flatten the rest


def width_transfer(tables: Tables, settings: Settings) -> Drawing:
    """Draw the figure; see the module."""
    widths = tables.widths()
    figure, grid = style.grid(len(settings.arms), 3, 2.75)
    parts: list[pd.DataFrame] = []
    gaps: list[str] = []
    for row, (name, arm) in zip(grid, settings.arms.items(), strict=True):
        drawn = {
            "sharpness": _sharpness(row[0], tables, settings, name),
            "loss": _loss(row[1], tables, settings, name),
            "transfer": _transfer(row[2], tables, settings, name),
        }
        style.row_title(row[0], f"{arm.label}   η₀ = {style.number(arm.reference_learning_rate)}")
        for panel in ("sharpness", "loss"):
            gaps += panels.lacking_widths(drawn[panel], tables, name, f"{arm.label} {panel}")
        parts += [part.assign(panel=part.get("panel", panel)) for panel, part in drawn.items()]
    _share_losses(grid[:, 1:])
    _labels(grid)
    plotted = panels.long_form(parts, _COLUMNS)
    marks = [
        style.edge_handle(),
        Line2D([], [], color="#333333", marker="o", linestyle="-", label="optimum, interval"),
    ]
    if (plotted["panel"] == "diverged").any():
        marks.append(Line2D([], [], color="#333333", marker="x", linestyle="", label="diverged"))
    style.legend(figure, [*style.width_handles(widths), *marks])
    facts = _facts(plotted, tables, settings)
    caption = panels.caption(
        facts,
        panels.measured_on(tables, settings, tables.seeds()),
        "Left: largest Hessian eigenvalue in the width-free normalisation at the learning rate η₀ "
        "of the row; dashed, the edge of stability 2/η₀. Middle: training loss of the same runs. "
        f"Right: mean training loss of the last {settings.loss_window} steps at each learning "
        "rate; dots with bars, the fitted optimum and its interval (an arrow where the interval "
        "leaves the grid); crosses, learning rates at which at least one seed diverged; open "
        "circles, the mean of the seeds that survived there.",
        panels.band_sentence(tables.seeds(), settings),
        panels.diverged_sentence(tables),
        panels.gaps_sentence(gaps),
    )
    labels = style.listing(arm.label for arm in settings.arms.values())
    alt = f"Line charts by width for {labels}: sharpness, loss, learning-rate transfer."
    return Drawing(figure, plotted, caption, " ".join([alt, *facts]))


def _sharpness(axes: Axes, tables: Tables, settings: Settings, name: str) -> pd.DataFrame:
    """Sharpness over steps; on a logarithmic axis where some net starts far above the edge."""
    arm = settings.arms[name]
    curves = tables.measured("curves")
    curves = curves[curves["arm"] == name]
    summary = over_seeds(curves, ["arm", "width", "step"], "sharpness", settings.confidence)
    tall = len(summary) > 0 and summary["value"].max() > _FAR_ABOVE_EDGE * arm.edge
    log = bool(tall and (summary["value"] > 0).all())
    if log:
        by = ["arm", "width", "step"]
        summary = over_seeds(curves, by, "sharpness", settings.confidence, log=True)
    summary = summary.rename(columns={"step": "x"})
    if summary.empty:
        style.empty(axes, "sharpness not measured")
        return summary
    panels.bands(axes, summary, tables.widths())
    if log:
        style.plain_log(axes)
    else:
        low = min(0.0, float(summary["value"].min()))
        high = max(arm.edge, float(summary["value"].max()))
        axes.set_ylim(low - 0.03 * (high - low), high + 0.22 * (high - low))
    style.edge_line(axes, arm.edge)
    style.step_axis(axes, settings.steps)
    edge = pd.DataFrame({"panel": ["edge"], "arm": [name], "value": [arm.edge]})
    return pd.concat([summary.assign(panel="sharpness"), edge], ignore_index=True)


def _loss(axes: Axes, tables: Tables, settings: Settings, name: str) -> pd.DataFrame:
    """Training loss over steps of the measured runs."""
    curves = tables.measured("curves")
    curves = curves[curves["arm"] == name]
    by = ["arm", "width", "step"]
    summary = over_seeds(curves, by, "loss", settings.confidence, log=True)
    summary = summary.rename(columns={"step": "x"})
    if summary.empty:
        style.empty(axes, "no measured run")
        return summary
    panels.bands(axes, summary, tables.widths())
    style.step_axis(axes, settings.steps)
    return summary


def _transfer(axes: Axes, tables: Tables, settings: Settings, name: str) -> pd.DataFrame:
    """Final loss over the learning rate, the optimum of each width, and divergences."""
    runs = tables.runs[tables.runs["arm"] == name]
    if runs.empty:
        style.empty(axes, "no run")
        return pd.DataFrame(columns=_COLUMNS)
    by = ["arm", "width", "log2_lr"]
    finished = runs[runs["status"] == "ok"]
    summary = over_seeds(finished, by, "final_loss", settings.confidence, log=True)
    diverged = runs[runs["status"] != "ok"].groupby(by).size().rename("n").reset_index()
    cells = diverged.set_index(by).index
    partial = summary.set_index(by).index.isin(cells)
    complete = summary[~partial].rename(columns={"log2_lr": "x"}).assign(panel="transfer")
    survivors = summary[partial].rename(columns={"log2_lr": "x"}).assign(panel="survivors")
    crosses = diverged.rename(columns={"log2_lr": "x"}).assign(panel="diverged")
    widths = tables.widths()
    colors = style.width_colors(widths)
    panels.bands(axes, complete, widths)
    for width, x, value in survivors[["width", "x", "value"]].itertuples(index=False):
        axes.plot(x, value, marker="o", markerfacecolor="white", color=colors[width], zorder=4)
    for width, x in crosses[["width", "x"]].itertuples(index=False):
        # One line of crosses per width, so that none hides another.
        height = 0.975 - 0.03 * widths.index(width)
        axes.plot(
            x, height, marker="x", markersize=5, markeredgewidth=1.5, color=colors[width],
            transform=axes.get_xaxis_transform(), clip_on=False, zorder=5,
        )  # fmt: skip
    grid = np.sort(runs["log2_lr"].unique())
    axes.set_xlim(grid[0] - 0.6, grid[-1] + 0.6)
    axes.set_xticks(np.unique(np.round(grid)) if len(grid) <= 10 else grid[:: len(grid) // 8])
    optima = _optima(axes, tables, name, complete, colors)
    return pd.concat([complete, survivors, crosses, optima], ignore_index=True)


def _optima(
    axes: Axes,
    tables: Tables,
    name: str,
    complete: pd.DataFrame,
    colors: dict[int, style.Color],
) -> pd.DataFrame:
    """A dot at each fitted optimum with its interval as a bar, open ends as arrows."""
    optima = tables.fit("optima", "arm", "width", "log2_lr", "ci_low", "ci_high", "n_seeds")
    optima = optima[(optima["arm"] == name) & np.isfinite(optima["log2_lr"].astype(float))]
    left, right = axes.get_xlim()
    rows = []
    for optimum in optima.to_dict("records"):
        width, x = int(optimum["width"]), float(optimum["log2_lr"])
        curve = complete[complete["width"] == width]
        if curve.empty or width not in colors:
            continue
        # On the drawn curve, so that the dot belongs to its line by eye.
        logs = np.interp(x, curve["x"].astype(float), np.log(curve["value"].astype(float)))
        value = math.exp(float(logs))
        low, high = float(optimum["ci_low"]), float(optimum["ci_high"])
        ends = [x if math.isnan(low) else low, x if math.isnan(high) else high]
        axes.plot(np.clip(ends, left, right), [value] * 2, color=colors[width], lw=2.6, zorder=5)
        for end, bound, marker in ((ends[0], left, "<"), (ends[1], right, ">")):
            if not left <= end <= right:
                axes.plot(bound, value, marker=marker, color=colors[width], clip_on=False, zorder=6)
        axes.plot(
            x, value, marker="o", markersize=6.5, color=colors[width], markeredgecolor="white",
            zorder=6,
        )  # fmt: skip
        rows.append([name, width, x, value, low, high, optimum["n_seeds"], "optimum"])
    columns = ["arm", "width", "x", "value", "x_low", "x_high", "n", "panel"]
    return pd.DataFrame(rows, columns=columns)


def _share_losses(grid: np.ndarray) -> None:
    """One loss axis for all arms and both loss columns, so that heights compare."""
    filled = [axes for axes in grid.flat if axes.lines]
    values = [
        value
        for axes in filled
        for line in axes.lines
        if line.get_transform() == axes.transData
        for value in np.asarray(line.get_ydata(), dtype=float)
        if math.isfinite(value) and value > 0.0
    ]
    if not values:
        return
    low, high = min(values), max(values)
    # Half a span above the curves is where the crosses of diverged runs go.
    span = max(high / low, 1.5)
    for axes in filled:
        axes.set_ylim(low / span**0.05, high * span**0.22)
        style.plain_log(axes)


def _labels(grid: np.ndarray) -> None:
    """Quantity and unit above each column, the horizontal axis below it."""
    titles = ("sharpness λ", "training loss (nats)", "final training loss (nats)")
    below = ("training step", "training step", "log₂ of the learning rate η₀")
    for column in range(3):
        grid[0, column].set_title(titles[column], fontweight="bold")
        for axes in grid[:, column]:
            axes.set_xlabel("")
            if column > 0:
                axes.set_ylabel("")
        grid[-1, column].set_xlabel(below[column])


def _facts(plotted: pd.DataFrame, tables: Tables, settings: Settings) -> list[str]:
    """What the data show, one sentence per arm that has something to say."""
    drift = tables.fit("drift", "arm", "slope", "ci_low", "ci_high", "censored")
    sentences = []
    for name, arm in settings.arms.items():
        clauses = []
        rows = plotted[(plotted["arm"] == name) & (plotted["panel"] == "sharpness")]
        if len(rows):
            last = rows[rows["x"] == rows["x"].max()]
            ratio = spread(last["value"])
            mean = style.number(float(last["value"].mean()) / arm.edge, 2)
            over = (
                ""
                if math.isnan(ratio)
                else (f", largest over smallest width mean {style.number(ratio, 3)}")
            )
            clauses.append(f"at step {int(rows['x'].max())} the sharpness is {mean} × 2/η₀{over}")
        slopes = drift[drift["arm"] == name]
        if len(slopes) and math.isfinite(float(slopes["slope"].iloc[0])):
            slope = slopes.iloc[0]
            bound = " (a bound: some optimum lies at the grid's end)" if slope["censored"] else ""
            clauses.append(
                f"the optimum moves by {style.number(float(slope['slope']), 2)} "
                f"{style.interval(float(slope['ci_low']), float(slope['ci_high']))} in log₂ η₀ per "
                f"doubling of width{bound}"
            )
        if clauses:
            sentences.append(f"{arm.label}: {'; '.join(clauses)}.")
    return sentences


FIGURE = width_transfer
