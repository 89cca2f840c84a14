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
_DRIFTS = ("arm", "quantity", "window", "predicted", "ci_low", "ci_high")
_FOUND = ("found", "found_low", "found_high")
_RANKS = ("quantity", "window", "compared", "correlation", "ci_low", "ci_high")
_MORE = ("left_out_low", "left_out_high", "explained", "n_arms")


def predictors(tables: Tables, settings: Settings) -> Drawing:
    """Draw the figure; see the module."""
    drifts = tables.fit("predicted_drifts", *_DRIFTS, *_FOUND)
    ranks = tables.fit("predictors", *_RANKS, *_MORE)
    signed = ranks[ranks["compared"] == "signed"]
    figure, grid = style.grid(2, 3, 3.9, extra=1.3)
    parts = []
    for axes, (quantity, title) in zip(grid.flat, _QUANTITIES.items(), strict=False):
        rows = drifts[(drifts["quantity"] == quantity) & (drifts["window"] == "whole")]
        parts.append(_scatter(axes, rows, settings))
        found = signed[(signed["quantity"] == quantity) & (signed["window"] == "whole")]
        axes.set_title(f"{title}\n{_correlation(found)}", fontweight="bold")
        axes.set_xlabel(f"predicted: −log₂ per doubling of {tables.axis}")
    for row in grid:
        row[0].set_ylabel(f"found: drift of log₂ η* per doubling of {tables.axis}")
    parts.append(_forest(grid[1, 2], signed))
    looks = panels.arm_looks(settings)
    handles = [
        Line2D([], [], color=color, marker=marker, ls="none", label=settings.arms[name].label)
        for name, (color, marker) in looks.items()
    ]
    line = Line2D([], [], color="#333333", ls="--", label="found = predicted")
    style.legend(figure, [*handles, line])
    plotted = _long_form(parts)
    lacking = [title for name, title in _QUANTITIES.items() if name not in set(drifts["quantity"])]
    facts = _facts(signed, tables)
    caption = panels.caption(
        facts,
        panels.measured_on(tables, settings, tables.seeds()),
        "Drawn: for every arm minus the slope of the quantity's log₂ at equal learning rate, the "
        "mean over the measured steps, against the drift of its optimum; last panel, Spearman's "
        "correlation over arms with its interval (thin) and its range when one arm is left out "
        "(thick).",
        panels.band_sentence(tables.seeds(), settings, "bars"),
        panels.diverged_sentence(tables),
        panels.gaps_sentence(lacking),
    )
    alt = "Predicted against found drift of the optimum, an arm a point, and rank correlations."
    return Drawing(figure, plotted, caption, " ".join([alt, *facts]))


def _scatter(axes: Axes, rows: pd.DataFrame, settings: Settings) -> pd.DataFrame:
    if rows.empty:
        style.empty(axes, "not measured")
        return pd.DataFrame(columns=_COLUMNS)
    points = pd.DataFrame(
        {
            "panel": "drift",
            **{name: rows[name] for name in ("arm", "quantity", "window")},
            **{to: rows[name].astype(float) for to, name in _AXES.items()},
        }
    )
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


_AXES = {
    "x": "predicted",
    "x_low": "ci_low",
    "x_high": "ci_high",
    "value": "found",
    "low": "found_low",
    "high": "found_high",
}


def _forest(axes: Axes, signed: pd.DataFrame) -> pd.DataFrame:
    axes.set_title("correlation over arms", fontweight="bold")
    if signed.empty:
        style.empty(axes, "too few arms")
        return pd.DataFrame(columns=_COLUMNS)
    names = [name for name in _QUANTITIES if name in set(signed["quantity"])]
    for place, quantity in enumerate(names):
        for shift, (window, marker) in zip((-0.15, 0.15), _WINDOWS.items(), strict=True):
            rows = signed[(signed["quantity"] == quantity) & (signed["window"] == window)]
            for row in rows.to_dict("records"):
                y = place + shift
                axes.hlines(y, row["ci_low"], row["ci_high"], color="#0072B2", lw=1.0)
                axes.hlines(y, row["left_out_low"], row["left_out_high"], color="#0072B2", lw=4.0)
                face = "#0072B2" if window == "whole" else "white"
                axes.plot(
                    row["correlation"], y, marker, color="#0072B2", markerfacecolor=face,
                    markersize=7, zorder=4,
                )  # fmt: skip
    axes.axvline(0.0, color="#333333", lw=0.8)
    axes.set_yticks(range(len(names)), [_QUANTITIES[name] for name in names])
    axes.set_ylim(len(names) - 0.5, -0.5)
    axes.set_xlim(-1.05, 1.05)
    axes.set_xlabel("Spearman's ρ\n(filled: whole run, open: second half)")
    drawn = {"x": "correlation", "x_low": "ci_low", "x_high": "ci_high"}
    values = {to: signed[name].astype(float) for to, name in drawn.items()}
    return signed[["quantity", "window"]].assign(panel="correlation", **values)


def _correlation(found: pd.DataFrame) -> str:
    if found.empty:
        return ""
    row = found.iloc[0]
    limits = style.interval(float(row["ci_low"]), float(row["ci_high"]))
    return f"ρ = {style.number(float(row['correlation']), 2)} {limits}"


def _facts(signed: pd.DataFrame, tables: Tables) -> list[str]:
    """Every quantity's correlation, and what it explains of the drift of an arm left out."""
    clauses = []
    for row in signed[signed["window"] == "whole"].to_dict("records"):
        limits = style.interval(float(row["ci_low"]), float(row["ci_high"]))
        share = max(float(row["explained"]), 0.0)
        clauses.append(
            f"{style.number(float(row['correlation']), 2)} {limits} for the "
            f"{_QUANTITIES[str(row['quantity'])]}, which explains {100 * share:.0f} %"
        )
    if not clauses:
        return []
    arms = int(signed["n_arms"].max())
    return [
        f"Rank correlation over {arms} arms of the drift that a quantity predicts over the whole "
        "run and the one found, and what a straight line explains of the drift of an arm left "
        f"out: {'; '.join(clauses)}."
    ]


def _long_form(parts: list[pd.DataFrame]) -> pd.DataFrame:
    filled = [part for part in parts if len(part)]
    table = pd.concat(filled, ignore_index=True) if filled else pd.DataFrame()
    return table.reindex(columns=_COLUMNS)


FIGURE = predictors
