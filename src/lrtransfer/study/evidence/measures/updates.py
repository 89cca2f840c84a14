"""Updates and their alignment at the first step and late in training, and the implicit warm-up."""

from __future__ import annotations

from typing import Literal, TypeAlias

from lrtransfer.study.evidence.estimates import Estimates
from lrtransfer.study.evidence.measure import Aligned, Arm, measure
from lrtransfer.transfer.estimate import Estimate

Phase: TypeAlias = Literal["start", "late", "change"]


@measure(
    "slope of the {quantity} of {arm}, {at} in training",
    unit="octaves per octave of {axis}",
    kind="slope",
)
def slope(estimates: Estimates, *, arm: Arm, quantity: Aligned, at: Phase) -> Estimate | None:
    """Return how a quantity grows with the size: a slope per seed, their mean."""
    return estimates.one("slope", arm=arm, quantity=quantity, at=at)


@measure("{quantity} of {arm} at the largest {axis}, {at} in training", unit="octaves", kind="mean")
def level(estimates: Estimates, *, arm: Arm, quantity: Aligned, at: Phase) -> Estimate | None:
    """Return log2 of a quantity at the largest net, or of its late over its first value."""
    return _at_largest(estimates, "level", arm, quantity, at)


@measure(
    "{quantity} of {arm} over that of the first arm at the largest {axis}, {at} in training",
    unit="octaves",
    kind="mean",
)
def ratio_to_first(
    estimates: Estimates, *, arm: Arm, quantity: Aligned, at: Phase = "late"
) -> Estimate | None:
    """Return how a quantity differs from that of the first arm, seed by seed."""
    return _at_largest(estimates, "difference", arm, quantity, at)


@measure(
    "final loss of {arm} minus that of the first arm at the largest {axis} and one learning rate",
    unit="loss",
    kind="mean",
)
def loss_over_first(estimates: Estimates, *, arm: Arm) -> Estimate | None:
    """Return how the loss of measured runs differs from that of the first arm, seed by seed."""
    return _at_largest(estimates, "difference", arm, "final_loss", "late")


@measure(
    "mean over training of |log2 of measured over predicted s| at the largest {axis}",
    unit="octaves",
    kind="mean",
)
def warmup_deviation(estimates: Estimates) -> Estimate | None:
    """Return how far the implicit warm-up is from its recursion."""
    return _warmup(estimates, "warmup_deviation")


@measure(
    "update at which s passes 1/√2, measured over simplified, at the largest {axis}",
    unit="octaves",
    kind="mean",
)
def warmup_delay(estimates: Estimates) -> Estimate | None:
    """Return how long the implicit warm-up takes, over what the simplified form says."""
    return _warmup(estimates, "warmup_delay")


@measure(
    "log2 s over log2 1/m at the largest {axis}, second half: 1 if nothing is undone, 0 if all is",
    unit="1",
    kind="mean",
)
def warmup_left(estimates: Estimates) -> Estimate | None:
    """Return what is left of the implicit warm-up late in training."""
    return _warmup(estimates, "warmup_left")


def _at_largest(
    estimates: Estimates, statistic: str, arm: str, quantity: str, at: str
) -> Estimate | None:
    size = max(estimates.sizes(statistic, arm), default=0)
    return estimates.one(statistic, arm=arm, quantity=quantity, at=at, size=size)


def _warmup(estimates: Estimates, statistic: str) -> Estimate | None:
    sizes = estimates.rows(statistic)["size"]
    return None if sizes.empty else estimates.one(statistic, size=int(sizes.max()))
