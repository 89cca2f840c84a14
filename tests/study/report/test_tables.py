"""The report's tables: order, units, open and unknown intervals."""

from __future__ import annotations

import math

import pandas as pd
import pytest

from lrtransfer.study.report import ExperimentReport, tables


def test_drift_follows_the_order_of_arms_and_says_what_is_a_bound(
    experiment: ExperimentReport,
) -> None:
    table = tables.drift(experiment.fits["drift"], experiment.arms, 0.95)
    assert table.rows == [
        ["μP", "width", "0.02", "–", "estimate", "2 × 2"],
        [
            "SP",
            "width",
            "−0.7",
            "[−0.9, −0.5]",
            "a bound: an optimum lies at the grid's end",
            "2 × 2",
        ],
    ]
    assert "95 % interval" in table.header


def test_optima_show_open_intervals(experiment: ExperimentReport) -> None:
    rows = tables.optima(experiment.fits["optima"], experiment.arms, 0.9).rows
    assert rows[0][3:6] == ["0.25", "[0, 0.5]", "inside the grid"]
    assert rows[1][3:6] == ["−7", "[−∞, −6.5]", "at or below its low end"]


def test_regret_shows_nats_and_share() -> None:
    fit = pd.DataFrame(
        {"arm": ["mup"], "axis": ["width"], "fixed": [3], "size": [64], "regret": [0.05],
         "ci_low": [0.01], "ci_high": [0.09], "relative": [0.2]}
    )  # fmt: skip
    rows = tables.regret(fit, {"mup": "μP"}, 0.95).rows
    assert rows == [["μP", "64", "3", "0.05", "[0.01, 0.09]", "20 %"]]


def test_costs_count_runs_divergences_and_the_price_of_measuring(
    experiment: ExperimentReport,
) -> None:
    assert tables.costs(experiment.runs, experiment.arms).rows == [
        ["μP", "2", "0", "3 min", "15 %"],
        ["SP", "2", "1", "40 s", "–"],
        ["all", "4", "1", "4 min", "15 %"],
    ]


def test_grid_says_what_was_trained(experiment: ExperimentReport) -> None:
    rows = tables.grid(experiment.runs, experiment.arms).rows
    assert rows[0] == ["μP", "32 and 64", "3", "2^−1 to 2^2 (2)", "0 and 1"]


def test_tables_are_as_wide_as_their_headers(experiment: ExperimentReport) -> None:
    for table in experiment.tables():
        assert all(len(row) == len(table.header) for row in table.rows), table.caption


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(12.4, "12 s"), (600.0, "10 min"), (9000.0, "2.5 h"), (math.nan, "–")],
)
def test_duration_reads_well(seconds: float, text: str) -> None:
    assert tables.duration(seconds) == text
