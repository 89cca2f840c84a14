"""Drift of the optimum, predicted by each measured quantity and found, one point per arm."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from lrtransfer.study.figures import panels, style
from lrtransfer.study.figures.tables import Drawing, Settings, Tables

_QUANTITIES = {
    "edge_sharpness": "rate × curvature",
    "ntk": "rate × NTK",
    "alignment_ratio_without_decay": "alignment ratio",
    "relative_update_without_decay": "relative update",
    "relative_change_without_decay": "relative change",
}
_WINDOWS = {"whole": "o", "late": "D"}
_COLUMNS = ["panel", "arm", "quantity", "window", "x", "value", "low", "high", "x_low", "x_high"]
_PREDICTED = {"at": "window", "value": "x", "ci_low": "x_low", "ci_high": "x_high"}
_FOUND = {"value": "value", "ci_low": "low", "ci_high": "high"}


def predictors(tables: Tables, settings: Settings) -> Drawing:
    """Draw the figure; see the module."""
    drifts = _drifts(tables, settings.confidence)
    ranks = tables.shown("rank_correlation", settings.confidence)
    figure, grid = style.grid(2, 3, 3.9, extra=1.3)
    parts = []
    for axes, (quantity, title) in zip(grid.flat, _QUANTITIES.items(), strict=False):
        rows = drifts[(drifts["quantity"] == quantity) & (drifts["window"] == "whole")]
        parts.append(_scatter(axes, rows, settings))
        found = ranks[(ranks["quantity"] == quantity) & (ranks["at"] == "whole")]
        of_arms = "".join(f"ρ = {style.estimate(row)}" for row in found.to_dict("records"))
        axes.set_title(f"{title}\n{of_arms}", fontweight="bold")
        axes.set_xlabel(f"predicted, octaves per octave of {tables.axis}")
    for row in grid:
        row[0].set_ylabel(f"found drift, octaves per octave of {tables.axis}")
    parts.append(_forest(grid[1, 2], ranks))
    looks = panels.arm_looks(settings)
    handles = [
        Line2D([], [], color=color, marker=marker, ls="none", label=settings.arms[name].label)
        for name, (color, marker) in looks.items()
    ]
    line = Line2D([], [], color="#333333", ls="--", label="found = predicted")
    style.legend(figure, [*handles, line])
    plotted = _long_form(parts)
    lacking = [title for name, title in _QUANTITIES.items() if name not in set(drifts["quantity"])]
    facts = _facts(ranks, tables, settings.confidence)
    caption = panels.caption(
        facts,
        panels.measured_on(tables, settings, tables.seeds()),
        "Drawn: for every arm minus the slope of the quantity's log₂ at equal learning rate, the "
        "mean over the measured steps, against the drift of its optimum; last panel, Spearman's "
        "correlation over arms with its interval (thin) and its range when one arm is left out "
        "(thick). An arm whose drift is a bound is drawn and not counted.",
        panels.band_sentence(tables.seeds(), settings, "bars"),
        panels.diverged_sentence(tables),
        panels.gaps_sentence(lacking),
    )
    alt = "Predicted against found drift of the optimum, an arm a point, and rank correlations."
    return Drawing(figure, plotted, caption, " ".join([alt, *facts]))


def _drifts(tables: Tables, confidence: float) -> pd.DataFrame:
    """The drift that each quantity predicts for each arm (x) beside the one found (value)."""
    of = ["arm", "fixed"]
    predicted = tables.shown("predicted_drift", confidence)[["quantity", *of, *_PREDICTED]]
    found = tables.shown("drift", confidence)[[*of, *_FOUND]]
    return predicted.rename(columns=_PREDICTED).merge(found.rename(columns=_FOUND), on=of)


def _scatter(axes: Axes, rows: pd.DataFrame, settings: Settings) -> pd.DataFrame:
    if rows.empty:
        style.empty(axes, "not measured")
        return pd.DataFrame(columns=_COLUMNS)
    points = rows[_COLUMNS[1:]].assign(panel="drift")
    reach = float(np.nanmax(np.abs(points[["x", "value"]].to_numpy(dtype=float)))) * 1.25
    axes.plot([-reach, reach], [-reach, reach], "--", color="#333333", lw=1.0, zorder=1)
    axes.axhline(0.0, color="#333333", lw=0.6)
    axes.axvline(0.0, color="#333333", lw=0.6)
    looks = panels.arm_looks(settings)
    for point in points.to_dict("records"):
        color, marker = looks[str(point["arm"])]
        ends = np.clip([point[name] for name in ("low", "high", "x_low", "x_high")], -reach, reach)
        axes.vlines(point["x"], ends[0], ends[1], color=color, lw=1.0, alpha=0.6)
        axes.hlines(point["value"], ends[2], ends[3], color=color, lw=1.0, alpha=0.6)
        axes.plot(
            point["x"], point["value"], marker, color=color, markersize=8.5,
            markeredgecolor="white", zorder=4,
        )  # fmt: skip
    axes.set_xlim(-reach, reach)
    axes.set_ylim(-reach, reach)
    axes.xaxis.set_major_locator(MaxNLocator(5))
    return points


def _forest(axes: Axes, ranks: pd.DataFrame) -> pd.DataFrame:
    axes.set_title("correlation over arms", fontweight="bold")
    if ranks.empty:
        style.empty(axes, "too few arms")
        return pd.DataFrame(columns=_COLUMNS)
    names = [name for name in _QUANTITIES if name in set(ranks["quantity"])]
    for place, quantity in enumerate(names):
        for shift, (window, marker) in zip((-0.15, 0.15), _WINDOWS.items(), strict=True):
            rows = ranks[(ranks["quantity"] == quantity) & (ranks["at"] == window)]
            for row in rows.to_dict("records"):
                y, left_out = place + shift, [unit["value"] for unit in row["units"]]
                axes.hlines(y, row["ci_low"], row["ci_high"], color="#0072B2", lw=1.0)
                axes.hlines(y, min(left_out), max(left_out), color="#0072B2", lw=4.0)
                face = "#0072B2" if window == "whole" else "white"
                axes.plot(
                    row["value"], y, marker, color="#0072B2", markerfacecolor=face,
                    markersize=7, zorder=4,
                )  # fmt: skip
    axes.axvline(0.0, color="#333333", lw=0.8)
    axes.set_yticks(range(len(names)), [_QUANTITIES[name] for name in names])
    axes.set_ylim(len(names) - 0.5, -0.5)
    axes.set_xlim(-1.05, 1.05)
    axes.set_xlabel("Spearman's ρ\n(filled: whole run, open: second half)")
    drawn = ranks[["quantity", *_PREDICTED]].rename(columns=_PREDICTED)
    return drawn.assign(panel="correlation")


def _facts(ranks: pd.DataFrame, tables: Tables, confidence: float) -> list[str]:
    """Every quantity's correlation, and what it explains of the drift of an arm left out."""
    explained = tables.shown("explained", confidence, at="whole").set_index("quantity")["value"]
    clauses = []
    for row in ranks[ranks["at"] == "whole"].to_dict("records"):
        share = max(float(explained[row["quantity"]]), 0.0)
        clauses.append(
            f"{style.estimate(row)} for the {_QUANTITIES[str(row['quantity'])]}, which explains "
            f"{100 * share:.0f} %"
        )
    if not clauses:
        return []
    arms = max(len(units) for units in ranks["units"])
    return [
        f"Rank correlation over {arms} arms of the drift that a quantity predicts over the whole "
        "run and the one found, and what a straight line explains of the drift of an arm left "
        f"out: {'; '.join(clauses)}."
    ]


def _long_form(parts: list[pd.DataFrame]) -> pd.DataFrame:
    filled = [part for part in parts if len(part)]
    table = pd.concat(filled, ignore_index=True) if filled else pd.DataFrame()
    return table.reindex(columns=_COLUMNS)


DRAWN_FROM = "arms"
FIGURE = predictors
