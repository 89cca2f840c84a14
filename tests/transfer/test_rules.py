import math

import pytest

from lrtransfer.transfer.intervals import Interval
from lrtransfer.transfer.rules import Above, Below, Rule, Within, verdict

INF = math.inf


@pytest.mark.parametrize(
    ("rule", "low", "high", "expected"),
    [
        (Above(0.0), 0.1, 2.0, "supported"),
        (Above(0.0), 0.0, 2.0, "inconclusive"),
        (Above(0.0), -2.0, 0.0, "contradicted"),
        (Above(0.0), 0.1, INF, "supported"),
        (Above(0.0), -INF, 0.1, "inconclusive"),
        (Below(0.25), -1.0, 0.2, "supported"),
        (Below(0.25), -1.0, 0.25, "inconclusive"),
        (Below(0.25), 0.25, 1.0, "contradicted"),
        (Within(-0.1, 0.1), -0.1, 0.1, "supported"),
        (Within(-0.1, 0.1), -0.05, 0.2, "inconclusive"),
        (Within(-0.1, 0.1), -1.0, 1.0, "inconclusive"),
        (Within(-0.1, 0.1), 0.11, INF, "contradicted"),
        (Within(-0.1, 0.1), -2.0, -0.2, "contradicted"),
    ],
)
def test_the_whole_interval_decides(rule: Rule, low: float, high: float, expected: str) -> None:
    assert verdict(rule, Interval(0.0, low, high)) == expected


@pytest.mark.parametrize("rule", [Above(0), Below(0), Within(-1, 1)])
@pytest.mark.parametrize(
    "effect",
    [None, Interval(5, math.nan, math.nan), Interval(5, math.nan, 6), Interval(5, 4, math.nan)],
)
def test_an_unknown_effect_or_limit_is_inconclusive(rule: Rule, effect: Interval | None) -> None:
    assert verdict(rule, effect) == "inconclusive"


def test_text_follows_the_thresholds() -> None:
    assert str(Above(0.0)) == "> 0"
    assert str(Below(0.25)) == "< 0.25"
    assert str(Within(-0.1, 2.0)) == "in [-0.1, 2]"


def test_an_empty_region_is_refused() -> None:
    with pytest.raises(ValueError, match="below high"):
        Within(1.0, 1.0)
