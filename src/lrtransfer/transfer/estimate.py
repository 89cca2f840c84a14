"""The one form of an estimate: a value with what its interval and p value need at any level.

A half width is √(Σ t(df)²·variance + z²·systematic²): every independent part of the variance with
its own Student quantile, the part that no seed lessens with the normal one. Added in quadrature
like this, the parts of a difference give the limits of Zou & Donner (2008, eq. 3, MOVER).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np
import numpy.typing as npt
from scipy import special

from lrtransfer.transfer.intervals import Interval, check_confidence
from lrtransfer.transfer.rules import Rule, verdict

Scale = Literal["linear", "fisher"]
_UNKNOWN = float("nan")


class Unit(NamedTuple):
    """One independent observation behind an estimate.

    Attributes:
        seed: of the run; -1 where the observation is no run's.
        size: of the net; 0 where the observation pools several.
        value: in the estimate's unit.
    """

    seed: int
    size: int
    value: float


class Part(NamedTuple):
    """One independent part of an estimate's variance, and its degrees of freedom."""

    variance: float
    df: float


@dataclass(frozen=True)
class Estimate:
    """A value with what is needed for its interval and its p value.

    Attributes:
        value: the estimate; NaN where it is unknown.
        parts: of its variance; none, or NaN, where the scatter is unknown.
        systematic: error that more seeds do not lessen, as a standard deviation.
        open_low: whether the true value may lie arbitrarily far below.
        open_high: likewise above.
        scale: `fisher` where variance and intervals are those of artanh(value), a correlation.
        units: the observations.
    """

    value: float
    parts: tuple[Part, ...] = ()
    systematic: float = 0.0
    open_low: bool = False
    open_high: bool = False
    scale: Scale = "linear"
    units: tuple[Unit, ...] = ()

    def half_width(self, level: float) -> float:
        """Return the half width at the two-sided `level` (0.05, say); NaN if it is unknown."""
        if not self.parts or any(not part.df >= 1 for part in self.parts):
            return _UNKNOWN
        # Where a variance is zero its quantile, which may be infinite, counts for nothing.
        errors = [_t(level, p.df) * math.sqrt(p.variance) for p in self.parts if p.variance != 0]
        return math.hypot(*errors, _t(level, math.inf) * self.systematic)

    def interval(self, confidence: float) -> Interval:
        """Return the value with its limits; NaN limits are unknown, infinite ones open.

        Args:
            confidence: e.g. 0.95.

        Raises:
            ValueError: `confidence` does not lie strictly between 0 and 1.
        """
        check_confidence(confidence)
        return self._at_level(1 - confidence)

    def p(self, rule: Rule) -> float | None:
        """Return 1 minus the largest confidence at which the interval decides `rule`.

        It is two-sided, like the interval, so that verdict and p value cannot disagree: a value at
        the very threshold is decided at p ≤ 0.05 in 5 % of studies. 1 where no confidence decides,
        None where the interval is unknown.
        """

        def decided(log_level: float) -> bool:
            return verdict(rule, self._at_level(math.exp(log_level))) != "inconclusive"

        widest = self._at_level(0.5)
        if math.isnan(widest.low) or math.isnan(widest.high):
            return None
        low, high = math.log(1e-300), 0.0
        if decided(low):
            return 0.0
        if not decided(-1e-12):
            return 1.0
        for _ in range(100):
            middle = (low + high) / 2
            low, high = (low, middle) if decided(middle) else (middle, high)
        return math.exp(high)

    def minus(self, other: Estimate) -> Estimate:
        """Return the difference to an independent estimate; its units are none."""
        return Estimate(
            value=self.value - other.value,
            parts=self.parts + other.parts if self.parts and other.parts else (),
            systematic=math.hypot(self.systematic, other.systematic),
            open_low=self.open_low or other.open_high,
            open_high=self.open_high or other.open_low,
        )

    def as_row(self) -> dict[str, object]:
        """Return the columns of a stored estimate, which has one part at most.

        Raises:
            ValueError: it has several parts, as a difference has: store what it is made of.
        """
        if len(self.parts) > 1:
            raise ValueError("a stored estimate has one part of variance: store its operands")
        variance, df = self.parts[0] if self.parts else (_UNKNOWN, 0.0)
        return {
            "value": self.value,
            "variance": variance,
            "df": df,
            "systematic": self.systematic,
            "open_low": self.open_low,
            "open_high": self.open_high,
            "scale": self.scale,
            "units": [unit._asdict() for unit in self.units],
        }

    @classmethod
    def from_row(cls, row: Mapping[str, object]) -> Estimate:
        """Return the estimate whose columns `as_row` gave."""
        units = row["units"]
        return cls(
            value=float(str(row["value"])),
            parts=(Part(float(str(row["variance"])), float(str(row["df"]))),),
            systematic=float(str(row["systematic"])),
            open_low=bool(row["open_low"]),
            open_high=bool(row["open_high"]),
            scale="fisher" if row["scale"] == "fisher" else "linear",
            units=tuple(
                Unit(unit["seed"], unit["size"], unit["value"])
                for unit in (units if isinstance(units, Iterable) else ())
            ),
        )

    def _at_level(self, level: float) -> Interval:
        half = self.half_width(level)
        low, high = self.value - half, self.value + half
        if self.scale == "fisher":
            low, high = self._fisher(half)
        return Interval(
            self.value,
            -math.inf if self.open_low else low,
            math.inf if self.open_high else high,
        )

    def _fisher(self, half: float) -> tuple[float, float]:
        """Return the limits of a correlation of as many observations as there are units.

        A perfect order counts as the next one, since its interval would have no width.
        """
        n = len(self.units)
        most = 1 - 12 / (n**3 - n) if n > 1 else _UNKNOWN
        centre = math.atanh(min(max(self.value, -most), most))
        return (
            min(math.tanh(centre - half), self.value),
            max(math.tanh(centre + half), self.value),
        )


def known_exactly(value: float) -> Estimate:
    """Return a value that holds by definition: its interval has no width.

    Example:
        >>> from lrtransfer.transfer.estimate import known_exactly
        >>> known_exactly(1.0).half_width(0.95)
        0.0
    """
    return Estimate(value, (Part(0.0, math.inf),))


def of_mean(units: Iterable[Unit], *, extra: Part | None = None) -> Estimate:
    """Return the mean of independent observations; those that are not finite are left out.

    Args:
        units: one per seed.
        extra: a further, independent part of the mean's variance (a shared reference).

    Example:
        >>> from lrtransfer.transfer.estimate import Unit, of_mean
        >>> of_mean([Unit(0, 64, 1.0), Unit(1, 64, 2.0)]).value
        1.5
    """
    kept = tuple(unit for unit in units if math.isfinite(unit.value))
    if not kept:
        return Estimate(_UNKNOWN)
    values = np.array([unit.value for unit in kept])
    mean = float(values.mean())
    if len(kept) == 1:
        return Estimate(mean, units=kept)
    own = Part(float(values.var(ddof=1)) / len(kept), len(kept) - 1)
    return Estimate(mean, (welch(own, extra) if extra else own,), units=kept)


def welch(*parts: Part) -> Part:
    """Return the sum of independent variances as one, with Welch and Satterthwaite's df.

    Example:
        >>> from lrtransfer.transfer.estimate import Part, welch
        >>> tuple(welch(Part(1.0, 4), Part(1.0, 4)))
        (2.0, 8.0)
    """
    total = sum(part.variance for part in parts)
    if not total > 0:
        return Part(total, max(part.df for part in parts))
    return Part(total, total**2 / sum(part.variance**2 / part.df for part in parts))


def of_seeds(values: npt.ArrayLike, seeds: Iterable[int], size: int = 0) -> Estimate:
    """Return the mean over seeds of (S,) values.

    Example:
        >>> from lrtransfer.transfer.estimate import of_seeds
        >>> of_seeds([1.0, 2.0, 3.0], seeds=range(3)).value
        2.0
    """
    numbers = np.asarray(values, dtype=np.float64)
    return of_mean(Unit(int(s), size, float(v)) for s, v in zip(seeds, numbers, strict=True))


def paired(terms: Iterable[tuple[float, Estimate]]) -> Estimate:
    """Return the mean over seeds of Σ coefficient · value, of the seeds that all terms share.

    Runs of equal seed share initialisation and samples: what they share cancels seed by seed.

    Args:
        terms: coefficient and an estimate with one unit per seed.

    Example:
        >>> from lrtransfer.transfer.estimate import of_seeds, paired
        >>> one, two = of_seeds([5.0, 6.0], [0, 1]), of_seeds([1.0, 2.0], [0, 1])
        >>> paired([(1.0, one), (-1.0, two)]).value
        4.0
    """
    by_seed = [(c, {unit.seed: unit.value for unit in e.units}) for c, e in terms]
    shared = set.intersection(*(set(values) for _, values in by_seed))
    return of_mean(
        Unit(seed, 0, sum(c * values[seed] for c, values in by_seed)) for seed in sorted(shared)
    )


@dataclass(frozen=True)
class _MeanOfDependent(Estimate):
    """What `mean_of_dependent` returns; an estimate to be read, not to be subtracted or stored."""

    terms: tuple[Estimate, ...] = ()

    def half_width(self, level: float) -> float:
        """Return the mean half width of the terms."""
        return float(np.mean([term.half_width(level) for term in self.terms]))

    def minus(self, other: Estimate) -> Estimate:
        """Refuse: the sum of its terms' variances is not known."""
        raise ValueError("a mean of dependent estimates has no difference: subtract its terms")

    def as_row(self) -> dict[str, object]:
        """Refuse, for the same reason."""
        raise ValueError("a mean of dependent estimates is not stored: store its terms")


def mean_of_dependent(terms: Iterable[Estimate]) -> Estimate:
    """Return the mean of estimates whose errors may go together: half widths are averaged.

    Args:
        terms: at least one, on the linear scale.

    Example:
        >>> from lrtransfer.transfer.estimate import mean_of_dependent, of_seeds
        >>> mean_of_dependent([of_seeds([1.0, 2.0], [0, 1]), of_seeds([3.0, 4.0], [0, 1])]).value
        2.5
    """
    every = tuple(terms)
    return _MeanOfDependent(
        value=sum(term.value for term in every) / len(every),
        open_low=any(term.open_low for term in every),
        open_high=any(term.open_high for term in every),
        terms=every,
    )


def _t(level: float, df: float) -> float:
    """Return the two-sided quantile of Student's t, or of the normal at infinite `df`."""
    if math.isinf(df):
        return -float(special.ndtri(level / 2))
    return -float(special.stdtrit(df, level / 2))
