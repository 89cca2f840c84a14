"""The bottoms of one arm's valleys, at one bandwidth, with what each may be off by.

Per size: the bottom of the seed-mean valley, and the jackknife's pseudo-values of its seeds, which
take the place of independent observations whatever seeds share among their rates (Tukey 1958).

What more seeds do not lessen is stated in units of the bandwidth b, and so shrinks with the grid:

- `FLOOR` · b, for each size by itself: where the optimum lies between grid points;
- `OFFSET` · b and `DOUBT` times the gap between both forms of a valley, for an optimum's place;
- `DOUBT_OF_MOVES` times the change of that gap with size, for how an optimum moves;
- `BENT` times how far a wider window moves the bottom (of its place `BENT_PLACE`): far where the
  valley is no cubic within the window, as where a long slope ends in a wall. Mostly it is alike at
  every size: `FOLLOWED` times its mean is taken off all optima of the arm, which moves no drift.

Beside a rate at which most seeds diverged nothing bends the valley up: the optimum is censored. It
is the lowest rate that trains, give or take a step, a uniform error of 0.29 steps.

The constants were set on the valleys of tests/transfer/shapes.py that are marked so, and their
coverage measured on all (docs/statistics.md).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from lrtransfer.transfer import valley
from lrtransfer.transfer.estimate import Unit
from lrtransfer.transfer.sweeps import Sweep

Array = npt.NDArray[np.float64]

FLOOR = 0.014
OFFSET = 0.045
DOUBT = 0.5
DOUBT_OF_MOVES = 0.7
BENT, BENT_PLACE, FOLLOWED = 0.5, 1.6, 2.5

#: Standard deviations of a censored optimum in grid steps: as it moves, and of its place.
CENSORED, CENSORED_PLACE = 0.29, 0.35

#: A valley of three usable points is a parabola whose lopsidedness nothing shows; in grid steps.
THREE_POINTS, THREE_POINTS_PLACE = 0.12, 0.185

#: Bandwidths that are tried, in steps of the grid; wider ones only where they fit the grid.
NARROWEST, WIDER = 2.6, 1.2


@dataclass(frozen=True, eq=False)
class Vertices:
    """Where the valleys of one arm have their bottoms.

    Attributes:
        sweeps: (N) of the arm, those with an optimum.
        bandwidth: b, in octaves.
    """

    sweeps: tuple[Sweep, ...]
    bandwidth: float

    @cached_property
    def position(self) -> Array:
        """The optima (N,) in log2 of the rate."""
        return np.array([places[0] for places in self._places])

    @cached_property
    def pseudo(self) -> list[Array]:
        """Per size the seeds' pseudo-values (S,), whose mean is the optimum; itself if S = 1."""
        return [
            places[:1] if len(places) < 3 else _pseudo_values(places[0], places[1:])
            for places in self._places
        ]

    @cached_property
    def gap(self) -> Array:
        """By how much (N,) the valley of two half parabolas has its bottom elsewhere."""
        return self._moved(self._bottoms([s.means[None] for s in self.sweeps], "halves"))

    @cached_property
    def bend(self) -> Array:
        """By how much (N,) a wider window moves the bottom."""
        return self._moved(self.wider._fits)

    @cached_property
    def wider(self) -> Vertices:
        """The same at the next wider bandwidth."""
        return Vertices(self.sweeps, WIDER * self.bandwidth)

    @cached_property
    def censored(self) -> npt.NDArray[np.bool_]:
        """Whether (N,) the lowest rate that trains is next to one at which most runs diverged."""
        return np.array([_censored(sweep) for sweep in self.sweeps], dtype=bool)

    @cached_property
    def side(self) -> list[str]:
        """The end of the grid (N) at which a valley is open: `low`, `high`, `both` or empty."""
        return [_side(sweep) for sweep in self.sweeps]

    @cached_property
    def floor(self) -> Array:
        """Standard deviations (N,) of each size's own error as the optimum moves."""
        plain = self._by_size(FLOOR * self.bandwidth, CENSORED, THREE_POINTS)
        return np.hypot(plain, BENT * self.bend)

    @cached_property
    def offset(self) -> Array:
        """Standard deviations (N,) of an optimum's place that no seed lessens."""
        plain = self._by_size(OFFSET * self.bandwidth, CENSORED_PLACE, THREE_POINTS_PLACE)
        return np.sqrt(plain**2 + (DOUBT * self.gap) ** 2 + (BENT_PLACE * self.bend) ** 2)

    @cached_property
    def noise(self) -> float:
        """Variance of one run's vertex as the scatter of runs about the valleys makes expect.

        Pooled over sizes; zero where no valley has more points than its fit has parameters.
        """
        runs = np.array([len(sweep.seeds) for sweep in self.sweeps])
        freedom = np.maximum([int(fit.points[0]) - 4 for fit in self._fits], 0)
        if not freedom.any():
            return 0.0
        misfits = runs * np.array([float(fit.misfit[0]) for fit in self._fits])
        gains = [float(np.sum(fit.influence[0] ** 2)) for fit in self._fits]
        return float(np.mean(gains) * misfits.sum() / freedom.sum())

    @cached_property
    def fits(self) -> bool:
        """Whether every window lies within its grid, a step more or less: it moves freely."""
        return all(
            self.bandwidth <= min(u - s.grid[0], s.grid[1] - u) + s.spacing
            for s, u in zip(self.sweeps, self.position, strict=True)
        )

    def units(self) -> tuple[Unit, ...]:
        """Return the pseudo-values as the observations of an estimate (one size axis)."""
        return tuple(
            Unit(seed, size_of(sweep), float(value))
            for sweep, values in zip(self.sweeps, self.pseudo, strict=True)
            for seed, value in zip(sweep.seeds, values, strict=True)
        )

    @cached_property
    def _heights(self) -> list[Array]:
        """Per size the seed-mean valleys (1 + S, L) of all seeds, and without each."""
        return [
            np.stack([s.means, *(s.without(seed).means for seed in s.seeds if len(s.seeds) > 1)])
            for s in self.sweeps
        ]

    @cached_property
    def _fits(self) -> list[valley.Bottom]:
        return self._bottoms(self._heights, "cubic")

    @cached_property
    def _places(self) -> list[Array]:
        """Per size the optimum, and without each seed."""
        followed = FOLLOWED * float(self.bend[self._free].mean()) if self._free.any() else 0.0
        return [
            np.where(
                [_bounded(s, h) for h in heights],
                s.log2_rate[fit.lowest],
                np.where(np.isfinite(fit.position), fit.position, fit.position[0]) - followed,
            )
            for s, heights, fit in zip(self.sweeps, self._heights, self._fits, strict=True)
        ]

    @cached_property
    def _free(self) -> npt.NDArray[np.bool_]:
        """Where (N,) the optimum is neither censored nor at its grid's end."""
        return np.asarray(~self.censored & np.array([not side for side in self.side]))

    def _moved(self, other: Sequence[valley.Bottom]) -> Array:
        """Return how far (N,) other bottoms lie from these; zero where an optimum is a bound."""
        theirs, own = (np.array([fit.position[0] for fit in fits]) for fits in (other, self._fits))
        return np.where(self._free, theirs - own, 0.0)

    def _bottoms(self, heights: Sequence[Array], form: valley.Form) -> list[valley.Bottom]:
        """Return the bottoms of each sweep's valleys; sweeps of one grid are fitted together."""
        found: dict[int, valley.Bottom] = {}
        alike: dict[tuple[bytes, int], list[int]] = {}
        for i, sweep in enumerate(self.sweeps):
            alike.setdefault((sweep.log2_rate.tobytes(), len(heights[i])), []).append(i)
        for places in alike.values():
            stack = np.stack([heights[i] for i in places])
            fits = valley.bottom(self.sweeps[places[0]].log2_rate, stack, self.bandwidth, form)
            for row, i in enumerate(places):
                found[i] = valley.Bottom(*(part[row] for part in fits))
        return [found[i] for i in range(len(self.sweeps))]

    def _by_size(self, plain: float, cut: float, three: float) -> Array:
        values = []
        for sweep, censored, fit in zip(self.sweeps, self.censored, self._fits, strict=True):
            step = 0.0 if np.isnan(sweep.spacing) else sweep.spacing
            few = int(fit.points[0]) < 4
            values.append(cut * step if censored else three * step if few else plain)
        return np.array(values)


def tried(sweeps: tuple[Sweep, ...]) -> list[Vertices]:
    """Return the vertices of one arm at the bandwidths to try, ascending."""
    step = max((s.spacing for s in sweeps if not np.isnan(s.spacing)), default=1.0)
    widest = max((s.grid[1] - s.grid[0] for s in sweeps), default=step)
    found = [Vertices(sweeps, NARROWEST * step)]
    while found[-1].bandwidth * WIDER <= 0.75 * widest:
        found.append(found[-1].wider)
    return found


def size_of(sweep: Sweep) -> int:
    """Return the size for an estimate's unit: along the one axis, 0 where there are several."""
    return sweep.size if len(sweep.sizes) == 1 else 0


def _pseudo_values(whole: float, others: Array) -> Array:
    """Return the jackknife's pseudo-values, moved so that their mean is the estimate."""
    return np.asarray(whole + (len(others) - 1) * (others.mean() - others))


def _bounded(sweep: Sweep, means: Array) -> bool:
    """Return whether the lowest mean lies at an end of what was tried, or beside a cliff."""
    tried = np.flatnonzero((np.isfinite(sweep.loss) | sweep.diverged).any(0))
    height = means[tried]
    if not np.isfinite(height).any():
        return False
    lowest = int(np.nanargmin(height))
    ends = lowest in (0, len(tried) - 1)
    return ends or not bool(np.isfinite(height[[lowest - 1, lowest + 1]]).all())


def _censored(sweep: Sweep) -> bool:
    tried = _tried(sweep)
    lowest = int(np.nanargmin(sweep.means[tried]))
    beside = [i for i in (lowest - 1, lowest + 1) if 0 <= i < len(tried)]
    return not bool(sweep.usable[tried][beside].all())


def _side(sweep: Sweep) -> str:
    """Return at which end of the grid the lowest mean lies, if at one."""
    tried = _tried(sweep)
    lowest, last = int(np.nanargmin(sweep.means[tried])), len(tried) - 1
    if last == 0:
        return "both"
    return "low" if lowest == 0 else "high" if lowest == last else ""


def _tried(sweep: Sweep) -> npt.NDArray[np.int64]:
    """Return the rates at which there are runs."""
    return np.flatnonzero((np.isfinite(sweep.loss) | sweep.diverged).any(0))
