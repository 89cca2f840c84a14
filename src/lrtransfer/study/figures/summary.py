"""Means and intervals over seeds, as the figures draw them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from lrtransfer.transfer.estimate import of_seeds


def over_seeds(
    frame: pd.DataFrame,
    by: Sequence[str],
    value: str,
    confidence: float,
    *,
    log: bool = False,
) -> pd.DataFrame:
    """Mean and Student-t interval of `value` over the rows of each group.

    Args:
        frame: One row per seed and group; rows whose value is not finite are left out.
        by: Columns that make a group.
        value: Column to average.
        confidence: Coverage of the interval.
        log: Average the logarithm, for what is drawn on a logarithmic axis: the mean is geometric
            and the interval stays positive. Values ≤ 0 are left out.

    Returns:
        A frame with `by` and value, low, high (NaN for a single seed) and n, sorted by `by`.
    """
    columns = [*by, "value", "low", "high", "n"]
    if frame.empty or value not in frame:
        return pd.DataFrame(columns=columns)
    values = frame[value].to_numpy(dtype=np.float64, na_value=np.nan)
    kept = np.isfinite(values) & ((values > 0.0) if log else True)
    data = frame.loc[kept, list(by)].assign(value=np.log(values[kept]) if log else values[kept])
    groups = data.groupby(list(by), sort=True)["value"]
    intervals = [of_seeds(v, range(len(v))).interval(confidence) for _, v in groups]
    summary: pd.DataFrame = groups.count().rename("n").reset_index()
    limits = np.array(intervals, dtype=np.float64).reshape(-1, 3)
    summary[["value", "low", "high"]] = np.exp(limits) if log else limits
    return summary.loc[:, columns]


def spread(values: pd.Series) -> float:
    """Largest over smallest of some positive values; NaN where that says nothing."""
    finite = values[np.isfinite(values)]
    if len(finite) < 2 or finite.min() <= 0.0:
        return float("nan")
    return float(finite.max() / finite.min())
