"""Enter here for the design of a sweep: rates and seeds that reach a wished half width cheaply.

Studies are drawn from a pilot (`pilot.py`) and judged by the estimators themselves (`laws.py`), so
that the half width of a design has no theory of its own: of every window and step a few studies
tell how one seed's optimum scatters and what no seed lessens. Seeds then narrow the one and not the
other, by size: each further seed goes where it narrows most for its price.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import product

import numpy as np
import numpy.typing as npt

from lrtransfer.transfer.estimate import Estimate, Part
from lrtransfer.transfer.laws import Law, fits
from lrtransfer.transfer.pilot import Pilot

Array = npt.NDArray[np.float64]

RATES = (5, 7, 9)
HALF_WINDOWS = (1.0, 1.5, 2.0, 3.0)
#: The static plan, the study's own: seeds; rates and their steps, and the widest half of a window.
STATIC_SEEDS = 5
STATIC_RATES, STATIC_STEPS, STATIC_WIDEST = (5, 7), (0.5, 0.75, 1.0, 1.5, 2.0), 4.5
#: Runs of a size at which its windows are compared, and in how many studies.
_COMPARED_RUNS = 25
_CHOOSING_STUDIES = 24
#: Rates above the optimum are the noisier ones: a window's middle lies so far below it, in octaves.
BELOW = 0.25
FEWEST_SEEDS, MOST_SEEDS = 3, 30
#: Of studies, at most this share may have an optimum at its window's end.
MOST_OPEN = 0.1

_DRAWN_SEEDS = 5


@dataclass(frozen=True)
class Grid:
    """The rates of a design.

    Attributes:
        rates: size -> its rates, log2, ascending.
        step: between them, octaves.
        half: half the window of one size, octaves.
    """

    rates: Mapping[float, tuple[float, ...]]
    step: float
    half: float

    @property
    def runs(self) -> int:
        """Runs of one seed at all sizes."""
        return sum(map(len, self.rates.values()))


@dataclass(frozen=True)
class Design:
    """A grid with its seeds, what it costs and how wide the intervals become.

    Attributes:
        grid: of rates.
        seeds: size -> how many.
        cost: in the unit of the given prices.
        half_width: of the drift's interval (octaves per octave), or of the predicted
            optimum's (octaves) where a size to predict at was given.
        open: share of studies with an optimum at its window's end.
    """

    grid: Grid
    seeds: Mapping[float, int]
    cost: float
    half_width: float
    open: float


@dataclass(frozen=True)
class Expected:
    """What studies on a grid are like.

    Attributes:
        grid: of rates.
        axis: of size.
        target: size to predict at; None: the drift.
        scatter: variance of one seed's optimum.
        systematic: standard deviation of what seeds do not lessen.
        open: share with an optimum at its window's end.
    """

    grid: Grid
    axis: str
    target: float | None
    scatter: float
    systematic: float
    open: float

    @cached_property
    def _columns(self) -> Array:
        return np.array([[1.0, math.log2(size)] for size in self.grid.rates])

    def estimate(self, seeds: Sequence[float]) -> Estimate:
        """Return an estimate of value zero that has the scatter at so many seeds of each size."""
        row = np.array([0.0, 1.0] if self.target is None else [1.0, math.log2(self.target)])
        normal = self._columns.T @ (np.array(seeds)[:, None] * self._columns)
        variance = float(row @ np.linalg.solve(normal, row)) * self.scatter
        return Estimate(0.0, (Part(variance, sum(seeds) - 2),), self.systematic)

    def half_width(self, seeds: Sequence[float], confidence: float) -> float:
        """Return the half width at so many seeds of each size."""
        return self.estimate(seeds).half_width(1 - confidence)

    def at_equal_cost(self, runs: float = _COMPARED_RUNS) -> float:
        """Return the 95 % half width at so many runs of each size, a seed more or less in parts."""
        seeds = [runs / len(rates) for rates in self.grid.rates.values()]
        width = self.half_width(seeds, 0.95)
        return math.inf if math.isnan(width) else width

    def design(self, seeds: Sequence[int], prices: Sequence[float], confidence: float) -> Design:
        """Return the design with these seeds; `prices` are of one run at each size."""
        counts = [len(rates) for rates in self.grid.rates.values()]
        cost = sum(n * k * p for n, k, p in zip(seeds, counts, prices, strict=True))
        width = self.half_width(seeds, confidence)
        return Design(
            self.grid, dict(zip(self.grid.rates, seeds, strict=True)), cost, width, self.open
        )


def grid(
    pilot: Pilot, sizes: Sequence[float], half: float, rates: int, *, follow: bool = True
) -> Grid:
    """Return equally spaced rates about the pilot's optima, rounded to a quarter octave.

    Args:
        pilot: of the arm.
        sizes: to sweep.
        half: half the window, octaves.
        rates: in it.
        follow: whether each size has a window of its own; else all have one that holds them all.
    """
    return _grid({size: pilot.optimum(size) for size in sizes}, half, rates, follow=follow)


def _grid(optima: Mapping[float, float], half: float, rates: int, *, follow: bool) -> Grid:
    step = 2 * half / (rates - 1)
    starts = {size: round(4 * (at - BELOW)) / 4 - half for size, at in optima.items()}
    first, last = min(starts.values()), max(starts.values())
    if not follow:
        starts = dict.fromkeys(starts, first)
        rates += math.ceil((last - first) / step - 1e-9)
    steps = step * np.arange(rates)
    return Grid({s: tuple(map(float, at + steps)) for s, at in starts.items()}, step, half)


def static(pilot: Pilot, sizes: Sequence[float], *, follow: bool = True) -> Grid:
    """Return the rates of the static plan.

    The window is about the line between the optima of the pilot's smallest and largest size, or
    about their mean where they differ by less than an octave. Its breadth is the valley's: of five
    or seven rates in steps of 1/2 to 2 octaves those that tell the drift best at equal cost.

    Args:
        pilot: of the arm.
        sizes: to sweep.
        follow: as for `grid`.
    """
    ends = [s.sizes[pilot.axis] for s in pilot.law.vertices.sweeps]
    first, last = pilot.optimum(ends[0]), pilot.optimum(ends[-1])
    near = abs(last - first) < 1
    optima = {size: (first + last) / 2 if near else pilot.optimum(size) for size in sizes}
    tried = [
        expected(pilot, _grid(optima, half, rates, follow=follow), studies=_CHOOSING_STUDIES)
        for rates, step in product(STATIC_RATES, STATIC_STEPS)
        if (half := step * (rates - 1) / 2) <= STATIC_WIDEST
    ]
    return min(tried, key=lambda own: (own.open > MOST_OPEN, own.at_equal_cost())).grid


def expected(
    pilot: Pilot, rates: Grid, *, target: float | None = None, studies: int = 12, seed: int = 0
) -> Expected:
    """Return what studies on a grid are like, from `studies` drawn ones."""
    rng = np.random.default_rng(seed)
    given = {size: np.array(own) for size, own in rates.rates.items()}
    with np.errstate(all="ignore"):
        drawn = [pilot.draw(given, _DRAWN_SEEDS, rng) for _ in range(studies)]
        laws = fits([study for study in drawn if all(s.has_optimum for s in study)])
        closed = [law for law in laws if not any(law.vertices.side)]
        scatter = [law.scatter.variance for law in closed]
        systematic = [_asked(law, target).systematic for law in closed]
    unknown = not scatter
    return Expected(
        rates,
        pilot.axis,
        target,
        math.nan if unknown else float(np.median(scatter)),
        math.nan if unknown else float(np.median(systematic)),
        1 - len(closed) / studies,
    )


def designs(
    pilot: Pilot,
    sizes: Sequence[float],
    *,
    half_width: float,
    price: Callable[[float], float] = lambda size: 1.0,
    target: float | None = None,
    confidence: float = 0.95,
    follow: bool = True,
    equal_seeds: bool = False,
    studies: int = 6,
) -> list[Design]:
    """Return the cheapest design of every window and number of rates, cheapest first.

    Those that reach `half_width` come first; the others have `MOST_SEEDS` seeds a size, which do
    not suffice, or the grid alone keeps them wider.

    Args:
        pilot: of the arm.
        sizes: to sweep.
        half_width: wished for: octaves of rate per octave of size, or octaves at `target`.
        price: of one run at a size, in any unit.
        target: size whose best rate is to be predicted; None: the drift is asked for.
        confidence: of the interval.
        follow: as for `grid`.
        equal_seeds: whether all sizes have as many.
        studies: drawn for each window and number of rates.

    Example:
        >>> import numpy as np
        >>> from lrtransfer.transfer.design import designs
        >>> from lrtransfer.transfer.pilot import pilot
        >>> from lrtransfer.transfer.sweeps import Sweep
        >>> grid = np.arange(-8.0, 0.0)  # log2 of the rate
        >>> def swept(width):
        ...     losses = np.exp([(grid + 4.2 + s) ** 2 / 20 for s in (0.0, 0.1, -0.1)])
        ...     return Sweep("mup", {"width": width}, (0, 1, 2), grid, losses, losses > 1e9)
        >>> best = designs(pilot([swept(64), swept(256)]), [64, 128, 256], half_width=0.2)[0]
        >>> best.half_width <= 0.2
        True
    """
    prices = [price(size) for size in sizes]
    found = []
    for half, rates in product(HALF_WINDOWS, RATES):
        own = expected(
            pilot, grid(pilot, sizes, half, rates, follow=follow), target=target, studies=studies
        )
        if own.open <= MOST_OPEN:
            counts = [len(own.grid.rates[size]) * p for size, p in zip(sizes, prices, strict=True)]
            seeds = _seeds(own, counts, half_width, confidence, equal=equal_seeds)
            found.append(own.design(seeds, prices, confidence))
    return sorted(found, key=lambda d: (d.half_width > half_width, d.cost))


def _seeds(
    own: Expected, prices: Sequence[float], wished: float, confidence: float, *, equal: bool
) -> list[int]:
    """Return the cheapest seeds of each size that reach a half width, or the most there may be."""
    seeds = [FEWEST_SEEDS] * len(prices)
    without_scatter = replace(own, scatter=0.0).half_width(seeds, confidence)
    if without_scatter > wished:
        return seeds
    while own.half_width(seeds, confidence) > wished and min(seeds) < MOST_SEEDS:
        now = own.half_width(seeds, confidence)
        options = [
            [n + (equal or i == j) for j, n in enumerate(seeds)]
            for i in range(1 if equal else len(seeds))
            if seeds[i] < MOST_SEEDS
        ]
        seeds = max(
            options,
            key=lambda more: (
                (now - own.half_width(more, confidence))
                / sum((m - n) * p for m, n, p in zip(more, seeds, prices, strict=True))
            ),
        )
    return seeds


def _asked(law: Law, target: float | None) -> Estimate:
    return law.drift if target is None else law.at({law.axes[0]: target})
