"""How much the outputs grow in training."""

from __future__ import annotations

from lrtransfer.study.evidence.estimates import Estimates
from lrtransfer.study.evidence.measure import Arm, measure
from lrtransfer.transfer.estimate import Estimate


@measure("growth of the outputs of {arm}", unit="octaves", kind="mean")
def output_growth(estimates: Estimates, *, arm: Arm) -> Estimate | None:
    """Return log2 of the outputs' norm at the end over that at the start."""
    return estimates.one("change", arm=arm, quantity="output_norm", size=0)
