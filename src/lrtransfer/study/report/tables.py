"""The tables of the report: fits, grid and costs, as words for readers."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import pandas as pd

from lrtransfer.study.figures.style import interval, listing, number

_EDGE_WORDS = {
    "none": "inside the grid",
    "low": "at or below its low end",
    "high": "at or above its high end",
}


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
    """Runs, divergences and wall time, one row per arm and one for the sum."""
    parts = [(label, runs[runs["arm"] == name]) for name, label in arms.items()]
    parts.append(("all", runs))
    rows = [
        [
            label,
            str(len(part)),
            str(int((part["status"] != "ok").sum())),
            duration(float(part["wall_seconds"].sum())),
            _measuring(part),
        ]
        for label, part in parts
    ]
    caption = (
        "Costs: the training runs behind this experiment (wall time summed over runs; measuring is "
        "its price over that of training in the measured runs, in gradient evaluations)"
    )
    return Table(caption, ["arm", "runs", "of them diverged", "wall time", "measuring"], rows)


def _measuring(runs: pd.DataFrame) -> str:
    """The mean share spent on measuring; a dash where no run measured or none logged it."""
    if "measuring_share" not in runs:
        return "–"
    shares = runs.loc[runs["measured"], "measuring_share"].dropna()
    return "–" if shares.empty else _share(float(shares.mean()))


def optima(fit: pd.DataFrame, arms: Mapping[str, str], confidence: float) -> Table:
    """Optimal learning rate per arm and net."""
    rows = [
        [
            arms.get(str(row["arm"]), str(row["arm"])),
            *_net(row),
            number(_float(row["log2_lr"])),
            interval(_float(row["ci_low"]), _float(row["ci_high"]), 3),
            _EDGE_WORDS.get(str(row["at_edge"]), str(row["at_edge"])),
            number(_float(row["loss"])),
            str(int(row["n_seeds"])),
        ]
        for row in _ordered(fit, arms)
    ]
    interval_name = _percent(confidence)
    header = ["arm", "width", "depth", "log₂ η*", interval_name, "where", "loss", "seeds"]
    return Table("Optimal learning rate η* of each net", header, rows)


def drift(fit: pd.DataFrame, arms: Mapping[str, str], confidence: float) -> Table:
    """How the optimum moves with the size, per arm."""
    rows = [
        [
            arms.get(str(row["arm"]), str(row["arm"])),
            str(row["axis"]),
            number(_float(row["slope"]), 2),
            interval(_float(row["ci_low"]), _float(row["ci_high"])),
            "a bound: an optimum lies at the grid's end" if row["censored"] else "estimate",
            f"{int(row['n_sizes'])} × {int(row['n_seeds'])}",
        ]
        for row in _ordered(fit, arms)
    ]
    header = ["arm", "over", "slope", _percent(confidence), "kind", "sizes × seeds"]
    caption = "Drift of the optimum: change of log₂ η* per doubling of size (0: it transfers)"
    return Table(caption, header, rows)


def regret(fit: pd.DataFrame, arms: Mapping[str, str], confidence: float) -> Table:
    """What using the smallest net's optimum costs, per arm and net."""
    rows = [
        [
            arms.get(str(row["arm"]), str(row["arm"])),
            *_net(row),
            number(_float(row["regret"]), 2),
            interval(_float(row["ci_low"]), _float(row["ci_high"])),
            _share(_float(row["relative"])),
        ]
        for row in _ordered(fit, arms)
    ]
    header = ["arm", "width", "depth", "regret", _percent(confidence), "of the best loss"]
    caption = "Regret: loss given away by training with the smallest net's optimal learning rate"
    return Table(caption, header, rows)


def forecast(fit: pd.DataFrame, arms: Mapping[str, str], confidence: float) -> Table:
    """What is predicted at sizes that were not run, or why not."""
    rows = [
        [
            arms.get(str(row["arm"]), str(row["arm"])),
            *_net(row),
            number(_float(row["log2_lr"])),
            interval(_float(row["ci_low"]), _float(row["ci_high"]), 3),
            _law(row),
            _share(_float(row["regret"])),
            _share(_float(row["keeping"])),
            _next(row),
        ]
        for row in _ordered(fit, arms)
    ]
    header = [
        "arm",
        "width",
        "depth",
        "log₂ η*",
        _percent(confidence),
        "best law (weight)",
        "expected regret",
        "keeping the last optimum",
        "one more sweep, or why refused",
    ]
    return Table("Predicted optimum of nets that were not trained", header, rows)


def held_out(fit: pd.DataFrame, arms: Mapping[str, str], confidence: float) -> Table:
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
        for row in _ordered(fit, arms)
    ]
    header = [
        "arm",
        "width",
        "depth",
        "predicted log₂ η*",
        _percent(confidence),
        "measured",
        "held",
    ]
    return Table("Held out: the largest size, predicted from the smaller ones", header, rows)


def transfer_metrics(fit: pd.DataFrame, arms: Mapping[str, str], confidence: float) -> Table:
    """Metrics of transfer that later work proposed."""
    rows = [
        [
            arms.get(str(row["arm"]), str(row["arm"])),
            number(_float(row["fit_error"]), 2),
            number(_float(row["robustness"]), 2),
            interval(_float(row["robustness_low"]), _float(row["robustness_high"])),
            _share(_float(row["penalty"])),
            _share(_float(row["share"])),
            interval(100 * _float(row["share_low"]), 100 * _float(row["share_high"])),
            str(row["fast"]),
        ]
        for row in _ordered(fit, arms)
    ]
    percent = _percent(confidence)
    header = [
        "arm",
        "fit error E, doublings",
        "robustness κ",
        percent,
        "loss above the best arm's",
        "share of the gap that transfer loses",
        f"{percent}, %",
        "fast",
    ]
    caption = (
        "Metrics of transfer after Kalra & Barkeshli (2605.21486) and Ghosh, Wu & Bietti "
        "(2512.22768), whose formulas were not at hand: estimators of this project"
    )
    return Table(caption, header, rows)


def _law(row: Mapping[str, Any]) -> str:
    weight = _float(row["weight"])
    return "–" if math.isnan(weight) else f"{row['law']} ({100 * weight:.0f} %)"


def _next(row: Mapping[str, Any]) -> str:
    size, half = _float(row["one_more"]), _float(row["one_more_half_width"])
    if math.isnan(size):
        return str(row["refused"])
    return f"{row['axis']} {size:.0f}: ±{number(half, 2)}"


def duration(seconds: float) -> str:
    """A time for readers: seconds, minutes or hours."""
    if not math.isfinite(seconds):
        return "–"
    if seconds < 120.0:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200.0 else f"{seconds / 3600:.1f} h"


def _ordered(fit: pd.DataFrame, arms: Mapping[str, str]) -> list[dict[str, Any]]:
    """Rows of a fit in the order of the arms, then fixed value and size."""
    place = {name: index for index, name in enumerate(arms)}
    order = fit.assign(_place=[place.get(str(arm), len(place)) for arm in fit["arm"]])
    keys = ["_place", *(name for name in ("fixed", "size") if name in fit)]
    rows = order.sort_values(keys, kind="stable").drop(columns="_place").to_dict("records")
    return [{str(key): value for key, value in row.items()} for row in rows]


def _net(row: Mapping[str, Any]) -> tuple[str, str]:
    """Width and depth of a row's net."""
    size, fixed = str(int(row["size"])), str(int(row["fixed"]))
    return (size, fixed) if row["axis"] == "width" else (fixed, size)


def _values(column: pd.Series) -> str:
    values = sorted(int(value) for value in column.unique())
    return listing(values) if values else "–"


def _float(value: object) -> float:
    return float("nan") if value is None or value is pd.NA else float(str(value))


def _share(relative: float) -> str:
    return "–" if math.isnan(relative) else f"{number(100 * relative, 2)} %"


def _percent(confidence: float) -> str:
    return f"{100 * confidence:g} % interval"


#: How each fit table is shown, in the order of the report.
FITS: dict[str, Callable[[pd.DataFrame, Mapping[str, str], float], Table]] = {
    "drift": drift,
    "optima": optima,
    "regret": regret,
    "forecast": forecast,
    "held_out": held_out,
    "transfer_metrics": transfer_metrics,
}
