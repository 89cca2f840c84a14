"""Which measured quantity says, over arms, where the optimum goes as nets grow.

A quantity that grows with the size at equal learning rate should ask for a smaller one: *predicted*
is minus the slope of its log2 per doubling of size, *found* the drift of the optimum. Arms are the
observations; their rank correlation (Spearman 1904) has the interval of Bonett & Wright,
"Sample size requirements for estimating Pearson, Kendall and Spearman correlations" (2000):
tanh(atanh ρ ± z √((1 + ρ²/2)/(n − 3))). In simulation (8 and 13 arms, normal) nominal 95 %
intervals cover 92 to 98 % of ρ between 0 and 0.95, and the jackknife interval of the difference of
two equally good predictors excludes zero in 0 to 4 %. An arm counts as one observation, however
uncertain its own slope and drift are.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from itertools import product

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import stats

from lrtransfer.study.evidence.measured import Curves, quantity_curves
from lrtransfer.study.evidence.phases import log2, second_half
from lrtransfer.transfer.intervals import (
    UNKNOWN,
    Interval,
    jackknife_variance,
    line,
    mean_interval,
    normal_quantile,
    t_quantile,
)

Array = npt.NDArray[np.float64]

QUANTITIES = (
    "edge_sharpness",
    "ntk",
    "alignment_ratio_without_decay",
    "relative_update_without_decay",
    "relative_change_without_decay",
)
WINDOWS = ("whole", "late")
COMPARED = ("signed", "absolute")
# Fewer leave an interval that says nothing.
LEAST_ARMS = 6
# A tuner's own rates differ between sizes; curvature counts as rate times curvature.
_TIMES_RATE = ("edge_sharpness", "ntk")
_RATE = "rate"

_LIMITS = ["ci_low", "ci_high"]
PREDICTED_COLUMNS = [
    *("arm", "axis", "fixed", "quantity", "window", "predicted", *_LIMITS, "n_seeds"),
    *("found", "found_low", "found_high"),
]
COLUMNS = [
    *("quantity", "window", "compared", "correlation", *_LIMITS),
    *("left_out_low", "left_out_high", "explained", "n_arms"),
]
DIFFERENCE_COLUMNS = [
    *("quantity", "window", "baseline", "baseline_window", "difference", *_LIMITS, "n_arms"),
]


def predicted_drifts(
    measured: pd.DataFrame, drifts: pd.DataFrame, confidence: float
) -> pd.DataFrame:
    """Return one row per arm, quantity and window: predicted beside found drift.

    ``whole`` is the mean over all measured updates, ``late`` over those of the second half of the
    run; intervals are Student's over seeds, a slope of each seed as one observation. A seed that
    diverged at one of the sizes is left out.

    Args:
        measured: Curves of measured runs (`fits.measured.measured_curves`).
        drifts: Drift of the optimum of each arm (`fits.drift.drift`).
        confidence: Of the intervals.
    """
    found = {(row["arm"], row["fixed"]): row for row in drifts.to_dict("records")}
    rows = []
    for curves in _curves(measured):
        drift = found.get((curves.arm, curves.fixed))
        if drift is None or len(curves.by_size) < 2:
            continue
        for window, slopes in _slopes(curves).items():
            mean: Interval = mean_interval(-slopes, confidence)
            rows.append(
                {
                    "arm": curves.arm,
                    "axis": curves.axis,
                    "fixed": curves.fixed,
                    "quantity": curves.quantity,
                    "window": window,
                    "predicted": mean.value,
                    "ci_low": mean.low,
                    "ci_high": mean.high,
                    "n_seeds": int(np.isfinite(slopes).sum()),
                    "found": drift["slope"],
                    "found_low": drift["ci_low"],
                    "found_high": drift["ci_high"],
                }
            )
    return pd.DataFrame(rows, columns=PREDICTED_COLUMNS)


def predictors(drifts: pd.DataFrame, confidence: float) -> pd.DataFrame:
    """Return how well each quantity predicts over arms.

    ``signed`` compares directions, ``absolute`` only whether both stay. ``left_out_low`` and
    ``…_high`` are the range of the correlation with one arm left out, ``explained`` is 1 minus the
    squared error of a straight line at the arm left out over that of the other arms' mean.

    Args:
        drifts: Rows of `predicted_drifts`.
        confidence: Of the intervals.
    """
    rows = []
    for quantity, window, predicted, found in _observations(drifts):
        for compared in COMPARED:
            x, y = (predicted, found) if compared == "signed" else (abs(predicted), abs(found))
            rho = rank_correlation(x, y)
            rho_interval = correlation_interval(rho, len(x), confidence)
            others = _left_out(x, y)
            rows.append(
                [quantity, window, compared, *rho_interval, others.min(), others.max(),
                 explained(x, y), len(x)]
            )  # fmt: skip
    return pd.DataFrame(rows, columns=COLUMNS)


def predictor_differences(drifts: pd.DataFrame, confidence: float) -> pd.DataFrame:
    """Return how much better (signed) one quantity predicts than another, for every pair.

    Only arms that have both quantities count; the interval is the jackknife's over arms.
    """
    every = list(product(dict.fromkeys(drifts["quantity"]), WINDOWS))
    rows = []
    for (quantity, window), (baseline, baseline_window) in product(every, every):
        if (quantity, window) == (baseline, baseline_window):
            continue
        own, other = _of(drifts, quantity, window), _of(drifts, baseline, baseline_window)
        both = own.join(other["predicted"].rename("predicted_other"), how="inner")
        if len(both) < LEAST_ARMS:
            continue
        columns = ("predicted", "predicted_other", "found")
        x, z, y = (both[column].to_numpy(dtype=np.float64) for column in columns)
        gap = difference_interval(x, z, y, confidence)
        rows.append([quantity, window, baseline, baseline_window, *gap, len(both)])
    return pd.DataFrame(rows, columns=DIFFERENCE_COLUMNS)


def rank_correlation(x: Array, y: Array) -> float:
    """Return Spearman's ρ of (n,) and (n,); NaN where one is constant."""
    if np.ptp(x) == 0 or np.ptp(y) == 0:
        return math.nan
    return float(stats.spearmanr(x, y).statistic)


def correlation_interval(rho: float, n: int, confidence: float) -> Interval:
    """Return Spearman's ρ of n observations with the interval of Bonett & Wright (2000).

    A perfect order counts as the next one, since its interval would have no width.
    """
    if not math.isfinite(rho) or n < LEAST_ARMS:
        return Interval(rho, math.nan, math.nan)
    most = 1 - 12 / (n**3 - n)
    inner = min(max(rho, -most), most)
    half = normal_quantile(confidence) * math.sqrt((1 + inner**2 / 2) / (n - 3))
    ends = (math.tanh(math.atanh(inner) - half), math.tanh(math.atanh(inner) + half))
    return Interval(rho, min(ends[0], rho), max(ends[1], rho))


def difference_interval(x: Array, z: Array, y: Array, confidence: float) -> Interval:
    """Return ρ(x, y) − ρ(z, y), all (n,), with the jackknife's t interval over observations."""
    value = rank_correlation(x, y) - rank_correlation(z, y)
    if not math.isfinite(value):
        return UNKNOWN
    variance = float(jackknife_variance(_left_out(x, y) - _left_out(z, y)))
    half = float(t_quantile(confidence, len(y) - 1)) * math.sqrt(variance)
    return Interval(value, value - half, value + half)


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
        present = [name for name in _TIMES_RATE if name in measured.columns]
        table = measured.assign(**{name: measured[name] * rate for name in present})
    for quantity in QUANTITIES:
        yield from quantity_curves(table, quantity)


def _slopes(curves: Curves) -> dict[str, Array]:
    """Return window -> the slope of log2 per doubling of size, one per seed."""
    every = {int(step) for table in curves.by_size.values() for step in table.columns} - {0}
    steps = sorted(every)
    doublings = np.log2(np.array(sorted(curves.by_size), dtype=np.float64))
    found = {}
    late = [int(step) for step in second_half(steps)]
    for window, chosen in zip(WINDOWS, (steps, late), strict=True):
        means = {
            size: log2(table, chosen).mean(axis=1, skipna=False)
            for size, table in sorted(curves.by_size.items())
        }
        complete = pd.DataFrame(means).dropna().to_numpy(dtype=np.float64)
        found[window] = np.asarray(line(doublings, complete).slope, dtype=np.float64)
    return found


def _observations(drifts: pd.DataFrame) -> Iterator[tuple[str, str, Array, Array]]:
    for quantity, window in product(dict.fromkeys(drifts["quantity"]), WINDOWS):
        arms = _of(drifts, quantity, window)
        if len(arms) >= LEAST_ARMS:
            predicted, found = (arms[c].to_numpy(dtype=np.float64) for c in ("predicted", "found"))
            yield quantity, window, predicted, found


def _of(drifts: pd.DataFrame, quantity: str, window: str) -> pd.DataFrame:
    """Return predicted and found of every arm that has both."""
    rows = drifts[(drifts["quantity"] == quantity) & (drifts["window"] == window)]
    numbers: pd.DataFrame = rows.set_index(["arm", "fixed"])[["predicted", "found"]]
    return numbers.astype(np.float64).dropna()


def _left_out(x: Array, y: Array) -> Array:
    """Return Spearman's ρ with each observation left out in turn, (n,)."""
    keep: Sequence[Array] = [np.arange(len(x)) != i for i in range(len(x))]
    return np.array([rank_correlation(x[rest], y[rest]) for rest in keep])
