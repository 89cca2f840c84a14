import numpy as np
import pytest

from lrtransfer.transfer.regret import regret
from lrtransfer.transfer.sweeps import sweeps

from .frames import INITIAL_LOSS, make_runs, parabola


def table(loss, **options):
    return regret(list(sweeps(make_runs(loss, **options))), 0.95).set_index("size")


def test_regret_is_the_loss_above_the_valley_floor_in_nats():
    found = table(parabola(lambda w, s: 0.5 * np.log2(w / 64) + 0.02 * (s - 1))).loc[128]
    assert found["from_size"] == 32
    assert found["log2_lr_from"] == pytest.approx(-0.5)
    assert found["regret"] == pytest.approx(np.exp(-0.9) - np.exp(-1), rel=1e-3)
    assert found["relative"] == pytest.approx(np.exp(0.1) - 1, rel=1e-3)
    assert found["ci_low"] < found["regret"] < found["ci_high"]


def test_the_narrowest_net_regrets_nothing():
    found = table(parabola(lambda w, s: 0.1 * s)).loc[32]
    assert (found["regret"], found["ci_low"], found["ci_high"]) == (0, 0, 0)


def test_transfer_over_the_cliff_costs_up_to_the_initial_loss():
    def loss(width, seed, log2_lr):
        optimum = 2.0 if width == 32 else -1.0
        return np.inf if log2_lr > optimum else 0.5 * 1.5 ** (optimum - log2_lr)

    found = table(loss, sizes=(32, 128), grid=range(-4, 4)).loc[128]
    assert found["regret"] == pytest.approx(INITIAL_LOSS - 0.5, rel=0.05)


def test_scatter_of_the_narrow_optimum_widens_the_interval():
    def widths(scatter):
        row = table(
            parabola(lambda w, s: 1.0 if w > 32 else scatter * (s - 1)), sizes=(32, 64)
        ).loc[64]
        return row["ci_high"] - row["ci_low"]

    assert widths(0.2) > 5 * widths(0.01)


def test_an_optimum_at_the_edge_leaves_the_interval_open():
    wide = table(parabola(lambda w, s: 5.0 if w == 128 else 0.0)).loc[128]
    assert wide["ci_high"] == np.inf and np.isfinite(wide["ci_low"])
    narrow = table(parabola(lambda w, s: 5.0 if w == 32 else 0.0)).loc[128]
    assert (narrow["ci_low"], narrow["ci_high"]) == (-np.inf, np.inf)


def test_one_seed_has_a_regret_without_an_interval():
    found = table(parabola(lambda w, s: np.log2(w / 64)), seeds=(0,)).loc[128]
    assert found["regret"] > 0
    assert np.isnan(found["ci_low"])


def test_nothing_is_claimed_where_everything_diverged():
    assert table(lambda w, s, lr: np.inf)["regret"].isna().all()
