"""Every run of an experiment as a point, loss over learning rate, with its configuration."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any

import pandas as pd
from matplotlib.colors import to_hex

from lrtransfer.study.figures.style import number, size_colors
from lrtransfer.study.figures.tables import Tables
from lrtransfer.study.report.charts import IS_CURRENT, POWER_OF_TWO, Spec, spec
from lrtransfer.transfer.size import OTHER

_SHOWN = {
    "net": "net",
    "seed": "seed",
    "eta": "learning rate η₀",
    "final": "final loss",
    "key": "run",
}


def explorer(tables: Tables, arms: Mapping[str, str]) -> dict[str, Spec]:
    """Return the chart of each arm that has runs, by its label.

    Args:
        tables: of one experiment.
        arms: label by arm name, in order.
    """
    runs = tables.runs
    return {
        label: _of_arm(runs[runs["arm"] == arm], tables)
        for arm, label in arms.items()
        if (runs["arm"] == arm).any()
    }


def _of_arm(runs: pd.DataFrame, tables: Tables) -> Spec:
    configs = [_flat(json.loads(text)) for text in runs["config"]]
    common = _common(configs)
    rows = [
        _row(row, tables, {k: v for k, v in config.items() if k not in common})
        for row, config in zip(runs.to_dict("records"), configs, strict=True)
    ]
    rows.sort(key=lambda row: (row["size"], row["rate"], row["seed"]))
    sizes = tables.sizes()
    x: Spec = {
        "field": "rate",
        "type": "quantitative",
        "scale": {"zero": False, "padding": 12},
        "axis": {"title": "learning rate η₀ of the run", **POWER_OF_TWO},
    }
    loss = "datum.value" if tables.signed else "pow(2, datum.value)"
    y: Spec = {
        "field": "loss",
        "type": "quantitative",
        "scale": {"zero": False, "padding": 8},
        "axis": {"title": "final loss", "labelExpr": f"format({loss}, '.3~g')"},
    }
    color: Spec = {
        "field": "size",
        "type": "ordinal",
        "scale": {"domain": sizes, "range": [to_hex(c) for c in size_colors(sizes).values()]},
        "legend": {"title": tables.axis},
    }
    pointed: Spec = {"condition": {"test": IS_CURRENT, "value": 240}, "value": 50}
    return spec(
        rows,
        _SHOWN,
        [
            {
                "transform": [
                    {"filter": "isValid(datum.loss)"},
                    {
                        "aggregate": [{"op": "mean", "field": "loss", "as": "loss"}],
                        "groupby": ["rate", "size", "fixed"],
                    },
                ],
                "mark": {"type": "line", "strokeWidth": 2},
                "encoding": {
                    "x": x,
                    "y": y,
                    "color": color,
                    "detail": {"field": "fixed"},
                    "tooltip": {"value": None},
                },
            },
            {
                "transform": [{"filter": "isValid(datum.loss)"}],
                "mark": {"type": "point", "filled": True, "opacity": 0.8, "cursor": "pointer"},
                "encoding": {"x": x, "y": y, "color": color, "size": pointed},
            },
            {
                "transform": [{"filter": "!isValid(datum.loss)"}],
                "mark": {
                    "type": "point",
                    "shape": "cross",
                    "filled": True,
                    "angle": 45,
                    "cursor": "pointer",
                },
                "encoding": {"x": x, "y": {"value": 6}, "color": color, "size": pointed},
            },
        ],
        about={"config": _nested(common)},
    )


def _row(row: Mapping[Any, Any], tables: Tables, own: Mapping[str, Any]) -> dict[str, Any]:
    loss, rate, axis = float(row["final_loss"]), float(row["log2_lr"]), tables.axis
    known = row["status"] == "ok" and math.isfinite(loss) and (loss > 0 or tables.signed)
    return {
        "net": f"{axis} {int(row['size'])}, {OTHER[axis]} {int(row['fixed'])}",
        "size": int(row["size"]),
        "fixed": int(row["fixed"]),
        "seed": int(row["seed"]),
        "rate": rate,
        "loss": (loss if tables.signed else math.log2(loss)) if known else None,
        "eta": f"2^{number(rate)} = {number(2**rate)}",
        "final": number(loss) if known else "diverged",
        "key": row["key"],
        "own": dict(own),
    }


def _flat(config: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Return a nested configuration by path, such as `model/width`."""
    flat: dict[str, Any] = {}
    for key, value in config.items():
        path = f"{prefix}{key}"
        if isinstance(value, dict) and value:
            flat |= _flat(value, f"{path}/")
        else:
            flat[path] = value
    return flat


def _nested(flat: Mapping[str, Any]) -> dict[str, Any]:
    nested: dict[str, Any] = {}
    for path, value in flat.items():
        *folders, name = path.split("/")
        at = nested
        for folder in folders:
            at = at.setdefault(folder, {})
        at[name] = value
    return nested


def _common(configs: list[dict[str, Any]]) -> dict[str, Any]:
    first, *others = configs
    return {k: v for k, v in first.items() if all(k in o and o[k] == v for o in others)}
