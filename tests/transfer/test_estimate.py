"""Intervals and p values of estimates: against scipy, and never in disagreement."""

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st
from scipy import optimize, stats

from lrtransfer.transfer.estimate import (
    Estimate,
    Part,
    Unit,
    known_exactly,
    of_mean,
    of_seeds,
    of_shares,
    welch,
)
from lrtransfer.transfer.intervals import Interval
from lrtransfer.transfer.rules import Above, Below, Rule, Within

NAN, INF = float("nan"), float("inf")


def limits(estimate: Estimate, confidence: float = 0.95) -> tuple[float, float]:
    return estimate.interval(confidence)[1:]


def test_an_unknown_scatter_says_whether_the_grid_or_the_seeds_are_to_blame() -> None:
    assert "one seed has none" in Estimate(1.0).obstacle
    assert "grid's end" in Estimate(1.0, open_high=True).obstacle


def test_the_interval_of_a_mean_is_the_student_interval() -> None:
    x = np.array([1.0, 2.0, 4.0])
    oracle = stats.t.interval(0.9, 2, loc=x.mean(), scale=stats.sem(x))
    found = of_seeds(x, [0, 1, 2])
    assert found.interval(0.9) == pytest.approx((x.mean(), *oracle), rel=1e-12)
    assert found.units == (Unit(0, 0, 1.0), Unit(1, 0, 2.0), Unit(2, 0, 4.0))


def test_missing_values_are_left_out_and_one_value_has_no_interval() -> None:
    found = of_seeds([1.0, NAN, 3.0, INF], [4, 5, 6, 7], size=32)
    assert found == of_seeds([1.0, 3.0], [4, 6], size=32)
    single = of_seeds([5.0, NAN], [0, 1])
    assert single.value == 5 and np.isnan(limits(single)).all()
    nothing = of_seeds([], [])
    assert math.isnan(nothing.value) and np.isnan(limits(nothing)).all()
    assert nothing.units == ()


def test_equal_variances_add_their_degrees_of_freedom() -> None:
    both = Estimate(0.0, (welch(Part(1.0, 2), Part(1.0, 2)),))
    assert both.half_width(0.05) == pytest.approx(stats.t.ppf(0.975, 4) * math.sqrt(2))


def test_a_part_without_variance_takes_no_degrees_of_freedom() -> None:
    assert welch(Part(1.0, 2), Part(0.0, 5)) == Part(1.0, 2)
    assert welch(Part(0.0, 2), Part(0.0, 5)) == Part(0.0, 5)


def test_unequal_variances_have_the_degrees_of_freedom_of_welchs_test() -> None:
    a, b = np.array([1.0, 4.0, 9.0, 2.0]), np.array([0.1, 0.2, 0.4])
    parts = [Part(float(x.var(ddof=1)) / len(x), len(x) - 1) for x in (a, b)]
    difference = Estimate(float(a.mean() - b.mean()), (welch(*parts),))
    oracle = stats.ttest_ind(a, b, equal_var=False)
    assert difference.p(Above(0.0)) == pytest.approx(oracle.pvalue, rel=1e-9)
    assert limits(difference) == pytest.approx(tuple(oracle.confidence_interval(0.95)))


def test_a_shared_variance_widens_the_mean() -> None:
    units = [Unit(seed, 0, float(seed)) for seed in range(3)]
    shared = of_mean(units, extra=Part(4.0, 2))
    assert shared.parts == (welch(Part(1 / 3, 2), Part(4.0, 2)),)
    assert shared.half_width(0.05) > 2 * of_mean(units).half_width(0.05)


def test_the_systematic_error_counts_with_the_normal_quantile_in_quadrature() -> None:
    found = Estimate(1.0, (Part(0.04, 3),), systematic=0.5)
    half = math.hypot(0.2 * stats.t.ppf(0.975, 3), 0.5 * stats.norm.ppf(0.975))
    assert limits(found) == pytest.approx((1 - half, 1 + half))
    assert limits(known_exactly(2.0)) == (2.0, 2.0)


def mover(a: Interval, b: Interval) -> tuple[float, float, float]:
    """Zou & Donner (2008), eq. 3."""
    value = a.value - b.value
    low = value - math.sqrt((a.value - a.low) ** 2 + (b.high - b.value) ** 2)
    high = value + math.sqrt((a.high - a.value) ** 2 + (b.value - b.low) ** 2)
    return value, low, high


def opened(estimate: Estimate, *, low: bool, high: bool) -> Estimate:
    return replace(
        estimate, open_low=estimate.open_low or low, open_high=estimate.open_high or high
    )


A = Estimate(5.0, (Part(0.3, 4),), systematic=0.2)
B = Estimate(1.0, (Part(0.1, 2),), systematic=0.4)
UNKNOWN = Estimate(1.0)


@pytest.mark.parametrize("a", [A, opened(A, low=True, high=False), opened(A, low=True, high=True)])
@pytest.mark.parametrize("b", [B, opened(B, low=True, high=False), opened(B, low=False, high=True)])
@pytest.mark.parametrize("confidence", [0.5, 0.95, 0.999])
def test_a_difference_adds_the_facing_sides_in_quadrature(
    a: Estimate, b: Estimate, confidence: float
) -> None:
    oracle = mover(a.interval(confidence), b.interval(confidence))
    assert a.minus(b).interval(confidence) == pytest.approx(oracle, rel=1e-12)


def test_a_difference_is_open_where_a_side_is_and_else_unknown_where_a_scatter_is() -> None:
    assert np.isnan(limits(A.minus(UNKNOWN))).all()
    assert np.isnan(limits(UNKNOWN.minus(A))).all()
    half_open = opened(A, low=False, high=True).minus(UNKNOWN).interval(0.95)
    assert math.isnan(half_open.low) and half_open.high == INF
    assert limits(A.minus(opened(B, low=True, high=True))) == (-INF, INF)
    stored = Estimate.from_row(UNKNOWN.as_row())
    assert np.isnan(limits(A.minus(stored))).all(), "a stored unknown is as unknown"


def test_the_difference_of_a_difference_keeps_every_part() -> None:
    found = A.minus(B).minus(B)
    assert found.parts == (*A.parts, *B.parts, *B.parts)
    assert found.systematic == pytest.approx(math.sqrt(0.2**2 + 2 * 0.4**2))
    assert found.units == ()


@pytest.mark.parametrize("freedom", [1, 2, 4, 10, 10_000, INF])
@pytest.mark.parametrize("value", [-30.0, -0.4, 1e-3, 0.3, 0.9, 300.0])
def test_the_p_value_of_one_part_is_that_of_the_t_test(value: float, freedom: float) -> None:
    expected = 2 * stats.t.sf(abs(value) / 0.3, freedom)
    for rule in (Above(0.0), Below(0.0)):
        found = Estimate(value, (Part(0.09, freedom),), units=(Unit(0, 0, value),) * 3).p(rule)
        assert found == pytest.approx(expected, rel=1e-9)


def distance_p(estimate: Estimate, distance: float) -> float:
    """The level at which the half width is `distance`, by another road."""
    return optimize.brentq(lambda level: estimate.half_width(level) - distance, 1e-12, 1 - 1e-12)


def test_the_p_value_of_several_parts_is_where_the_half_width_is_the_distance() -> None:
    found = A.minus(B)
    assert found.p(Above(2.5)) == pytest.approx(distance_p(found, 1.5), rel=1e-6)
    assert found.p(Below(5.5)) == pytest.approx(distance_p(found, 1.5), rel=1e-6)


def test_the_p_value_of_a_region_counts_the_limit_that_decides() -> None:
    found = A.minus(B)  # 4
    assert found.p(Within(2.5, 9.0)) == pytest.approx(distance_p(found, 1.5), rel=1e-6), "inside"
    assert found.p(Within(2.5, 5.0)) == pytest.approx(distance_p(found, 1.0), rel=1e-6)
    assert found.p(Within(-9.0, 2.0)) == pytest.approx(distance_p(found, 2.0), rel=1e-6), "above"
    assert found.p(Within(6.0, 9.0)) == pytest.approx(distance_p(found, 2.0), rel=1e-6), "below"


def test_an_open_side_decides_nothing_and_the_other_one_may() -> None:
    up = opened(A, low=False, high=True)
    assert up.p(Above(0.0)) == A.p(Above(0.0)) < 0.01
    assert (up.p(Above(6.0)), up.p(Below(6.0)), up.p(Within(0.0, 9.0))) == (1.0, 1.0, 1.0)
    assert up.p(Within(-9.0, 0.0)) == A.p(Above(0.0))
    assert Estimate(5.0, open_low=True, open_high=True).p(Above(0.0)) == 1.0


def test_an_unknown_scatter_or_value_has_no_p_value() -> None:
    assert UNKNOWN.p(Above(0.0)) is None
    assert Estimate(1.0, open_high=True).p(Above(0.0)) is None
    assert Estimate(1.0, (Part(NAN, 3),)).p(Above(0.0)) is None
    assert Estimate(1.0, (Part(1.0, 3), Part(1.0, 0))).p(Above(0.0)) is None
    assert Estimate(NAN, (Part(1.0, 3),)).p(Above(0.0)) is None


def test_a_value_known_by_definition_has_no_p_value_and_one_at_the_threshold_that_of_chance() -> (
    None
):
    assert known_exactly(1.0).p(Above(0.0)) is None, "there is nothing to test"
    assert Estimate(0.0, (Part(1.0, 4),)).p(Above(0.0)) == pytest.approx(1.0, abs=1e-6)


NUMBERS = st.floats(-5, 5)
PARTS = st.lists(
    st.builds(Part, st.floats(1e-4, 4), st.one_of(st.floats(1, 50), st.just(INF))), max_size=3
)
ESTIMATES = st.builds(
    Estimate,
    value=NUMBERS,
    parts=PARTS.map(tuple),
    systematic=st.one_of(st.just(0.0), st.floats(1e-3, 1)),
    open_low=st.booleans(),
    open_high=st.booleans(),
)
CORRELATIONS = st.builds(
    lambda value, n: Estimate(
        value,
        (Part((1 + value**2 / 2) / (n - 3), INF),),
        scale="fisher",
        units=(Unit(-1, 0, value),) * n,
    ),
    st.floats(-1, 1),
    st.integers(6, 20),
)
RULES = st.one_of(
    st.builds(Above, NUMBERS),
    st.builds(Below, NUMBERS),
    st.builds(lambda low, width: Within(low, low + width), NUMBERS, st.floats(0.1, 5)),
)


@settings(max_examples=300, deadline=None)
@given(st.one_of(ESTIMATES, CORRELATIONS), RULES, st.floats(0.01, 0.9999))
@example(Estimate(0.0, (Part(0.0, 4),)), Above(0.0), 0.95)
@example(Estimate(1.0, (Part(1.0, 1),)), Within(-1.0, 1.0), 0.95)
def test_a_verdict_at_a_confidence_and_the_p_value_never_disagree(
    estimate: Estimate, rule: Rule, confidence: float
) -> None:
    p = estimate.p(rule)
    level = 1 - confidence
    assume(p is None or p in (0.0, 1.0) or abs(p / level - 1) > 1e-9)  # rounding alone decides
    decided = estimate.verdict(rule, confidence) != "inconclusive"
    assert decided == (p is not None and p <= level)


def correlation(rho: float, n: int, *, variance: float | None = None) -> Estimate:
    variance = (1 + rho**2 / 2) / (n - 3) if variance is None else variance
    return Estimate(rho, (Part(variance, INF),), scale="fisher", units=(Unit(-1, 0, rho),) * n)


@pytest.mark.parametrize("rho", [-0.9, 0.0, 0.4])
def test_a_correlation_has_the_interval_of_bonett_and_wright(rho: float) -> None:
    half = stats.norm.ppf(0.975) * math.sqrt((1 + rho**2 / 2) / 10)
    expected = (math.tanh(math.atanh(rho) - half), math.tanh(math.atanh(rho) + half))
    assert limits(correlation(rho, 13)) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("sign", [1, -1])
def test_a_perfect_order_counts_as_the_next_one_and_its_interval_holds_it(sign: int) -> None:
    n = 8
    next_one = stats.spearmanr(range(n), [1, 0, *range(2, n)]).statistic
    low, high = limits(correlation(1.0, n, variance=0.3))
    assert low == pytest.approx(math.tanh(math.atanh(next_one) - 1.959964 * math.sqrt(0.3)))
    assert high == 1.0
    mirrored = limits(correlation(float(sign), n, variance=0.3))
    assert mirrored == pytest.approx((low, high) if sign > 0 else (-high, -low))


@pytest.mark.parametrize(
    "estimate",
    [
        opened(of_seeds([1.0, 2.5, 4.0], [3, 4, 5], size=64), low=True, high=False),
        Estimate(0.5, (Part(0.1, 2.7),), systematic=0.2, open_high=True),
        correlation(1.0, 7),
        known_exactly(0.0),
        of_shares([Unit(seed, 32, 0.9) for seed in range(3)], trials=60),
        Estimate(-0.2, (Part(0.1, 2),), scale="root", note="a note"),
        UNKNOWN,
        Estimate(NAN),
    ],
)
def test_a_row_holds_all_that_an_interval_needs(estimate: Estimate) -> None:
    row = estimate.as_row()
    back = Estimate.from_row(row)
    np.testing.assert_equal(back.as_row(), row)
    np.testing.assert_equal(back.interval(0.9), estimate.interval(0.9))
    assert back.p(Above(0.0)) == estimate.p(Above(0.0))


def test_a_difference_is_not_stored() -> None:
    with pytest.raises(ValueError, match="store its operands"):
        A.minus(B).as_row()


def test_observations_that_are_equal_are_known_to_the_last_digit_and_no_further() -> None:
    found = of_seeds([0.75] * 3, range(3))
    assert 0 < found.half_width(0.05) < 1e-6 and "rounding" in found.note
    p = found.p(Above(0.5))
    assert p is not None and p > 0, "no p value is zero"
    assert of_seeds([0.1] * 3, range(3)).parts == (Part(0.0, 2),), "whatever the sum's rounding"
    assert known_exactly(0.75).half_width(0.05) == 0


def test_two_observations_decide_nothing_however_alike_they_are() -> None:
    two = of_seeds([1.0, 1.001], [0, 1])
    assert limits(two)[0] > 0.9, "the interval is what it is"
    assert two.p(Above(0.0)) is None
    assert two.verdict(Above(0.0), 0.95) == "inconclusive"
    assert "fewer than 3" in two.obstacle
    assert of_seeds([1.0, 1.001, 1.002], range(3)).verdict(Above(0.0), 0.95) == "supported"
    assert two.minus(of_seeds([0.0, 0.001], [2, 3])).obstacle == "", "four observations"


def test_what_stands_in_the_way_of_a_verdict_is_said() -> None:
    assert "one seed" in of_seeds([1.0], [0]).obstacle
    assert Estimate(NAN, note="why").obstacle == "why"
    assert "by definition" in known_exactly(0.0).obstacle
    assert A.obstacle == ""


def test_a_share_of_every_trial_has_the_interval_of_wilson() -> None:
    every = of_shares([Unit(seed, 0, 1.0) for seed in range(3)], trials=126)
    assert limits(every) == pytest.approx((126 / (126 + stats.norm.ppf(0.975) ** 2), 1.0))
    mixed = [Unit(seed, 0, share) for seed, share in enumerate((0.4, 0.4, 0.4))]
    wilson = stats.binomtest(40, 100).proportion_ci(0.95, "wilson")
    assert limits(of_shares(mixed, trials=100)) == pytest.approx((wilson.low, wilson.high))


def test_seeds_that_scatter_more_than_the_trials_would_widen_a_share() -> None:
    calm, wild = ([Unit(i, 0, 0.5 + d * (i - 1)) for i in range(3)] for d in (0.01, 0.3))
    assert of_shares(calm, trials=300).half_width(0.05) < of_shares(wild, 300).half_width(0.05)
    assert of_shares(wild, trials=300).parts[0].df == 2
    assert of_shares(calm[:2], trials=300).obstacle, "two seeds decide nothing"
    assert math.isnan(of_shares([Unit(0, 0, 0.5)], trials=50).half_width(0.05))


def test_on_the_root_scale_the_interval_is_that_of_the_square() -> None:
    found = Estimate(0.3, (Part(0.01, 4),), scale="root")
    half = stats.t.ppf(0.975, 4) * 0.1
    assert limits(found) == pytest.approx((-math.sqrt(half - 0.09), math.sqrt(0.09 + half)))
    assert found.p(Below(0.5)) == pytest.approx(2 * stats.t.sf((0.25 - 0.09) / 0.1, 4), rel=1e-9)
    gap = found.minus(Estimate(0.5, (Part(0.01, 4),), scale="root"))
    assert gap.value == pytest.approx(-0.4) and gap.scale == "root"
