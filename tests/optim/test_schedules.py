"""Learning-rate schedules at known steps, with and without a warm-up."""

from __future__ import annotations

import pytest

from lrtransfer.optim.warmup import length
from lrtransfer.study.plan import catalog

NAMES = catalog.names("optim/schedules")


def values(name: str, steps: int, **options: float) -> list[float]:
    return [catalog.load("optim/schedules", name)(step, steps, **options) for step in range(steps)]


def test_a_constant_schedule_is_one_at_every_step() -> None:
    assert values("constant", 4) == [1.0] * 4


def test_a_linear_schedule_falls_to_zero_at_the_step_that_is_not_made() -> None:
    assert values("linear", 4) == [1.0, 0.75, 0.5, 0.25]
    assert catalog.load("optim/schedules", "linear")(4, 4) == 0.0


def test_warm_up_rises_linearly_to_one() -> None:
    assert values("constant", 6, warmup_steps=4) == [0.25, 0.5, 0.75, 1.0, 1.0, 1.0]


def test_a_linear_schedule_decays_over_the_steps_after_the_warm_up() -> None:
    assert values("linear", 6, warmup_steps=2) == [0.5, 1.0, 1.0, 0.75, 0.5, 0.25]


@pytest.mark.parametrize("name", NAMES)
def test_a_fraction_is_the_same_warm_up_at_every_length(name: str) -> None:
    for steps in (8, 80):
        by_steps = values(name, steps, warmup_steps=steps // 4)
        assert values(name, steps, warmup_fraction=0.25) == by_steps


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("warmup_steps", [0, 1, 5, 12])
def test_every_factor_is_positive_and_at_most_one(name: str, warmup_steps: int) -> None:
    assert all(0 < value <= 1 for value in values(name, 12, warmup_steps=warmup_steps))


@pytest.mark.parametrize("name", NAMES)
def test_a_warm_up_may_be_the_whole_run(name: str) -> None:
    assert values(name, 4, warmup_fraction=1.0) == [0.25, 0.5, 0.75, 1.0]


def test_a_fraction_is_rounded_to_whole_steps() -> None:
    assert [length(10, 0, fraction) for fraction in (0.0, 0.04, 0.06, 0.5, 1.0)] == [0, 0, 1, 5, 10]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"warmup_steps": -3}, r"warmup_steps is -3\. Give 0 to 8"),
        ({"warmup_steps": 9}, r"warmup_steps is 9\. Give 0 to 8"),
        ({"warmup_fraction": -0.1}, r"warmup_fraction is -0\.1\. Give a share between 0 and 1"),
        ({"warmup_fraction": 1.1}, r"warmup_fraction is 1\.1\. Give a share between 0 and 1"),
        ({"warmup_steps": 2, "warmup_fraction": 0.5}, r"is 2 and warmup_fraction 0\.5\. Give one"),
    ],
)
def test_a_warm_up_that_no_run_can_hold_is_refused(
    name: str, options: dict[str, float], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        catalog.load("optim/schedules", name)(0, 8, **options)


def test_an_unknown_schedule_is_named() -> None:
    with pytest.raises(LookupError, match="no_such"):
        catalog.load("optim/schedules", "no_such")
