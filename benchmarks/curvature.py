"""The price and truth of curvature, in gradient evaluations of the same batch.

Three kinds of rows, told apart by `part`: what each instrument costs; every solver, ours and the
peers', on the same problems; and the verdicts on what the solvers should reach.
"""

from __future__ import annotations

from typing import Any

from benchmarks import instruments, peers, solvers, verdicts
from benchmarks.pricing import prepare


def measure(device: str) -> list[dict[str, Any]]:
    """Return the rows of all three parts."""
    chosen = prepare(device)
    compared = list(solvers.rows(chosen))
    return [
        *({"part": "verdict"} | row for row in verdicts.rows(compared)),
        *({"part": "instruments"} | row for row in instruments.rows(chosen)),
        *({"part": "solvers"} | row for row in compared),
    ]


def about() -> dict[str, str]:
    """Return the versions of the peers that were measured."""
    return peers.versions()
