"""A claim: a sentence of a paper, what is measured for it, and a rule fixed before the run.

A claim is one file of `claims`, named by its id, that assigns ``CLAIM``. Adding the file is all it
takes.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable
from dataclasses import dataclass

from lrtransfer.study.evidence import claims
from lrtransfer.study.evidence.effects import Fits
from lrtransfer.transfer.intervals import Interval
from lrtransfer.transfer.rules import Rule


@dataclass(frozen=True)
class Claim:
    """One claim.

    Attributes:
        id: equal to the file's stem.
        paper: id of the paper, e.g. "super-consistency".
        statement: what the paper says.
        metric: what is measured for it, in words, with its unit.
        rule: when the measured interval supports or contradicts it.
        figure: name of the figure that shows it.
        experiments: names of the experiments it is judged on.
        evaluate: fit tables of one experiment -> the metric with its interval; None where the
            experiment lacks what the claim needs.
        obstacle: fit tables -> why the experiment cannot decide the claim, empty if it can: the
            claim is inconclusive then, and the ledger gives the reason as what would decide it.
    """

    id: str
    paper: str
    statement: str
    metric: str
    rule: Rule
    figure: str
    experiments: tuple[str, ...]
    evaluate: Callable[[Fits], Interval | None]
    obstacle: Callable[[Fits], str] | None = None


def load_claims() -> list[Claim]:
    """Return all claims in the order of their file names.

    Raises:
        ValueError: a file assigns no `CLAIM`, or one whose id is not the file's name.
    """
    found = []
    for name in sorted(module.name for module in pkgutil.iter_modules(claims.__path__)):
        module = importlib.import_module(f"{claims.__name__}.{name}")
        claim = getattr(module, "CLAIM", None)
        if not isinstance(claim, Claim) or claim.id != name:
            raise ValueError(f"fits/claims/{name}.py must assign CLAIM = Claim(id={name!r}, ...)")
        found.append(claim)
    return found
