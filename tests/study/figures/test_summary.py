"""Means and intervals over seeds against scipy's own."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from lrtransfer.study.figures.summary import over_seeds, spread

FRAME = pd.DataFrame({"size": [8, 8, 8, 16], "seed": [0, 1, 2, 0], "loss": [1.0, 2.0, 4.0, 3.0]})


@pytest.mark.parametrize("confidence", [0.8, 0.95])
def test_interval_is_students_t(confidence: float) -> None:
    row = over_seeds(FRAME, ["size"], "loss", confidence).iloc[0]
    values = np.array([1.0, 2.0, 4.0])
    low, high = stats.t.interval(confidence, 2, values.mean(), stats.sem(values))
    assert row["value"] == pytest.approx(values.mean(), rel=1e-12)
    assert (row["low"], row["high"], row["n"]) == pytest.approx((low, high, 3), rel=1e-12)


def test_logarithmic_interval_is_that_of_the_logarithm() -> None:
    row = over_seeds(FRAME, ["size"], "loss", 0.95, log=True).iloc[0]
    values = np.log([1.0, 2.0, 4.0])
    low, high = stats.t.interval(0.95, 2, values.mean(), stats.sem(values))
    assert row["value"] == pytest.approx(2.0, rel=1e-12)
    assert (row["low"], row["high"]) == pytest.approx((np.exp(low), np.exp(high)), rel=1e-12)
    assert row["low"] > 0


def test_one_seed_has_a_mean_and_no_interval() -> None:
    row = over_seeds(FRAME, ["size"], "loss", 0.95).iloc[1]
    assert row["value"] == 3.0
    assert np.isnan(row["low"]) and np.isnan(row["high"])
    assert row["n"] == 1


def test_values_that_are_not_finite_are_left_out_of_the_count() -> None:
    frame = FRAME.assign(loss=[1.0, np.nan, np.inf, 3.0])
    assert list(over_seeds(frame, ["size"], "loss", 0.95)["n"]) == [1, 1]


def test_values_without_a_logarithm_are_left_out_of_it() -> None:
    frame = FRAME.assign(loss=[1.0, 0.0, -2.0, 3.0])
    assert list(over_seeds(frame, ["size"], "loss", 0.95, log=True)["n"]) == [1, 1]


def test_nothing_gives_an_empty_frame_with_columns() -> None:
    empty = over_seeds(FRAME.iloc[:0], ["size"], "loss", 0.95)
    assert list(empty.columns) == ["size", "value", "low", "high", "n"]
    assert over_seeds(FRAME, ["size"], "absent", 0.95).empty


def test_spread_is_largest_over_smallest_where_that_makes_sense() -> None:
    assert spread(pd.Series([2.0, 8.0, np.nan])) == 4.0
    assert np.isnan(spread(pd.Series([2.0])))
    assert np.isnan(spread(pd.Series([-2.0, 8.0])))
