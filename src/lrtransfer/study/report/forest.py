"""The forest plot of all claims on one axis: how far each lies from the bound of its rule.

Claims have many units. In half-widths of its own interval every interval is as wide as every
other, and is to the right of zero where the rule holds, to the left where it fails.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from lrtransfer.study.figures.style import interval, number
from lrtransfer.study.report.charts import IS_CURRENT, Spec, spec

_END = 30.0  # half-widths; what lies beyond is drawn there
_TICKS = (-30, -10, -3, -1, 0, 1, 3, 10, 30)
_HEIGHT = 560.0  # pixels of a whole forest, as far as rows of 4 to 18 pixels let it be
_NAMED = 11.0  # pixels of a row beside which its claim is named
_COLORS = {"supported": "#009E73", "contradicted": "#D55E00", "inconclusive": "#808080"}
_SHAPES = {"supported": "circle", "contradicted": "diamond", "inconclusive": "square"}
_RULE = re.compile(r"([<>]|in) \[?(\S+?)(?:, (\S+)\])?")
_SHOWN = {
    "says": "claim",
    "effect": "value",
    "limits": "interval",
    "rule": "rule",
    "verdict": "verdict",
    "corrected": "corrected",
    "seeds": "seeds",
    "power": "power",
    "where": "experiment",
    "repeat": "repeat",
}


class Margin(NamedTuple):
    """How far an effect lies within its rule: the best guess, the least and the most."""

    value: float
    low: float
    high: float


def margin(rule: str, value: float, low: float, high: float) -> Margin | None:
    """Return an effect's margin to its rule, in half-widths of its interval.

    Args:
        rule: as the ledger writes it: `> 0.5`, `< 0` or `in [-0.1, 0.1]`.
        value: the effect.
        low: end of its interval; -inf where that is open.
        high: likewise.

    Returns:
        None where the interval is unknown or has no width to measure by.

    Raises:
        ValueError: the rule is none of the three.
    """
    read = _RULE.fullmatch(rule)
    if read is None:
        raise ValueError(
            f"the rule {rule!r} is none of `> a`, `< a`, `in [a, b]`: make the ledger anew"
        )
    kind, first, second = read.groups()
    bounds = (float(first), float(second)) if kind == "in" else (float(first), float(first))
    # Of an interval with one open side, the other side's half stands for both.
    half = (high - low) / 2 if math.isfinite(high - low) else min(value - low, high - value)
    if not (math.isfinite(half) and half > 0):
        return None

    def inside(x: float) -> float:
        below, above = (x - bounds[0]) / half, (bounds[1] - x) / half
        return {">": below, "<": above, "in": min(below, above)}[kind]

    ends = (inside(low), inside(high))
    middle = sum(bounds) / 2
    most = inside(middle) if kind == "in" and low <= middle <= high else max(ends)
    return Margin(inside(value), min(ends), most)


def forest(
    records: Sequence[Mapping[str, Any]], seeds: Mapping[str, str], repeat: Mapping[str, str]
) -> Spec | None:
    """Return the plot; None where no claim can be placed.

    Args:
        records: of the ledger.
        seeds: how many seeds each experiment has, in words.
        repeat: the command that repeats each experiment.
    """
    placed = [(record, found) for record in records if (found := _margin(record))]
    if not placed:
        return None
    repeated = {i for i in (r["id"] for r, _ in placed) if sum(i == r["id"] for r, _ in placed) > 1}
    rows: list[dict[str, Any]] = []
    for family in dict.fromkeys(_family(record) for record, _ in placed):
        own = sorted((p for p in placed if _family(p[0]) == family), key=lambda p: -p[1].value)
        rows.append({"place": f"{family} ({len(own)})", "family": f"{family} ({len(own)})"})
        rows += [_row(r, m, r["id"] in repeated, seeds, repeat) for r, m in own]
    step = min(18.0, max(4.0, _HEIGHT / len(rows)))
    places: list[str] = []
    for row in rows:
        # A family's name needs more than a short row.
        blank = math.ceil(16 / step) if "family" in row else 1
        places += [*(f"{row['place']} {k}" for k in range(1, blank)), row["place"]]
    return spec(
        rows,
        _SHOWN,
        _layers(places, named=step >= _NAMED, area=42 if step > 6 else 28),
        height=round(step * len(places)),
        about={"rows": len(places), "step": step},
    )


def _layers(places: list[str], *, named: bool, area: float) -> list[Spec]:
    """Zero, the families' names, intervals and values."""
    names: Spec = {"title": None, "ticks": False, "domain": False, "labelLimit": 230}
    y = {
        "field": "place",
        "type": "nominal",
        "sort": None,
        "scale": {"domain": places},
        "axis": {**names, "labelExpr": "indexof(datum.value, '(') > 0 ? '' : datum.value"}
        if named
        else None,
    }
    scale = {"type": "symlog", "constant": 1, "domain": [-_END, _END], "clamp": True}
    title = "← fails · half-widths from the rule's bound · holds →"
    axis = {"values": _TICKS, "title": title, "grid": True}
    x = {"field": "x", "type": "quantitative", "scale": scale, "axis": axis}
    verdict = {"field": "verdict", "type": "nominal"}
    color = {
        **verdict,
        "scale": {"domain": list(_COLORS), "range": list(_COLORS.values())},
        "legend": {"title": None},
    }
    shape = {**verdict, "scale": {"domain": list(_SHAPES), "range": list(_SHAPES.values())}}
    return [
        {
            "mark": {"type": "rule", "strokeWidth": 1.5, "color": "#777777"},
            "encoding": {"x": {"datum": 0, "type": "quantitative"}, "tooltip": {"value": None}},
        },
        {
            "transform": [{"filter": "isValid(datum.family)"}],
            "mark": {"type": "text", "align": "left", "fontWeight": "bold", "fontSize": 12},
            "encoding": {
                "x": {"value": 4},
                "y": y,
                "text": {"field": "family"},
                "tooltip": {"value": None},
            },
        },
        {
            "transform": [{"filter": "isValid(datum.x)"}],
            "mark": {"type": "rule", "strokeWidth": 2, "opacity": 0.45},
            "encoding": {
                "x": {**x, "field": "low"},
                "x2": {"field": "high"},
                "y": y,
                "color": color,
            },
        },
        {
            "transform": [{"filter": "isValid(datum.x)"}],
            "mark": {"type": "point", "cursor": "pointer", "opacity": 1, "strokeWidth": 1.5},
            "encoding": {
                "x": x,
                "y": y,
                "color": color,
                "shape": shape,
                "fillOpacity": {
                    "condition": {"test": "datum.kept", "value": 1},
                    "value": 0,
                },
                "fill": color,
                "size": {"condition": {"test": IS_CURRENT, "value": 260}, "value": area},
            },
        },
    ]


def _margin(record: Mapping[str, Any]) -> Margin | None:
    value, low, high = (record[name] for name in ("value", "ci_low", "ci_high"))
    if value is None or (low is None and high is None):
        return None
    ends = (-math.inf if low is None else float(low), math.inf if high is None else float(high))
    found = margin(str(record["rule"]), float(value), *ends)
    return found and Margin(*(min(_END, max(-_END, x)) for x in found))


def _row(
    record: Mapping[str, Any],
    at: Margin,
    repeated: bool,
    seeds: Mapping[str, str],
    repeat: Mapping[str, str],
) -> dict[str, Any]:
    experiment, words = str(record["experiment"]), str(record["id"]).replace("_", " ")
    low, high = (math.nan if record[n] is None else record[n] for n in ("ci_low", "ci_high"))
    ends = (-math.inf if math.isnan(low) else low, math.inf if math.isnan(high) else high)
    corrected = record.get("verdict_corrected") or ""
    unit = str(record.get("unit") or "1")
    return {
        "place": f"{words}, {experiment.replace('_', ' ')}" if repeated else words,
        "x": at.value,
        "low": at.low,
        "high": at.high,
        "says": record["statement"],
        "effect": number(float(record["value"])) + (f" {unit}" if unit != "1" else ""),
        "limits": interval(*ends, 3),
        "rule": record["rule"],
        "verdict": record["verdict"],
        "corrected": corrected,
        "kept": (corrected or record["verdict"]) == record["verdict"] != "inconclusive",
        "seeds": seeds.get(experiment, ""),
        "power": record.get("power") or "",
        "where": experiment.replace("_", " "),
        "repeat": repeat.get(experiment, ""),
        "at": f"#claim-{experiment}-{record['id']}",
    }


def _family(record: Mapping[str, Any]) -> str:
    return str(record.get("family") or record["paper"])
