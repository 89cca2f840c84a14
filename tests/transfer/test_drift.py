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
    assert value == pytest.approx(0.5, abs=1e-3)
    assert 0 < low < 0.5 < high < 1
    assert (drift.arm, drift.axis, drift.fixed, drift.n_sizes) == ("mup", "width", 3, 3)
    assert {(u.seed, u.size) for u in drift.slope.units} == {
        (seed, size) for seed in range(3) for size in (32, 64, 128)
    }
    vertices = [u.value for u in drift.slope.units if (u.seed, u.size) == (2, 128)]
    assert vertices == pytest.approx([0.52], abs=2e-3)


def test_the_units_give_the_slope_by_least_squares() -> None:
    slope = found(lambda width, seed: 0.3 * np.log2(width / 64) + 0.1 * (seed * width % 3)).slope
    sizes = np.log2([u.size for u in slope.units])
    fitted = np.polyfit(sizes, [u.value for u in slope.units], 1)[0]
    assert slope.value == pytest.approx(fitted, abs=1e-9)


def test_optima_that_stand_still_are_blurred_by_the_floor_alone() -> None:
    _, low, high = interval(lambda width, seed: 0.2 + 0.01 * seed)
    assert high - low < 0.15


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


def test_one_width_has_no_drift_and_one_seed_a_wide_one() -> None:
    assert np.isnan(interval(lambda w, s: 0.0, sizes=(32,)).value)
    one, three = (
        interval(lambda w, s: 0.5 * np.log2(w / 64), seeds=range(n), sizes=(32, 64, 128, 256))
        for n in (1, 3)
    )
    assert one.value == pytest.approx(0.5, abs=1e-3)
    assert one.high - one.low > 2 * (three.high - three.low)


def test_a_size_where_everything_diverged_is_not_counted() -> None:
    def loss(width: int, seed: int, log2_lr: float) -> float:
        return np.inf if width == 64 else np.exp(-1 + 0.1 * (log2_lr - 0.1 * seed) ** 2)

    (drift,) = drifts(list(sweeps(make_runs(loss))))
    assert drift.n_sizes == 2
    assert {u.size for u in drift.slope.units} == {32, 128}
