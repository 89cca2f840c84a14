"""Learning-rate schedules at known steps."""

from __future__ import annotations

import pytest

from lrtransfer.optim import schedule


def test_a_constant_schedule_is_one_at_every_step() -> None:
    assert [schedule("constant")(step, 4) for step in range(4)] == [1.0] * 4


def test_warm_up_rises_linearly_to_one() -> None:
    values = [schedule("constant")(step, 8, warmup_steps=4) for step in range(6)]
    assert values == [0.25, 0.5, 0.75, 1.0, 1.0, 1.0]


def test_a_negative_warm_up_is_refused() -> None:
    with pytest.raises(ValueError, match=r"warmup_steps is -3\. Give 0 or more\."):
        schedule("constant")(0, 8, warmup_steps=-3)


def test_an_unknown_schedule_is_named() -> None:
    with pytest.raises(ModuleNotFoundError, match="no_such"):
        schedule("no_such")
