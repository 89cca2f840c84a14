"""The steps at which a run is measured."""

from __future__ import annotations

import itertools
from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lrtransfer.study.plan.measurement import measurement_steps

Spacing = Literal["geometric", "linear"]


@given(
    steps=st.integers(1, 5000),
    points=st.integers(1, 200),
    spacing=st.sampled_from(["geometric", "linear"]),
)
def test_steps_increase_from_zero_to_the_last(steps: int, points: int, spacing: Spacing) -> None:
    found = measurement_steps(steps, points, spacing)
    assert found[0] == 0
    assert found[-1] == steps
    assert all(a < b for a, b in itertools.pairwise(found))
    assert 2 <= len(found) <= points + 1


@pytest.mark.parametrize(
    ("steps", "points", "spacing", "expected"),
    [
        (16, 5, "geometric", [0, 1, 2, 4, 8, 16]),
        (16, 4, "linear", [0, 4, 8, 12, 16]),
        (3, 10, "geometric", [0, 1, 2, 3]),
        (10, 1, "geometric", [0, 10]),
        (1, 4, "linear", [0, 1]),
    ],
)
def test_known_steps(steps: int, points: int, spacing: Spacing, expected: list[int]) -> None:
    assert measurement_steps(steps, points, spacing) == expected
