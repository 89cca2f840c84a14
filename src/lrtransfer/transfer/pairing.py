"""Differences of estimates whose runs share seeds, and so initialisation and samples.

What two runs of one seed and size share cancels in their difference, which is then one observation.
Where the runs themselves are the same (arms that agree at the base width, say) the difference is
known to be zero: such a size has no scatter of its own and lends none to the others. Estimates that
do not share most of their seeds are independent. One without a value that notes why leaves a
difference as unknown, for that reason.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from lrtransfer.transfer.estimate import (
    Estimate,
    Part,
    Unit,
    known_exactly,
    of_mean,
    on_scale,
    squared,
    welch,
)

Array = npt.NDArray[np.float64]

SAME_RUNS = "same runs: the two have the same value by construction"
_NO_DIFFERENCE = replace(known_exactly(0.0), note=SAME_RUNS)


def paired(terms: Iterable[tuple[float, Estimate]]) -> Estimate:
    """Return the mean over seeds of Σ coefficient · value, of the seeds that all terms share.

    Args:
        terms: coefficient and an estimate with one unit per seed.

    Example:
        >>> from lrtransfer.transfer.estimate import of_seeds
        >>> from lrtransfer.transfer.pairing import paired
        >>> one, two = of_seeds([5.0, 6.0], [0, 1]), of_seeds([1.0, 2.0], [0, 1])
        >>> paired([(1.0, one), (-1.0, two)]).value
        4.0
    """
    every = list(terms)
    if (unknown := _unknown(e for _, e in every)) is not None:
        return unknown
    by_seed = [(c, {unit.seed: unit.value for unit in e.units}) for c, e in every]
    shared = sorted(set.intersection(*(set(values) for _, values in by_seed)))
    # A sum in one rounding: equal runs cancel to zero and to nothing else.
    sums = (math.fsum(c * values[seed] for c, values in by_seed) for seed in shared)
    found = of_mean(Unit(seed, 0, value) for seed, value in zip(shared, sums, strict=True))
    balanced = len(shared) > 1 and math.fsum(c for c, _ in every) == 0
    exact = balanced and all(e.systematic == 0 for _, e in every)
    if exact and not any(unit.value for unit in found.units):
        return _NO_DIFFERENCE
    return replace(
        found,
        systematic=math.hypot(*(c * e.systematic for c, e in every)),
        open_low=any(e.open_low if c > 0 else e.open_high for c, e in every),
        open_high=any(e.open_high if c > 0 else e.open_low for c, e in every),
    )


def difference(own: Estimate, other: Estimate, *, slope: bool = False) -> Estimate:
    """Return own − other, paired by seed and size.

    Args:
        own: an estimate with one unit per seed and size.
        other: likewise.
        slope: whether both are least-squares slopes of their units on log2 size. Else the units of
            each size are one part of the variance.

    Returns:
        The difference. As of independent estimates (`Estimate.minus`) where fewer than two pairs a
        size, or than half of the units, are shared.

    Example:
        >>> from lrtransfer.transfer.estimate import of_seeds
        >>> from lrtransfer.transfer.pairing import difference
        >>> one, two = of_seeds([5.0, 6.1], [0, 1], 64), of_seeds([1.0, 2.0], [0, 1], 64)
        >>> round(difference(one, two).value, 2)
        4.05
    """
    if (unknown := _unknown((own, other))) is not None:
        return unknown
    pairs = _pairs(own, other)
    if pairs is None:
        return own.minus(other)
    if not any(pair.value for pair in pairs):
        return _NO_DIFFERENCE
    value, part, share = _slope(pairs) if slope else _mean(pairs)
    if len(pairs) == len(own.units) == len(other.units):
        value = _plain(own) - _plain(other)
    return Estimate(
        value=on_scale(value, own.scale),
        parts=(part,),
        systematic=share * math.hypot(own.systematic, other.systematic),
        open_low=own.open_low or other.open_high,
        open_high=own.open_high or other.open_low,
        scale=own.scale,
        units=pairs,
    )


def mean_difference(pairs: Sequence[tuple[Estimate, Estimate]]) -> Estimate:
    """Return the mean over sizes of `difference`; the systematic errors go together.

    Args:
        pairs: per size the two estimates, at least one.

    Example:
        >>> from lrtransfer.transfer.estimate import of_seeds
        >>> from lrtransfer.transfer.pairing import mean_difference
        >>> one, two = of_seeds([5.0, 6.1], [0, 1], 64), of_seeds([1.0, 2.0], [0, 1], 64)
        >>> round(mean_difference([(one, two), (one, two)]).value, 2)
        4.05
    """
    found = [difference(own, other) for own, other in pairs]
    if all(one == _NO_DIFFERENCE for one in found):
        return _NO_DIFFERENCE
    return Estimate(
        value=math.fsum(one.value for one in found) / len(found),
        parts=_mean_parts(found),
        systematic=math.fsum(one.systematic for one in found) / len(found),
        open_low=any(one.open_low for one in found),
        open_high=any(one.open_high for one in found),
        units=tuple(unit for one in found for unit in one.units),
    )


def _unknown(estimates: Iterable[Estimate]) -> Estimate | None:
    """Return the first estimate without a value that notes why."""
    return next((one for one in estimates if math.isnan(one.value) and one.note), None)


class _Difference(NamedTuple):
    """A value, its variance, and the share of a systematic error that is not at equal runs."""

    value: float
    part: Part
    share: float


def _mean_parts(found: Sequence[Estimate]) -> tuple[Part, ...]:
    """Return the part of a mean over sizes; none where the scatter of one is unknown."""
    if not all(one.parts for one in found):
        return ()
    parts = [Part(p.variance / len(found) ** 2, p.df) for one in found for p in one.parts]
    joined = welch(*parts)
    if all(len(one.parts) == 1 for one in found):
        return (joined,)
    # Of independent arms a variance may be pooled over sizes: its freedom counts once.
    return (Part(joined.variance, min(part.df for part in parts)),)


def _pairs(own: Estimate, other: Estimate) -> tuple[Unit, ...] | None:
    """Return the differences of the units that both have; None where too few are shared."""
    theirs = {(unit.seed, unit.size): unit.value for unit in other.units}
    pairs = tuple(
        Unit(unit.seed, unit.size, unit.value - theirs[unit.seed, unit.size])
        for unit in own.units
        if math.isfinite(unit.value - theirs.get((unit.seed, unit.size), math.nan))
    )
    if (
        own.scale != other.scale
        or own.scale in ("fisher", "share")
        or not (own.parts and other.parts)
    ):
        return None
    counts = [sum(pair.size == size for pair in pairs) for size in {pair.size for pair in pairs}]
    most = max(len(own.units), len(other.units))
    known = own.parts and other.parts and pairs
    return pairs if known and min(counts, default=0) > 1 and 2 * len(pairs) > most else None


def _plain(estimate: Estimate) -> float:
    return squared(estimate.value) if estimate.scale == "root" else estimate.value


def _mean(pairs: Sequence[Unit]) -> _Difference:
    """Return the mean over sizes of each size's mean; every size is a part of the variance."""
    means = [
        of_mean(p for p in pairs if p.size == size) for size in sorted({p.size for p in pairs})
    ]
    parts = [mean.parts[0] for mean in means if any(unit.value for unit in mean.units)]
    return _Difference(float(np.mean([mean.value for mean in means])), welch(*parts), 1.0)


def _slope(pairs: Sequence[Unit]) -> _Difference:
    """Return the least-squares slope over sizes, with sizes of equal runs free of error.

    Only the other pairs are observations. The residual variance is scaled, and its degrees of
    freedom counted, as the part of the hat matrix on them says (Satterthwaite 1946): n − 2 where no
    runs are equal.
    """
    x = np.log2([pair.size for pair in pairs])
    y = np.array([pair.value for pair in pairs])
    noisy = np.array([any(p.value for p in pairs if p.size == pair.size) for pair in pairs])
    lever = (x - x.mean()) / np.sum((x - x.mean()) ** 2)
    value = float(lever @ y)
    residual = y - y.mean() - value * (x - x.mean())
    hat = 1 / len(x) + np.outer(lever, x - x.mean())
    seen = np.eye(int(noisy.sum())) - hat[np.ix_(noisy, noisy)]
    freedom = float(np.trace(seen))
    variance = float(residual @ residual) / freedom * float(np.sum(lever[noisy] ** 2))
    share = math.sqrt(float(np.sum(lever[noisy] ** 2) / np.sum(lever**2)))
    return _Difference(value, Part(variance, freedom**2 / float(np.trace(seen @ seen))), share)
