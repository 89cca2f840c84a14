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
is the rate with the lowest mean loss, give or take a step, a uniform error of 0.29 steps.

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
from lrtransfer.transfer.stacked import (
    ABSENT,
    FAILED,
    TRAINED,
    Fits,
    Places,
    Stacked,
    States,
)
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
        fits: of a stack of valleys in which the arm's are.
        own: their places (N,), the sizes with an optimum.
    """

    fits: Fits
    own: slice

    @classmethod
    def at(cls, sweeps: Sequence[Sweep], bandwidth: float) -> Vertices:
        """Return the vertices of one arm at a bandwidth, in octaves."""
        widths = np.tile([[bandwidth], [WIDER * bandwidth]], len(sweeps))
        return cls(Stacked(tuple(sweeps), widths).at[0], slice(0, len(sweeps)))

    @property
    def sweeps(self) -> tuple[Sweep, ...]:
        """The sweeps (N)."""
        return self.fits.valleys.sweeps[self.own]

    @property
    def bandwidth(self) -> float:
        """The fits' b, in octaves."""
        return float(self.fits.valleys.bandwidths[self.fits.place, self.own.start])

    @cached_property
    def position(self) -> Array:
        """The optima (N,) in log2 of the rate."""
        v = self.fits.valleys
        rows = np.arange(*self.own.indices(len(v.sweeps)))
        return self._places(rows, self._beside, self._whole)

    @cached_property
    def pseudo(self) -> list[Array]:
        """Per size the seeds' pseudo-values (S,), whose mean is the optimum; itself if S = 1.

        Those of the jackknife, moved so that their mean is the estimate.
        """
        v = self.fits.valleys
        seeds = v.seeds[self.own]
        if not seeds.any():
            return list(self.position[:, None])
        rows = v.rows(self.own)
        others = self._places(v.owner[rows], v.beside_left_out[rows], self.fits.left_out[rows])
        owner = v.owner[rows] - self.own.start
        mean = np.bincount(owner, others, len(seeds)) / np.maximum(seeds, 1)
        values = self.position[owner] + (seeds[owner] - 1) * (mean[owner] - others)
        of_size = np.split(values, np.cumsum(seeds)[:-1])
        return [v if len(v) else at[None] for v, at in zip(of_size, self.position, strict=True)]

    @cached_property
    def gap(self) -> Array:
        """By how much (N,) the valley of two half parabolas has its bottom elsewhere."""
        return self._moved(self.fits.halves)

    @cached_property
    def bend(self) -> Array:
        """By how much (N,) a wider window moves the bottom."""
        return self._moved(self.fits.wider)

    @cached_property
    def censored(self) -> npt.NDArray[np.bool_]:
        """Whether (N,) most runs diverged at a rate beside that of the lowest mean loss."""
        return np.asarray((self._beside == FAILED).any(-1))

    @cached_property
    def side(self) -> list[str]:
        """The end of the grid (N) at which a valley is open: `low`, `high`, `both` or empty."""
        names = {(True, True): "both", (True, False): "low", (False, True): "high"}
        return [names.get((low, high), "") for low, high in (self._beside == ABSENT).tolist()]

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
        freedom = np.maximum(self._whole.points - 4, 0)
        if not freedom.any():
            return 0.0
        return self.gain * float((runs * self._whole.misfit).sum() / freedom.sum())

    @property
    def gain(self) -> float:
        """Variance of a single run's vertex at noise of variance one."""
        return float((self._whole.influence**2).sum(-1).mean())

    @cached_property
    def inside(self) -> bool:
        """Whether every window lies within its grid, a step more or less: it moves freely."""
        return all(
            self.bandwidth <= min(u - s.grid[0], s.grid[1] - u) + s.spacing
            for s, u in zip(self.sweeps, self.position.tolist(), strict=True)
        )

    @cached_property
    def units(self) -> tuple[Unit, ...]:
        """The pseudo-values as the observations of an estimate (one size axis)."""
        return tuple(
            Unit(seed, size_of(sweep), value)
            for sweep, values in zip(self.sweeps, self.pseudo, strict=True)
            for seed, value in zip(sweep.seeds, values.tolist(), strict=True)
        )

    @cached_property
    def _whole(self) -> valley.Bottom:
        """The bottoms (N,) of the seed-mean valleys."""
        return self.fits.whole[self.own]

    @property
    def _beside(self) -> States:
        return self.fits.valleys.beside_means[self.own]

    @cached_property
    def _free(self) -> npt.NDArray[np.bool_]:
        """Where (N,) the optimum is neither censored nor at its grid's end."""
        return np.asarray((self._beside == TRAINED).all(-1))

    @cached_property
    def _followed(self) -> float:
        """What is taken off every optimum of the arm."""
        return FOLLOWED * float(self.bend[self._free].mean()) if self._free.any() else 0.0

    def _places(self, of: Places, beside: States, fit: valley.Bottom) -> Array:
        """Return the optima (R,) of valleys of the sizes `of` (R,), among the stack's.

        One whose lowest rate lies at an end of what was tried, or beside a cliff, has it there.
        """
        bounded = (beside != TRAINED).any(-1) & np.isfinite(fit.position)
        instead = self._whole.position[of - self.own.start]
        found = np.where(np.isfinite(fit.position), fit.position, instead) - self._followed
        return np.where(bounded, self.fits.valleys.log2_rate[of, fit.lowest], found)

    def _moved(self, other: valley.Bottom) -> Array:
        """Return how far (N,) other bottoms lie from these; zero where an optimum is a bound."""
        theirs = other.position[self.own]
        return np.where(self._free, theirs - self._whole.position, 0.0)

    def _by_size(self, plain: float, cut: float, three: float) -> Array:
        """Return a standard deviation (N,) by what tells each optimum's place."""
        step = np.nan_to_num([sweep.spacing for sweep in self.sweeps])
        few = np.where(self._whole.points < 4, three * step, plain)
        return np.where(self.censored, cut * step, few)


def tried(arms: Sequence[Sequence[Sweep]]) -> list[list[Vertices]]:
    """Return per arm its vertices at the bandwidths to try, ascending; all are fitted at once."""
    if not arms:
        return []
    ladders = [_bandwidths(arm) for arm in arms]
    most = max(map(len, ladders))
    # One more tells the bend at the widest. What lies beyond an arm's own ladder is not asked for.
    longer = [np.multiply.accumulate([own[0], *[WIDER] * most]) for own in ladders]
    widths = np.repeat(np.transpose(longer), [len(arm) for arm in arms], axis=1)
    valleys = Stacked(tuple(sweep for arm in arms for sweep in arm), widths)
    ends = np.cumsum([len(arm) for arm in arms]).tolist()
    return [
        [Vertices(valleys.at[place], slice(end - len(arm), end)) for place in range(len(ladder))]
        for arm, ladder, end in zip(arms, ladders, ends, strict=True)
    ]


def _bandwidths(arm: Sequence[Sweep]) -> list[float]:
    step = max((s.spacing for s in arm if not np.isnan(s.spacing)), default=1.0)
    widest = max(s.grid[1] - s.grid[0] for s in arm)
    found = [NARROWEST * step]
    while found[-1] * WIDER <= 0.75 * widest:
        found.append(found[-1] * WIDER)
    return found


def size_of(sweep: Sweep) -> int:
    """Return the size for an estimate's unit: along the one axis, 0 where there are several."""
    return sweep.size if len(sweep.sizes) == 1 else 0
