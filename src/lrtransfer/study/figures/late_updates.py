"""Relative updates and changes late in training against the width, all arms in one panel.

The width law of Kosson et al., "Weight Decay may matter more than muP for Learning Rate Transfer in
Practice" (2025): in equilibrium √(ηλ), constant under independent decay, m^-½ under standard decay.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from lrtransfer.study.evidence.phases import second_half
from lrtransfer.study.figures import panels, style
from lrtransfer.study.figures.tables import Drawing, Settings, Tables

_QUANTITIES = {
    "relative_update_without_decay": "relative update ‖ΔW‖/‖W‖",
    "relative_change_without_decay": "relative change ‖ΔWX‖/‖WX‖",
}
_COLUMNS = ["panel", "arm", "quantity", "size", "x", "value", "low", "high", "n"]


def late_updates(tables: Tables, settings: Settings) -> Drawing:
    """Draw the figure; see the module."""
    late = tables.shown("level", settings.confidence, at="late")
    late = late[late["quantity"].isin(_QUANTITIES)]
    predicted = _predicted(tables, settings)
    figure, grid = style.grid(1, len(_QUANTITIES), 4.2, extra=1.3)
    parts: list[pd.DataFrame] = []
    for axes, (quantity, title) in zip(grid[0], _QUANTITIES.items(), strict=True):
        rows = late[late["quantity"] == quantity]
        laws = predicted if quantity == "relative_update_without_decay" else predicted.iloc[:0]
        parts += _panel(axes, rows, laws, tables, settings)
        axes.set_title(title, fontweight="bold")
        axes.set_xlabel(tables.axis)
    marks = [
        Line2D([], [], color=color, marker=marker, label=settings.arms[name].label)
        for name, (color, marker) in panels.arm_looks(settings).items()
    ]
    rule = Line2D([], [], color="#333333", ls=":", label="1/√m")
    law = Line2D([], [], color="#333333", ls="--", label="recursion for noise")
    style.legend(figure, [*marks, law, rule])
    plotted = panels.long_form(parts, _COLUMNS)
    lacking = [arm.label for name, arm in settings.arms.items() if name not in set(late["arm"])]
    facts = _facts(tables, settings)
    caption = panels.caption(
        facts,
        panels.measured_on(tables, settings, tables.seeds()),
        "Drawn: geometric means over the hidden weights and the measured updates of the second "
        "half of training, weight decay taken out; dashed, the recursion for noise with each run's "
        "own learning rates and decay; dotted, 1/√m from the narrowest net of the first arm.",
        panels.band_sentence(tables.seeds(), settings, "bars"),
        panels.diverged_sentence(tables),
        panels.gaps_sentence([f"{label} updates" for label in lacking]),
    )
    alt = f"Late relative updates and representation changes against the {tables.axis}."
    return Drawing(figure, plotted, caption, " ".join([alt, *facts]))


def _panel(
    axes: Axes, late: pd.DataFrame, laws: pd.DataFrame, tables: Tables, settings: Settings
) -> list[pd.DataFrame]:
    if late.empty:
        style.empty(axes, "not measured")
        return []
    columns = {"value": "value", "low": "ci_low", "high": "ci_high"}
    drawn = {name: np.exp2(late[column].astype(float)) for name, column in columns.items()}
    points = late[["arm", "quantity", "size"]].assign(
        **drawn, x=late["size"].astype(float), n=late["n_seeds"], panel="late"
    )
    shift = 1.02 ** (np.arange(len(settings.arms)) - len(settings.arms) / 2)
    for (name, (color, marker)), factor in zip(
        panels.arm_looks(settings).items(), shift, strict=True
    ):
        part = points[points["arm"] == name].sort_values("size")
        x = part["x"].to_numpy(dtype=float) * factor
        value = part["value"].to_numpy(dtype=float)
        axes.plot(x, value, color=color, marker=marker, markersize=6, zorder=4)
        low, high = (part[end].to_numpy(dtype=float) for end in ("low", "high"))
        axes.vlines(x, low, high, color=color, lw=1.2)
        law = laws[laws["arm"] == name].sort_values("size")
        axes.plot(law["x"], law["value"], "--", color=color, lw=1.0, alpha=0.8)
    axes.set_yscale("log", base=2)
    first = points[points["arm"] == points["arm"].iloc[0]].sort_values("size")
    sizes = np.array(tables.sizes(), dtype=float)
    guide = float(first["value"].iloc[0]) * (sizes / sizes[0]) ** -0.5
    axes.plot(sizes, guide, ":", color="#333333")
    style.size_axis(axes, tables.sizes())
    style.plain_log(axes)
    return [points, laws]


def _predicted(tables: Tables, settings: Settings) -> pd.DataFrame:
    """Return the recursion's late relative updates by arm and size."""
    of = {"quantity": "relative_update"}
    table = tables.course("predicted_update", settings.confidence, **of)
    rows = []
    for (arm, size), part in table.groupby(["arm", "size"], sort=False):
        late = part[part["step"].isin(second_half(list(part["step"])))]
        value = float(np.exp(np.log(late["value"].astype(float)).mean()))
        rows.append({"panel": "recursion", "arm": arm, "size": size, "x": size, "value": value})
    return pd.DataFrame(rows, columns=_COLUMNS).astype({"x": float, "value": float})


def _facts(tables: Tables, settings: Settings) -> list[str]:
    """The exponent in width of each arm's late relative update."""
    of = {"quantity": "relative_update_without_decay", "at": "late"}
    slopes = tables.shown("slope", settings.confidence, **of)
    clauses = []
    for row in slopes.dropna(subset=["value"]).to_dict("records"):
        label = settings.arms[str(row["arm"])].label if row["arm"] in settings.arms else row["arm"]
        clauses.append(f"{style.estimate(row)} ({label})")
    if not clauses:
        return []
    return [f"Exponents of late relative updates in {tables.axis}: {style.listing(clauses)}."]


DRAWN_FROM = "decay"
FIGURE = late_updates
