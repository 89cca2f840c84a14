"""What is left of verdicts when many claims are counted.

Verdicts are corrected by the method of Holm (1979), which bounds the chance of even one false
verdict in a family of claims, whatever their dependence: claims share runs, seeds and reference
nets, and procedures for the false discovery rate (Benjamini & Hochberg 1995) would have to assume
how. A family is the claims of one paper, or what the claims themselves say. It holds all that are
registered: what is run or shown just now changes no corrected verdict.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np


def holm(p_values: Sequence[float], among: int | None = None) -> list[float]:
    """Return Holm's adjusted p values, in the order given.

    Args:
        p_values: those that are known.
        among: how many there are in all, the unknown ones at p = 1.

    Example:
        >>> from lrtransfer.study.evidence.significance import holm
        >>> holm([0.01, 0.5], among=4)
        [0.04, 1.0]
    """
    order = np.argsort(p_values, kind="stable")
    m = len(p_values) if among is None else among
    adjusted = np.empty(len(p_values))
    running = 0.0
    for rank, index in enumerate(order):
        running = max(running, min(1.0, (m - rank) * p_values[index]))
        adjusted[index] = running
    return [float(p) for p in adjusted]


def corrected(
    records: Sequence[dict[str, Any]], registered: Mapping[str, int], level: float
) -> list[dict[str, Any]]:
    """Return the records with `family_size`, `p_corrected` and `verdict_corrected` (Holm).

    A claim without a p value is inconclusive and counts, as p = 1: it was asked. A record of a
    family that is not registered (one of this program itself) keeps its verdict.

    Args:
        records: of the ledger, with `p_value` and `family`.
        registered: how many claims each family has, with records or without.
        level: chance of at least one false verdict in a family, e.g. 0.05.

    Raises:
        ValueError: a family has more records than registered claims.
    """
    adjusted: dict[int, float] = {}
    for family, size in registered.items():
        own = [record for record in records if record["family"] == family]
        if len(own) > size:
            raise ValueError(f"{len(own)} records of {size} claims of the family {family!r}")
        p_values = [1.0 if r["p_value"] is None else float(r["p_value"]) for r in own]
        adjusted |= zip(map(id, own), holm(p_values, size), strict=True)
    out = []
    for record in records:
        p = adjusted.get(id(record))
        kept = p is None or p <= level
        out.append(
            {
                **record,
                "family_size": registered.get(record["family"]),
                "p_corrected": p,
                "verdict_corrected": record["verdict"] if kept else "inconclusive",
            }
        )
    return out
