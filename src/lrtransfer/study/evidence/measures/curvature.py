"""How curvature compares over sizes, changes in training, and where it ends."""

from __future__ import annotations

from typing import Literal

from lrtransfer.study.evidence.estimates import Estimates
from lrtransfer.study.evidence.measure import Arm, Compared, Curvature, measure
from lrtransfer.transfer.estimate import Estimate
from lrtransfer.transfer.size import POOLED


@measure(
    "β of |S − S_largest| ∝ t^β, S the {quantity} of {arm}, mean over {axis}s",
    unit="1",
    kind="mean",
)
def exponent(estimates: Estimates, *, arm: Arm, quantity: Compared) -> Estimate | None:
    """Return the exponent in time of a quantity's distance to the largest net."""
    return estimates.one("distance_exponent", arm=arm, quantity=quantity, size=POOLED)


@measure(
    "|S − S_largest| / S_largest, S the {quantity} of {arm}, mean over time and {axis}s",
    unit="1",
    kind="mean",
)
def overlap(estimates: Estimates, *, arm: Arm, quantity: Compared) -> Estimate | None:
    """Return a quantity's relative distance to the largest net."""
    return estimates.one("distance_ratio", arm=arm, quantity=quantity, size=POOLED)


@measure(
    "slope of the {quantity} of {arm} at the {at} of training",
    unit="octaves per octave of {axis}",
    kind="slope",
)
def trend(
    estimates: Estimates, *, arm: Arm, quantity: Curvature, at: Literal["start", "end"]
) -> Estimate | None:
    """Return how a curvature grows with the size, in untrained nets or at the last measurement."""
    return estimates.one("trend", arm=arm, quantity=quantity, at=at)


@measure(
    "{quantity} of {arm} at the last over the first measured step, mean over {axis}s",
    unit="octaves",
    kind="mean",
)
def change(estimates: Estimates, *, arm: Arm, quantity: Curvature) -> Estimate | None:
    """Return how a curvature changes in training."""
    return estimates.one("change", arm=arm, quantity=quantity, size=POOLED)


@measure(
    "curvature of {arm} over its edge of stability at the last measured step, mean over {axis}s",
    unit="1",
    kind="mean",
)
def edge_ratio(estimates: Estimates, *, arm: Arm) -> Estimate | None:
    """Return where the curvature ends, in units of its edge of stability."""
    return estimates.one("edge_ratio", arm=arm, size=POOLED)
