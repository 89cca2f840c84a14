"""Where the best learning rate goes as nets grow, and what keeping it costs."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from lrtransfer.study.evidence.estimates import Estimates, estimate_of, lowest
from lrtransfer.study.evidence.measure import Arm, measure
from lrtransfer.transfer.estimate import Estimate, Part
from lrtransfer.transfer.pairing import difference, mean_difference


@measure(
    "drift of the best learning rate of {arm}", unit="octaves per octave of {axis}", kind="slope"
)
def drift(estimates: Estimates, *, arm: Arm) -> Estimate | None:
    """Return how far an arm's optimum moves."""
    return estimates.one("drift", arm=arm)


@measure(
    "drift of the best learning rate of {arm} over the {axes} swept", unit="octaves", kind="mean"
)
def drift_over_range(estimates: Estimates, *, arm: Arm) -> Estimate | None:
    """Return how far an arm's optimum moves from the smallest net that has one to the largest."""
    slope, optima = estimates.one("drift", arm=arm), estimates.rows("optimum", arm=arm)
    sizes = sorted(optima["size"][np.isfinite(optima["value"].astype(float))])
    if slope is None or len(sizes) < 2:
        return None
    octaves = math.log2(sizes[-1] / sizes[0])
    return replace(
        slope,
        value=octaves * slope.value,
        parts=tuple(Part(octaves**2 * part.variance, part.df) for part in slope.parts),
        systematic=octaves * slope.systematic,
        units=(),  # those of a slope: no means of the same seeds
    )


@measure("loss of {arm} at its best learning rate, largest {axis}", unit="octaves", kind="mean")
def best_loss(estimates: Estimates, *, arm: Arm) -> Estimate | None:
    """Return log2 of the loss of an arm's largest net at the best rate of its grid."""
    size = max(estimates.sizes("log2_loss", arm), default=0)
    losses = estimates.rows("log2_loss", arm=arm, size=size)
    return None if losses.empty else estimate_of(losses.iloc[lowest(losses)])


@measure("best learning rate of {arm}, mean over {axes}", unit="octaves", kind="mean")
def optimum(estimates: Estimates, *, arm: Arm, minus: Arm) -> Estimate | None:
    """Return log2 of an arm's optimum over another's, mean over their common sizes.

    The systematic part of an optimum's error is the same at every size: more sizes do not lessen
    it.
    """
    common = set(estimates.sizes("optimum", arm)) & set(estimates.sizes("optimum", minus))
    pairs = (
        [estimates.one("optimum", arm=name, size=size) for name in (arm, minus)]
        for size in sorted(common)
    )
    both = [(own, other) for own, other in pairs if own is not None and other is not None]
    return mean_difference(both) if both else None


@measure(
    "loss given up at the largest {axis} with the smallest one's best learning rate, {arm}",
    unit="loss",
    kind="mean",
)
def regret(estimates: Estimates, *, arm: Arm, minus: Arm | None = None) -> Estimate | None:
    """Return an arm's regret, or what it gives up more than another, at the largest common net.

    None without a net larger than the one whose optimum is used.
    """
    arms = [arm] if minus is None else [arm, minus]
    common = set.intersection(*(set(estimates.sizes("regret", name)) for name in arms))
    if not common or max(common) == estimates.rows("regret", at="reference")["size"].min():
        return None
    own, *others = [estimates.one("regret", arm=name, size=max(common)) for name in arms]
    if own is None or not others:
        return own
    return None if others[0] is None else difference(own, others[0])
