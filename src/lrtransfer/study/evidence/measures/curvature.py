"""How curvature compares over sizes, changes in training, and where its edge is."""

from __future__ import annotations

from typing import Literal

from lrtransfer.study.evidence.estimates import Estimates, estimate_of
from lrtransfer.study.evidence.measure import Arm, Compared, Curvature, Span, measure
from lrtransfer.transfer.estimate import Estimate
from lrtransfer.transfer.pairing import paired
from lrtransfer.transfer.size import POOLED


@measure(
    "root mean square of S / S_largest − 1, S the {quantity} of {arm}, over log time and {axis}s, "
    "seeds' noise taken off",
    unit="1",
    kind="mean",
)
def overlap(estimates: Estimates, *, arm: Arm, quantity: Compared) -> Estimate | None:
    """Return a quantity's relative distance to the largest net; that of equal nets is zero.

    The difference of two arms is the root of that of the squares, with its sign.
    """
    return estimates.one("overlap", arm=arm, quantity=quantity, size=POOLED)


@measure(
    "root mean square of S / S_largest − 1, S the {quantity} of {arm}, over the last minus the "
    "first third of log time, seeds' noise taken off",
    unit="1",
    kind="mean",
)
def distance_growth(estimates: Estimates, *, arm: Arm, quantity: Compared) -> Estimate | None:
    """Return how a quantity's relative distance to the largest net grows; likewise."""
    return estimates.one("distance_growth", arm=arm, quantity=quantity, size=POOLED)


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
    "{quantity} of {arm} at the last measured step over the largest, mean over {axis}s",
    unit="octaves",
    kind="mean",
)
def fall(estimates: Estimates, *, arm: Arm, quantity: Curvature) -> Estimate | None:
    """Return how far a curvature ends below its peak."""
    return estimates.one("fall", arm=arm, quantity=quantity, size=POOLED)


@measure(
    "curvature of {arm} over its edge of stability, mean over the steps between {window} of the "
    "run, and over {axis}s",
    unit="1",
    kind="mean",
)
def edge_ratio(estimates: Estimates, *, arm: Arm, window: Span) -> Estimate | None:
    """Return where the curvature is in a part of the run, in units of its edge of stability."""
    return _mean_within(estimates, "edge_ratio", arm, window)


@measure(
    "batch sharpness of {arm} over 2(1 − β)/η₀, its plateau at small batches, mean over the steps "
    "between {window} of the run, and over {axis}s",
    unit="1",
    kind="mean",
)
def stochastic_edge_ratio(estimates: Estimates, *, arm: Arm, window: Span) -> Estimate | None:
    """Return where the batch sharpness is; the large batches' plateau is (1 + β)/(1 − β) here."""
    return _mean_within(estimates, "stochastic_edge_ratio", arm, window)


def _mean_within(estimates: Estimates, statistic: str, arm: str, window: Span) -> Estimate | None:
    rows = estimates.rows(statistic, arm=arm, size=POOLED)
    first, last = window
    within = rows[rows["at"].astype(float).between(first, last)]
    found = [estimate_of(row) for _, row in within.iterrows()]
    return paired([(1 / len(found), own) for own in found]) if found else None
