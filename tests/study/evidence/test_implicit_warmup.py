"""The implicit warm-up of runs that follow the recursion is the recursion's."""

from __future__ import annotations

import pandas as pd
import pytest

from lrtransfer.study.evidence.effects import warmup
from lrtransfer.study.evidence.experiment import fit_experiment
from lrtransfer.theory import weight_decay

from . import decay_runs
from .decay_runs import study


@pytest.fixture(scope="module")
def fits() -> dict[str, pd.DataFrame]:
    return fit_experiment(*study())


def test_the_implicit_warm_up_is_the_recursion_s(fits: dict[str, pd.DataFrame]) -> None:
    course = fits["implicit_warmup"]
    assert set(course["size"]) == {64, 128}, "at the base width there is none"
    assert set(zip(course["arm"], course["baseline"], strict=True)) == {("independent", "unscaled")}
    rates = decay_runs.rates("unscaled", 128)
    exact = weight_decay.implicit_warmup(rates, 0.4, 8.0, 128**-0.5)
    simple = weight_decay.implicit_warmup_simplified(rates, 0.4, 8.0)
    for row in course[course["size"] == 128].to_dict("records"):
        at = row["step"] - 1
        assert 2 ** row["predicted"] == pytest.approx(exact[at], rel=1e-6)
        assert 2 ** row["simplified"] == pytest.approx(simple[at], rel=1e-6)
        assert row["log2_s"] == pytest.approx(row["predicted"], abs=1e-9)
    assert warmup(fits, "deviation") == pytest.approx((0.0,) * 3, abs=1e-9)
    left, delay = warmup(fits, "left"), warmup(fits, "delay")
    assert left is not None and delay is not None
    assert 0 <= left.value < 0.05
    assert delay.value < -0.2
