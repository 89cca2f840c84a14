"""The optimal learning rate at a size that was not swept, what it costs to be wrong, and refusals.

The optimum is that which a sweep of the same grid and seeds would find there: the interval holds
the doubt between the laws, the uncertainty of each, and the scatter of one more size
(`lrtransfer.transfer.laws`). The regret is that of training at the predicted rate, as a share of
the loss: the valley of the largest swept net, moved to where the optimum may lie.

Not every question is answered. A prediction needs three sizes of at least two seeds, none with an
optimum at its grid's edge, and reaches as many octaves beyond the sizes as they span (half as
many from three sizes, where one degree of freedom says whether the power law holds): `reach`.

Found in simulation (tests/transfer/test_predict.py: three seeds, three to five sizes, one and two
octaves ahead): nominal 95 % intervals hold the optimum that the sweep finds in 95 to 99 % of
studies on average over drifts, the more the less the seeds scatter; at worst, for a drift of 0.2
per octave that scatter hides from three sizes, in 89 %.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from lrtransfer.transfer.intervals import Interval
from lrtransfer.transfer.laws import (
    Component,
    Fit,
    Optima,
    fit_laws,
    mixture_interval,
    predict_sweep,
    quantiles,
    with_one_more,
)
from lrtransfer.transfer.optimum import pooled_variance
from lrtransfer.transfer.sweeps import Sweep

Array = npt.NDArray[np.float64]

MINIMAL_SIZES = 3

#: Quantiles of the predicted optimum over which an expected regret is averaged.
_POINTS = (np.arange(200) + 0.5) / 200


class PredictionRefused(ValueError):
    """The data do not support the prediction; the message says why, and what would."""


@dataclass(frozen=True)
class Regret:
    """Loss given away, as a share of the loss at the optimum.

    Attributes:
        expected: over where the optimum may lie.
        high: it is at most this with the interval's confidence (one-sided).
        is_bound: the valley leaves the swept grid: the true regret may be larger.
    """

    expected: float
    high: float
    is_bound: bool


@dataclass(frozen=True)
class OneMore:
    """What sweeping one more size would do to the interval, the scatter staying as it is."""

    size: int
    half_width: float


@dataclass(frozen=True)
class Prediction:
    """The optimum at one size that was not swept.

    Attributes:
        log2_lr: predicted optimum with its interval, log2 of the learning rate.
        laws: fitted laws, best first, with their Akaike weights.
        regret: of training at the predicted optimum.
        keeping: of training at the optimum of the largest swept net instead.
        valley: rates (log2) whose expected log loss is within 10 % of the optimum's at the largest
            swept net, moved to the predicted optimum.
        one_more: a further sweep, and the interval's half width with it.
        half_width: of the interval now, octaves.
    """

    arm: str
    axis: str
    fixed: int
    size: int
    sizes: tuple[int, ...]
    log2_lr: Interval
    laws: tuple[Fit, ...]
    regret: Regret
    keeping: Regret
    valley: tuple[float, float]
    one_more: OneMore
    half_width: float


def reach(sizes: list[int]) -> float:
    """Return how many octaves beyond the largest of `sizes` are answered.

    Example:
        >>> from lrtransfer.transfer.predict import reach
        >>> reach([64, 128, 256, 512])
        3.0
    """
    if len(sizes) < MINIMAL_SIZES:
        return 0.0
    span = math.log2(max(sizes) / min(sizes))
    return span / 2 if len(sizes) == MINIMAL_SIZES else span


def known_optima(group: list[Sweep]) -> Optima:
    """Return the optima of one arm's sweeps (any order).

    Raises:
        PredictionRefused: fewer than three sizes, one seed, one learning rate, an optimum at the
            grid's edge, or a size where all diverged.
    """
    group = sorted(group, key=lambda s: s.size)
    if len(group) < MINIMAL_SIZES:
        raise PredictionRefused(
            f"{len(group)} sizes were swept: a law needs at least {MINIMAL_SIZES}; sweep "
            f"{group[0].axis} {2 * group[-1].size} too"
        )
    found = [s.vertices for s in group]
    for sweep, (vertices, edges) in zip(group, found, strict=True):
        where = f"{sweep.axis} {sweep.size}"
        if not math.isfinite(sweep.spacing):
            raise PredictionRefused(f"{where} was trained at a single learning rate: sweep it")
        if not np.isfinite(vertices).any():
            raise PredictionRefused(f"every run of {where} diverged: lower its learning rates")
        if np.any(edges != 0):
            side = "low" if np.any(edges < 0) else "high"
            raise PredictionRefused(
                f"an optimum of {where} lies at the {side} end of its grid: extend the grid, the "
                "law would be fitted to a bound"
            )
    groups = [v[np.isfinite(v)] for v, _ in found]
    if min(len(g) for g in groups) < 2:
        raise PredictionRefused("a size has one seed: its scatter is unknown; train a second one")
    variance, freedom = pooled_variance(groups)
    return Optima(
        np.log2([s.size for s in group]),
        np.array([g.mean() for g in groups]),
        min(len(g) for g in groups),
        variance,
        freedom,
        max(s.spacing for s in group),
    )


def predict(group: list[Sweep], size: int, confidence: float = 0.95) -> Prediction:
    """Predict the optimum of one arm (its sweeps at one `fixed` value) at `size`.

    Raises:
        PredictionRefused: as `known_optima`; or `size` lies beyond the reach, or below the smallest
            size by more than the reach.
        ValueError: `group` mixes arms.

    Example:
        >>> from lrtransfer.transfer.predict import predict
        >>> import numpy as np
        >>> from lrtransfer.transfer.sweeps import Sweep, Valley
        >>> grid = np.arange(-9.0, 0.0)  # log2 of the rate
        >>> valleys = tuple(
        ...     Valley(seed, grid, np.exp((grid + 4 + seed) ** 2 / 20), grid > 0) for seed in (0, 1)
        ... )
        >>> swept = [Sweep("mup", "width", 2, n, valleys) for n in (64, 128, 256)]
        >>> round(predict(swept, 512).log2_lr.value, 2)
        -4.5
    """
    group = sorted(group, key=lambda s: s.size)
    if len({(s.arm, s.fixed) for s in group}) != 1:
        raise ValueError("group must hold the sweeps of one arm at one value of the other axis")
    optima = known_optima(group)
    sizes = [s.size for s in group]
    _check_reach(group[0].axis, sizes, size)
    laws = fit_laws(optima)
    target = math.log2(size)
    components = predict_sweep(laws, target)
    found = mixture_interval(components, confidence)
    largest = group[-1]
    low, high = _valley_about(largest, float(optima.mean[-1]))
    return Prediction(
        arm=largest.arm,
        axis=largest.axis,
        fixed=largest.fixed,
        size=size,
        sizes=tuple(sizes),
        log2_lr=found,
        laws=tuple(laws),
        regret=_regret(largest, float(optima.mean[-1]), components, found.value, confidence),
        keeping=_regret(
            largest, float(optima.mean[-1]), components, float(optima.mean[-1]), confidence
        ),
        valley=(found.value + low, found.value + high),
        one_more=_one_more(laws, optima, sizes, size, confidence),
        half_width=(found.high - found.low) / 2,
    )


def _check_reach(axis: str, sizes: list[int], size: int) -> None:
    limit = reach(sizes)
    highest, lowest = sizes[-1] * 2**limit, sizes[0] / 2**limit
    if lowest <= size <= highest:
        return
    more = [*sizes, 2 * sizes[-1]]
    while more[-1] * 2 ** reach(more) < size:
        more.append(2 * more[-1])
    needed = (
        f"sweep {axis} {' and '.join(map(str, more[len(sizes) :]))} too"
        if size > highest
        else "sweep smaller ones"
    )
    rule = "half of what they span" if len(sizes) == MINIMAL_SIZES else "what they span"
    raise PredictionRefused(
        f"{axis} {size} is {abs(math.log2(size / (sizes[-1] if size > highest else sizes[0]))):.1f}"
        f" octaves from the {len(sizes)} swept sizes {sizes[0]} to {sizes[-1]}, which support "
        f"{limit:.1f} ({rule}), that is {math.ceil(lowest)} to {math.floor(highest)}; {needed}"
    )


def _regret(
    sweep: Sweep, optimum: float, components: list[Component], rate: float, confidence: float
) -> Regret:
    """Return the regret of training at `rate` where the optimum is distributed as `components`."""
    places = quantiles(components, _POINTS)
    off, beyond = excess_loss(sweep, optimum, rate - places)
    return Regret(
        float(off.mean()), float(np.quantile(off, confidence)), bool(np.mean(beyond) > 0.05)
    )


def excess_loss(sweep: Sweep, optimum: float, offset: Array) -> tuple[Array, npt.NDArray[np.bool_]]:
    """Return the relative excess of the seed-mean loss at `offset` from the optimum.

    The second array is true where the offset leaves the grid: the excess is that at the grid's end
    there, a lower bound. An excess below zero, which noise can make, counts as none.
    """
    low, high = sweep.grid
    where = np.clip(optimum + offset, low, high)
    best = float(sweep.mean_loss_at(optimum)[0])
    off = np.maximum(sweep.mean_loss_at(where) / best - 1, 0.0)
    return off, (optimum + offset < low) | (optimum + offset > high)


def _valley_about(sweep: Sweep, optimum: float) -> tuple[float, float]:
    """Return how far below and above the optimum the mean loss stays within 10 % of the best."""
    offsets = np.linspace(-6, 6, 769)
    off, beyond = excess_loss(sweep, optimum, offsets)
    within = (off <= 0.1) & ~beyond
    centre = len(offsets) // 2
    left = centre - int(np.argmin(np.append(within[centre::-1], False))) + 1
    right = centre + int(np.argmin(np.append(within[centre:], False))) - 1
    return float(offsets[min(left, centre)]), float(offsets[max(right, centre)])


def _one_more(
    laws: list[Fit], optima: Optima, sizes: list[int], target: int, confidence: float
) -> OneMore:
    """Return the sweep that shrinks the interval most.

    Candidates: the next octaves short of the target, half the smallest size, and the size half
    way from the largest to the target.
    """
    octaves = [2**n * sizes[-1] for n in (1, 2, 3) if 2**n * sizes[-1] < target]
    between = round(math.sqrt(sizes[-1] * target))
    candidates = dict.fromkeys([*octaves, max(sizes[0] // 2, 1), between])
    options = []
    for size in candidates:
        parts = [with_one_more(f, optima, math.log2(size), math.log2(target)) for f in laws]
        found = mixture_interval(parts, confidence)
        options.append(OneMore(size, (found.high - found.low) / 2))
    return min(options, key=lambda option: option.half_width)
