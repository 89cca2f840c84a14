"""Learning-rate tuners against constant rates, seed by seed.

Runs of equal seed share initialisation and samples. Losses are compared as log2 of their ratio: 1
is a factor of two. An arm's best rate is chosen on the same seeds, which favours the arm with more
rates.
"""

from __future__ import annotations

from typing import Literal

from lrtransfer.study.evidence.estimates import Estimates, lowest
from lrtransfer.study.evidence.measure import Arm, Arms, Course, Pair, measure
from lrtransfer.transfer.estimate import Estimate, of_shares
from lrtransfer.transfer.pairing import paired

# Learning rates of CDAT with σ = 2, as factors on the tuner's own.
_GREEDY, _ON_EDGE = 0.5, 1.0

# Coefficients and what they multiply, seed by seed.
Terms = list[tuple[float, Estimate | None]]


@measure(
    "final loss of {arm} over that of {over}, at rates {rate} and {over_rate}",
    unit="octaves",
    kind="mean",
)
def loss_ratio(
    estimates: Estimates,
    *,
    arm: Arm,
    over: Arm,
    rate: float | None = None,
    over_rate: float | None = None,
    minus: Pair | None = None,
) -> Estimate | None:
    """Return log2 of an arm's final loss over another's, or over that of the pair `minus`.

    Rates that are not given, and those of the pair, are the best.
    """
    terms = [(1.0, _loss(estimates, arm, rate)), (-1.0, _loss(estimates, over, over_rate))]
    if minus is not None:
        terms += [(-1.0, _loss(estimates, minus[0])), (1.0, _loss(estimates, minus[1]))]
    return _paired(terms)


@measure(
    "final loss of {arm} over that of {over} at equal price, at rates {rate} and best",
    unit="octaves",
    kind="mean",
)
def loss_ratio_at_equal_price(
    estimates: Estimates, *, arm: Arm, over: Arm, rate: float | None = None
) -> Estimate | None:
    """Return the loss ratio once both have cost what the whole of `over` cost at its best rate."""
    chosen = _best_rate(estimates, arm) if rate is None else rate
    if chosen is None:
        return None
    own = estimates.one("log2_loss_at_price", arm=arm, baseline=over, rate=chosen)
    return _paired([(1.0, own), (-1.0, _loss(estimates, over))])


@measure("final loss of {arm} at σ = 1 over that at σ = 2", unit="octaves", kind="mean")
def edge_gain(estimates: Estimates, *, arm: Arm, minus: Arm | None = None) -> Estimate | None:
    """Return what an arm gains on the edge, or gains more than another."""
    other = [] if minus is None else _gain(estimates, minus, -1.0)
    return _paired(_gain(estimates, arm) + other)


@measure(
    "final loss of {arm} at σ = 1 over that at σ = 2, {axis} {large} minus {axis} {small}",
    unit="octaves",
    kind="mean",
)
def edge_gain_growth(estimates: Estimates, *, arm: Arm, large: int, small: int) -> Estimate | None:
    """Return how much more an arm gains on the edge at one size than at another."""
    return _paired(_gain(estimates, arm, size=large) + _gain(estimates, arm, -1.0, small))


@measure("best σ of {arm} minus that of {against}", unit="1", kind="mean")
def sigma_shift(
    estimates: Estimates, *, arm: Arm, against: Arm, minus: Pair | None = None
) -> Estimate | None:
    """Return the best σ = 2 × rate of an arm less another's, or less that of the pair `minus`."""
    terms = [(2.0, arm), (-2.0, against)]
    if minus is not None:
        terms += [(-2.0, minus[0]), (2.0, minus[1])]
    return _paired([(factor, estimates.one("best_rate", arm=name)) for factor, name in terms])


@measure("{quantity} of {arm}, mean over the second half of the run", unit="1", kind="mean")
def late_mean(
    estimates: Estimates, *, arm: Arm, quantity: Course, minus: Arm | None = None
) -> Estimate | None:
    """Return the mean of a quantity over the second half of the measured runs."""
    return _course(estimates, "late_mean", arm, quantity, minus)


@measure("{quantity} of {arm} at the end over that after a quarter", unit="octaves", kind="mean")
def late_growth(
    estimates: Estimates, *, arm: Arm, quantity: Course, minus: Arm | None = None
) -> Estimate | None:
    """Return how a quantity of the measured runs grows once they have settled."""
    return _course(estimates, "late_growth", arm, quantity, minus)


@measure("last {quantity} of {arm} over the largest", unit="octaves", kind="mean")
def fall_from_peak(
    estimates: Estimates, *, arm: Arm, quantity: Course, minus: Arm | None = None
) -> Estimate | None:
    """Return how far a quantity of the measured runs ends below its peak."""
    return _course(estimates, "fall_from_peak", arm, quantity, minus)


@measure(
    "mean {quantity} of {arm} in the second half over the first one", unit="octaves", kind="mean"
)
def rise_from_start(
    estimates: Estimates, *, arm: Arm, quantity: Course, minus: Arm | None = None
) -> Estimate | None:
    """Return how far a quantity of the measured runs rises above its first value."""
    return _course(estimates, "rise_from_start", arm, quantity, minus)


@measure("share of measured steps with {quantity}, mean over {arms}", unit="1", kind="mean")
def share_below(
    estimates: Estimates, *, arms: Arms, quantity: Literal["one_step_greedy<one_step_on_edge"]
) -> Estimate | None:
    """Return at which share of the steps one quantity is below another; a seed's is over arms."""
    found = [estimates.one("share_below", arm=arm, quantity=quantity) for arm in arms]
    mean = _paired([(1 / len(found), own) for own in found])
    if mean is None:
        return None
    # The variance of a share's scale is one over the number of trials.
    parts = [part for own in found if own is not None for part in own.parts]
    return of_shares(mean.units, trials=sum(1 / part.variance for part in parts))


def _best_rate(estimates: Estimates, arm: str) -> float | None:
    losses = estimates.rows("log2_loss", arm=arm)
    return None if losses.empty else float(losses["rate"].iloc[lowest(losses)])


def _loss(
    estimates: Estimates, arm: str, rate: float | None = None, size: int | None = None
) -> Estimate | None:
    """Return log2 of the final loss at a rate, or at the best; of several sizes name one."""
    chosen = _best_rate(estimates, arm) if rate is None else rate
    if chosen is None:
        return None
    where = {} if size is None else {"size": size}
    return estimates.one("log2_loss", arm=arm, rate=chosen, **where)


def _gain(estimates: Estimates, arm: str, sign: float = 1.0, size: int | None = None) -> Terms:
    """Return an arm's loss at σ = 1 less that at σ = 2, as terms of a sum."""
    sides = ((sign, _GREEDY), (-sign, _ON_EDGE))
    return [(factor, _loss(estimates, arm, rate, size)) for factor, rate in sides]


def _course(
    estimates: Estimates, statistic: str, arm: str, quantity: str, minus: str | None
) -> Estimate | None:
    terms: Terms = [(1.0, estimates.one(statistic, arm=arm, quantity=quantity))]
    if minus is not None:
        terms.append((-1.0, estimates.one(statistic, arm=minus, quantity=quantity)))
    return _paired(terms)


def _paired(terms: Terms) -> Estimate | None:
    known = [(factor, estimate) for factor, estimate in terms if estimate is not None]
    return paired(known) if len(known) == len(terms) else None
