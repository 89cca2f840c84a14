from typing import Any

import numpy as np
import pytest
from scipy import stats

from lrtransfer.transfer.estimate import Part
from lrtransfer.transfer.optimum import VALLEY_FACTOR, Optimum, optima, pooled_variance
from lrtransfer.transfer.sweeps import sweeps
from lrtransfer.transfer.valley import RESOLUTION

from .frames import Loss, make_runs, parabola


def first(loss: Loss, **options: Any) -> Optimum:
    return optima(list(sweeps(make_runs(loss, **options))))[0]


def test_optimum_is_the_mean_vertex_with_pooled_and_systematic_error() -> None:
    scatter = {0: -0.2, 1: 0.0, 2: 0.2}
    found = first(parabola(lambda width, seed: 0.1 + scatter[seed]), sizes=(32, 64))
    value, low, high = found.log2_rate.interval(0.95)
    half = np.hypot(stats.t.ppf(0.975, 4) * 0.2 / np.sqrt(3), 1.959964 * RESOLUTION)
    assert value == pytest.approx(0.1)
    assert high - 0.1 == pytest.approx(half, rel=1e-6)
    assert 0.1 - low == pytest.approx(half, rel=1e-6)
    assert (found.side, found.best_grid_rate) == ("", 0)
    assert [(u.seed, u.size) for u in found.log2_rate.units] == [(0, 32), (1, 32), (2, 32)]
    assert [u.value for u in found.log2_rate.units] == pytest.approx([-0.1, 0.1, 0.3])


def test_valley_is_where_the_loss_is_within_the_factor_of_the_optimum() -> None:
    found = first(parabola(lambda width, seed: 0.25))
    reach = np.sqrt(np.log(VALLEY_FACTOR) / 0.1)
    assert found.loss == pytest.approx(np.exp(-1))
    assert found.valley == pytest.approx((0.25 - reach, 0.25 + reach), abs=1 / 64)


@pytest.mark.parametrize(("optimum", "side", "limit"), [(-5, "low", -np.inf), (5, "high", np.inf)])
def test_a_minimum_at_the_edge_opens_the_interval_on_that_side(
    optimum: float, side: str, limit: float
) -> None:
    found = first(parabola(lambda width, seed: optimum if seed == 0 else 0.0))
    interval = found.log2_rate.interval(0.95)
    other = {"low": "high", "high": "low"}[side]
    assert found.side == side
    assert getattr(interval, side) == limit
    assert np.isfinite(getattr(interval, other))


def test_the_side_is_that_at_which_most_edge_seeds_lie() -> None:
    found = first(parabola(lambda width, seed: -5 if seed == 0 else 5))
    assert found.side == "high"
    assert found.log2_rate.interval(0.95)[1:] == (-np.inf, np.inf)


def test_one_seed_has_an_optimum_without_an_interval() -> None:
    found = first(parabola(lambda width, seed: 0.3), seeds=(0,)).log2_rate.interval(0.95)
    assert found.value == pytest.approx(0.3)
    assert np.isnan(found.low) and np.isnan(found.high)


def test_all_diverged_has_no_optimum_and_no_seeds() -> None:
    found = first(lambda width, seed, log2_lr: np.inf)
    assert np.isnan(found.log2_rate.value) and np.isnan(found.loss)
    assert (found.log2_rate.units, found.side) == ((), "")


def test_a_single_learning_rate_tells_nothing() -> None:
    found = first(parabola(lambda width, seed: 0.0), grid=(0,))
    assert found.log2_rate.interval(0.95)[1:] == (-np.inf, np.inf)


def test_pooled_variance_ignores_differences_between_widths() -> None:
    groups = [np.array([0.0, 1.0]), np.array([10.0, 11.0]), np.array([5.0])]
    assert pooled_variance(groups) == Part(0.5, 2)
