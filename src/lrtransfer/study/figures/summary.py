"""Means and intervals over seeds, as the figures draw them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from scipy import stats


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
    grouped = data.groupby(list(by), sort=True)["value"].agg(["mean", "std", "count"])
    n = grouped["count"].to_numpy(dtype=np.float64)
    # One seed has no spread: std is NaN there and so is the interval.
    quantile = stats.t.ppf(0.5 + confidence / 2.0, np.maximum(n - 1.0, 1.0))
    mean = grouped["mean"].to_numpy()
    half = quantile * grouped["std"].to_numpy() / np.sqrt(n)
    back = np.exp if log else np.asarray
    summary: pd.DataFrame = grouped.index.to_frame(index=False)
    summary["value"] = back(mean)
    summary["low"] = back(mean - half)
    summary["high"] = back(mean + half)
    summary["n"] = n.astype(np.int64)
    return summary.loc[:, columns]


def spread(values: pd.Series) -> float:
    """Largest over smallest of some positive values; NaN where that says nothing."""
    finite = values[np.isfinite(values)]
    if len(finite) < 2 or finite.min() <= 0.0:
        return float("nan")
    return float(finite.max() / finite.min())
