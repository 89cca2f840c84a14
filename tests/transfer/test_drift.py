from typing import Any

import numpy as np
import pytest

from lrtransfer.transfer.drift import Drift, drifts
from lrtransfer.transfer.intervals import Interval
from lrtransfer.transfer.sweeps import sweeps

from .frames import Place, make_runs, parabola


def found(optimum: Place, **options: Any) -> Drift:
    options = {"grid": range(-5, 6), **options}
    return drifts(list(sweeps(make_runs(parabola(optimum), **options))))[0]


def interval(optimum: Place, **options: Any) -> Interval:
    return found(optimum, **options).slope.interval(0.95)


def test_planted_drift_is_found() -> None:
    drift = found(lambda width, seed: 0.5 * np.log2(width / 64) + 0.01 * seed)
    value, low, high = drift.slope.interval(0.95)
    assert value == pytest.approx(0.5)
    assert 0 < low < 0.5 < high < 1
    assert (drift.arm, drift.axis, drift.fixed, drift.n_sizes) == ("mup", "width", 3, 3)
    assert {(u.seed, u.size) for u in drift.slope.units} == {
        (seed, size) for seed in range(3) for size in (32, 64, 128)
    }
    vertices = [u.value for u in drift.slope.units if (u.seed, u.size) == (2, 128)]
    assert vertices == pytest.approx([0.52])


def test_optima_that_stand_still_are_not_blurred_by_the_grid() -> None:
    _, low, high = interval(lambda width, seed: 0.2 + 0.01 * seed)
    assert high - low < 0.05


@pytest.mark.parametrize(
    ("width", "optimum", "open_side"),
    [(128, 9, "high"), (128, -9, "low"), (32, 9, "low"), (32, -9, "high")],
)
def test_a_censored_optimum_opens_the_side_to_which_the_slope_may_lie(
    width: int, optimum: float, open_side: str
) -> None:
    drift = interval(lambda w, seed: optimum if w == width else 0.1 * seed)
    other = {"low": "high", "high": "low"}[open_side]
    assert np.isinf(getattr(drift, open_side))
    assert np.isfinite(getattr(drift, other))


def test_a_censored_optimum_at_the_mean_width_does_not_move_the_slope() -> None:
    slope = found(lambda w, seed: 9 if w == 64 else 0.1 * seed).slope
    assert {u.value for u in slope.units if u.size == 64} == {5.0}, "the edge of the grid"
    assert np.isfinite(slope.interval(0.95)).all()


def test_one_width_and_one_seed_have_no_interval() -> None:
    assert np.isnan(interval(lambda w, s: 0.0, sizes=(32,)).value)
    single = interval(lambda w, s: 0.5 * np.log2(w / 64), seeds=(0,), sizes=(32, 64, 128, 256))
    assert single.value == pytest.approx(0.5)
    assert np.isnan(single.low) and np.isnan(single.high)


def test_a_size_where_everything_diverged_is_not_counted() -> None:
    def loss(width: int, seed: int, log2_lr: float) -> float:
        return np.inf if width == 64 else np.exp(-1 + 0.1 * (log2_lr - 0.1 * seed) ** 2)

    (drift,) = drifts(list(sweeps(make_runs(loss))))
    assert drift.n_sizes == 2
    assert {u.size for u in drift.slope.units} == {32, 128}
