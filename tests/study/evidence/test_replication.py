"""Two ledgers side by side."""

from __future__ import annotations

from typing import Any

import pytest

from lrtransfer.study.evidence.replication import compare


def record(name: str, verdict: str, value: float, half: float | None = 0.1) -> dict[str, Any]:
    low, high = (None, None) if half is None else (value - half, value + half)
    return {
        "id": name,
        "experiment": "planted",
        "verdict": verdict,
        "value": value,
        "ci_low": low,
        "ci_high": high,
    }


def test_a_reversal_is_told_from_a_verdict_that_became_undecided() -> None:
    own = [
        record("a", "supported", 1.0),
        record("b", "inconclusive", 0.3),
        record("c", "supported", 2),
    ]
    other = [
        record("a", "contradicted", 0),
        record("b", "supported", 0.4),
        record("c", "supported", 2.1),
    ]
    found = compare(own, other)
    assert found.reversed == ("a",)
    text = found.text()
    assert "a (planted): contradicted 0 [-0.1, 0.1] -> supported 1 [0.9, 1.1]  REVERSED" in text
    assert "b (planted): supported 0.4 [0.3, 0.5] -> inconclusive 0.3 [0.2, 0.4]" in text
    assert "3 claims in both: 1 verdicts the same, 1 decided in one alone, 1 reversed" in text
    assert "2 of 3 differences of effects are within their interval" in text


def test_effects_differ_by_more_than_both_intervals_together_allow() -> None:
    (near,) = compare([record("a", "supported", 1.0)], [record("a", "supported", 1.13)]).pairs
    (far,) = compare([record("a", "supported", 1.0)], [record("a", "supported", 1.15)]).pairs
    assert (near.agrees, far.agrees) == (True, False), "√2 · 0.1 = 0.141"
    (open_,) = compare([record("a", "supported", 1, None)], [record("a", "supported", 1)]).pairs
    assert open_.agrees is None


def test_claims_of_one_ledger_alone_are_named_and_none_in_common_is_refused() -> None:
    one = [record("a", "supported", 1.0), record("b", "supported", 1.0)]
    assert "In one ledger alone: b (planted)." in compare(one, one[:1]).text()
    with pytest.raises(ValueError, match="no claim in common"):
        compare(one[:1], one[1:])
