"""Where the best learning rate goes as nets grow, and what keeping it costs."""

from __future__ import annotations

from lrtransfer.study.evidence.estimates import Estimates
from lrtransfer.study.evidence.measure import Arm, measure
from lrtransfer.transfer.estimate import Estimate
from lrtransfer.transfer.pairing import difference, mean_difference


@measure(
    "drift of the best learning rate of {arm}", unit="octaves per octave of {axis}", kind="slope"
)
def drift(estimates: Estimates, *, arm: Arm) -> Estimate | None:
    """Return how far an arm's optimum moves."""
    return estimates.one("drift", arm=arm)


@measure("best learning rate of {arm}, mean over {axis}s", unit="octaves", kind="mean")
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
