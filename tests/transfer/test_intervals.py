import math

import numpy as np
import pytest
from scipy import stats

from lrtransfer.transfer.intervals import (
    Interval,
    check_confidence,
    difference,
    jackknife_variance,
    line,
)


def test_line_agrees_with_linregress() -> None:
    x, y = np.array([0.0, 1.0, 1.0, 3.0, 5.0]), np.array([1.0, 0.5, 2.0, 4.0, 4.5])
    fit, oracle = line(x, y), stats.linregress(x, y)
    assert float(fit.slope) == pytest.approx(oracle.slope, rel=1e-12)
    assert float(fit.intercept) == pytest.approx(oracle.intercept, rel=1e-12)
    assert float(fit.standard_error) == pytest.approx(oracle.stderr, rel=1e-12)


@pytest.mark.parametrize("x", [[], [1.0], [2.0, 2.0, 2.0]])
def test_line_without_two_distinct_positions_is_unknown(x: list[float]) -> None:
    assert np.isnan(line(np.array(x), np.arange(len(x), dtype=float)).slope)


def test_difference_adds_facing_sides_in_quadrature() -> None:
    found = difference(Interval(5.0, 2.0, 6.0), Interval(1.0, 0.0, 5.0))
    assert found == pytest.approx((4.0, 4 - 5.0, 4 + math.sqrt(2)))


def test_difference_keeps_unknown_and_open_limits() -> None:
    nan, inf = float("nan"), float("inf")
    found = difference(Interval(5.0, 4.0, inf), Interval(1.0, nan, 2.0))
    assert found.low == pytest.approx(4 - math.sqrt(2))
    assert math.isnan(found.high)
    assert difference(Interval(5.0, 4.0, inf), Interval(1.0, 0.0, 2.0)).high == inf


def test_jackknife_of_the_mean_is_its_squared_standard_error() -> None:
    x = np.array([1.0, 3.0, 4.0, 9.0])
    leave_one_out = np.array([np.delete(x, i).mean() for i in range(4)])
    assert jackknife_variance(leave_one_out) == pytest.approx(stats.sem(x) ** 2)


@pytest.mark.parametrize("confidence", [0.0, 1.0, 95])
def test_impossible_confidence_is_refused(confidence: float) -> None:
    with pytest.raises(ValueError, match="confidence"):
        check_confidence(confidence)
