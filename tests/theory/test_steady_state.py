"""The judgement of a run's batch and length, and the words of its warnings."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest

from lrtransfer.theory import alignment
from lrtransfer.theory.steady_state import SAMPLES_PER_INPUT, TOTAL_DECAY, judge

ENOUGH: dict[str, Any] = {
    "samples": 4096,
    "fan_in": 256,
    "learning_rates": np.full(1000, 0.01),
    "weight_decay": 0.4,
}


def test_a_run_at_both_thresholds_holds_without_a_word() -> None:
    found = judge(**ENOUGH)
    assert found.holds
    assert found.warnings == ()
    assert found.samples_per_input == SAMPLES_PER_INPUT
    assert found.total_decay == pytest.approx(TOTAL_DECAY)


def test_a_small_batch_is_named_with_the_one_that_would_do() -> None:
    found = judge(**ENOUGH | {"samples": 4095})
    assert not found.holds
    assert len(found.warnings) == 1
    assert "16 samples per input" in found.warnings[0]
    assert "Raise the batch to 4096 samples" in found.warnings[0]


@pytest.mark.parametrize("peak", [0.003, 0.0071, 2.0**-9])
def test_the_weight_decay_that_the_warning_names_repairs_the_run(peak: float) -> None:
    short = ENOUGH | {"learning_rates": peak * np.linspace(1, 0, 777)}
    found = judge(**short)
    assert not found.holds
    named = re.search(r"Set weight_decay to ([\d.e+-]+),", found.warnings[0])
    assert named
    assert judge(**short | {"weight_decay": float(named[1])}).holds
    assert float(named[1]) == pytest.approx(8 / (peak * 777), rel=0.01)


def test_standard_decay_is_told_apart_at_the_largest_width() -> None:
    found = judge(**ENOUGH, width_multiplier=16)
    assert found.holds
    assert found.total_decay_standard == pytest.approx(TOTAL_DECAY / 16)
    assert "standard weight decay" in found.warnings[0]
    assert judge(**ENOUGH | {"weight_decay": 6.4}, width_multiplier=16).warnings == ()


def test_both_failures_are_told() -> None:
    found = judge(samples=1, fan_in=2, learning_rates=[0.0], weight_decay=0.1)
    assert len(found.warnings) == 2
    assert "Raise the learning rate" in found.warnings[1]


def test_the_batch_condition_leaves_three_percent_of_width_dependence() -> None:
    assert alignment.alignment_ratio(1000, 16_000) == pytest.approx(1.03, abs=0.002)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"samples": 0}, "samples is 0"),
        ({"learning_rates": [-1.0]}, "none negative"),
        ({"weight_decay": -0.1}, "weight_decay is -0.1"),
        ({"width_multiplier": 0.5}, "width_multiplier is 0.5"),
    ],
)
def test_impossible_runs_are_refused(change: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        judge(**ENOUGH | change)
