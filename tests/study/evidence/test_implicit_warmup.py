"""The implicit warm-up of runs that follow the recursion is the recursion's."""

from __future__ import annotations

import pytest

from lrtransfer.study.evidence.experiment import Experiment
from lrtransfer.theory import weight_decay

from . import decay_runs
from .decay_runs import study
from .rows import CONFIDENCE, stored, stored_courses


@pytest.fixture(scope="module")
def experiment() -> Experiment:
    return Experiment(*study())


def test_the_implicit_warm_up_is_the_recursion_s(experiment: Experiment) -> None:
    course = stored_courses(experiment.courses()).rows("implicit_warmup")
    assert set(course["size"]) == {64, 128}, "at the base width there is none"
    assert set(zip(course["arm"], course["baseline"], strict=True)) == {("independent", "unscaled")}
    rates = decay_runs.rates("unscaled", 128)
    exact = weight_decay.implicit_warmup(rates, 0.4, 8.0, 128**-0.5)
    simple = weight_decay.implicit_warmup_simplified(rates, 0.4, 8.0)
    wide = course[course["size"] == 128].pivot(index="step", columns="quantity", values="value")
    assert list(wide.index) == decay_runs.MEASURED
    for step, row in wide.iterrows():
        at = int(str(step)) - 1
        assert 2 ** row["predicted"] == pytest.approx(exact[at], rel=1e-6)
        assert 2 ** row["simplified"] == pytest.approx(simple[at], rel=1e-6)
        assert row["measured"] == pytest.approx(row["predicted"], abs=1e-9)
    measured = course[course["quantity"] == "measured"]
    assert set(measured["n_seeds"]) == {3}
    assert course.loc[course["quantity"] != "measured", "variance"].isna().all()


def test_what_it_comes_to_is_told_per_net(experiment: Experiment) -> None:
    found = stored(experiment.estimates())
    every = {
        name: found.one(f"warmup_{name}", arm="independent", size=128)
        for name in ("deviation", "left", "delay")
    }
    known = {name: own.interval(CONFIDENCE) for name, own in every.items() if own is not None}
    assert known["deviation"] == pytest.approx((0.0,) * 3, abs=1e-9)
    assert 0 <= known["left"].value < 0.05
    assert known["delay"].value < -0.2
    assert found.sizes("warmup_left", "independent") == [64, 128]
