import numpy as np
import pytest

from lrtransfer.transfer.drift import drift
from lrtransfer.transfer.sweeps import sweeps

from .frames import make_runs, parabola


def slope(optimum, **options):
    options = {"grid": range(-5, 6), **options}
    return drift(list(sweeps(make_runs(parabola(optimum), **options))), 0.95).iloc[0]


def test_planted_drift_is_found():
    found = slope(lambda width, seed: 0.5 * np.log2(width / 64) + 0.01 * seed)
    assert found["slope"] == pytest.approx(0.5)
    assert 0 < found["ci_low"] < 0.5 < found["ci_high"] < 1
    assert (found["n_sizes"], found["n_seeds"], found["censored"]) == (3, 3, False)


def test_optima_that_stand_still_are_not_blurred_by_the_grid():
    found = slope(lambda width, seed: 0.2 + 0.01 * seed)
    assert found["ci_high"] - found["ci_low"] < 0.05


@pytest.mark.parametrize(
    ("width", "optimum", "open_side"),
    [(128, 9, "ci_high"), (128, -9, "ci_low"), (32, 9, "ci_low"), (32, -9, "ci_high")],
)
def test_a_censored_optimum_opens_the_side_to_which_the_slope_may_lie(width, optimum, open_side):
    found = slope(lambda w, seed: optimum if w == width else 0.1 * seed)
    assert found["censored"]
    assert np.isinf(found[open_side])
    assert np.isfinite(found["ci_low" if open_side == "ci_high" else "ci_high"])


def test_a_censored_optimum_at_the_mean_width_does_not_move_the_slope():
    found = slope(lambda w, seed: 9 if w == 64 else 0.1 * seed)
    assert found["censored"]
    assert np.isfinite([found["ci_low"], found["ci_high"]]).all()


def test_one_width_and_one_seed_have_no_interval():
    assert np.isnan(slope(lambda w, s: 0.0, sizes=(32,))["slope"])
    single = slope(lambda w, s: 0.5 * np.log2(w / 64), seeds=(0,), sizes=(32, 64, 128, 256))
    assert single["slope"] == pytest.approx(0.5)
    assert np.isnan(single["ci_low"]) and np.isnan(single["ci_high"])
