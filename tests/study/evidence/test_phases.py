"""Sizes, exponents and differences of arms, on runs that follow the theory."""

from __future__ import annotations

import pandas as pd
import pytest

from lrtransfer.study.evidence.estimates import Estimates
from lrtransfer.study.evidence.experiment import Experiment
from lrtransfer.transfer.estimate import Estimate

from .decay_runs import study
from .rows import CONFIDENCE, stored

UPDATE = "relative_update_without_decay"
RATIO = "alignment_ratio_without_decay"


@pytest.fixture(scope="module")
def estimates() -> Estimates:
    return stored(Experiment(*study()).estimates())


def one(estimates: Estimates, statistic: str, **where: str | float) -> Estimate:
    found = estimates.one(statistic, **where)
    assert found is not None, (statistic, where)
    return found


def level(estimates: Estimates, arm: str, quantity: str, at: str, size: int = 128) -> Estimate:
    return one(estimates, "level", arm=arm, quantity=quantity, at=at, size=size)


def slope(estimates: Estimates, arm: str, quantity: str, at: str) -> Estimate:
    return one(estimates, "slope", arm=arm, quantity=quantity, at=at)


def gap(estimates: Estimates, arm: str, quantity: str, at: str = "late") -> Estimate:
    return one(estimates, "difference", arm=arm, quantity=quantity, at=at, size=128)


def test_start_and_late_exponents_are_those_of_the_curves(estimates: Estimates) -> None:
    for found, value in (
        (slope(estimates, "independent", RATIO, "start"), 0.5),
        (slope(estimates, "independent", RATIO, "late"), 0.0),
        (level(estimates, "independent", RATIO, "late"), 0.0),
        (level(estimates, "independent", "weight_alignment", "change"), 2.0),
    ):
        assert found.interval(CONFIDENCE) == pytest.approx((value,) * 3, abs=1e-6)


def test_late_updates_are_width_free_under_independent_decay_and_fall_under_standard(
    estimates: Estimates,
) -> None:
    assert abs(slope(estimates, "independent", UPDATE, "late").value) < 0.05
    assert slope(estimates, "standard", UPDATE, "late").value < -0.35


def test_seeds_give_the_interval_and_arms_are_compared_seed_by_seed(estimates: Estimates) -> None:
    found = level(estimates, "independent", UPDATE, "start", 64)
    value, _, high = found.interval(CONFIDENCE)
    assert high - value == pytest.approx(4.302653 * 0.01 / 3**0.5, rel=1e-5)
    assert [(unit.seed, unit.size) for unit in found.units] == [(0, 64), (1, 64), (2, 64)]
    start = gap(estimates, "unscaled", UPDATE, "start").interval(CONFIDENCE)
    assert start == pytest.approx((3.0,) * 3, abs=1e-5), "m = 8, the same noise in both arms"
    swap = gap(estimates, "swapped", UPDATE).value
    assert 0 <= swap < 0.1, "equal decay, twice the learning rate"
    loss = gap(estimates, "standard", "final_loss").interval(CONFIDENCE)
    assert loss == pytest.approx((0.1,) * 3, abs=1e-6)


def test_differences_name_the_first_arm_and_are_of_the_others(estimates: Estimates) -> None:
    rows = estimates.rows("difference")
    assert set(rows["baseline"]) == {"independent"}
    assert "independent" not in set(rows["arm"])
    assert set(rows.loc[rows["quantity"] == "final_loss", "unit"]) == {"loss"}
    assert set(rows.loc[rows["quantity"] != "final_loss", "unit"]) == {"octaves"}


def test_a_seed_that_diverged_in_one_arm_is_left_out_of_the_difference() -> None:
    runs, curves = study(("independent", "standard"))
    gone = runs["key"] == "standard-128-1"
    runs.loc[gone, "final_loss"] = float("nan")
    lost = (curves["key"] == "standard-128-1") & (curves["step"] > 200)
    found = stored(Experiment(runs, curves[~lost]).estimates())
    assert [unit.seed for unit in gap(found, "standard", UPDATE, "late").units] == [0, 2]
    assert [unit.seed for unit in gap(found, "standard", UPDATE, "start").units] == [0, 1, 2]
    assert [unit.seed for unit in gap(found, "standard", "final_loss").units] == [0, 2]


def test_a_study_without_alignment_has_no_rows() -> None:
    runs, curves = study(("independent", "standard"))
    bare: pd.DataFrame = curves[["key", "step"]].assign(loss=1.0)
    found = stored(Experiment(runs, bare).estimates())
    for statistic in ("level", "slope", "difference", "warmup_left", "steady_state"):
        assert found.rows(statistic).empty, statistic
    assert list(Experiment(runs, bare).courses()) == []
