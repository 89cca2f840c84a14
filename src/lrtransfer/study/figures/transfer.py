"""Sharpness, loss and learning-rate transfer over width or depth, one row per arm.

After Figures 1, 4 and 6 of Noci et al., "Super Consistency of Neural Network Landscapes and
Learning Rate Transfer" (2024).
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from lrtransfer.study.evidence.edge_of_stability import PRECONDITIONED, bounded_quantity
from lrtransfer.study.figures import edges, panels, style
from lrtransfer.study.figures.arm_panels import share_vertical
from lrtransfer.study.figures.edges import Edge
from lrtransfer.study.figures.learning_rate_panel import handles as learning_rate_handles
from lrtransfer.study.figures.learning_rate_panel import learning_rate_panel
from lrtransfer.study.figures.sharpness_panel import sharpness_panel
from lrtransfer.study.figures.summary import over_seeds, spread
from lrtransfer.study.figures.tables import Drawing, Settings, Tables

_COLUMNS = [
    "panel",
    "arm",
    "quantity",
    "size",
    "x",
    "value",
    "low",
    "high",
    "n",
    "x_low",
    "x_high",
]
_FAR_ABOVE_START = 10.0  # beyond this multiple of the untrained loss a loss is not drawn
_SPOKEN = {"sharpness": "sharpness", "loss": "loss", "transfer": "learning-rate transfer"}


def transfer(tables: Tables, settings: Settings) -> Drawing:
    """Draw the figure; see the module. Columns that the experiment did not ask for are left out."""
    curves = tables.measured("curves")
    of_arm = {name: curves[curves["arm"] == name] for name in settings.arms}
    configs = tables.runs.drop_duplicates("arm").set_index("arm")["config"].map(json.loads)
    quantity = {name: bounded_quantity(part, configs.get(name)) for name, part in of_arm.items()}
    edge_of = {n: edges.edge_of(tables, settings, n, quantity[n]) for n in settings.arms}
    columns = _columns(tables)
    figure, grid = style.grid(len(settings.arms), len(columns), 2.75)
    parts: list[pd.DataFrame] = []
    gaps: list[str] = []
    for row, (name, arm) in zip(grid, settings.arms.items(), strict=True):
        for axes, panel in zip(row, columns, strict=True):
            if panel == "sharpness":
                found, edge = quantity[name], edge_of[name]
                part = sharpness_panel(axes, tables, settings, name, quantity=found, edge=edge)
            elif panel == "loss":
                part = _loss(axes, tables, settings, name)
            else:
                part = learning_rate_panel(axes, tables, settings, name)
            if panel != "transfer":
                gaps += panels.lacking_sizes(part, tables, name, f"{arm.label} {panel}")
            parts.append(part.assign(panel=part.get("panel", panel)))
        style.row_title(row[0], panels.arm_title(arm))
    of_loss = [place for place, column in enumerate(columns) if column != "sharpness"]
    untrained = tables.runs.get("initial_loss", pd.Series(dtype=float)).median()
    losses = list(grid[:, of_loss].flat)
    cut = False
    if tables.signed:
        share_vertical(losses, logarithmic=False)
    else:
        cut = _share_losses(losses, _FAR_ABOVE_START * float(untrained))
    _labels(grid, columns, tables, quantity)
    plotted = panels.long_form(parts, _COLUMNS)
    style.legend(figure, _handles(plotted, tables, edge_of))
    facts = _facts(plotted, tables, settings, edge_of)
    caption = panels.caption(
        facts,
        panels.measured_on(tables, settings, tables.seeds()),
        *_explained(columns, tables, settings, quantity, edge_of),
        panels.band_sentence(tables.seeds(), settings),
        panels.diverged_sentence(tables),
        f"Losses above {_FAR_ABOVE_START:g} times the median untrained one leave the panel."
        if cut
        else "",
        panels.gaps_sentence(gaps),
    )
    labels = style.listing(arm.label for arm in settings.arms.values())
    shown = ", ".join(_SPOKEN[column] for column in columns)
    alt = f"Line charts by {tables.axis} for {labels}: {shown}."
    return Drawing(figure, plotted, caption, " ".join([alt, *facts]))


def _columns(tables: Tables) -> tuple[str, ...]:
    """The columns that the experiment asks for: nothing measured or a single rate need fewer."""
    measured = bool(tables.runs["measured"].any())
    swept = bool((tables.runs.groupby("arm")["log2_lr"].nunique() > 1).any())
    curves = ("sharpness", "loss") if measured else ()
    return (*curves, "transfer") if swept or not measured else curves


def _handles(plotted: pd.DataFrame, tables: Tables, edge_of: Mapping[str, Edge]) -> list[Line2D]:
    """Legend entries for what is drawn."""
    drawn = set(plotted["panel"])
    edge = edges.handle(edge_of.values()) if "edge" in drawn else []
    sizes = style.size_handles(tables.axis, tables.sizes())
    return [*sizes, *edge, *learning_rate_handles(drawn)]


def _explained(
    columns: tuple[str, ...],
    tables: Tables,
    settings: Settings,
    quantity: Mapping[str, str],
    edge_of: Mapping[str, Edge],
) -> list[str]:
    """What each column shows, a sentence each."""
    words = {
        "sharpness": "largest Hessian eigenvalue in the width-free normalisation at the learning "
        f"rate η₀ of the row{_under_adam(quantity, settings)}; {edges.phrase(edge_of.values())}.",
        "loss": "training loss of the same runs.",
        "transfer": f"mean training loss of the {panels.last_steps(tables, settings)} at each "
        "learning rate; dots with bars, "
        "the fitted optimum and its interval (an arrow where the interval leaves the grid); "
        "crosses, learning rates at which at least one seed diverged; open circles, the mean of "
        "the seeds that survived there.",
    }
    places = {1: ("Drawn",), 2: ("Left", "Right"), 3: ("Left", "Middle", "Right")}[len(columns)]
    return [f"{place}: {words[column]}" for place, column in zip(places, columns, strict=True)]


def _loss(axes: Axes, tables: Tables, settings: Settings, name: str) -> pd.DataFrame:
    """Training loss over steps of the measured runs."""
    curves = tables.measured("curves")
    curves = curves[curves["arm"] == name]
    by = ["arm", "size", "step"]
    summary = over_seeds(curves, by, "loss", settings.confidence, log=not tables.signed)
    summary = summary.rename(columns={"step": "x"})
    if summary.empty:
        style.empty(axes, "no measured run")
        return summary
    panels.bands(axes, summary, tables.sizes())
    style.step_axis(axes, settings.arms[name].steps)
    return summary


def _share_losses(panels_of_loss: list[Axes], top: float) -> bool:
    """One loss axis for all arms and both loss columns, so that heights compare.

    Returns:
        Whether some loss lies above `top` and is cut off.
    """
    filled = [axes for axes in panels_of_loss if axes.lines]
    values = [
        value
        for axes in filled
        for line in axes.lines
        if line.get_transform() == axes.transData
        for value in np.asarray(line.get_ydata(), dtype=float)
        if math.isfinite(value) and value > 0.0
    ]
    if not values:
        return False
    low, high = min(values), max(values)
    cut = bool(high > top > low)
    high = top if cut else high
    # Half a span above the curves is where the crosses of diverged runs go.
    span = max(high / low, 1.5)
    for axes in filled:
        axes.set_ylim(low / span**0.05, high * span**0.22)
        style.plain_log(axes)
    return cut


def _labels(
    grid: np.ndarray, columns: tuple[str, ...], tables: Tables, quantity: Mapping[str, str]
) -> None:
    """Quantity and unit above each column, the horizontal axis below it."""
    loss = panels.loss_title(tables)
    adam = set(quantity.values()) == {PRECONDITIONED}
    titles = {
        "sharpness": "preconditioned sharpness λ(P⁻¹H)" if adam else "sharpness λ",
        "loss": loss,
        "transfer": f"final {loss}",
    }
    for place, column in enumerate(columns):
        grid[0, place].set_title(titles[column], fontweight="bold")
        for axes in grid[:, place]:
            axes.set_xlabel("")
            if place > 0:
                axes.set_ylabel("")
        below = "log₂ of the learning rate η₀" if column == "transfer" else "training step"
        grid[-1, place].set_xlabel(below)


def _under_adam(quantity: Mapping[str, str], settings: Settings) -> str:
    """Which arms show the preconditioned sharpness, in words; empty if none does."""
    labels = [settings.arms[n].label for n, found in quantity.items() if found == PRECONDITIONED]
    if not labels:
        return ""
    return f" (for {style.listing(labels)}, of the preconditioned Hessian P⁻¹H)"


def _facts(
    plotted: pd.DataFrame, tables: Tables, settings: Settings, edge_of: Mapping[str, Edge]
) -> list[str]:
    """What the data show, one sentence per arm that has something to say."""
    # One learning rate has no optimum that could move.
    swept = bool((plotted["panel"] == "transfer").any())
    sentences = []
    for name, arm in settings.arms.items():
        clauses = []
        rows = plotted[(plotted["arm"] == name) & (plotted["panel"] == "sharpness")]
        if len(rows):
            clauses.append(_last_sharpness(rows, edge_of[name], tables.axis))
        clauses += panels.drift_clause(tables, settings, name) if swept else []
        if clauses:
            sentences.append(f"{arm.label}: {'; '.join(clauses)}.")
    return sentences


def _last_sharpness(rows: pd.DataFrame, edge: Edge, axis: str) -> str:
    """Where an arm's sharpness ends, relative to its edge if that is known."""
    last = rows[rows["x"] == rows["x"].max()]
    mean = float(last["value"].mean())
    where = style.number(mean, 2)
    if edges.known([edge]):
        where = f"{style.number(mean / edge.value, 2)} × {edge.text}"
    ratio = spread(last["value"])
    over = f", largest over smallest {axis} mean {style.number(ratio, 3)}"
    return (
        f"at step {int(rows['x'].max())} the sharpness is {where}"
        f"{'' if math.isnan(ratio) else over}"
    )
