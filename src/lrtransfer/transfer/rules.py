"""Rules that turn an interval into a verdict, and their own text: the two cannot differ."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal, Protocol

from lrtransfer.transfer.intervals import Interval

Verdict = Literal["supported", "contradicted", "inconclusive"]


class Rule(Protocol):
    """A region of values in which a claim holds; its text is `str(rule)`."""

    def holds(self, low: float, high: float) -> bool:
        """Return whether every value from `low` to `high` lies in the region."""
        ...

    def fails(self, low: float, high: float) -> bool:
        """Return whether no value from `low` to `high` lies in the region."""
        ...


@dataclass(frozen=True)
class Above:
    """The value exceeds a threshold."""

    threshold: float

    def holds(self, low: float, high: float) -> bool:
        """Return whether the whole interval lies above the threshold."""
        return low > self.threshold

    def fails(self, low: float, high: float) -> bool:
        """Return whether the whole interval lies at or below the threshold."""
        return high <= self.threshold

    def __str__(self) -> str:
        """Return the rule in words."""
        return f"> {self.threshold:g}"


@dataclass(frozen=True)
class Below:
    """The value is under a threshold."""

    threshold: float

    def holds(self, low: float, high: float) -> bool:
        """Return whether the whole interval lies below the threshold."""
        return high < self.threshold

    def fails(self, low: float, high: float) -> bool:
        """Return whether the whole interval lies at or above the threshold."""
        return low >= self.threshold

    def __str__(self) -> str:
        """Return the rule in words."""
        return f"< {self.threshold:g}"


@dataclass(frozen=True)
class Within:
    """The value lies between two limits, inclusive.

    Raises:
        ValueError: `low` is not below `high`.
    """

    low: float
    high: float

    def __post_init__(self) -> None:
        """Refuse an empty region."""
        if not self.low < self.high:
            raise ValueError(f"low must be below high, not Within({self.low}, {self.high})")

    def holds(self, low: float, high: float) -> bool:
        """Return whether the whole interval lies between the limits."""
        return low >= self.low and high <= self.high

    def fails(self, low: float, high: float) -> bool:
        """Return whether the whole interval lies outside, on one side."""
        return high < self.low or low > self.high

    def __str__(self) -> str:
        """Return the rule in words."""
        return f"in [{self.low:g}, {self.high:g}]"


def verdict(rule: Rule, effect: Interval | None) -> Verdict:
    """Judge an effect: the whole interval must satisfy the rule, or the whole must violate it.

    An absent effect or a NaN limit (one seed, nothing measured) is inconclusive; an infinite limit
    is an open side and is judged as such.

    Example:
        >>> from lrtransfer.transfer.rules import Above, verdict
        >>> from lrtransfer.transfer.intervals import Interval
        >>> [verdict(Above(0.1), Interval(0.3, low, 0.6)) for low in (0.2, 0.0)]
        ['supported', 'inconclusive']
    """
    if effect is None or math.isnan(effect.low) or math.isnan(effect.high):
        return "inconclusive"
    if rule.holds(effect.low, effect.high):
        return "supported"
    return "contradicted" if rule.fails(effect.low, effect.high) else "inconclusive"
