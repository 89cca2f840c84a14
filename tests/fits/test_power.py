"""How much more data an inconclusive claim would need."""

from __future__ import annotations

import pytest

from lrtransfer.fits.intervals import Interval
from lrtransfer.fits.power import shortfall
from lrtransfer.fits.rules import Above, Within


@pytest.mark.parametrize(
    ("rule", "effect", "says"),
    [
        (Above(0.0), Interval(0.1, -0.1, 0.3), "About 4 times as many seeds"),
        (Within(-0.5, 0.5), Interval(0.375, 0.0, 0.75), "About 9 times as many seeds"),
        (Above(0.0), Interval(0.1, 0.0, float("inf")), "Widen the learning rates"),
        (Above(0.0), Interval(0.1, float("nan"), float("nan")), "train several seeds"),
        (Above(0.0), Interval(0.0, -0.1, 0.1), "at the rule's boundary"),
        (Above(0.0), None, "Nothing was measured"),
    ],
)
def test_what_it_takes_to_decide(rule: Above | Within, effect: Interval | None, says: str) -> None:
    assert says in shortfall(rule, effect)
