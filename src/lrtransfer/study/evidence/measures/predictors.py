"""Which measured quantity says, over arms, where the optimum goes."""

from __future__ import annotations

from typing import Literal, TypeAlias

from lrtransfer.study.evidence.estimates import Estimates
from lrtransfer.study.evidence.measure import Arm, Predictor, measure
from lrtransfer.transfer.estimate import Estimate

Window: TypeAlias = Literal["whole", "late"]


@measure(
    "minus the slope of the {quantity} of {arm} at equal learning rate, {at} run",
    unit="octaves per octave of {axis}",
    kind="slope",
)
def predicted_drift(
    estimates: Estimates, *, arm: Arm, quantity: Predictor, at: Window
) -> Estimate | None:
    """Return the drift of the optimum that a quantity predicts."""
    return estimates.one("predicted_drift", arm=arm, quantity=quantity, at=at)


@measure(
    "rank correlation over arms of the drift and minus the slope of the {quantity} ({at})",
    unit="1",
    kind="arms",
)
def rank_correlation(estimates: Estimates, *, quantity: Predictor, at: Window) -> Estimate | None:
    """Return Spearman's ρ over arms of predicted and found drift."""
    return estimates.one("rank_correlation", quantity=quantity, at=at)


@measure(
    "rank correlation over arms of {quantity} ({at}) and drift, minus that of {than} ({than_at})",
    unit="1",
    kind="arms",
)
def rank_correlation_difference(
    estimates: Estimates, *, quantity: Predictor, at: Window, than: Predictor, than_at: Window
) -> Estimate | None:
    """Return how much better a quantity predicts the drift than another."""
    baseline = f"{than} {than_at}"
    return estimates.one("rank_correlation_difference", quantity=quantity, at=at, baseline=baseline)
