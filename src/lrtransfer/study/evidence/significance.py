"""How firmly a claim is decided: its p value, and what is left when many claims are counted.

The p value of a claim is 1 minus the largest confidence at which its interval still decides it:
the interval is inverted, so that verdict and p value cannot disagree. It is two-sided, like the
interval: a claim that lies exactly at its threshold is decided at p <= 0.05 in 5 % of studies, half
of these in favour.

Counted verdicts are corrected by the method of Holm (1979), which bounds the chance of even one
false verdict among all claims, whatever their dependence: claims share runs, seeds and reference
nets, and procedures for the false discovery rate (Benjamini & Hochberg 1995) would have to assume
how. The family is all claims of the papers that the ledger counts.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from scipy import stats

from lrtransfer.transfer.intervals import Interval, normal_quantile
from lrtransfer.transfer.rules import Rule, verdict

#: Levels at which intervals are computed; between them their limits are interpolated.
LEVELS = (0.5, 0.2, 0.1, 0.05, 0.02, 0.005, 1e-3, 1e-4)

_OWN = "lrtransfer"


def p_value(rule: Rule, effects: Mapping[float, Interval | None]) -> float | None:
    """Return the p value of a claim; None where its interval is unknown.

    It is 1 where even the widest of `LEVELS` does not decide, and at least the last of them.

    Args:
        rule: of the claim.
        effects: its interval by level, at all of `LEVELS`; empty where they were not computed.
    """
    known = [e for level in LEVELS if (e := effects.get(level)) is not None]
    if len(known) < len(LEVELS) or np.isnan([(e.low, e.high) for e in known]).any():
        return None
    sides = [np.array([e.low for e in known]), np.array([e.high for e in known])]
    reach = np.array([normal_quantile(1 - level) for level in LEVELS])

    def decided(at: float) -> bool:
        low, high = (_between(reach, limits, at) for limits in sides)
        return verdict(rule, Interval(known[0].value, low, high)) != "inconclusive"

    if not decided(reach[0]):
        return 1.0
    if decided(reach[-1]):
        return LEVELS[-1]
    near, far = float(reach[0]), float(reach[-1])
    for _ in range(40):
        middle = (near + far) / 2
        near, far = (middle, far) if decided(middle) else (near, middle)
    return _level(near)


def _between(reach: np.ndarray[Any, Any], limits: np.ndarray[Any, Any], at: float) -> float:
    """Interpolate a limit over the normal quantile of its level, in which it is nearly straight."""
    if np.isinf(limits).any():
        return float(limits[np.isinf(limits)][0])
    return float(np.interp(at, reach, limits))


def _level(reach: float) -> float:
    """Return the two-sided level of a normal quantile."""
    return float(2 * stats.norm.sf(reach))


def holm(p_values: Sequence[float]) -> list[float]:
    """Return Holm's adjusted p values, in the order given."""
    order = np.argsort(p_values, kind="stable")
    m = len(p_values)
    adjusted = np.empty(m)
    running = 0.0
    for rank, index in enumerate(order):
        running = max(running, min(1.0, (m - rank) * p_values[index]))
        adjusted[index] = running
    return [float(p) for p in adjusted]


def corrected(records: Sequence[dict[str, Any]], level: float) -> list[dict[str, Any]]:
    """Return the records with `p_corrected` and `verdict_corrected` (Holm, the papers' claims).

    A claim without a p value is inconclusive and counts in the family, as p = 1: it was asked. A
    record of this program itself (paper "lrtransfer") is no claim of the family and keeps its
    verdict.

    Args:
        records: of the ledger, with `p_value`.
        level: chance of at least one false verdict, e.g. 0.05.
    """
    family = [r for r in records if r["paper"] != _OWN]
    raw = [1.0 if r["p_value"] is None else float(r["p_value"]) for r in family]
    adjusted = dict(zip((id(r) for r in family), holm(raw), strict=True))
    out = []
    for record in records:
        p = adjusted.get(id(record))
        kept = p is None or p <= level
        out.append(
            {
                **record,
                "p_corrected": p,
                "verdict_corrected": record["verdict"] if kept else "inconclusive",
            }
        )
    return out
