"""From sizes at several widths to an exponent, and the two verdicts on it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from lrtransfer.coordinates.measurement import Coordinates
from lrtransfer.coordinates.prediction import NOTHING, Exponent
from lrtransfer.transfer.intervals import UNKNOWN, Interval, line, mean_interval

CONFIDENCE = 0.95
# The algebra gives multiples of 1/2: within this distance no other one is nearer.
TOLERANCE = 0.25
# The lower end of the interval up to which growth is put down to finite width.
GROWTH = 0.15


@dataclass(frozen=True)
class Judged:
    """One coordinate with its exponents and verdicts.

    Attributes:
        coordinates: Module and quantity.
        measured: Exponent in width with its interval over seeds; NaN where a size is zero.
        predicted: What the parameterization's rule implies.
        zero: Whether all sizes are zero.
    """

    coordinates: Coordinates
    measured: Interval
    predicted: Exponent
    zero: bool

    @property
    def deviation(self) -> float:
        """Distance of the measured exponent from the predicted ones; infinite where undefined."""
        if self.zero or self.predicted.high == NOTHING:
            return 0.0 if self.zero and self.predicted.high == NOTHING else math.inf
        if math.isnan(self.measured.value):
            return math.inf
        nearest = min(max(self.measured.value, self.predicted.low), self.predicted.high)
        return abs(self.measured.value - nearest)

    @property
    def as_predicted(self) -> bool:
        """Whether no other multiple of ½ is nearer to the measured exponent."""
        return self.deviation <= TOLERANCE

    @property
    def stable(self) -> bool:
        """Whether the coordinate is not shown to grow with the width."""
        return self.zero or self.measured.low <= GROWTH  # False where undefined


def growth(sizes: npt.NDArray[np.float64], widths: Sequence[int]) -> Interval:
    """Return the slope of log₂ size against log₂ width, with its t interval over seeds.

    Args:
        sizes: Shape (seeds, widths).
        widths: N.

    Returns:
        NaN where a size is not positive.
    """
    if not (sizes > 0).all():
        return UNKNOWN
    return mean_interval(line(np.log2(widths), np.log2(sizes)).slope, CONFIDENCE)


def judge(
    sizes: Mapping[Coordinates, npt.NDArray[np.float64]],
    predicted: Mapping[Coordinates, Exponent],
    widths: Sequence[int],
) -> list[Judged]:
    """Return every predicted coordinate with its verdicts.

    Raises:
        KeyError: A predicted coordinate was not measured.
    """
    return [
        Judged(place, growth(sizes[place], widths), exponent, zero=not sizes[place].any())
        for place, exponent in predicted.items()
    ]
