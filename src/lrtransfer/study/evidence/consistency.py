"""Super consistency: does the distance of a quantity to its largest net stay small, and not grow?

Seeds scatter, so that even equal nets lie apart: the square of the distance between the means of n
seeds is too large by the variance of that difference. It is taken off,

    D²(t) = (S̄_N − S̄_ref)² − s²/n,

s² the variance over seeds of S_N − S_ref, a pair for each seed: nets of one seed see the same
samples, and their curves go up and down together. Where the reference has other seeds s²/n is the
sum of both nets' own. D² is unbiased; nets that are the same have zero on average, and negative
values half of the time.

`overlap` is the root of the mean of D²/S̄_ref² over log time and the sizes below the largest,
`distance_growth` the same over the last third of the run's log time minus over the first: the root
of the difference of the squares, with its sign. Intervals are jackknives over seeds on the scale of
the squares, a seed left out of all sizes and the reference at once; that of the growth needs no
power law. With two seeds there is a value and no interval.

β, the slope of log |S_N − S̄_ref| on log t (Noci et al. 2024, "Super Consistency", sections 2 and
5), is kept for the figure that draws it, its interval over seeds about the reference as it is. It
contains the seeds' noise: that of equal nets is what their scatter does in time. No claim rests on
it.

Found in simulation (200 studies a cell of 3, 5 and 10 seeds, noise like that of the core study's
curves, shared over sizes or not, distances of 0 to 30 %): nominal 95 % intervals cover 92 to 100 %
of the overlaps and 90 to 100 % of the growths. Seeds of one net against each other are said to
differ, to grow or to fall in 1.5 % of 200 splits at most (`docs/statistics.md`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd

from lrtransfer.study.evidence.estimates import Of, Row
from lrtransfer.study.evidence.measured import Curves
from lrtransfer.transfer.estimate import Estimate, Part, Unit, of_seeds, on_scale, welch
from lrtransfer.transfer.intervals import jackknife_variance
from lrtransfer.transfer.size import POOLED

Array = npt.NDArray[np.float64]

DISTANCE_COLUMNS = ["arm", "axis", "fixed", "quantity", "size", "seed", "step", "distance"]

_NOISY = "contains the seeds' noise: equal nets have an exponent, too"


class Fit(NamedTuple):
    """Per seed (S,): β and ln a."""

    beta: Array
    log_a: Array


def distances(curves: Curves) -> pd.DataFrame:
    """Return |S − S̄_ref|(t) in long form (`DISTANCE_COLUMNS`), sizes below the largest only."""
    reference = _reference(curves).mean()
    tables = []
    for size, table in sorted(curves.by_size.items()):
        if size == curves.largest:
            continue
        gap = table.reindex(columns=reference.index).sub(reference, axis=1).abs()
        rows = gap.reset_index().melt("seed", var_name="step", value_name="distance").dropna()
        rows = rows.astype({"step": int}).sort_values(["seed", "step"])
        tables.append(rows.assign(**curves.place, size=size)[DISTANCE_COLUMNS])
    return pd.concat(tables) if tables else pd.DataFrame(columns=DISTANCE_COLUMNS)


def consistency(curves: Curves) -> Iterator[Row]:
    """Yield overlap and growth per size and pooled over those below the largest; β and ln a.

    Nothing if there is one size only. A run that ended before the last step that all seeds of the
    reference reached is left out of overlap and growth, where sizes are pooled from all of them.
    """
    reference = _reference(curves)
    smaller = {
        size: table.reindex(columns=reference.columns)
        for size, table in sorted(curves.by_size.items())
        if size != curves.largest
    }
    if not smaller:
        return
    steps = reference.columns.to_numpy(dtype=np.float64)
    for sizes, place in _places(curves, list(smaller)):
        whole = [smaller[size].dropna() for size in sizes]
        seeds = sorted(set.intersection(*(set(table.index) for table in whole)))
        shared = [seed for seed in seeds if seed in reference.index]
        together = len(shared) > 1
        own, other = (shared, reference.loc[shared]) if together else (seeds, reference)
        stack = np.stack([table.loc[own].to_numpy(dtype=np.float64) for table in whole])
        found = distance(steps, stack, other.to_numpy(np.float64), own, together=together)
        for name, estimate in found._asdict().items():
            yield Of(statistic=name, unit="1", **place), estimate
    for size, table in smaller.items():
        fit = fit_distance(steps, table.to_numpy(np.float64), reference.mean().to_numpy(np.float64))
        place = {"note": _NOISY, **curves.over(size)}
        exponent, scale = (of_seeds(values, table.index, size) for values in fit)
        yield Of(statistic="distance_exponent", unit="1", **place), exponent
        of = Of(statistic="distance_scale", unit="log of the quantity", **place)
        yield of, Estimate(scale.value)


class Distance(NamedTuple):
    """The distance to the reference, and its growth, both on the root scale."""

    overlap: Estimate
    distance_growth: Estimate


def distance(
    steps: Array, values: Array, reference: Array, seeds: list[int], *, together: bool
) -> Distance:
    """Return the relative distance of curves to a reference, its noise taken off.

    Args:
        steps: (T,) updates made; those below 1 do not count.
        values: (N, S, T) the quantity of N sizes.
        reference: (R, T) that of the largest net.
        seeds: (S,) names of the seeds.
        together: whether the reference's rows are of the same seeds in the same order.
    """
    late = steps >= 1
    log_t = np.log(steps[late])
    values, reference = values[..., late], reference[:, late]
    begin, end = (log_t[0], log_t[-1]) if len(log_t) else (0.0, 0.0)
    third = (end - begin) / 3
    whole, first, last = (
        _weights(log_t, inside)
        for inside in (log_t >= begin, log_t <= begin + third, log_t >= end - third)
    )
    return Distance(
        *(
            _jackknifed(
                partial(_mean_square, weights=over, together=together),
                values,
                reference,
                seeds,
                together=together,
            )
            for over in (whole, last - first)
        )
    )


def _mean_square(values: Array, reference: Array, *, weights: Array, together: bool) -> float:
    """Return Σ weight · D²/S̄_ref² over steps, mean over sizes; NaN with one seed or no step."""
    n = values.shape[1]
    if min(n, len(reference)) < 2 or not weights.any():
        return float("nan")
    centre = reference.mean(axis=0)
    if together:
        noise = (values - reference).var(axis=1, ddof=1) / n
    else:
        noise = values.var(axis=1, ddof=1) / n + reference.var(axis=0, ddof=1) / len(reference)
    with np.errstate(divide="ignore", invalid="ignore"):
        square = ((values.mean(axis=1) - centre) ** 2 - noise) / centre**2
    return float(np.mean(square @ weights))


def _jackknifed(
    statistic: Callable[[Array, Array], float],
    values: Array,
    reference: Array,
    seeds: list[int],
    *,
    together: bool,
) -> Estimate:
    """Return the root of a statistic of (N, S, T) and (R, T), its units the pseudo-values."""
    square = statistic(values, reference)
    n, several = len(seeds), range(len(reference))

    def without(i: int) -> float:
        rest = np.delete(reference, i, axis=0) if together else reference
        return statistic(np.delete(values, i, axis=1), rest)

    left_out = np.array([without(i) for i in range(n)])
    parts = [Part(float(jackknife_variance(left_out)), n - 1)]
    if not together:
        other = [statistic(values, np.delete(reference, i, axis=0)) for i in several]
        parts.append(Part(float(jackknife_variance(np.array(other))), len(other) - 1))
    pseudo = n * square - (n - 1) * left_out
    known = all(np.isfinite(part.variance) for part in parts)
    return Estimate(
        on_scale(square, "root"),
        (welch(*parts),) if known else (),
        scale="root",
        units=tuple(Unit(seed, 0, float(v)) for seed, v in zip(seeds, pseudo, strict=True)),
    )


def _weights(log_t: Array, inside: npt.NDArray[np.bool_]) -> Array:
    """Return the weights (T,) of a mean over log time, by trapezoids, in a window."""
    ends = np.concatenate([log_t[:1], (log_t[1:] + log_t[:-1]) / 2, log_t[-1:]])
    length = np.where(inside, np.diff(ends), 0.0)
    return length / length.sum() if length.any() else inside / max(int(inside.sum()), 1)


def _places(curves: Curves, sizes: list[int]) -> Iterator[tuple[list[int], dict[str, Any]]]:
    """Yield the sizes that a row is of and what it says of itself; last all, pooled."""
    for size in sizes:
        yield [size], curves.over(size)
    yield sizes, curves.over(POOLED)


def fit_distance(steps: Array, values: Array, reference: Array) -> Fit:
    """Fit g = |values − reference| per curve, by least squares of log g on log t.

    Steps below 1 are not part of the fit. A missing value or a distance of exactly zero has no
    logarithm: it is left out. Fewer than three points give NaN.

    Args:
        steps: (T,).
        values: (..., T).
        reference: (T,).
    """
    late = steps >= 1
    log_t = np.log(steps[late])
    with np.errstate(divide="ignore", invalid="ignore"):
        log_g = np.log(np.abs(values[..., late] - reference[late]))
    good = np.isfinite(log_g)
    used = good.sum(axis=-1)
    blank = used < 3
    count = np.where(blank, 1, used)
    x = np.where(good, log_t, 0.0)
    y = np.where(good, log_g, 0.0)
    mean_x, mean_y = x.sum(axis=-1) / count, y.sum(axis=-1) / count
    centred = np.where(good, log_t - mean_x[..., None], 0.0)
    spread = np.where(blank, 1.0, np.sum(centred**2, axis=-1))
    beta = np.where(blank, np.nan, np.sum(centred * y, axis=-1) / spread)
    return Fit(beta, mean_y - beta * mean_x)


def _reference(curves: Curves) -> pd.DataFrame:
    """Return the largest net's curves (seeds by steps); a seed that ended early is left out."""
    return curves.by_size[curves.largest].dropna()
