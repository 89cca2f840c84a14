"""How much a quantity changes in training: log2 of its last over its first measured value."""

from __future__ import annotations

import numpy as np
import pandas as pd

from lrtransfer.study.evidence.measured import Curves
from lrtransfer.study.evidence.pooled import means_over_seeds

COLUMNS = [
    "arm",
    "axis",
    "fixed",
    "quantity",
    "size",
    "log2_change",
    "ci_low",
    "ci_high",
    "n_seeds",
]


def changes(curves: Curves, confidence: float) -> pd.DataFrame:
    """Return log2(end / start) per size and pooled (`size` 0) over each seed's mean over sizes.

    Start and end are the first and the last step at which the quantity was measured in any run of
    the arm. A run that diverged before the end, and a value that is not positive (no logarithm),
    are left out of the mean and of `n_seeds`; t intervals over seeds.
    """
    steps = sorted(set().union(*(table.columns for table in curves.by_size.values())))
    ends = {
        size: table.reindex(columns=[steps[0], steps[-1]]).to_numpy(dtype=np.float64)
        for size, table in sorted(curves.by_size.items())
    }
    change = pd.DataFrame(
        {
            size: pd.Series(_log2_ratio(values), index=curves.by_size[size].index)
            for size, values in ends.items()
        }
    )
    rows = [
        {
            "arm": curves.arm,
            "axis": curves.axis,
            "fixed": curves.fixed,
            "quantity": curves.quantity,
            "size": size,
            "log2_change": mean.value,
            "ci_low": mean.low,
            "ci_high": mean.high,
            "n_seeds": seeds,
        }
        for size, mean, seeds in means_over_seeds(change, confidence)
    ]
    return pd.DataFrame(rows, columns=COLUMNS)


def _log2_ratio(ends: np.ndarray[tuple[int, int], np.dtype[np.float64]]) -> np.ndarray:
    """Return log2 of the second over the first column of (S, 2), NaN where either is not > 0."""
    positive = np.where(ends > 0, ends, np.nan)
    return np.log2(positive[:, 1] / positive[:, 0])
