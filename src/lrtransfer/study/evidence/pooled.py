"""Means over seeds per size, and pooled over sizes."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd

from lrtransfer.transfer.intervals import Interval, mean_interval
from lrtransfer.transfer.size import POOLED


def means_over_seeds(
    values: pd.DataFrame, confidence: float
) -> Iterator[tuple[int, Interval, int]]:
    """Yield size, mean with its t interval, and number of seeds; last the pooled row (`POOLED`).

    The pooled value of a seed is its mean over sizes, and the interval is over those, so that what
    sizes share within a seed (its data order) is not counted as information.

    Args:
        values: one row per seed, one column per size; NaN where missing, which is left out.
        confidence: e.g. 0.95.
    """
    for size, column in [*values.items(), (POOLED, values.mean(axis=1))]:
        seeds = column.to_numpy(dtype=np.float64)
        yield int(str(size)), mean_interval(seeds, confidence), int(np.isfinite(seeds).sum())
