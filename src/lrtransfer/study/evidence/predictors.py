"""Which measured quantity says, over arms, where the optimum goes as nets grow.

A quantity that grows with the size at equal learning rate should ask for a smaller one: *predicted*
is minus the slope of its log2 per octave of size, *found* the drift of the optimum. Arms are the
observations; their rank correlation (Spearman 1904) has the interval of Bonett & Wright,
"Sample size requirements for estimating Pearson, Kendall and Spearman correlations" (2000):
tanh(atanh ρ ± z √((1 + ρ²/2)/(n − 3))). In simulation (8 and 13 arms, normal) nominal 95 %
intervals cover 92 to 98 % of ρ between 0 and 0.95, and the jackknife interval of the difference of
two equally good predictors excludes zero in 0 to 4 %. Both get, on top, the variance that arms' own
errors make: slopes and drifts redrawn about what was found. With errors of 0.3 of the spread over
arms 93 to 98 % cover the ρ without errors (13 and 25 arms, ρ of 0, 0.5, 0.8; 90 to 97 % if errors
do not count). With 0.6 they do not where ρ is 0.8 (84 and 66 %): errors draw ρ towards zero, and
that is not undone.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import permutations
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import special

from lrtransfer.study.evidence.estimates import Of, Row
from lrtransfer.study.evidence.measured import Curves, quantity_curves
from lrtransfer.study.evidence.phases import log2_at, second_half
from lrtransfer.study.plan import catalog
from lrtransfer.transfer.drift import Drift
from lrtransfer.transfer.estimate import Estimate, Part, Unit, of_seeds
from lrtransfer.transfer.intervals import jackknife_variance, line
from lrtransfer.transfer.size import POOLED

Array = npt.NDArray[np.float64]

WINDOWS = ("whole", "late")
# Fewer leave an interval that says nothing.
LEAST_ARMS = 6
_RATE = "rate"
_DRAWS = 400


@dataclass(frozen=True)
class PredictedDrift:
    """What a quantity predicts of an arm's drift, beside what was found.

    Attributes:
        window: `whole`, the mean over all measured updates, or `late`, over those of the second
            half of the run.
        predicted: over seeds, a slope of each as one observation. A seed that diverged at one of
            the sizes is left out.
        found: the drift of the optimum.
    """

    curves: Curves
    window: str
    predicted: Estimate
    found: Estimate

    @property
    def arm(self) -> tuple[str, int]:
        """The observation that it is: an arm at a value of the other axis."""
        return self.curves.arm, self.curves.fixed


def predicted_drifts(measured: pd.DataFrame, drifts: list[Drift]) -> list[PredictedDrift]:
    """Return what each quantity predicts of each arm.

    Args:
        measured: Curves of measured runs (`measured.measured_curves`).
        drifts: Drift of the optimum of each arm.
    """
    found = {(drift.arm, drift.fixed): drift.slope for drift in drifts}
    return [
        PredictedDrift(curves, window, of_seeds(-slopes, slopes.index), found[key])
        for curves in _curves(measured)
        if (key := (curves.arm, curves.fixed)) in found and len(curves.by_size) > 1
        for window, slopes in _slopes(curves).items()
    ]


def predictors(drifts: list[PredictedDrift]) -> Iterator[Row]:
    """Yield the predicted drifts, how well each quantity predicts over arms, and the differences.

    `rank_correlation` compares directions, `rank_correlation_absolute` only whether both stay;
    their units are the correlations with one arm left out. `explained` is 1 minus the squared
    error of a straight line at the arm left out over that of the other arms' mean. Differences
    are over the arms that both quantities have.
    """
    for own in drifts:
        of = Of(
            statistic="predicted_drift",
            unit="octaves per octave",
            at=own.window,
            **own.curves.over(POOLED),
        )
        yield of, own.predicted
    arms = _by_quantity(drifts)
    for (quantity, window), found in arms.items():
        x, y = (_redrawn(found, column) for column in ("predicted", "found"))
        for suffix, a, b in (("", x, y), ("_absolute", np.abs(x), np.abs(y))):
            place: dict[str, Any] = {"quantity": quantity, "at": window}
            yield Of(statistic=f"rank_correlation{suffix}", unit="1", **place), correlation(a, b)
            alone = Estimate(explained(a[0], b[0]))
            yield Of(statistic=f"explained{suffix}", unit="1", **place), alone
    for (name, table), (other, other_table) in permutations(arms.items(), 2):
        renamed = {"predicted": "other", "predicted_error": "other_error"}
        both = table.join(other_table[list(renamed)].rename(columns=renamed), how="inner")
        if len(both) >= LEAST_ARMS:
            x, z, y = (_redrawn(both, column) for column in ("predicted", "other", "found"))
            of = Of(
                statistic="rank_correlation_difference",
                unit="1",
                quantity=name[0],
                at=name[1],
                baseline=" ".join(other),
            )
            yield of, correlation_difference(x, z, y)


def rank_correlation(x: Array, y: Array) -> Array:
    """Return Spearman's ρ (...) of (..., n) and (..., n); NaN where one is constant."""
    a, b = (_centred_ranks(values) for values in (x, y))
    with np.errstate(invalid="ignore"):
        return np.asarray((a * b).sum(-1) / np.sqrt((a**2).sum(-1) * (b**2).sum(-1)))


def correlation(x: Array, y: Array) -> Estimate:
    """Return Spearman's ρ with the variance of Bonett & Wright (2000) and that of the arms' errors.

    Both are of artanh ρ. A perfect order counts as the next one; with fewer than `LEAST_ARMS`
    observations the scatter is unknown.

    Args:
        x: (n,), or (1 + draws, n): what was found, and then the same redrawn within its error.
        y: likewise.
    """
    x, y = np.atleast_2d(x), np.atleast_2d(y)
    n, (rho, *redrawn) = x.shape[1], rank_correlation(x, y)
    units = tuple(Unit(-1, 0, float(other)) for other in _left_out(x[0], y[0]))
    if not math.isfinite(rho) or n < LEAST_ARMS:
        return Estimate(float(rho), scale="fisher", units=units)
    most = 1 - 12 / (n**3 - n)
    sampling = (1 + min(abs(rho), most) ** 2 / 2) / (n - 3)
    errors = _variance(np.arctanh(np.clip(redrawn, -most, most)))
    part = Part(float(sampling + errors), math.inf)
    return Estimate(float(rho), (part,), scale="fisher", units=units)


def correlation_difference(x: Array, z: Array, y: Array) -> Estimate:
    """Return ρ(x, y) − ρ(z, y) with the jackknife's variance over arms and that of their errors.

    Its units are the jackknife's pseudo-values. Arguments are as those of `correlation`.
    """
    x, z, y = (np.atleast_2d(values) for values in (x, z, y))
    n, (value, *redrawn) = x.shape[1], rank_correlation(x, y) - rank_correlation(z, y)
    if not math.isfinite(value):
        return Estimate(math.nan)
    others = _left_out(x[0], y[0]) - _left_out(z[0], y[0])
    units = tuple(Unit(-1, 0, float(n * value - (n - 1) * other)) for other in others)
    part = Part(float(jackknife_variance(others)) + _variance(np.array(redrawn)), n - 1)
    return Estimate(float(value), (part,), units=units)


def explained(x: Array, y: Array) -> float:
    """Return 1 − Σ(y − line without it)² / Σ(y − mean without it)² over observations (n,).

    At most 1; below 0 the line predicts worse than the mean of the others.
    """
    errors, spread = 0.0, 0.0
    for i in range(len(x)):
        rest = np.arange(len(x)) != i
        fit = line(x[rest], y[rest])
        errors += float(y[i] - fit.intercept - fit.slope * x[i]) ** 2
        spread += float(y[i] - y[rest].mean()) ** 2
    return 1 - errors / spread if spread > 0 else math.nan


def _curves(measured: pd.DataFrame) -> Iterator[Curves]:
    table = measured
    if _RATE in measured.columns:
        # Without a tuner the rate is the same at every size; with one, the last row, which no
        # update follows, has none and is left out.
        tuned = measured.groupby("key")[_RATE].transform("count") > 0
        rate = measured[_RATE].where(tuned, 1.0)
        # A tuner's own rates differ between sizes; curvature counts as rate times curvature.
        present = [name for name in catalog.columns("times_rate") if name in measured.columns]
        table = measured.assign(**{name: measured[name] * rate for name in present})
    for quantity in catalog.columns("predictor"):
        yield from quantity_curves(table, quantity)


def _slopes(curves: Curves) -> dict[str, pd.Series]:
    """Return window -> the slope of log2 per octave of size, one per seed."""
    steps = [step for step in curves.steps if step]
    octaves = np.log2(np.array(sorted(curves.by_size), dtype=np.float64))
    found = {}
    for window, chosen in zip(WINDOWS, (steps, second_half(steps)), strict=True):
        means = {
            size: log2_at(table, chosen).mean(axis=1, skipna=False)
            for size, table in sorted(curves.by_size.items())
        }
        complete = pd.DataFrame(means).dropna()
        slopes = line(octaves, complete.to_numpy(dtype=np.float64)).slope
        found[window] = pd.Series(slopes, index=complete.index, dtype=np.float64)
    return found


def _by_quantity(drifts: list[PredictedDrift]) -> dict[tuple[str, str], pd.DataFrame]:
    """Return (quantity, window) -> predicted, found and their errors of the arms that have both.

    A bound has no error and is left out.
    """
    every: dict[tuple[str, str], dict[tuple[str, int], dict[str, float]]] = {}
    for own in drifts:
        of = {"predicted": own.predicted, "found": own.found}
        row = {name: estimate.value for name, estimate in of.items()}
        row |= {f"{name}_error": _error(estimate) for name, estimate in of.items()}
        every.setdefault((own.curves.quantity, own.window), {})[own.arm] = row
    tables = {
        name: pd.DataFrame.from_dict(rows, orient="index").dropna() for name, rows in every.items()
    }
    return {name: table for name, table in tables.items() if len(table) >= LEAST_ARMS}


def _error(estimate: Estimate) -> float:
    """Return an estimate's standard error; NaN where it is unknown or the interval open."""
    low, high = estimate.interval(0.95)[1:]
    error = (high - low) / (2 * float(special.ndtri(0.975)))
    return error if math.isfinite(error) else math.nan


def _redrawn(table: pd.DataFrame, column: str) -> Array:
    """Return what was found, and then as often as `_DRAWS` redrawn within its error, (…, arms)."""
    random = np.random.default_rng(list(column.encode()))
    value, error = (table[name].to_numpy(dtype=np.float64) for name in (column, f"{column}_error"))
    noise = random.standard_normal((_DRAWS, len(value)))
    return np.vstack([value, value + error * noise])


def _variance(draws: Array) -> float:
    return float(np.var(draws)) if len(draws) else 0.0


def _left_out(x: Array, y: Array) -> Array:
    """Return Spearman's ρ with each observation left out in turn, (n,)."""
    others = [np.delete(np.arange(len(x)), i) for i in range(len(x))]
    return rank_correlation(x[others], y[others])


def _centred_ranks(values: Array) -> Array:
    rows = pd.DataFrame(values.reshape(-1, values.shape[-1]))
    ranks = rows.rank(axis=1).to_numpy().reshape(values.shape)
    return np.asarray(ranks - ranks.mean(axis=-1, keepdims=True))
