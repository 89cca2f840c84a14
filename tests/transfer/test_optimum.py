from typing import Any

import numpy as np
import pytest
from scipy import stats

from lrtransfer.transfer.optimum import VALLEY_FACTOR, Optimum, optima
from lrtransfer.transfer.sweeps import sweeps
from lrtransfer.transfer.vertices import NARROWEST, OFFSET

from .frames import Loss, make_runs, parabola


def first(loss: Loss, **options: Any) -> Optimum:
    return optima(list(sweeps(make_runs(loss, **options))))[0]


def test_optimum_is_the_seed_mean_bottom_with_pooled_and_systematic_error() -> None:
    scatter = {0: -0.2, 1: 0.0, 2: 0.2}
    found = first(
        parabola(lambda width, seed: 0.1 + scatter[seed]), sizes=(32, 64), grid=range(-4, 5)
    )
    value, low, high = found.log2_rate.interval(0.95)
    (part,) = found.log2_rate.parts
    assert value == pytest.approx(0.1, abs=1e-3)
    assert part.df == 4
    assert part.variance == pytest.approx(0.2**2 / 3, rel=0.01)
    assert found.log2_rate.systematic >= OFFSET * NARROWEST - 1e-9
    half = np.hypot(
        stats.t.ppf(0.975, 4) * part.variance**0.5, 1.959964 * found.log2_rate.systematic
    )
    assert (high - low) / 2 == pytest.approx(half, rel=1e-6)
    assert (found.side, found.best_grid_rate) == ("inside", 0)
    assert [(u.seed, u.size) for u in found.log2_rate.units] == [(0, 32), (1, 32), (2, 32)]
    assert [u.value for u in found.log2_rate.units] == pytest.approx([-0.1, 0.1, 0.3], abs=0.01)


def test_valley_is_where_the_loss_is_within_the_factor_of_the_optimum() -> None:
    found = first(parabola(lambda width, seed: 0.25))
    reach = np.sqrt(np.log(VALLEY_FACTOR) / 0.1)
    assert found.loss == pytest.approx(np.exp(-1), rel=1e-6)
    assert found.valley == pytest.approx((0.25 - reach, 0.25 + reach), abs=1 / 32)


@pytest.mark.parametrize(("optimum", "side", "limit"), [(-5, "low", -np.inf), (5, "high", np.inf)])
def test_a_minimum_at_the_edge_opens_the_interval_on_that_side(
    optimum: float, side: str, limit: float
) -> None:
    found = first(parabola(lambda width, seed: optimum + 0.1 * seed))
    interval = found.log2_rate.interval(0.95)
    other = {"low": "high", "high": "low"}[side]
    assert found.side == side
    assert getattr(interval, side) == limit
    assert np.isfinite(getattr(interval, other))


def test_beside_divergence_the_optimum_is_the_last_rate_that_trains_give_or_take_a_step() -> None:
    def loss(width: int, seed: int, rate: float) -> float:
        return np.inf if rate > 1 else float(np.exp(-0.3 * rate + 0.01 * seed))

    found = first(loss)
    value, low, high = found.log2_rate.interval(0.95)
    assert (value, found.side) == (1.0, "inside")
    assert 0.5 < (high - low) / 2 < 1


def test_one_seed_takes_its_scatter_from_what_is_assumed() -> None:
    found = first(parabola(lambda width, seed: 0.3), seeds=(0,)).log2_rate.interval(0.95)
    assert found.value == pytest.approx(0.3, abs=1e-3)
    assert 0.4 < found.high - 0.3 < 1


def test_more_seeds_and_a_finer_grid_both_narrow_the_interval() -> None:
    def width(seeds: int, step: float) -> float:
        rng = np.random.default_rng(0)
        shift = {(n, s): 0.2 * rng.standard_normal() for n in (32, 64, 128) for s in range(40)}
        found = first(
            parabola(lambda n, s: shift[n, s]), seeds=range(seeds), grid=np.arange(-3, 3.01, step)
        )
        _, low, high = found.log2_rate.interval(0.95)
        return high - low

    assert width(40, 1.0) < width(10, 1.0) < width(3, 1.0)
    assert width(40, 0.25) < 0.7 * width(40, 1.0)


def test_all_diverged_has_no_optimum_and_no_seeds() -> None:
    found = first(lambda width, seed, rate: np.inf)
    assert np.isnan(found.log2_rate.value) and np.isnan(found.loss)
    assert (found.log2_rate.units, found.side) == ((), "none")


def test_a_single_learning_rate_tells_nothing() -> None:
    found = first(parabola(lambda width, seed: 0.0), grid=(0,))
    assert found.log2_rate.interval(0.95)[1:] == (-np.inf, np.inf)
