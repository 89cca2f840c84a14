"""Two ledgers of the same claims, of different seeds say: which verdicts and effects differ."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from lrtransfer.transfer.intervals import Interval, difference

Record = Mapping[str, Any]

_OPPOSITE = {"supported", "contradicted"}


@dataclass(frozen=True)
class Pair:
    """One claim in both ledgers; `other` is the one that it is compared with."""

    own: Record
    other: Record

    @property
    def moved(self) -> bool:
        """Whether the verdicts differ."""
        return bool(self.own["verdict"] != self.other["verdict"])

    @property
    def reversed(self) -> bool:
        """Whether one says supported and the other contradicted."""
        return {self.own["verdict"], self.other["verdict"]} == _OPPOSITE

    @property
    def agrees(self) -> bool | None:
        """Whether the difference of the effects may be zero; None where an interval is unknown."""
        gap = difference(_effect(self.own), _effect(self.other))
        if math.isnan(gap.low) or math.isnan(gap.high):
            return None
        return gap.low <= 0 <= gap.high


@dataclass(frozen=True)
class Comparison:
    """What `compare` found.

    Attributes:
        pairs: Claims in both ledgers.
        unpaired: Ids (with their experiment) in one ledger alone.
    """

    pairs: tuple[Pair, ...]
    unpaired: tuple[str, ...]

    @property
    def reversed(self) -> tuple[str, ...]:
        """Ids of claims supported in one ledger and contradicted in the other."""
        return tuple(pair.own["id"] for pair in self.pairs if pair.reversed)

    def text(self) -> str:
        """Return what differs, and the counts, for people."""
        lines = [
            f"{pair.own['id']} ({pair.own['experiment']}): {_words(pair.other)} -> "
            f"{_words(pair.own)}{'  REVERSED' if pair.reversed else ''}"
            for pair in self.pairs
            if pair.moved
        ]
        judged = [pair.agrees for pair in self.pairs if pair.agrees is not None]
        kept = sum(not pair.moved for pair in self.pairs)
        lines.append(
            f"{len(self.pairs)} claims in both: {kept} verdicts the same, "
            f"{len(self.pairs) - kept - len(self.reversed)} decided in one alone, "
            f"{len(self.reversed)} reversed; {sum(judged)} of {len(judged)} differences of effects "
            "are within their interval."
        )
        if self.unpaired:
            lines.append(f"In one ledger alone: {', '.join(self.unpaired)}.")
        return "\n".join(lines)


def compare(records: Sequence[Record], others: Sequence[Record]) -> Comparison:
    """Return how the claims of one ledger fare in another; differences are other -> own.

    Args:
        records: Of the ledger at hand.
        others: Of the one that it is compared with.

    Raises:
        ValueError: The two have no claim in common.
    """
    own, other = ({(r["id"], r["experiment"]): r for r in ledger} for ledger in (records, others))
    common = [name for name in own if name in other]
    if not common:
        raise ValueError("the two ledgers have no claim in common: compare the same experiments")
    alone = [f"{claim} ({place})" for claim, place in own.keys() ^ other.keys()]
    pairs = tuple(Pair(own[name], other[name]) for name in common)
    return Comparison(pairs, tuple(sorted(alone)))


def _effect(record: Record) -> Interval:
    value, low, high = (_number(record[name]) for name in ("value", "ci_low", "ci_high"))
    return Interval(value, low, high)


def _number(value: float | None) -> float:
    return math.nan if value is None else float(value)


def _words(record: Record) -> str:
    effect = _effect(record)
    return f"{record['verdict']} {effect.value:.3g} [{effect.low:.3g}, {effect.high:.3g}]"
