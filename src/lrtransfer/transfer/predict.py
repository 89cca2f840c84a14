"""The optimal learning rate at a size that was not swept, what it costs to be wrong, and refusals.

The optimum is that of the arm's power law (`laws.py`), with the doubt of the law and, where the
sizes miss it by more than seeds explain, the scatter of one more size about it. The regret is that
of training at the predicted rate, as a share of the loss: the valley of the largest swept net,
moved to where the optimum may lie. Where losses are below zero it is no share but a difference.

Not every question is answered. A prediction needs three sizes along an axis on which it leaves the
swept ones, none with an optimum at its grid's edge, and reaches as many octaves beyond the sizes as
they span (half as many from three sizes): `reach`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from lrtransfer.transfer.estimate import Estimate
from lrtransfer.transfer.laws import Law, fit, half_octaves
from lrtransfer.transfer.sweeps import Sweep
from lrtransfer.transfer.vertices import Vertices

Array = npt.NDArray[np.float64]

MINIMAL_SIZES = 3

#: Octaves by which a size may miss the line on which it was swept together with others.
_ON_LINE = 0.05

#: Quantiles of the predicted optimum over which an expected regret is averaged.
_POINTS = (np.arange(100) + 0.5) / 100


class PredictionRefused(ValueError):
    """The data do not support the prediction; the message says why, and what would."""


@dataclass(frozen=True)
class Regret:
    """Loss given away, as a share of the loss at the optimum, or as it is (`is_share`).

    Attributes:
        expected: over where the optimum may lie.
        high: it is at most this with the interval's confidence (one-sided).
        is_bound: the valley leaves the swept grid: the true regret may be larger.
        is_share: false where the arm has losses below zero.
    """

    expected: float
    high: float
    is_bound: bool
    is_share: bool


@dataclass(frozen=True)
class OneMore:
    """What sweeping one more size would do to the interval, the scatter staying as it is."""

    size: int
    half_width: float


@dataclass(frozen=True)
class Prediction:
    """The optimum at one size that was not swept.

    Attributes:
        size: along the one axis.
        sizes: those swept.
        log2_rate: predicted optimum, log2 of the learning rate.
        law: fitted to them.
        regret: of training at the predicted optimum.
        keeping: of training at the optimum of the largest swept net instead.
        valley: rates (log2) whose expected loss is within 10 % of the optimum's at the largest
            swept net, moved to the predicted optimum; NaN where the arm has losses below zero.
        one_more: a further sweep, and the interval's half width with it.
    """

    arm: str
    axis: str
    fixed: int
    size: int
    sizes: tuple[int, ...]
    log2_rate: Estimate
    law: Law
    regret: Regret
    keeping: Regret
    valley: tuple[float, float]
    one_more: OneMore


def reach(sizes: Sequence[float]) -> float:
    """Return how many octaves beyond `sizes` are answered.

    Sizes within half an octave count once: together they do not show whether the law is straight.

    Example:
        >>> from lrtransfer.transfer.predict import reach
        >>> reach([64, 128, 256, 512])
        3.0
    """
    octaves = np.log2(np.unique(np.asarray(sizes, dtype=np.float64)))
    distinct = len(np.unique(half_octaves(octaves))) if len(octaves) else 0
    if distinct < MINIMAL_SIZES:
        return 0.0
    span = float(octaves[-1] - octaves[0])
    return span / 2 if distinct == MINIMAL_SIZES else span


def known_law(group: Sequence[Sweep]) -> Law:
    """Return the law of one arm's sweeps (any order) that predictions may be made from.

    Raises:
        PredictionRefused: one learning rate, a size where all diverged, or an optimum at the
            grid's edge.
    """
    for sweep in group:
        where = _where(sweep.sizes)
        if not math.isfinite(sweep.spacing):
            raise PredictionRefused(f"{where} was trained at a single learning rate: sweep it")
        if not sweep.has_optimum:
            raise PredictionRefused(f"every run of {where} diverged: lower its learning rates")
    law = fit(group)
    for sweep, side in zip(law.vertices.sweeps, law.vertices.side, strict=True):
        if side:
            raise PredictionRefused(
                f"an optimum of {_where(sweep.sizes)} lies at the {side} end of its grid: extend "
                "the grid, the law would be fitted to a bound"
            )
    return law


def predicted(group: Sequence[Sweep], sizes: Mapping[str, float]) -> tuple[Law, Estimate]:
    """Return the law of one arm and its optimum (log2 of the rate) at a size.

    Args:
        group: sweeps of one arm.
        sizes: a value for each axis of the sweeps.

    Raises:
        PredictionRefused: as `known_law`; fewer than three sizes, or a size beyond the reach along
            an axis, or off the line on which the sizes of several axes vary together.
    """
    axes = list(group[0].sizes)
    for axis in axes:
        check_reach(axis, [s.sizes[axis] for s in group], sizes[axis], alone=len(axes) == 1)
    law = known_law(group)
    check_line(law, sizes)
    return law, law.at(sizes)


def predict(group: list[Sweep], size: int, confidence: float = 0.95) -> Prediction:
    """Predict the optimum of one arm (its sweeps at one `fixed` value) at `size`.

    Raises:
        PredictionRefused: as `predicted`.
        ValueError: `group` mixes arms.

    Example:
        >>> from lrtransfer.transfer.predict import predict
        >>> import numpy as np
        >>> from lrtransfer.transfer.sweeps import Sweep
        >>> grid = np.arange(-9.0, 0.0)  # log2 of the rate
        >>> losses = np.exp([(grid + 4 + seed) ** 2 / 20 for seed in (0.0, 0.1)])
        >>> def swept(width):
        ...     return Sweep("mup", {"width": width}, (0, 1), grid, losses, losses > 1e9)
        >>> round(predict([swept(64), swept(128), swept(256)], 512).log2_rate.value, 2)
        -4.05
    """
    group = sorted(group, key=lambda s: s.size)
    if len({(s.arm, s.fixed) for s in group}) != 1:
        raise ValueError("group must hold the sweeps of one arm at one value of the other axis")
    largest = group[-1]
    law, found = predicted(group, {largest.axis: size})
    at = float(law.vertices.position[-1])
    # One answer for all sizes of an arm: a loss that crosses zero has no share on either side.
    is_share = not any(sweep.signed for sweep in group)
    place = (largest, at, found, confidence)
    below, above = _valley_about(largest, at) if is_share else (math.nan, math.nan)
    return Prediction(
        arm=largest.arm,
        axis=largest.axis,
        fixed=largest.fixed,
        size=size,
        sizes=tuple(s.size for s in group),
        log2_rate=found,
        law=law,
        regret=_regret(found.value, *place, is_share=is_share),
        keeping=_regret(at, *place, is_share=is_share),
        valley=(found.value + below, found.value + above),
        one_more=_one_more(law, size, confidence),
    )


def check_reach(axis: str, swept: Sequence[float], size: float, *, alone: bool = True) -> None:
    """Refuse a size beyond what the swept ones support along an axis.

    Args:
        axis: its name.
        swept: sizes along it, repeated or not.
        size: asked for.
        alone: whether it is the only axis: a law needs three sizes then, whatever is asked.

    Raises:
        PredictionRefused: it does not; the message names the sweeps that would.
    """
    sizes = sorted(set(swept))
    if len(sizes) < MINIMAL_SIZES and (alone or size not in sizes):
        raise PredictionRefused(
            f"{len(sizes)} sizes were swept along {axis}: a law needs at least {MINIMAL_SIZES}; "
            f"sweep {axis} {2 * sizes[-1]:g} too"
        )
    limit = reach(sizes)
    highest, lowest = sizes[-1] * 2**limit, sizes[0] / 2**limit
    if lowest <= size <= highest:
        return
    more = [*sizes, 2 * sizes[-1]]
    while more[-1] * 2 ** reach(more) < size:
        more.append(2 * more[-1])
    further = " and ".join(f"{s:g}" for s in more[len(sizes) :])
    needed = f"sweep {axis} {further} too" if size > highest else "sweep smaller ones"
    rule = "half of what they span" if len(sizes) == MINIMAL_SIZES else "what they span"
    away = abs(math.log2(size / (sizes[-1] if size > highest else sizes[0])))
    raise PredictionRefused(
        f"{axis} {size:g} is {away:.1f} octaves from the {len(sizes)} swept sizes {sizes[0]:g} to "
        f"{sizes[-1]:g}, which support {limit:.1f} ({rule}), that is {lowest:.4g} to "
        f"{highest:.4g}; {needed}"
    )


def check_line(law: Law, sizes: Mapping[str, float]) -> None:
    """Refuse sizes at which an axis is not what the law's own axes make it in every sweep.

    Raises:
        PredictionRefused: the axis was swept only together with the others, so that its own part
            of the law is not known; the message names its size on their line.
    """
    rows = [[1.0, *(math.log2(s.sizes[a]) for a in law.axes)] for s in law.vertices.sweeps]
    at = np.array([1.0, *(math.log2(sizes[a]) for a in law.axes)])
    for axis in law.vertices.sweeps[0].sizes:
        if axis in law.axes:
            continue
        found = np.log2([s.sizes[axis] for s in law.vertices.sweeps])
        on_line = float(at @ np.linalg.lstsq(np.array(rows), found, rcond=None)[0])
        if abs(math.log2(sizes[axis]) - on_line) > _ON_LINE:
            beside = " and ".join(f"{a} {sizes[a]:g}" for a in law.axes)
            raise PredictionRefused(
                f"{axis} was swept only together with {', '.join(law.axes)}: give {axis} "
                f"{2**on_line:.4g} with {beside}, or sweep {axis} by itself"
            )


def excess_loss(
    sweep: Sweep, optimum: float, offset: Array, *, is_share: bool = True
) -> tuple[Array, npt.NDArray[np.bool_]]:
    """Return the excess of the seed-mean loss at `offset` from the optimum, a share unless said.

    The second array is true where the offset leaves the grid: the excess is that at the grid's end
    there, a lower bound. An excess below zero, which noise can make, counts as none.
    """
    low, high = sweep.grid
    where = np.clip(optimum + offset, low, high)
    best = float(sweep.mean_loss_at(optimum)[0])
    off = np.maximum((sweep.mean_loss_at(where) - best) / (abs(best) if is_share else 1.0), 0.0)
    return off, (optimum + offset < low) | (optimum + offset > high)


def _regret(
    rate: float,
    sweep: Sweep,
    optimum: float,
    found: Estimate,
    confidence: float,
    *,
    is_share: bool,
) -> Regret:
    """Return the regret of training at `rate` where the optimum is distributed as `found`."""
    places = np.array([_quantile(found, p) for p in _POINTS])
    off, beyond = excess_loss(sweep, optimum, rate - places, is_share=is_share)
    high = float(np.quantile(off, confidence))
    return Regret(float(off.mean()), high, bool(np.mean(beyond) > 0.05), is_share)


def _quantile(found: Estimate, probability: float) -> float:
    level = abs(2 * probability - 1)
    if level == 0:
        return found.value
    interval = found.interval(level)
    return interval.high if probability > 0.5 else interval.low


def _valley_about(sweep: Sweep, optimum: float) -> tuple[float, float]:
    """Return how far below and above the optimum the mean loss stays within 10 % of the best."""
    offsets = np.linspace(-6, 6, 769)
    off, beyond = excess_loss(sweep, optimum, offsets)
    within = (off <= 0.1) & ~beyond
    centre = len(offsets) // 2
    left = centre - int(np.argmin(np.append(within[centre::-1], False))) + 1
    right = centre + int(np.argmin(np.append(within[centre:], False))) - 1
    return float(offsets[min(left, centre)]), float(offsets[max(right, centre)])


def _one_more(law: Law, target: int, confidence: float) -> OneMore:
    """Return the sweep that shrinks the interval most.

    Candidates: the next octaves short of the target, half the smallest size, and the size half
    way from the largest to the target. A candidate is taken to repeat the largest sweep, at the
    law's own optimum.
    """
    sweeps = law.vertices.sweeps
    largest, smallest = sweeps[-1], sweeps[0]
    octaves = [2**n * largest.size for n in (1, 2, 3) if 2**n * largest.size < target]
    between = round(math.sqrt(largest.size * target))
    options = []
    for size in dict.fromkeys([*octaves, max(smallest.size // 2, 1), between]):
        shift = law.at({largest.axis: size}).value - float(law.vertices.position[-1])
        moved = replace(largest, sizes={largest.axis: size}, log2_rate=largest.log2_rate + shift)
        more = Law(Vertices.at((*sweeps, moved), law.vertices.bandwidth), law.axes)
        found = more.at({largest.axis: target})
        options.append(OneMore(size, found.half_width(1 - confidence)))
    return min(options, key=lambda option: option.half_width)


def _where(sizes: Mapping[str, float]) -> str:
    return ", ".join(f"{axis} {size:g}" for axis, size in sizes.items())
