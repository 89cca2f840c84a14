"""The one form of an estimate: a value with what its interval and p value need at any level.

A half width is √(Σ t(df)²·variance + z²·systematic²): every independent part of the variance with
its own Student quantile, the part that no seed lessens with the normal one. Added in quadrature
like this, the parts of a difference give the limits of Zou & Donner (2008, eq. 3, MOVER).

No interval is without width but that of a value known by definition: observations that are equal to
the last digit are known to that digit. And no verdict comes from fewer than three observations.
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
from lrtransfer.transfer.rules import Rule, Verdict, verdict

Scale = Literal["linear", "fisher", "share", "root"]
_SCALES: tuple[Scale, ...] = ("linear", "fisher", "share", "root")
_UNKNOWN = float("nan")
_LEAST_LEVEL = 1e-300
#: Fewer independent observations decide nothing, however alike they are.
LEAST_OBSERVATIONS = 3
ROUNDED = "equal to the last digit: the width is that of rounding"


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
        scale: `linear`; `fisher` where variance and intervals are those of artanh(value), a
            correlation; `share` where the variance is that of a share p over p(1 − p), and the
            interval Wilson's; `root` where variance and units are those of the value's square, with
            the value's sign.
        units: the observations.
        note: what a reader should know of its interval; empty where there is nothing to say.
    """

    value: float
    parts: tuple[Part, ...] = ()
    systematic: float = 0.0
    open_low: bool = False
    open_high: bool = False
    scale: Scale = "linear"
    units: tuple[Unit, ...] = ()
    note: str = ""

    @property
    def exact(self) -> bool:
        """Whether it holds by definition, so that there is nothing to test."""
        known = all(part.variance == 0 and math.isinf(part.df) for part in self.parts)
        return bool(self.parts) and known and self.systematic == 0

    @property
    def observations(self) -> float:
        """How many independent observations there are: the units, or what the scatter is from."""
        return len(self.units) or sum(part.df + 1 for part in self.parts)

    @property
    def obstacle(self) -> str:
        """Why it can decide nothing, whatever the rule; empty if it may."""
        if self.exact:
            return self.note or "known by definition"
        if math.isnan(self.value):
            return self.note or "no value"
        if self.open_low and self.open_high:
            return ""
        if math.isnan(self.half_width(0.5)):
            is_open = self.open_low or self.open_high
            why = "an optimum lies at its grid's end" if is_open else "one seed has none"
            return f"its scatter is unknown: {why}"
        if self.observations < LEAST_OBSERVATIONS:
            return f"fewer than {LEAST_OBSERVATIONS} independent observations"
        return ""

    def half_width(self, level: float) -> float:
        """Return the half width at the two-sided `level` (0.05, say); NaN if it is unknown.

        It is on the estimate's scale, and zero for a value known by definition alone.
        """
        if not self.parts or any(not part.df >= 1 for part in self.parts):
            return _UNKNOWN
        # Where a variance is zero its quantile, which may be infinite, counts for nothing.
        errors = [_t(level, p.df) * math.sqrt(p.variance) for p in self.parts if p.variance != 0]
        half = math.hypot(*errors, _t(level, math.inf) * self.systematic)
        if self.exact:
            return half
        return max(half, _t(level, min(part.df for part in self.parts)) * _rounding(self.value))

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
        None where the interval is unknown, where there are fewer than `LEAST_OBSERVATIONS` and
        where the value holds by definition: nothing was tested.
        """

        def decided(log_level: float) -> bool:
            return verdict(rule, self._at_level(math.exp(log_level))) != "inconclusive"

        widest = self._at_level(0.5)
        if self.obstacle or math.isnan(widest.low) or math.isnan(widest.high):
            return None
        low, high = math.log(_LEAST_LEVEL), 0.0
        if decided(low):
            return _LEAST_LEVEL
        if not decided(-1e-12):
            return 1.0
        for _ in range(100):
            middle = (low + high) / 2
            low, high = (low, middle) if decided(middle) else (middle, high)
        return math.exp(high)

    def verdict(self, rule: Rule, confidence: float) -> Verdict:
        """Return what the interval at `confidence` says of `rule`; nothing at an `obstacle`."""
        return "inconclusive" if self.obstacle else verdict(rule, self.interval(confidence))

    def minus(self, other: Estimate) -> Estimate:
        """Return the difference to an independent estimate; its units are none.

        The root scale takes the difference of the squares: it has the same sign. Where runs share
        seeds ask `pairing.difference`.
        """
        own, theirs = (squared(e.value) if e.scale == "root" else e.value for e in (self, other))
        return Estimate(
            value=on_scale(own - theirs, self.scale),
            parts=self.parts + other.parts if self.parts and other.parts else (),
            systematic=math.hypot(self.systematic, other.systematic),
            open_low=self.open_low or other.open_high,
            open_high=self.open_high or other.open_low,
            scale="root" if self.scale == "root" else "linear",
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
            "note": self.note,
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
            scale=next(scale for scale in _SCALES if scale == row["scale"]),
            units=tuple(
                Unit(unit["seed"], unit["size"], unit["value"])
                for unit in (units if isinstance(units, Iterable) else ())
            ),
            note=str(row.get("note") or ""),
        )

    def _at_level(self, level: float) -> Interval:
        low, high = self._limits(self.half_width(level))
        return Interval(
            self.value,
            -math.inf if self.open_low else low,
            math.inf if self.open_high else high,
        )

    def _limits(self, half: float) -> tuple[float, float]:
        """Return the limits at a half width on the estimate's own scale."""
        if self.scale == "fisher":
            return self._fisher(half)
        if self.scale == "share":
            return _wilson(self.value, 1 / half / half)
        if self.scale == "root":
            square = squared(self.value)
            return on_scale(square - half, "root"), on_scale(square + half, "root")
        return self.value - half, self.value + half

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
    # Not the variance: that of equal numbers need not be zero.
    spread = float(values.var(ddof=1)) if np.ptp(values) > 0 else 0.0
    own = Part(spread / len(kept), len(kept) - 1)
    part = welch(own, extra) if extra else own
    return Estimate(mean, (part,), units=kept, note="" if part.variance else ROUNDED)


def of_shares(units: Iterable[Unit], trials: float) -> Estimate:
    """Return a share as the mean over seeds, its interval that of Wilson (1927).

    Args:
        units: the share of each seed.
        trials: independent ones of all seeds together. Where seeds scatter more than so many
            trials would, their scatter counts instead.

    Example:
        >>> from lrtransfer.transfer.estimate import Unit, of_shares
        >>> every = of_shares([Unit(seed, 64, 1.0) for seed in range(3)], trials=60)
        >>> round(every.interval(0.95).low, 2)
        0.94
    """
    mean = of_mean(units)
    if not mean.parts or not trials > 0:
        return mean
    # As if of four more trials half had gone either way (Agresti & Coull 1998): never 0 or 1.
    inner = (mean.value * trials + 2) / (trials + 4)
    (scatter,) = mean.parts
    part = Part(scatter.variance / (inner * (1 - inner)), scatter.df)
    if part.variance < 1 / trials:
        part = Part(1 / trials, math.inf)
    return Estimate(mean.value, (part,), scale="share", units=mean.units)


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
    doubt = sum(part.variance**2 / part.df for part in parts)
    return Part(total, total**2 / doubt if doubt else math.inf)


def of_seeds(values: npt.ArrayLike, seeds: Iterable[int], size: int = 0) -> Estimate:
    """Return the mean over seeds of (S,) values.

    Example:
        >>> from lrtransfer.transfer.estimate import of_seeds
        >>> of_seeds([1.0, 2.0, 3.0], seeds=range(3)).value
        2.0
    """
    numbers = np.asarray(values, dtype=np.float64)
    return of_mean(Unit(int(s), size, float(v)) for s, v in zip(seeds, numbers, strict=True))


def squared(value: float) -> float:
    """Return the square of a value, with its sign."""
    return math.copysign(value * value, value)


def on_scale(value: float, scale: Scale) -> float:
    """Return what is shown of a number on an estimate's scale: on `root` its signed root."""
    return math.copysign(math.sqrt(abs(value)), value) if scale == "root" else value


def _wilson(share: float, trials: float) -> tuple[float, float]:
    """Return Wilson's limits; `trials` is their number over the squared quantile."""
    centre = (share * trials + 0.5) / (trials + 1)
    half = math.sqrt(share * (1 - share) * trials + 0.25) / (trials + 1)
    # Rounding must not leave the share outside.
    return max(min(centre - half, share), 0.0), min(max(centre + half, share), 1.0)


def _rounding(value: float) -> float:
    """Return the standard deviation that rounding to single precision, in which nets train, has."""
    return float(np.spacing(np.float32(abs(value)))) / math.sqrt(12)


def _t(level: float, df: float) -> float:
    """Return the two-sided quantile of Student's t, or of the normal at infinite `df`."""
    if math.isinf(df):
        return -float(special.ndtri(level / 2))
    return -float(special.stdtrit(df, level / 2))
