"""Where a claim stands in the forest is what its verdict says."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from lrtransfer.study.report.forest import Margin, forest, margin
from lrtransfer.transfer.intervals import Interval
from lrtransfer.transfer.rules import Above, Below, Rule, Within, verdict

from .conftest import claim

RULES: tuple[Rule, ...] = (Above(0.5), Below(-0.25), Below(0.0), Within(-0.1, 0.1), Within(0.8, 2))
FINITE = st.floats(-4.0, 4.0)


def test_a_margin_counts_half_widths_from_the_bound() -> None:
    assert margin("> 0", 3.0, 2.0, 4.0) == Margin(3.0, 2.0, 4.0)
    assert margin("< 1", 3.0, 2.0, 4.0) == Margin(-2.0, -3.0, -1.0)
    assert margin("in [0, 4]", 1.0, 0.0, 2.0) == Margin(1.0, 0.0, 2.0)


def test_an_interval_around_the_middle_of_its_band_reaches_no_further_than_the_middle() -> None:
    assert margin("in [-2, 2]", 0.5, -0.5, 1.5) == Margin(1.5, 0.5, 2.0)


def test_an_open_side_is_measured_by_the_other() -> None:
    assert margin("> 0", 2.0, 1.0, math.inf) == Margin(2.0, 1.0, math.inf)


@pytest.mark.parametrize("rule", RULES, ids=str)
@given(value=FINITE, below=st.floats(0.01, 2.0), above=st.floats(0.01, 2.0))
def test_its_bar_lies_on_one_side_of_zero_just_where_the_verdict_is_decided(
    rule: Rule, value: float, below: float, above: float
) -> None:
    low, high = value - below, value + above
    found = margin(str(rule), value, low, high)
    assert found is not None
    assume(min(abs(found.low), abs(found.high)) > 1e-9)  # on the bound itself the rules differ
    side = "supported" if found.low > 0 else "contradicted" if found.high < 0 else "inconclusive"
    assert side == verdict(rule, Interval(value, low, high))


def test_a_claim_without_an_interval_is_left_to_the_ledger() -> None:
    known = claim(rule="in [-0.1, 0.1]")
    unknown = claim(id="b", rule="> 0", ci_low=None, ci_high=None, verdict="inconclusive")
    found = forest([known, unknown], {}, {})
    assert found is not None
    assert [row["place"] for row in found["data"]["values"]] == [
        "super-consistency (1)",
        "mup optimum stays",
    ]
    assert forest([unknown], {}, {}) is None


def test_what_lies_far_out_stands_at_the_end() -> None:
    far: dict[str, Any] = claim(rule="> 0", value=9.0, ci_low=8.99, ci_high=9.01)
    found = forest([far], {}, {})
    assert found is not None
    assert found["data"]["values"][1]["x"] == 30.0


def test_a_rule_of_another_form_is_refused() -> None:
    with pytest.raises(ValueError, match="within"):
        margin("within [0, 1]", 0.5, 0.4, 0.6)
