import numpy as np
import pytest
from scipy import stats

from lrtransfer.transfer.optimum import VALLEY_FACTOR, optima, pooled_variance
from lrtransfer.transfer.sweeps import sweeps
from lrtransfer.transfer.valley import RESOLUTION

from .frames import make_runs, parabola


def table(loss, **options):
    return optima(list(sweeps(make_runs(loss, **options))), 0.95)


def test_optimum_is_the_mean_vertex_with_pooled_and_systematic_error():
    scatter = {0: -0.2, 1: 0.0, 2: 0.2}
    found = table(parabola(lambda width, seed: 0.1 + scatter[seed]), sizes=(32, 64)).iloc[0]
    half = np.hypot(stats.t.ppf(0.975, 4) * 0.2 / np.sqrt(3), 1.959964 * RESOLUTION)
    assert found["log2_lr"] == pytest.approx(0.1)
    assert found["ci_high"] - 0.1 == pytest.approx(half, rel=1e-6)
    assert 0.1 - found["ci_low"] == pytest.approx(half, rel=1e-6)
    assert (found["at_edge"], found["n_seeds"], found["grid_log2_lr"]) == ("none", 3, 0)


def test_valley_is_where_the_loss_is_within_the_factor_of_the_optimum():
    found = table(parabola(lambda width, seed: 0.25)).iloc[0]
    reach = np.sqrt(np.log(VALLEY_FACTOR) / 0.1)
    assert found["loss"] == pytest.approx(np.exp(-1))
    assert found["valley_low"] == pytest.approx(0.25 - reach, abs=1 / 64)
    assert found["valley_high"] == pytest.approx(0.25 + reach, abs=1 / 64)


@pytest.mark.parametrize(("optimum", "side", "limit"), [(-5, "low", -np.inf), (5, "high", np.inf)])
def test_a_minimum_at_the_edge_opens_the_interval_on_that_side(optimum, side, limit):
    found = table(parabola(lambda width, seed: optimum if seed == 0 else 0.0)).iloc[0]
    assert found["at_edge"] == side
    assert found["ci_low" if side == "low" else "ci_high"] == limit
    assert np.isfinite(found["ci_high" if side == "low" else "ci_low"])


def test_one_seed_has_an_optimum_without_an_interval():
    found = table(parabola(lambda width, seed: 0.3), seeds=(0,)).iloc[0]
    assert found["log2_lr"] == pytest.approx(0.3)
    assert np.isnan(found["ci_low"]) and np.isnan(found["ci_high"])


def test_all_diverged_has_no_optimum_and_no_seeds():
    found = table(lambda width, seed, log2_lr: np.inf).iloc[0]
    assert np.isnan(found["log2_lr"]) and np.isnan(found["loss"])
    assert found["n_seeds"] == 0


def test_a_single_learning_rate_tells_nothing():
    found = table(parabola(lambda width, seed: 0.0), grid=(0,)).iloc[0]
    assert (found["ci_low"], found["ci_high"]) == (-np.inf, np.inf)


def test_pooled_variance_ignores_differences_between_widths():
    groups = [np.array([0.0, 1.0]), np.array([10.0, 11.0]), np.array([5.0])]
    assert pooled_variance(groups) == (0.5, 2)
