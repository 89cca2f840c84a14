"""From sizes at several widths to an exponent, and the two verdicts on it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from lrtransfer.coordinates.exponents import NOTHING, Exponent
from lrtransfer.coordinates.sizes import Coordinates
from lrtransfer.transfer.estimate import of_seeds
from lrtransfer.transfer.intervals import UNKNOWN, Interval, line

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
        predicted: What the parameterization's rule implies; None where nothing was predicted.
        zero: Whether all sizes are zero.
    """

    coordinates: Coordinates
    measured: Interval
    predicted: Exponent | None
    zero: bool

    @property
    def deviation(self) -> float:
        """Distance of the measured exponent from the predicted ones; infinite where undefined.

        Zero where nothing was predicted.
        """
        if self.predicted is None:
            return 0.0
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

    def __str__(self) -> str:
        """Return module, quantity and exponents in words."""
        text = f"{' '.join(self.coordinates)} {self.exponent}"
        return text if self.predicted is None else f"{text}, predicted {self.predicted}"

    @property
    def exponent(self) -> str:
        """The measured exponent with half of its interval, or `zero`."""
        if self.zero:
            return "zero"
        value, low, high = self.measured
        return f"{value:+.2f} ± {(high - low) / 2:.2f}"


@dataclass(frozen=True)
class CoordinateCheck:
    """The judged coordinates of one network family under one rule, in the order of the calls."""

    coordinates: list[Judged]

    @property
    def as_predicted(self) -> bool:
        """Whether every predicted coordinate has the exponent that the rule implies."""
        return all(judged.as_predicted for judged in self.coordinates)

    @property
    def stable(self) -> bool:
        """Whether no coordinate is shown to grow with the width."""
        return all(judged.stable for judged in self.coordinates)

    @property
    def worst(self) -> Judged:
        """The coordinate farthest from its prediction."""
        return max(self.coordinates, key=lambda judged: judged.deviation)

    @property
    def fastest(self) -> Judged:
        """The coordinate whose interval starts highest: the most clearly shown to grow."""
        known = [judged for judged in self.coordinates if not math.isnan(judged.measured.low)]
        return max(known, key=lambda judged: judged.measured.low)

    def __str__(self) -> str:
        """Return a line for each coordinate, and the verdict."""
        lines = [str(judged) for judged in self.coordinates]
        verdict = "stable" if self.stable else f"unstable: {self.fastest}"
        return "\n".join([*lines, verdict])


def growth(sizes: npt.NDArray[np.float64], widths: Sequence[int]) -> Interval:
    """Return the slope of log₂ size against log₂ width, with its t interval over seeds.

    Args:
        sizes: Shape (seeds, widths).
        widths: N.

    Returns:
        NaN where a size is not positive.

    Example:
        >>> from lrtransfer.coordinates.growth import growth
        >>> import numpy as np
        >>> growth(np.array([[1.0, 2.0, 4.0], [1.0, 2.0, 4.0]]), widths=[8, 16, 32]).value
        1.0
    """
    if not (sizes > 0).all():
        return UNKNOWN
    slopes = line(np.log2(widths), np.log2(sizes)).slope
    return of_seeds(slopes, range(len(slopes))).interval(CONFIDENCE)


def judge(
    sizes: Mapping[Coordinates, npt.NDArray[np.float64]],
    widths: Sequence[int],
    predicted: Mapping[Coordinates, Exponent] | None = None,
) -> CoordinateCheck:
    """Return the verdicts on every predicted coordinate, or on every one without a prediction.

    Raises:
        KeyError: A predicted coordinate was not measured.
    """
    return CoordinateCheck(
        [
            Judged(
                place,
                growth(sizes[place], widths),
                None if predicted is None else predicted[place],
                zero=not sizes[place].any(),
            )
            for place in (sizes if predicted is None else predicted)
        ]
    )
