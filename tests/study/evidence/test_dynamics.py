"""Late means, growth, falls and rises of curves whose ends are known."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from lrtransfer.study.evidence.dynamics import dynamics
from lrtransfer.study.evidence.estimates import Estimates
from lrtransfer.study.evidence.measured import measured_curves
from lrtransfer.transfer.estimate import Estimate

from .rows import CONFIDENCE, stored
from .tuner_frames import STEPS, tuner_curves, tuner_runs


def known(quantities: Any) -> Estimates:
    runs = tuner_runs({arm: {1.0: 0.0} for arm in quantities})
    return stored(dynamics(measured_curves(runs, tuner_curves(runs, quantities))))


def one(estimates: Estimates, statistic: str, **where: str | float) -> Estimate:
    found = estimates.one(statistic, **where)
    assert found is not None, (statistic, where)
    return found


@pytest.fixture(scope="module")
def estimates() -> Estimates:
    return known(
        {
            "a": {
                "rate": (8.0, 0.5),
                "edge_sharpness": (1.0, 16.0),
                "one_step_greedy": (-1.0, -1.0),
                "one_step_on_edge": (-2.0, 2.0),
            },
            "b": {
                "rate": (1.0, 4.0),
                "edge_sharpness": (1.0, 1.0),
                "one_step_greedy": (0.0, 0.0),
                "one_step_on_edge": (1.0, 1.0),
            },
        }
    )


def test_curves_tell_growth_fall_rise_and_level(estimates: Estimates) -> None:
    growth = one(estimates, "late_growth", arm="a", quantity="edge_sharpness")
    assert growth.value == pytest.approx(3.0)
    assert one(estimates, "fall_from_peak", arm="a", quantity="rate").value == pytest.approx(-4.0)
    late = 2.0 ** (2 * np.arange(STEPS // 2, STEPS + 1) / STEPS)
    rise = one(estimates, "rise_from_start", arm="b", quantity="rate")
    assert rise.value == pytest.approx(np.log2(late.mean()))
    product = one(estimates, "late_mean", arm="a", quantity="rate*edge_sharpness")
    assert product.value == pytest.approx(8.0, rel=5e-3)
    levels = [one(estimates, "late_mean", arm=arm, quantity="rate") for arm in ("b", "a")]
    assert levels[0].value == pytest.approx(late.mean() * 1.001, rel=1e-6)
    assert levels[0].value > levels[1].value
    assert [(unit.seed, unit.size) for unit in growth.units] == [(0, 64), (1, 64), (2, 64)]


def test_it_is_counted_how_often_one_quantity_is_below_another(estimates: Estimates) -> None:
    where = {"quantity": "one_step_greedy<one_step_on_edge"}
    # −2 + 4·t/16 is above −1 from the fifth of 17 measured steps on (at t = 4 seeds differ).
    assert one(estimates, "share_below", arm="a", **where).value == pytest.approx(12 / 17, abs=0.06)
    every = one(estimates, "share_below", arm="b", **where)
    low, high = every.interval(CONFIDENCE)[1:]
    assert every.value == high == 1.0
    assert low < 0.94, "what holds at every one of few steps need not hold at all"


def test_a_signed_quantity_has_a_level_but_no_logarithms() -> None:
    found = known({"a": {"update_cosine": (-0.5, 0.5)}})
    statistics = found.frame["statistic"].tolist()
    assert statistics == ["late_mean"]
    assert one(found, "late_mean", arm="a").value == pytest.approx(0.25 * 1.001)


def test_values_that_are_missing_are_left_out() -> None:
    runs = tuner_runs({"a": {1.0: 0.0}})
    curves = tuner_curves(runs, {"a": {"edge_sharpness": (1.0, 16.0)}})
    last = curves["step"] == STEPS
    gone = curves["key"].str.startswith("a-1.0-1")
    curves.loc[last, "edge_sharpness"] = np.nan
    curves.loc[gone, "edge_sharpness"] = np.nan
    found = stored(dynamics(measured_curves(runs, curves)))
    fall = one(found, "fall_from_peak", arm="a", quantity="edge_sharpness")
    assert fall.value == 0.0, "the last value there is"
    assert [unit.seed for unit in fall.units] == [0, 2]


def test_a_rate_without_curvature_is_no_dynamics() -> None:
    assert known({"a": {"rate": (1.0, 2.0)}}).frame.empty
