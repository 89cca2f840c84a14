"""The report's tables: order, units, open and unknown intervals."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import pandas as pd
import pytest

from lrtransfer.study.evidence.estimates import Of
from lrtransfer.study.report import tables
from lrtransfer.study.report.report import ExperimentReport
from lrtransfer.transfer.estimate import Estimate
from tests.study.figures.synthetic import estimate

from .conftest import with_rows


def test_drift_follows_the_order_of_arms_and_says_what_is_a_bound(
    experiment: ExperimentReport,
) -> None:
    table = tables.drift(experiment.tables, experiment.arms, 0.95)
    assert table.rows == [
        ["μP", "width", "0.02", "–", "estimate", "2 × 2"],
        [
            "SP",
            "width",
            "−0.7",
            "[−∞, −0.5]",
            "a bound: an optimum lies at the grid's end",
            "2 × 2",
        ],
    ]
    assert "95 % interval" in table.header


def test_optima_show_open_intervals(experiment: ExperimentReport) -> None:
    rows = tables.optima(experiment.tables, experiment.arms, 0.95).rows
    assert rows[0][3:7] == ["0.25", "[0.05, 0.45]", "inside the grid", "0.31"]
    assert rows[1][3:7] == ["−7", "[−∞, −6.5]", "at or below its low end", "0.42"]


def test_regret_shows_nats_and_share(experiment: ExperimentReport) -> None:
    net: dict[str, Any] = {"arm": "mup", "fixed": 3, "size": 64}
    regret = (Of(statistic="regret", unit="loss", **net), estimate(0.05, 0.04))
    share = (Of(statistic="relative_regret", unit="1", **net), Estimate(0.2))
    stored = with_rows(experiment, [regret, share]).tables
    rows = tables.regret(stored, {"mup": "μP"}, 0.95).rows
    assert rows == [["μP", "64", "3", "0.05", "[0.01, 0.09]", "20 %"]]


@pytest.mark.parametrize(
    ("rate", "half", "word"),
    [(-1.0, 0.5, "yes"), (1.0, 0.5, "no"), (0.1, 0.5, "open"), (-1.0, math.nan, "not resolved")],
)
def test_transfer_is_fast_where_its_rate_lies_below_zero(
    experiment: ExperimentReport, rate: float, half: float, word: str
) -> None:
    values = {
        "fit_error": Estimate(0.12),
        "kappa": estimate(0.3, 0.1),
        "penalty": Estimate(0.07),
        "given_up": estimate(0.2, 0.1),
        "transfer_rate": estimate(rate, half),
    }
    rows = [
        (Of(statistic=name, unit="", arm="mup", fixed=3, size=64 * (name == "penalty")), value)
        for name, value in values.items()
    ]
    (row,) = tables.transfer_metrics(with_rows(experiment, rows).tables, {"mup": "μP"}, 0.95).rows
    assert row == ["μP", "0.12", "0.3", "[0.2, 0.4]", "7 %", "20 %", "[10, 30]", word]


def test_forecasts_and_hold_outs_are_told_apart(experiment: ExperimentReport) -> None:
    net = {"arm": "mup", "axis": "width", "fixed": 3}
    limits = {"ci_low": 0.1, "ci_high": 0.4, "refused": ""}
    held = {"kind": "held_out", "size": 64, "predicted": 0.25, "measured": 0.3, "covered": 1.0}
    told = {"kind": "forecast", "size": 128, "log2_lr": 0.2}
    more = {"regret": 0.01, "keeping": 0.02, "one_more": 256, "one_more_half_width": 0.1}
    refused = {"kind": "forecast", "size": 256, "refused": "two sizes only"}
    rows = [{**net, **limits, **held}, {**net, **limits, **told, **more}, {**net, **refused}]
    stored = replace(experiment.tables, forecasts=pd.DataFrame(rows))
    assert tables.held_out(stored, {"mup": "μP"}, 0.95).rows == [
        ["μP", "64", "3", "0.25", "[0.1, 0.4]", "0.3", "yes"]
    ]
    forecast = tables.forecast(stored, {"mup": "μP"}, 0.95).rows
    assert forecast[0][3:] == ["0.2", "[0.1, 0.4]", "1 %", "2 %", "width 256: ±0.1"]
    assert forecast[1][3:] == ["–", "–", "–", "–", "two sizes only"]


def test_costs_count_runs_divergences_and_the_price_of_measuring(
    experiment: ExperimentReport,
) -> None:
    assert tables.costs(experiment.tables.runs, experiment.arms).rows == [
        ["μP", "2", "0", "1,200", "15 %"],
        ["SP", "2", "1", "640", "–"],
        ["all", "4", "1", "1,840", "15 %"],
    ]


def test_grid_says_what_was_trained(experiment: ExperimentReport) -> None:
    rows = tables.grid(experiment.tables.runs, experiment.arms).rows
    assert rows[0] == ["μP", "32 and 64", "3", "2^−1 to 2^2 (2)", "0 and 1"]


def test_tables_are_as_wide_as_their_headers(experiment: ExperimentReport) -> None:
    for table in experiment.numbers():
        assert all(len(row) == len(table.header) for row in table.rows), table.caption
