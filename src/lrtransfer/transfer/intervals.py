"""Intervals and their differences, straight lines, the jackknife.

Arrays carry any leading dimensions; the last axis is what a line or a variance is over.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]


class Interval(NamedTuple):
    """A value with its interval; NaN limits mean unknown, infinite ones mean open."""

    value: float
    low: float
    high: float


class Line(NamedTuple):
    """Least-squares line: slope, its standard error and the residual degrees of freedom."""

    slope: Array
    intercept: Array
    standard_error: Array
    degrees_of_freedom: int


UNKNOWN = Interval(float("nan"), float("nan"), float("nan"))


def check_confidence(confidence: float) -> None:
    """Raise ValueError unless `confidence` lies strictly between 0 and 1.

    Example:
        >>> from lrtransfer.transfer.intervals import check_confidence
        >>> check_confidence(0.95)
    """
    if not 0 < confidence < 1:
        raise ValueError(f"confidence must lie between 0 and 1 (0.95, say), not {confidence}")


def line(x: Array, y: Array) -> Line:
    """Return the least-squares line of y (..., n) on x (n,); NaN for fewer than two distinct x.

    The standard error is NaN without a residual degree of freedom.

    Example:
        >>> from lrtransfer.transfer.intervals import line
        >>> import numpy as np
        >>> x = np.array([0.0, 1.0, 2.0])
        >>> float(line(x, 2 * x + 1).slope)
        2.0
    """
    n = len(x)
    centred = x - x.mean() if n else x
    spread = float(np.sum(centred**2))
    if spread == 0:
        blank = np.full(y.shape[:-1], np.nan)
        return Line(blank, blank, blank, n - 2)
    slope = y @ centred / spread
    intercept = y.mean(axis=-1) - slope * x.mean()
    df = n - 2
    residual = y - intercept[..., None] - slope[..., None] * x
    variance = np.sum(residual**2, axis=-1) / df if df > 0 else np.full(slope.shape, np.nan)
    return Line(slope, intercept, np.sqrt(variance / spread), df)


def difference(a: Interval, b: Interval) -> Interval:
    """Return a − b of independent estimates, sides added in quadrature.

    This is MOVER, the method of variance estimates recovery (Zou & Donner 2008, eq. 3): it keeps
    asymmetric limits. A NaN limit makes the limit NaN, an open one makes it open.

    Example:
        >>> from lrtransfer.transfer.intervals import Interval, difference
        >>> tuple(difference(Interval(3.0, 0.0, 6.0), Interval(1.0, -3.0, 5.0)))
        (2.0, -3.0, 7.0)
    """
    value = a.value - b.value
    # Not hypot, which calls the root of infinity and NaN infinite.
    low = value - math.sqrt((a.value - a.low) ** 2 + (b.high - b.value) ** 2)
    high = value + math.sqrt((a.high - a.value) ** 2 + (b.value - b.low) ** 2)
    return Interval(value, low, high)


def jackknife_variance(leave_one_out: Array) -> Array:
    """Return the jackknife variance of an estimate from its leave-one-out values (..., n).

    Efron & Stein (1981): (n − 1)/n · Σ (θ_(i) − mean)². NaN for n < 2.

    Example:
        >>> from lrtransfer.transfer.intervals import jackknife_variance
        >>> import numpy as np
        >>> float(jackknife_variance(np.array([1.0, 2.0, 3.0])).round(3))
        1.333
    """
    n = leave_one_out.shape[-1]
    if n < 2:
        return np.full(leave_one_out.shape[:-1], np.nan)
    centred = leave_one_out - leave_one_out.mean(axis=-1, keepdims=True)
    return np.asarray((n - 1) / n * np.sum(centred**2, axis=-1))
