"""How curvature scales with size: slope of log2(quantity) per doubling of size, start and end."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pandas as pd

from lrtransfer.study.evidence.measured import Curves
from lrtransfer.transfer.intervals import Interval, line, t_quantile

Array = npt.NDArray[np.float64]

COLUMNS = ["arm", "axis", "fixed", "quantity", "at", "slope", "ci_low", "ci_high", "n"]


def trends(curves: Curves, confidence: float) -> pd.DataFrame:
    """Return a row for the untrained nets ("start") and one for the last measured step ("end").

    Least squares over all seeds and sizes with a t interval; `n` counts the points. A run that
    diverged before the last step, and a quantity that is not positive (no logarithm), are left out.
    With fewer than two seeds at every size there is no interval.
    """
    steps = sorted(set().union(*(t.columns for t in curves.by_size.values())))
    rows = []
    for at, step in (("start", 0), ("end", steps[-1])):
        points = [
            (np.log2(size), np.log2(value))
            for size, table in curves.by_size.items()
            for value in table.get(step, ())
            if np.isfinite(value) and value > 0
        ]
        x, y = np.array(points, dtype=np.float64).reshape(-1, 2).T
        slope = _slope(x, y, confidence)
        rows.append(
            {
                "arm": curves.arm,
                "axis": curves.axis,
                "fixed": curves.fixed,
                "quantity": curves.quantity,
                "at": at,
                "slope": slope.value,
                "ci_low": slope.low,
                "ci_high": slope.high,
                "n": len(points),
            }
        )
    return pd.DataFrame(rows, columns=COLUMNS)


def _slope(x: Array, y: Array, confidence: float) -> Interval:
    fit = line(x, y)
    slope = float(fit.slope)
    if len(np.unique(x)) == len(x):
        return Interval(slope, float("nan"), float("nan"))
    half = float(t_quantile(confidence, fit.degrees_of_freedom) * fit.standard_error)
    return Interval(slope, slope - half, slope + half)
