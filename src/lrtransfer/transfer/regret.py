"""Regret of transfer: the loss given up at a size by using the reference size's optimum.

regret(N) = f_N(u_0) − f_N(u_N), with f_N the seed-mean loss at size N interpolated in log2 of the
learning rate, u_0 and u_N the optima of the reference and of N. A diverged run counts as in
`sweeps.Sweep.counted`. Noise can make a regret slightly negative; it is not clipped, which would
bias it.

The error that seeds do not lessen is what the loss changes by where both optima may be off by
against one another, the difference between two ways to interpolate, and a share of how much deeper
than either a convex valley may be between grid points (`SHARPER`).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from lrtransfer.transfer.curves import Shape
from lrtransfer.transfer.estimate import Estimate, Part, Unit, known_exactly, welch
from lrtransfer.transfer.intervals import jackknife_variance
from lrtransfer.transfer.laws import Law, fits
from lrtransfer.transfer.losses import Losses
from lrtransfer.transfer.optimum import within
from lrtransfer.transfer.stacked import alike
from lrtransfer.transfer.sweeps import Sweep, groups_of
from lrtransfer.transfer.vertices import DOUBT_OF_MOVES, size_of

Array = npt.NDArray[np.float64]
_UNKNOWN = float("nan")

#: Standard deviation of a bottom that lies anywhere between chord and lowest convex valley, as a
#: share of that distance.
SHARPER = 0.29


@dataclass(frozen=True)
class Regret:
    """The loss given up at one size.

    Attributes:
        sweep: of one arm at that size.
        is_reference: whether it is the size whose optimum is used everywhere. Its own regret is
            zero by definition.
        loss: the estimate, in units of the loss. Its variance is the sum of two jackknives, over
            the seeds of the reference (which move u_0) and over those of N (which move f_N and
            u_N), its degrees of freedom those of Welch and Satterthwaite. Its units are the
            jackknife's pseudo-values. A minimum at the grid's edge leaves it open: above if it is
            N's (its true optimum is better still), on both sides if it is the reference's; above
            too if u_0 lies beside rates at which most runs of N diverged.
        relative: as a share of the loss at the size's own optimum; NaN where a loss of any sweep
            is below zero.
    """

    sweep: Sweep
    is_reference: bool
    loss: Estimate
    relative: float


def regrets(sweeps: list[Sweep], reference: Mapping[str, float] | None = None) -> list[Regret]:
    """Return the regret of every sweep.

    Args:
        sweeps: of any arms.
        reference: size whose optimum is used; the smallest that has one if nothing is said.

    Example:
        >>> from lrtransfer.transfer.regret import regrets
        >>> import numpy as np
        >>> from lrtransfer.transfer.sweeps import Sweep
        >>> grid = np.arange(-9.0, 0.0)  # log2 of the rate
        >>> losses = np.exp([(grid + 4 + seed) ** 2 / 20 for seed in (0.0, 0.1)])
        >>> def swept(width):
        ...     return Sweep("mup", {"width": width}, (0, 1), grid, losses, losses > 1e9)
        >>> [round(abs(found.loss.value), 3) for found in regrets([swept(64), swept(128)])]
        [0.0, 0.0]
    """
    groups = groups_of(sweeps)
    laws = fits([group for group in groups if any(s.has_optimum for s in group)])
    pairs = [pair for law in laws for pair in _pairs(law, reference)]
    known = {id(p.sweep): _regret(p, read) for p, read in zip(pairs, _read(pairs), strict=True)}
    found = []
    for group in groups:
        none = not any(id(sweep) in known for sweep in group)
        for sweep in group:
            unknown = Regret(sweep, none and sweep is group[0], Estimate(_UNKNOWN), _UNKNOWN)
            found.append(known.get(id(sweep), unknown))
    if any(sweep.signed for sweep in sweeps):
        return [replace(regret, relative=_UNKNOWN) for regret in found]
    return found


@dataclass(frozen=True)
class _Pair:
    """A size and the one whose optimum it uses, by their places among a law's sizes."""

    law: Law
    there: int
    here: int

    @property
    def sweep(self) -> Sweep:
        """The size's runs."""
        return self.law.vertices.sweeps[self.here]

    @property
    def source(self) -> Sweep:
        """The reference's runs."""
        return self.law.vertices.sweeps[self.there]

    @property
    def start(self) -> float:
        """The reference's optimum."""
        return float(self.law.vertices.position[self.there])

    @property
    def end(self) -> float:
        """The size's own."""
        return float(self.law.vertices.position[self.here])

    @property
    def jackknifed(self) -> bool:
        """Whether both have seeds to leave out."""
        return min(len(self.source.seeds), len(self.sweep.seeds)) > 1

    @property
    def starts(self) -> Array:
        """Where the loss is asked for.

        At the reference's optimum; as far below and above it as both may be off against one
        another; without each of the reference's seeds, or as far off as single seeds scatter.
        """
        v = self.law.vertices
        move = math.hypot(
            float(np.linalg.norm(v.floor[[self.here, self.there]])),
            DOUBT_OF_MOVES * float(v.gap[self.there] - v.gap[self.here]),
        )
        if self.jackknifed:
            scattered = _left_out(v.pseudo[self.there])
        else:
            seeds = sum(1 / len(s.seeds) for s in (self.source, self.sweep))
            spread = math.sqrt(within(self.law).variance * seeds)
            scattered = self.start + np.array([-spread, spread])
        return np.array([self.start, self.start - move, self.start + move, *scattered])


class _Read(NamedTuple):
    """What is read off the curves of a size.

    Attributes:
        own: loss at the size's own optimum.
        given_up: loss above it at each of the pair's `starts`.
        monotone: at the first of them, by the other curve.
        left_out: at the first of them, without each of the size's seeds (S,).
    """

    own: float
    given_up: Array
    monotone: float
    left_out: Array


def _pairs(law: Law, reference: Mapping[str, float] | None) -> list[_Pair]:
    """Return each size of an arm with the reference, or the smallest size where it has none."""
    sizes = [dict(sweep.sizes) for sweep in law.vertices.sweeps]
    there = sizes.index(dict(reference)) if reference and dict(reference) in sizes else 0
    return [_Pair(law, there, here) for here in range(len(sizes))]


def _read(pairs: list[_Pair]) -> list[_Read]:
    """Read the losses of all pairs, those of alike sweeps at once."""
    found: dict[int, _Read] = {}
    for places, runs in alike([pair.sweep for pair in pairs]):
        of = [pairs[i] for i in places]
        starts, ends = _rows([pair.starts for pair in of]), np.array([pair.end for pair in of])
        lefts = np.array([_left_out(p.law.vertices.pseudo[p.here]) for p in of])
        own, given_up = _given_up(runs, starts, ends)
        _, monotone = _given_up(runs, starts[:, :1], ends, "monotone")
        left_out = np.zeros((len(of), 0))
        if lefts.shape[1] > 1:
            first = np.broadcast_to(starts[:, None, :1], (*lefts.shape, 1))
            left_out = _given_up(runs.left_out, first, lefts)[1][..., 0]
        rows = zip(own.tolist(), given_up, monotone[:, 0].tolist(), left_out, strict=True)
        found |= {i: _Read(*row) for i, row in zip(places.tolist(), rows, strict=True)}
    return [found[i] for i in range(len(pairs))]


def _given_up(
    runs: Losses, starts: Array, ends: Array, shape: Shape = "smooth"
) -> tuple[Array, Array]:
    """Return the mean losses at `ends` (...), and those at `starts` (..., P) above them.

    A start beyond the grid counts as the grid's end.
    """
    low, high = runs.log2_rate[..., :1], runs.log2_rate[..., -1:]
    at = runs.mean_at(np.concatenate([np.clip(starts, low, high), ends[..., None]], -1), shape)
    return at[..., -1], at[..., :-1] - at[..., -1:]


def _regret(pair: _Pair, read: _Read) -> Regret:
    """Return the regret of a size from what was read off its curves."""
    v, sweep = pair.law.vertices, pair.sweep
    if pair.here == pair.there:
        zero = known_exactly(0.0) if len(sweep.seeds) > 1 else Estimate(0.0)
        return Regret(sweep, True, zero, 0.0 / read.own if read.own else _UNKNOWN)
    value, below, above, *_ = read.given_up.tolist()
    scatter, units = _scatter(pair, read)
    outside = not sweep.grid[0] <= pair.start <= sweep.grid[1]
    deeper = SHARPER * math.hypot(sweep.depth_below(pair.start), sweep.depth_below(pair.end))
    changed = max(abs(below - value), abs(above - value))
    loss = Estimate(
        value,
        (scatter,),
        systematic=math.hypot(changed, value - read.monotone, deeper),
        open_low=bool(v.side[pair.there]) or outside,
        open_high=bool(v.side[pair.there] or v.side[pair.here])
        or outside
        or sweep.cut_at(pair.start),
        units=units,
    )
    return Regret(sweep, False, loss, value / read.own if read.own else _UNKNOWN)


def _scatter(pair: _Pair, read: _Read) -> tuple[Part, tuple[Unit, ...]]:
    """Return the variance over seeds and the jackknife's pseudo-values.

    With one seed it is that of a rate as far off as seeds scatter, and there are no units.
    """
    value, _, _, *scattered = read.given_up.tolist()
    if not pair.jackknifed:
        changed = max(abs(at - value) for at in scattered[:2])
        return Part(changed**2, within(pair.law).df), ()
    parts, units = [], []
    of_source = np.array(scattered[: len(pair.source.seeds)])
    for of, others in ((pair.sweep, read.left_out), (pair.source, of_source)):
        n = len(others)
        parts.append(Part(float(jackknife_variance(others)), n - 1))
        pseudo = (n * value - (n - 1) * others).tolist()
        units += [Unit(seed, size_of(of), one) for seed, one in zip(of.seeds, pseudo, strict=True)]
    return welch(*parts), tuple(units)


def _left_out(pseudo: Array) -> Array:
    """Return the leave-one-out values that pseudo-values came from; of a single one itself."""
    n = len(pseudo)
    return np.asarray((pseudo.mean() * n - pseudo) / (n - 1)) if n > 1 else pseudo


def _rows(values: list[Array]) -> Array:
    """Return arrays as rows of one, each filled up with its first value."""
    longest = max(map(len, values))
    return np.array([np.append(v, np.full(longest - len(v), v[0])) for v in values])
