"""Exponents and verdicts from made-up sizes."""

from __future__ import annotations

import math

import numpy as np
import pytest

from lrtransfer.coordinates.exponents import NOTHING, Exponent
from lrtransfer.coordinates.growth import (
    GROWTH,
    TOLERANCE,
    CoordinateCheck,
    Judged,
    growth,
    judge,
)
from lrtransfer.coordinates.sizes import Coordinates
from lrtransfer.transfer.intervals import UNKNOWN, Interval

WIDTHS = (32, 64, 128, 256)
PLACE = Coordinates("layer", "own")


def powers(*exponents: float) -> np.ndarray:
    """Return sizes of one seed for each exponent."""
    return np.array([[0.3 * width**e for width in WIDTHS] for e in exponents])


def judged(low: float, value: float, high: float, predicted: tuple[float, float]) -> Judged:
    return Judged(PLACE, Interval(value, low, high), Exponent(*predicted), zero=False)


def test_the_exponent_of_a_power_law_is_found() -> None:
    assert growth(powers(-0.5, -0.5), WIDTHS) == pytest.approx((-0.5, -0.5, -0.5))


def test_the_interval_is_that_of_the_seeds() -> None:
    found = growth(powers(0.4, 0.5, 0.6), WIDTHS)
    half = 4.302653 * 0.1 / math.sqrt(3)  # Student's t of two degrees of freedom
    assert found == pytest.approx((0.5, 0.5 - half, 0.5 + half), rel=1e-5)


@pytest.mark.parametrize(
    ("value", "predicted", "deviation"),
    [(0.1, (0, 0), 0.1), (-0.2, (0, 0), 0.2), (0.3, (0, 0.5), 0), (0.75, (0, 0.5), 0.25)],
)
def test_the_deviation_is_that_from_the_nearest_predicted_exponent(
    value: float, predicted: tuple[float, float], deviation: float
) -> None:
    assert judged(value, value, value, predicted).deviation == pytest.approx(deviation)


def test_an_exponent_nearer_to_another_half_is_not_as_predicted() -> None:
    near, far = TOLERANCE - 0.01, TOLERANCE + 0.01
    assert judged(near, near, near, (0, 0)).as_predicted
    assert not judged(far, far, far, (0, 0)).as_predicted
    assert not judged(-far, -far, -far, (0, 0)).as_predicted


def test_growth_is_told_only_where_the_whole_interval_shows_it() -> None:
    assert not judged(GROWTH + 0.01, 0.5, 0.9, (0.5, 0.5)).stable
    assert judged(GROWTH - 0.01, 0.5, 0.9, (0.5, 0.5)).stable
    assert judged(-0.6, -0.5, -0.4, (-0.5, -0.5)).stable


def test_what_was_to_move_and_is_zero_fails_and_what_was_to_be_zero_passes() -> None:
    still = np.zeros((2, 4))
    [fails] = judge({PLACE: still}, WIDTHS, {PLACE: Exponent(0, 0)}).coordinates
    assert not fails.as_predicted and fails.stable
    [passes] = judge({PLACE: still}, WIDTHS, {PLACE: Exponent(NOTHING, NOTHING)}).coordinates
    assert passes.as_predicted
    nothing = {PLACE: Exponent(NOTHING, NOTHING)}
    [moves] = judge({PLACE: powers(0, 0)}, WIDTHS, nothing).coordinates
    assert not moves.as_predicted


@pytest.mark.parametrize("bad", [math.nan, 0.0])
def test_a_size_that_has_no_logarithm_fails_both(bad: float) -> None:
    sizes = powers(0, 0)
    sizes[0, -1] = bad
    [found] = judge({PLACE: sizes}, WIDTHS, {PLACE: Exponent(0, 0)}).coordinates
    assert found.measured is UNKNOWN
    assert not found.as_predicted
    assert not found.stable


def test_a_coordinate_that_was_not_measured_is_an_error() -> None:
    with pytest.raises(KeyError):
        judge({}, WIDTHS, {PLACE: Exponent(0, 0)})


def test_without_a_prediction_every_coordinate_is_judged_by_its_growth_alone() -> None:
    other = Coordinates("layer", "change")
    found = judge({PLACE: powers(1, 1), other: powers(0, 0)}, WIDTHS)
    assert [j.stable for j in found.coordinates] == [False, True]
    assert found.as_predicted and not found.stable
    assert found.fastest.coordinates == PLACE
    assert str(found.fastest) == "layer own +1.00 ± 0.00"


def test_the_worst_coordinate_is_that_farthest_from_its_prediction() -> None:
    near, far = judged(0.4, 0.45, 0.5, (0.5, 0.5)), judged(0.2, 0.3, 0.4, (0.5, 1.0))
    found = CoordinateCheck([near, far])
    assert found.worst is far
    assert str(far) == "layer own +0.30 ± 0.10, predicted +0.5 to +1"
    assert str(found).splitlines() == [str(near), str(far), f"unstable: {near}"]
