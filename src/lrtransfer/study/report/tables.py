"""The tables of the report: estimates, grid and costs, as words for readers."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import pandas as pd

from lrtransfer.study.figures.panels import is_bound
from lrtransfer.study.figures.style import interval, listing, number
from lrtransfer.study.figures.tables import Tables
from lrtransfer.transfer.intervals import Interval
from lrtransfer.transfer.rules import Below, verdict
from lrtransfer.transfer.size import OTHER, Axis

_EDGE_WORDS = {
    "": "inside the grid",
    "low": "at or below its low end",
    "high": "at or above its high end",
    "both": "at its single rate",
    "none": "no rate trains",
}
_FAST_WORDS = {"supported": "yes", "contradicted": "no", "inconclusive": "open"}
_NET = ["arm", "fixed", "size"]


class Table(NamedTuple):
    """A table of text.

    Attributes:
        caption: What the table says, with units.
        header: Column names.
        rows: Cells, one list per row, as long as `header`; the first cell names the row.
    """

    caption: str
    header: list[str]
    rows: list[list[str]]


def grid(runs: pd.DataFrame, arms: Mapping[str, str]) -> Table:
    """What was trained, one row per arm.

    Args:
        runs: The runs of one experiment.
        arms: Label by arm name, in order.
    """
    rows = []
    for name, label in arms.items():
        part = runs[runs["arm"] == name]
        rates = sorted(float(rate) for rate in part["log2_lr"].unique())
        ends = f"2^{number(rates[0])} to 2^{number(rates[-1])} ({len(rates)})" if rates else "–"
        rows.append(
            [label, _values(part["width"]), _values(part["depth"]), ends, _values(part["seed"])]
        )
    header = ["arm", "widths", "depths", "learning rates η₀ (how many)", "seeds"]
    return Table("The grid: what was trained", header, rows)


def costs(runs: pd.DataFrame, arms: Mapping[str, str]) -> Table:
    """Runs, divergences, updates and the price of measuring, per arm and for all."""
    parts = [(label, runs[runs["arm"] == name]) for name, label in arms.items()]
    parts.append(("all", runs))
    rows = [
        [
            label,
            str(len(part)),
            str(int((part["status"] != "ok").sum())),
            f"{int(part['diverged_step'].fillna(part['steps']).sum()):,}",
            _measuring(part),
        ]
        for label, part in parts
    ]
    caption = (
        "Costs: the training runs behind this experiment (measuring is its price in gradient "
        "evaluations, over the updates of the measured runs)"
    )
    return Table(caption, ["arm", "runs", "of them diverged", "updates", "measuring"], rows)


def _measuring(runs: pd.DataFrame) -> str:
    """The mean share spent on measuring; a dash where no run measured or none logged it."""
    shares = runs.loc[runs["measured"], "measuring_share"].dropna()
    return "–" if shares.empty else _share(float(shares.mean()))


def optima(tables: Tables, arms: Mapping[str, str], confidence: float) -> Table:
    """Optimal learning rate per arm and net."""
    found = _beside(tables, "optimum", confidence, loss="optimal_loss")
    rows = [
        [
            arms.get(str(row["arm"]), str(row["arm"])),
            *_net(row),
            number(_float(row["value"])),
            interval(_float(row["ci_low"]), _float(row["ci_high"]), 3),
            _EDGE_WORDS[str(row["at"])],
            number(_float(row["loss"])),
            str(int(row["n_seeds"])),
        ]
        for row in _ordered(found, arms)
    ]
    interval_name = _percent(confidence)
    header = ["arm", *_sizes(tables), "log₂ η*", interval_name, "where", "loss", "seeds"]
    return Table("Optimal learning rate η* of each net", header, rows)


def drift(tables: Tables, arms: Mapping[str, str], confidence: float) -> Table:
    """How the optimum moves with the size, per arm."""
    rows = [
        [
            arms.get(str(row["arm"]), str(row["arm"])),
            str(row["axis"]),
            number(_float(row["value"]), 2),
            interval(_float(row["ci_low"]), _float(row["ci_high"])),
            _kind(row),
            f"{int(row['n_sizes'])} × {int(row['n_seeds'])}",
        ]
        for row in _ordered(tables.shown("drift", confidence), arms)
    ]
    header = ["arm", "over", "slope", _percent(confidence), "kind", "sizes × seeds"]
    caption = "Drift of the optimum, in octaves per octave of size (0: it transfers)"
    return Table(caption, header, rows)


def regret(tables: Tables, arms: Mapping[str, str], confidence: float) -> Table:
    """What using the smallest net's optimum costs, per arm and net."""
    found = _beside(tables, "regret", confidence, share="relative_regret")
    rows = [
        [
            arms.get(str(row["arm"]), str(row["arm"])),
            *_net(row),
            number(_float(row["value"]), 2),
            interval(_float(row["ci_low"]), _float(row["ci_high"])),
            _share(_float(row["share"])),
        ]
        for row in _ordered(found, arms)
    ]
    header = ["arm", *_sizes(tables), "regret", _percent(confidence), "of the best loss"]
    caption = "Regret: loss given away by training with the smallest net's optimal learning rate"
    return Table(caption, header, rows)


def forecast(tables: Tables, arms: Mapping[str, str], confidence: float) -> Table:
    """What is predicted at sizes that were not run, or why not."""
    rows = [
        [
            arms.get(str(row["arm"]), str(row["arm"])),
            *_net(row),
            number(_float(row["log2_lr"])),
            interval(_float(row["ci_low"]), _float(row["ci_high"]), 3),
            _share(_float(row["regret"])),
            _share(_float(row["keeping"])),
            _next(row),
        ]
        for row in _ordered(_forecasts(tables, "forecast"), arms)
    ]
    header = [
        "arm",
        *_sizes(tables),
        "log₂ η*",
        _percent(confidence),
        "expected regret",
        "keeping the last optimum",
        "one more sweep, or why refused",
    ]
    return Table("Predicted optimum of nets that were not trained", header, rows)


def held_out(tables: Tables, arms: Mapping[str, str], confidence: float) -> Table:
    """The predictor's test: the largest size, from the smaller ones."""
    rows = [
        [
            arms.get(str(row["arm"]), str(row["arm"])),
            *_net(row),
            number(_float(row["predicted"])),
            interval(_float(row["ci_low"]), _float(row["ci_high"]), 3),
            number(_float(row["measured"])),
            {1.0: "yes", 0.0: "no"}.get(_float(row["covered"]), str(row["refused"])),
        ]
        for row in _ordered(_forecasts(tables, "held_out"), arms)
    ]
    header = [
        "arm",
        *_sizes(tables),
        "predicted log₂ η*",
        _percent(confidence),
        "measured",
        "held",
    ]
    return Table("Held out: the largest size, predicted from the smaller ones", header, rows)


def transfer_metrics(tables: Tables, arms: Mapping[str, str], confidence: float) -> Table:
    """Metrics of transfer that later work proposed."""
    names = ("kappa", "penalty", "given_up", "transfer_rate")
    of_arm = {name: tables.shown(name, confidence).set_index(_NET[:2]) for name in names}
    rows = []
    for error in _ordered(tables.shown("fit_error", confidence), arms):
        place = (error["arm"], error["fixed"])
        kappa, penalty, given_up, rate = (of_arm[name].loc[place] for name in names)
        rows.append(
            [
                arms.get(str(error["arm"]), str(error["arm"])),
                number(_float(error["value"]), 2),
                number(_float(kappa["value"]), 2),
                interval(_float(kappa["ci_low"]), _float(kappa["ci_high"])),
                _share(_float(penalty["value"])),
                _share(_float(given_up["value"])),
                interval(100 * _float(given_up["ci_low"]), 100 * _float(given_up["ci_high"])),
                _fast(rate),
            ]
        )
    percent = _percent(confidence)
    header = [
        "arm",
        "fit error E, octaves",
        "κ = α − 2β + γ",
        percent,
        "loss above the best arm's",
        "share of the gap that transfer loses",
        f"{percent}, %",
        "fast",
    ]
    caption = (
        "Metrics of transfer after Kalra & Barkeshli (2605.21486), κ < 0 is good, and Ghosh, Wu & "
        "Bietti (2512.22768), fast where 2β > α; estimators of this project"
    )
    return Table(caption, header, rows)


def _kind(drift: Mapping[str, Any]) -> str:
    if math.isnan(drift["value"]):
        return "–"
    return "a bound: an optimum lies at the grid's end" if is_bound(drift) else "estimate"


def _fast(rate: pd.Series) -> str:
    """Whether transfer is fast: its rate lies below zero."""
    if math.isnan(rate["ci_low"]) or math.isnan(rate["ci_high"]):
        return "not resolved"
    return _FAST_WORDS[verdict(Below(0.0), Interval(*rate[["value", "ci_low", "ci_high"]]))]


def _beside(tables: Tables, statistic: str, confidence: float, **others: str) -> pd.DataFrame:
    """Return the estimates of a statistic, with the values of others at the same net by name."""
    found = tables.shown(statistic, confidence)
    for name, other in others.items():
        values = tables.shown(other, confidence)[[*_NET, "value"]]
        found = found.merge(values.rename(columns={"value": name}), on=_NET, how="left")
    return found


def _forecasts(tables: Tables, kind: str) -> pd.DataFrame:
    return tables.forecasts[tables.forecasts["kind"] == kind]


def _next(row: Mapping[str, Any]) -> str:
    size, half = _float(row["one_more"]), _float(row["one_more_half_width"])
    if math.isnan(size):
        return str(row["refused"])
    return f"{row['axis']} {size:.0f}: ±{number(half, 2)}"


def _ordered(found: pd.DataFrame, arms: Mapping[str, str]) -> list[dict[str, Any]]:
    """Rows in the order of the arms, then of fixed value and size."""
    if found.empty:
        return []
    place = {name: index for index, name in enumerate(arms)}
    order = found.assign(_place=[place.get(str(arm), len(place)) for arm in found["arm"]])
    keys = ["_place", "fixed", "size"]
    rows = order.sort_values(keys, kind="stable").drop(columns="_place").to_dict("records")
    return [{str(key): value for key, value in row.items()} for row in rows]


def _sizes(tables: Tables) -> tuple[Axis, Axis]:
    """The two axes that tell of which sizes a row is, in one order for widths and depths."""
    axis: Axis = tables.axis
    return (OTHER[axis], axis) if axis == "depth" else (axis, OTHER[axis])


def _net(row: Mapping[str, Any]) -> tuple[str, str]:
    """The sizes of a row's runs, in the order of `_sizes`."""
    size, fixed = str(int(row["size"])), str(int(row["fixed"]))
    return (fixed, size) if row["axis"] == "depth" else (size, fixed)


def _values(column: pd.Series) -> str:
    values = sorted(int(value) for value in column.unique())
    return listing(values) if values else "–"


def _float(value: object) -> float:
    return float("nan") if value is None or value is pd.NA else float(str(value))


def _share(relative: float) -> str:
    return "–" if math.isnan(relative) else f"{number(100 * relative, 2)} %"


def _percent(confidence: float) -> str:
    return f"{100 * confidence:g} % interval"


#: The tables of what was estimated, in the order of the report.
ESTIMATED: tuple[Callable[[Tables, Mapping[str, str], float], Table], ...] = (
    drift,
    optima,
    regret,
    forecast,
    held_out,
    transfer_metrics,
)
