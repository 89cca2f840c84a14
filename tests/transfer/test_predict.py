"""Predictions on sweeps with known truth: refusals, regret, what one more sweep buys."""

from typing import Any

import numpy as np
import pandas as pd
import pytest

from lrtransfer.transfer.predict import PredictionRefused, known_law, predict, reach
from lrtransfer.transfer.sweeps import Sweep, sweeps

from .frames import Place, make_runs, parabola

GRID = range(-6, 7)
SIZES = (32, 64, 128, 256)


def group(optimum: Place, **options: Any) -> list[Sweep]:
    settings = {"grid": GRID, "sizes": SIZES, **options}
    return list(sweeps(make_runs(parabola(optimum), **settings)))


def drifting(slope: float, scatter: float = 0.05) -> Place:
    return lambda size, seed: slope * np.log2(size / 64) + scatter * (seed - 1)


def test_a_planted_power_law_is_extrapolated() -> None:
    found = predict(group(drifting(0.5)), 1024)
    _, low, high = found.log2_rate.interval(0.95)
    assert found.log2_rate.value == pytest.approx(2.0, abs=0.1)
    assert low < 2.0 < high
    assert found.regret.expected < 0.1
    assert found.keeping.expected > found.regret.expected


def test_optima_that_stand_still_are_predicted_to_stay_and_keeping_costs_little() -> None:
    found = predict(group(drifting(0.0)), 512)
    assert found.log2_rate.value == pytest.approx(0.0, abs=0.05)
    assert found.keeping.high < 0.1
    assert not found.regret.is_bound


def test_depth_is_predicted_as_width_is() -> None:
    of_width = predict(group(drifting(0.3)), 512)
    of_depth = predict(group(drifting(0.3), axis="depth"), 512)
    assert of_depth.axis == "depth"
    assert of_depth.log2_rate.interval(0.95) == of_width.log2_rate.interval(0.95)


def test_the_interval_widens_with_distance_and_one_more_sweep_narrows_it() -> None:
    near, far = (predict(group(drifting(0.4, 0.3)), size) for size in (512, 2048))
    of_near, of_far = (found.log2_rate.half_width(0.05) for found in (near, far))
    assert of_far > of_near
    assert far.one_more.half_width < of_far
    assert far.one_more.size == 1024


def test_the_reach_is_the_span_and_half_of_it_from_three_sizes() -> None:
    assert reach([32, 64]) == 0
    assert reach([32, 64, 128]) == 1
    assert reach([32, 64, 128, 256]) == 3
    assert reach([64, 256, 1024, 4096]) == 6
    assert reach([64, 64.1, 64.2, 4096]) == 0, "in effect two sizes"
    assert reach([64, 90.5, 128]) == 0.5, "half octaves are sizes of their own"


def test_a_size_beyond_the_reach_is_refused_with_the_sweep_that_would_support_it() -> None:
    with pytest.raises(PredictionRefused, match=r"4\.0 octaves.*32 to 256.*sweep width 512 too"):
        predict(group(drifting(0.0)), 4096)
    with pytest.raises(PredictionRefused, match="half of what they span"):
        predict(group(drifting(0.0), sizes=SIZES[:3]), 512)
    with pytest.raises(PredictionRefused, match="sweep smaller ones"):
        predict(group(drifting(0.0)), 2)
    assert predict(group(drifting(0.0)), 2048)


@pytest.mark.parametrize(
    ("options", "optimum", "said"),
    [
        ({"sizes": SIZES[:2]}, drifting(0.0), "2 sizes were swept"),
        ({"grid": (0,)}, drifting(0.0), "single learning rate"),
        ({}, lambda size, seed: 9.0 if size == 64 else 0.1 * seed, "width 64 lies at the high end"),
    ],
)
def test_data_that_support_no_law_are_refused(
    options: dict[str, Any], optimum: Place, said: str
) -> None:
    with pytest.raises(PredictionRefused, match=said):
        predict(group(optimum, **options), 256)


def test_an_arm_that_diverged_everywhere_is_refused() -> None:
    runs = make_runs(lambda size, seed, lr: np.inf, sizes=SIZES, grid=GRID)
    with pytest.raises(PredictionRefused, match="diverged"):
        known_law(list(sweeps(runs)))


def test_mixed_arms_are_refused() -> None:
    both = pd.concat(
        [make_runs(parabola(drifting(0.0)), arm=arm, sizes=SIZES, grid=GRID) for arm in ("a", "b")]
    )
    with pytest.raises(ValueError, match="one arm"):
        predict(list(sweeps(both)), 512)


def test_a_regret_that_leaves_the_grid_is_a_bound() -> None:
    wild = predict(group(drifting(0.0, 1.4), grid=range(-2, 3)), 2048)
    assert wild.regret.is_bound


def test_of_losses_below_zero_the_regret_is_a_difference_and_no_share() -> None:
    valley = parabola(drifting(0.5))
    positive = predict(group(drifting(0.5)), 512)
    shifted = make_runs(lambda w, s, x: valley(w, s, x) - 3, grid=GRID, sizes=SIZES)
    found = predict(list(sweeps(shifted)), 512)
    assert positive.regret.is_share and not found.regret.is_share
    assert found.log2_rate.value == pytest.approx(positive.log2_rate.value, abs=0.1)
    best = float(np.exp(-1))  # of the valley that was shifted
    assert found.keeping.expected == pytest.approx(best * positive.keeping.expected, rel=0.3)
    assert np.isnan(found.valley).all()


def test_of_losses_that_cross_zero_no_size_has_shares() -> None:
    valley = parabola(drifting(0.5))
    crossing = make_runs(lambda w, s, x: valley(w, s, x) - 0.5 * (w == 32), grid=GRID, sizes=SIZES)
    assert not predict(list(sweeps(crossing)), 512).regret.is_share
