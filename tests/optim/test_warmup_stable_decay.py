"""The warm-up, the plateau and the decay at known steps."""

from __future__ import annotations

import math
from typing import Any

import pytest

from lrtransfer.study.plan import catalog


def values(steps: int, **options: Any) -> list[float]:
    return [
        catalog.load("optim/schedules", "warmup_stable_decay")(step, steps, **options)
        for step in range(steps)
    ]


def test_it_rises_stays_and_falls_to_zero_after_the_last_step() -> None:
    found = values(10, warmup_steps=2, decay_fraction=0.5)
    assert found == pytest.approx([0.5, 1, 1, 1, 1, 1, 1, 0.75, 0.5, 0.25])


def test_the_decay_may_follow_a_square_root() -> None:
    found = values(8, decay_fraction=0.5, shape="square_root")
    assert found == pytest.approx([1] * 5 + [0.5, 1 - math.sqrt(0.5), 1 - math.sqrt(0.75)])


def test_without_a_plateau_it_is_the_linear_schedule() -> None:
    linear = [
        catalog.load("optim/schedules", "linear")(step, 20, warmup_fraction=0.2)
        for step in range(20)
    ]
    assert values(20, warmup_fraction=0.2, decay_fraction=1.0) == pytest.approx(linear)


def test_without_decay_it_is_constant() -> None:
    assert values(5, decay_fraction=0.0) == [1.0] * 5


def test_its_options_are_read_from_its_source() -> None:
    found = catalog.options("optim/schedules", "warmup_stable_decay")
    assert catalog.mismatch(found["shape"].annotation, "square_root") is None
    assert catalog.mismatch(found["shape"].annotation, "cubic") == "one of linear, square_root"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"decay_fraction": 1.2}, "decay_fraction is 1.2"),
        ({"shape": "cubic"}, "shape is 'cubic'"),
        ({"warmup_steps": 11}, "warmup_steps is 11"),
    ],
)
def test_what_does_not_fit_is_refused_by_name(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        values(10, **options)
