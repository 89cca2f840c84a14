from collections.abc import Iterable

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from lrtransfer.study.evidence.measured import measured_curves, quantity_curves
from lrtransfer.study.evidence.trends import changes
from lrtransfer.transfer.size import POOLED
from tests.transfer.frames import Array, Quantity, make_curves, make_runs, parabola

from .rows import shown


def found(
    function: Quantity, steps: Iterable[int] = (0, 4, 16), statistic: str = "change"
) -> pd.DataFrame:
    runs = make_runs(parabola(lambda w, s: 0.0))
    measured = measured_curves(runs, make_curves(runs, steps, sharpness=function))
    return shown(changes(next(quantity_curves(measured, "sharpness"))), statistic, "size")


def test_change_is_the_binary_logarithm_of_the_last_over_the_first_value() -> None:
    rows = found(lambda w, s, t: w * 2.0 ** (t / 16 * (np.log2(w / 64) + s)))
    assert rows["value"].to_dict() == pytest.approx({32: 0, 64: 1, 128: 2, POOLED: 1})
    low, high = stats.t.interval(0.95, 2, loc=1, scale=stats.sem([0, 1, 2]))
    assert tuple(rows.loc[POOLED, ["ci_low", "ci_high"]]) == pytest.approx((low, high))
    assert set(rows["quantity"]) == {"sharpness"}


def test_runs_that_diverged_and_values_without_a_logarithm_are_left_out() -> None:
    def value(w: int, s: int, t: Array) -> Array:
        lost = (t == 16) & (s == 0) & (w == 32)
        negative = (t == 0) & (s == 1) & (w == 64)
        return np.where(lost, np.nan, np.where(negative, -1.0, 1.0 + t / 16))

    rows = found(value)
    assert rows["n_seeds"].to_dict() == {32: 2, 64: 2, 128: 3, POOLED: 1}
    assert rows["value"].to_dict() == pytest.approx({32: 1, 64: 1, 128: 1, POOLED: 1})


def test_a_quantity_that_starts_later_counts_from_its_first_value() -> None:
    rows = found(lambda w, s, t: np.where(t == 0, np.nan, t * 1.0))
    assert rows.loc[POOLED, "value"] == pytest.approx(2)


def test_fall_is_the_binary_logarithm_of_the_last_over_the_largest_value() -> None:
    """The peak is each run's own; a run that only rises has fallen by nothing."""

    def value(w: int, s: int, t: Array) -> Array:
        peak = np.where(w == 32, 1.0, 2.0 ** (1 + s))
        return np.where(t == 4, peak, 1.0)

    rows = found(value, statistic="fall")
    assert rows["value"].to_dict() == pytest.approx({32: 0, 64: -2, 128: -2, POOLED: -4 / 3})
    rising = found(lambda w, s, t: 1.0 + t, statistic="fall")
    assert rising["value"].to_dict() == pytest.approx(dict.fromkeys((32, 64, 128, POOLED), 0))
