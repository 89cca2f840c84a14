"""Differences of estimates that share seeds: what they share cancels, equal runs count for none."""

import math
from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from lrtransfer.transfer.estimate import Estimate, Part, Unit, known_exactly, of_mean, of_seeds
from lrtransfer.transfer.intervals import line
from lrtransfer.transfer.pairing import SAME_RUNS, difference, mean_difference, paired
from lrtransfer.transfer.rules import Above, Below

SEEDS, SIZES = 3, (32, 64, 128, 256)


def limits(estimate: Estimate, confidence: float = 0.95) -> tuple[float, float]:
    return estimate.interval(confidence)[1:]


def of_slope(values: np.ndarray, *, systematic: float = 0.0, first: int = 0) -> Estimate:
    """The least-squares slope of values, sizes by seeds, as a drift is one."""
    x = np.log2(np.repeat(SIZES[: len(values)], values.shape[1]))
    fit = line(x, values.ravel())
    units = tuple(
        Unit(first + seed, size, float(values[i, seed]))
        for i, size in enumerate(SIZES[: len(values)])
        for seed in range(values.shape[1])
    )
    part = Part(float(fit.standard_error) ** 2, fit.degrees_of_freedom)
    return Estimate(float(fit.slope), (part,), systematic=systematic, units=units)


def test_paired_estimates_use_the_seeds_that_all_share() -> None:
    a = of_seeds([1.0, 2.0, 3.0, 99.0], [0, 1, 2, 7])
    b = of_seeds([0.5, 1.4, 2.6], [2, 1, 0])
    found = paired([(2.0, a), (-1.0, b)])
    assert found == of_seeds([2 - 2.6, 4 - 1.4, 6 - 0.5], [0, 1, 2])
    lost = of_seeds([1.0, math.nan], [0, 1])
    assert [unit.seed for unit in paired([(1.0, a), (1.0, lost)]).units] == [0]
    assert math.isnan(paired([(1.0, a), (1.0, of_seeds([1.0], [5]))]).value)


def test_the_systematic_errors_of_paired_terms_add_in_quadrature() -> None:
    a, b = (replace(of_seeds(v, range(3)), systematic=0.3) for v in ([1.0, 2, 4], [2.0, 1, 0]))
    assert paired([(2.0, a), (-1.0, b)]).systematic == pytest.approx(0.3 * math.sqrt(5))


def test_what_seeds_share_cancels_in_pairs_but_not_in_independent_differences() -> None:
    shared = np.array([0.0, 5.0, -3.0])
    a, b = of_seeds(shared + 1.0, [0, 1, 2]), of_seeds(shared, [0, 1, 2])
    for found in (paired([(1.0, a), (-1.0, b)]), difference(a, b)):
        assert limits(found) == pytest.approx((1.0, 1.0), abs=1e-6)
    low, high = limits(a.minus(b))
    assert low < -5 and high > 5


def test_the_paired_difference_of_means_is_the_paired_t_test() -> None:
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(2, 6))
    oracle = stats.ttest_rel(x, y)
    found = difference(of_seeds(x, range(6), 64), of_seeds(y, range(6), 64))
    assert found.p(Above(0.0)) == pytest.approx(oracle.pvalue, rel=1e-9)
    assert limits(found) == pytest.approx(tuple(oracle.confidence_interval(0.95)))


def test_the_paired_difference_of_slopes_is_the_slope_of_the_pairs() -> None:
    x, y = np.random.default_rng(1).normal(size=(2, 4, SEEDS))
    own, other = of_slope(x, systematic=0.1), of_slope(y, systematic=0.1)
    found, direct = difference(own, other, slope=True), of_slope(x - y)
    assert found.value == pytest.approx(direct.value)
    assert found.parts[0] == pytest.approx(direct.parts[0])
    assert found.systematic == pytest.approx(0.1 * math.sqrt(2))


def test_arms_of_other_seeds_are_independent() -> None:
    x, y = np.random.default_rng(2).normal(size=(2, 4, SEEDS))
    own, other = of_slope(x), of_slope(y, first=1000)
    assert difference(own, other, slope=True) == own.minus(other)
    few = of_slope(y, first=SEEDS - 1)
    assert difference(own, few, slope=True) == own.minus(few), "one shared seed is no pairing"


def test_the_same_runs_differ_by_nothing_and_decide_nothing() -> None:
    own = of_slope(np.random.default_rng(3).normal(size=(4, SEEDS)), systematic=0.1)
    mean = of_seeds([1.0, 2.0, 4.0], range(3), 64)
    same = (
        difference(own, own, slope=True),
        difference(mean, mean),
        paired([(1.0, mean), (-1.0, mean)]),
        paired(
            [
                (1.0, mean),
                (-1.0, own_seeds := of_seeds([0.3, 0.1, 0.7], range(3))),
                (-1.0, mean),
                (1.0, own_seeds),
            ]
        ),
        mean_difference([(mean, mean), (mean, mean)]),
    )
    for found in same:
        assert limits(found) == (0.0, 0.0) and found.note == SAME_RUNS
        assert found.p(Below(1.0)) is None and found.obstacle == SAME_RUNS


def test_sizes_of_equal_runs_lend_no_scatter_and_no_observations() -> None:
    rng = np.random.default_rng(4)
    x = rng.normal(size=(4, SEEDS))
    y = x + np.vstack([np.zeros((1, SEEDS)), rng.normal(size=(3, SEEDS))])
    own, other = of_slope(x, systematic=0.1), of_slope(y, systematic=0.1)
    (part,) = difference(own, other, slope=True).parts
    naive = of_slope(x - y).parts[0]
    assert part.df < naive.df and part.variance != naive.variance
    assert difference(own, other, slope=True).systematic < 0.1 * math.sqrt(2)


@pytest.mark.parametrize("equal", [0, 1, 2])
def test_intervals_of_paired_slopes_cover_with_and_without_equal_runs(equal: int) -> None:
    rng = np.random.default_rng(5)
    inside = []
    for _ in range(300):
        shared, noise = rng.normal(size=(2, 4, SEEDS))
        noise[:equal] = 0
        found = difference(of_slope(shared + noise), of_slope(shared), slope=True)
        low, high = limits(found, 0.9)
        inside.append(low <= 0 <= high)
    assert 0.86 <= np.mean(inside) <= 0.94


def test_each_size_of_a_regret_is_a_part_of_its_variance() -> None:
    rng = np.random.default_rng(6)
    a, b = (
        of_mean([Unit(s, size, float(v)) for size in (32, 256) for s, v in enumerate(row[size])])
        for row in ({32: rng.normal(size=3), 256: rng.normal(size=3)} for _ in range(2))
    )
    found = difference(replace(a, value=3.0), replace(b, value=1.0))
    assert found.value == 2.0, "that of the estimates, not of their pseudo-values"
    gaps = [
        np.array(
            [u.value - v.value for u, v in zip(a.units, b.units, strict=True) if u.size == size]
        )
        for size in (32, 256)
    ]
    assert found.parts[0].variance == pytest.approx(sum(gap.var(ddof=1) / 3 for gap in gaps))
    assert 2 <= found.parts[0].df <= 4


def optimum(values: np.ndarray, size: int, first: int = 0) -> Estimate:
    return replace(of_seeds(values, range(first, first + len(values)), size), systematic=0.2)


def test_more_sizes_narrow_the_mean_difference_but_not_its_systematic_part() -> None:
    own, other = np.array([1.0, 2.0, 4.0]), np.array([2.0, 1.0, 0.0])
    pairs = [(optimum(own + size, size), optimum(other, size)) for size in SIZES]
    one, four = mean_difference(pairs[:1]), mean_difference(pairs)
    assert four.systematic == pytest.approx(one.systematic)
    assert four.half_width(0.05) < one.half_width(0.05)
    single = [difference(*pair) for pair in pairs]
    assert four.value == pytest.approx(np.mean([found.value for found in single]))
    equal = mean_difference([(pairs[0][0], pairs[0][0]), *pairs[1:]])
    assert equal.systematic == pytest.approx(0.75 * one.systematic), "none where runs are equal"


@pytest.mark.parametrize("first", [0, 1000])
def test_intervals_of_mean_differences_cover(first: int) -> None:
    rng = np.random.default_rng(8)
    inside = []
    for _ in range(300):
        noise = rng.normal(size=(2, len(SIZES), SEEDS)) + rng.normal(size=(len(SIZES), SEEDS))
        pairs = [
            (of_seeds(a, range(SEEDS), size), of_seeds(b, range(first, first + SEEDS), size))
            for a, b, size in zip(*noise, SIZES, strict=True)
        ]
        low, high = limits(mean_difference(pairs), 0.9)
        inside.append(low <= 0 <= high)
    assert np.mean(inside) >= 0.87


def test_an_open_or_unknown_side_stays_so() -> None:
    a, b = optimum(np.array([1.0, 2.0, 4.0]), 64), optimum(np.array([1.0, 0.0, 2.0]), 64)
    assert limits(difference(replace(a, open_high=True), b))[1] == math.inf
    assert limits(difference(a, replace(b, open_high=True)))[0] == -math.inf
    assert limits(mean_difference([(a, b), (replace(a, open_low=True), b)]))[0] == -math.inf
    alone = of_seeds([1.0], [0], 64)
    assert np.isnan(limits(difference(a, alone))).all()
    assert np.isnan(limits(mean_difference([(a, b), (a, alone)]))).all()


def test_correlations_are_not_paired() -> None:
    rho = Estimate(0.5, (Part(0.1, math.inf),), scale="fisher", units=(Unit(-1, 0, 0.5),) * 8)
    assert difference(rho, rho).units == ()
    assert difference(known_exactly(1.0), known_exactly(0.0)).value == 1.0


def test_units_without_a_value_are_no_pairs() -> None:
    def own(last: float) -> Estimate:
        units = (Unit(0, 8, 1.0), Unit(1, 8, 2.0), Unit(0, 64, last), Unit(1, 64, 4.5))
        return Estimate(3.0, (Part(1.0, 2.0),), units=units)

    assert len(difference(own(3.0), own(2.0)).units) == 4
    # One pair is left at size 64: as of independent arms.
    assert difference(own(math.nan), own(2.0)) == own(math.nan).minus(own(2.0))
