"""What is left of verdicts when many claims are counted.

Counted verdicts are corrected by the method of Holm (1979), which bounds the chance of even one
false verdict among all claims, whatever their dependence: claims share runs, seeds and reference
nets, and procedures for the false discovery rate (Benjamini & Hochberg 1995) would have to assume
how. All claims of the papers are corrected for together; each record says which `family` it belongs
to, and correction by family is to come.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

_OWN = "lrtransfer"


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

    A claim without a p value is inconclusive and counts, as p = 1: it was asked. A record of this
    program itself (paper "lrtransfer") is no claim of a paper and keeps its verdict.

    Args:
        records: of the ledger, with `p_value`.
        level: chance of at least one false verdict, e.g. 0.05.
    """
    counted = [r for r in records if r["paper"] != _OWN]
    raw = [1.0 if r["p_value"] is None else float(r["p_value"]) for r in counted]
    adjusted = dict(zip((id(r) for r in counted), holm(raw), strict=True))
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
