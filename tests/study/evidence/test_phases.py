"""Sizes, exponents and differences of arms, on runs that follow the theory."""

from __future__ import annotations

import pandas as pd
import pytest

from lrtransfer.study.evidence.effects import arm_gap, phase, slope
from lrtransfer.study.evidence.experiment import fit_experiment
from lrtransfer.theory import weight_decay

from . import decay_runs
from .decay_runs import study

UPDATE = "relative_update_without_decay"
RATIO = "alignment_ratio_without_decay"


@pytest.fixture(scope="module")
def fits() -> dict[str, pd.DataFrame]:
    return fit_experiment(*study())


def test_start_and_late_exponents_are_those_of_the_curves(fits: dict[str, pd.DataFrame]) -> None:
    assert slope(fits, "independent", RATIO, "start") == pytest.approx((0.5,) * 3, abs=1e-9)
    assert slope(fits, "independent", RATIO, "late") == pytest.approx((0.0,) * 3, abs=1e-9)
    assert phase(fits, "independent", RATIO, "late") == pytest.approx((0.0,) * 3, abs=1e-9)
    change = phase(fits, "independent", "weight_alignment", "change")
    assert change == pytest.approx((2.0,) * 3, abs=1e-9)


def test_late_updates_are_width_free_under_independent_decay_and_fall_under_standard(
    fits: dict[str, pd.DataFrame],
) -> None:
    independent = slope(fits, "independent", UPDATE, "late")
    standard = slope(fits, "standard", UPDATE, "late")
    assert independent is not None and standard is not None
    assert abs(independent.value) < 0.05
    assert standard.value < -0.35
    predicted = fits["predicted_updates"].set_index(["arm", "size", "step"])["relative_update"]
    law = weight_decay.relative_updates(decay_runs.rates("standard", 64), 0.4, 64**-0.5, 0.9)
    for step in decay_runs.MEASURED:
        assert predicted["standard", 64, step] == pytest.approx(law[step - 1], rel=1e-6)


def test_seeds_give_the_interval_and_arms_are_compared_seed_by_seed(
    fits: dict[str, pd.DataFrame],
) -> None:
    rows = fits["phases"].set_index(["arm", "quantity", "at", "size"])
    row = rows.loc[("independent", UPDATE, "start", 64)]
    half = 4.302653 * 0.01 / 3**0.5
    assert row["ci_high"] - row["log2_value"] == pytest.approx(half, rel=1e-5)
    assert row["n_seeds"] == 3
    gap = arm_gap(fits, "unscaled", UPDATE, "start")
    assert gap == pytest.approx((3.0,) * 3, abs=1e-9), "m = 8, the same noise in both arms"
    swap = arm_gap(fits, "swapped", UPDATE)
    assert swap is not None and 0 <= swap.value < 0.1, "equal decay, twice the learning rate"
    loss = arm_gap(fits, "standard", "final_loss")
    assert loss == pytest.approx((0.1,) * 3, abs=1e-9)


def test_a_study_without_alignment_has_empty_tables() -> None:
    runs, curves = study(("independent",))
    fits = fit_experiment(runs, curves[["key", "step"]].assign(loss=1.0))
    for name in ("phases", "phase_slopes", "arm_differences", "implicit_warmup", "conditions"):
        assert fits[name].empty and len(fits[name].columns), name
