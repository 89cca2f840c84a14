"""The best learning rate by size: flat where it transfers."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from lrtransfer.study.figures.style import ARM_COLORS, interval, number
from lrtransfer.study.figures.tables import Tables
from lrtransfer.study.report.charts import IS_CURRENT, POWER_OF_TWO, Spec, spec
from lrtransfer.transfer.size import OTHER, Axis

_SHOWN = {
    "label": "arm",
    "net": "net",
    "effect": "best rate",
    "limits": "interval",
    "loss": "loss there",
    "seeds": "seeds",
    "repeat": "repeat",
}


def optima(
    tables: Tables, arms: Mapping[str, str], confidence: float, repeat: str = ""
) -> Spec | None:
    """Return the chart of one experiment, at its smallest value of the other axis; None without.

    Args:
        tables: of the experiment.
        arms: label by arm name, in order.
        confidence: of the intervals.
        repeat: the command that repeats it.
    """
    found = tables.shown("optimum", confidence)
    rates = tables.runs.groupby("arm")["lr"].nunique()
    found = found[found["arm"].map(rates) > 1]  # of a single rate none is the best
    losses = tables.shown("optimal_loss", confidence)
    if found.empty:
        return None
    keys = ["arm", "fixed", "size"]
    found = found.merge(
        losses[[*keys, "value"]].rename(columns={"value": "loss"}), on=keys, how="left"
    )
    found = found[found["fixed"] == found["fixed"].min()]
    axis = tables.axis
    rows = [
        _row(row, axis, arms[row["arm"]], repeat)
        for arm in arms
        for row in found[found["arm"] == arm].sort_values("size").to_dict("records")
        if math.isfinite(row["value"])
    ]
    if not rows:
        return None
    labels = list(dict.fromkeys(row["label"] for row in rows))
    x = {
        "field": "size",
        "type": "quantitative",
        "scale": {"type": "log", "base": 2, "nice": False, "padding": 18},
        "axis": {"values": sorted({row["size"] for row in rows}), "format": "d", "title": axis},
    }
    y: Spec = {
        "field": "rate",
        "type": "quantitative",
        "scale": {"zero": False, "padding": 10},
        "axis": {"title": "best learning rate", **POWER_OF_TWO},
    }
    look: Spec = {"field": "label", "type": "nominal", "sort": labels}
    color = {
        **look,
        "scale": {"domain": labels, "range": [*ARM_COLORS][: len(labels)]},
        "legend": {"title": None, "labelLimit": 200},
    }
    return spec(
        rows,
        _SHOWN,
        [
            {
                "mark": {"type": "line", "strokeWidth": 2},
                "encoding": {"x": x, "y": y, "color": color},
            },
            {
                "mark": {"type": "rule", "strokeWidth": 2, "opacity": 0.5},
                "encoding": {
                    "x": x,
                    "y": {**y, "field": "low"},
                    "y2": {"field": "high"},
                    "color": color,
                },
            },
            {
                "mark": {"type": "point", "filled": True, "cursor": "pointer", "opacity": 1},
                "encoding": {
                    "x": x,
                    "y": y,
                    "color": color,
                    "shape": {**look, "scale": {"domain": labels}},
                    "size": {"condition": {"test": IS_CURRENT, "value": 300}, "value": 80},
                },
            },
        ],
        height=340,
    )


def _row(row: Mapping[Any, Any], axis: Axis, label: str, repeat: str) -> dict[str, Any]:
    value, low, high = (float(row[name]) for name in ("value", "ci_low", "ci_high"))
    return {
        "label": label,
        "size": int(row["size"]),
        "rate": value,
        # An open side is drawn as long as the octave beside it.
        "low": value if math.isnan(low) else max(low, value - 1) if math.isinf(low) else low,
        "high": value if math.isnan(high) else min(high, value + 1) if math.isinf(high) else high,
        "net": f"{axis} {int(row['size'])}, {OTHER[axis]} {int(row['fixed'])}",
        "effect": f"2^{number(value)} = {number(2**value)}",
        "limits": "–" if math.isnan(low) else f"2^{interval(low, high, 3)}",
        "loss": number(float(row["loss"])),
        "seeds": str(int(row["n_seeds"])),
        "repeat": repeat,
    }
