"""The explorer's data: every run of an experiment as a point, with its configuration."""

from __future__ import annotations

import base64
import hashlib
import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from matplotlib.colors import to_hex

from lrtransfer.study.figures.style import size_colors
from lrtransfer.study.figures.tables import Tables


def script() -> str:
    """The explorer's code."""
    return Path(__file__).with_name("explorer.js").read_text(encoding="utf-8")


def policy() -> str:
    """The page's content security policy: its own script and pictures, and nothing from outside."""
    digest = base64.b64encode(hashlib.sha256(script().encode()).digest()).decode("ascii")
    return (
        "default-src 'none'; img-src data:; style-src 'unsafe-inline'; "
        f"script-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
    )


def data(tables: Tables, arms: Mapping[str, str]) -> str | None:
    """Return the runs as JSON that is safe within a script element; None without runs to show.

    A run is a list: arm, size, other size, seed, log2 of the rate, final loss (null: diverged),
    key, what its configuration says beyond that of its arm (by path).

    Args:
        tables: of one experiment.
        arms: label by arm name, in order.
    """
    runs, axis = tables.runs, tables.axis
    if runs.empty:
        return None
    configs = {
        key: _flat(json.loads(text)) for key, text in zip(runs["key"], runs["config"], strict=True)
    }
    common = {
        str(arm): _common([configs[key] for key in part["key"]])
        for arm, part in runs.groupby("arm", sort=False)
    }
    rows = [
        [
            row["arm"],
            int(row["size"]),
            int(row["fixed"]),
            int(row["seed"]),
            float(row["log2_lr"]),
            _loss(row),
            row["key"],
            {k: v for k, v in configs[row["key"]].items() if k not in common[row["arm"]]},
        ]
        for row in runs.to_dict("records")
        if row["arm"] in arms
    ]
    sizes = sorted({row[1] for row in rows})
    content = {
        "axis": axis,
        "other": "depth" if axis == "width" else "width",
        "sizes": sizes,
        "colors": {size: to_hex(color) for size, color in size_colors(sizes).items()},
        "arms": {
            name: {"label": label, "config": _nested(common[name])}
            for name, label in arms.items()
            if name in common
        },
        "runs": rows,
    }
    text = json.dumps(content, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return text.replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e")


def _loss(row: Mapping[Any, Any]) -> float | None:
    loss = float(row["final_loss"])
    return loss if row["status"] == "ok" and math.isfinite(loss) and loss > 0 else None


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
