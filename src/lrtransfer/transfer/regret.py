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
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from lrtransfer.transfer.estimate import Estimate, Part, Unit, known_exactly, welch
from lrtransfer.transfer.intervals import jackknife_variance
from lrtransfer.transfer.laws import Law, fit
from lrtransfer.transfer.optimum import within
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
        relative: as a share of the loss at the size's own optimum.
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
    found = []
    for group in groups_of(sweeps):
        usable = [s for s in group if s.has_optimum]
        if reference is not None:
            usable = [s for s in usable if dict(s.sizes) == dict(reference)] + usable
        source = (usable or group)[0]
        law = fit(group) if usable else None
        for sweep in group:
            loss, own = Estimate(_UNKNOWN), _UNKNOWN
            if law is not None and sweep.has_optimum:
                loss, own = _between(law, source, sweep)
            found.append(
                Regret(sweep, sweep is source, loss, loss.value / own if own else _UNKNOWN)
            )
    return found


def _between(law: Law, source: Sweep, sweep: Sweep) -> tuple[Estimate, float]:
    """Return the regret at `sweep` of the optimum of `source`, and the loss at its own optimum."""
    v = law.vertices
    here, there = v.sweeps.index(sweep), v.sweeps.index(source)
    start, end = float(v.position[there]), float(v.position[here])
    own = float(sweep.mean_loss_at(end)[0])
    if sweep is source:
        return (known_exactly(0.0) if len(sweep.seeds) > 1 else Estimate(0.0)), own
    value = _given_up(sweep, start, end)
    outside = not sweep.grid[0] <= start <= sweep.grid[1]
    move = math.hypot(
        float(np.linalg.norm(v.floor[[here, there]])),
        DOUBT_OF_MOVES * float(v.gap[there] - v.gap[here]),
    )
    scatter, units = _scatter(law, source, sweep, value)
    shapes = abs(value - _given_up(sweep, start, end, "monotone"))
    deeper = SHARPER * math.hypot(sweep.depth_below(start), sweep.depth_below(end))
    return (
        Estimate(
            value,
            (scatter,),
            systematic=math.hypot(_change(sweep, start, end, move), shapes, deeper),
            open_low=bool(v.side[there]) or outside,
            open_high=bool(v.side[there] or v.side[here]) or outside or sweep.cut_at(start),
            units=units,
        ),
        own,
    )


def _given_up(sweep: Sweep, start: float, end: float, shape: str = "smooth") -> float:
    low, high = sweep.grid
    there, here = sweep.mean_loss_at(
        [min(max(start, low), high), end], "smooth" if shape == "smooth" else "monotone"
    )
    return float(there - here)


def _change(sweep: Sweep, start: float, end: float, move: float) -> float:
    """Return the most by which the loss given up changes if the rate is `move` octaves off."""
    value = _given_up(sweep, start, end)
    return max(abs(_given_up(sweep, start + d, end) - value) for d in (-move, move))


def _scatter(law: Law, source: Sweep, sweep: Sweep, value: float) -> tuple[Part, tuple[Unit, ...]]:
    """Return the variance over seeds and the jackknife's pseudo-values.

    With one seed it is that of a rate as far off as seeds scatter, and there are no units.
    """
    v = law.vertices
    here, there = v.sweeps.index(sweep), v.sweeps.index(source)
    start, end = float(v.position[there]), float(v.position[here])
    if min(len(source.seeds), len(sweep.seeds)) < 2:
        one = within(law)
        spread = math.sqrt(one.variance * (1 / len(source.seeds) + 1 / len(sweep.seeds)))
        return Part(_change(sweep, start, end, spread) ** 2, one.df), ()
    ends, starts = _left_out(v.pseudo[here]), _left_out(v.pseudo[there])
    of_own = [
        _given_up(sweep.without(seed), start, at)
        for seed, at in zip(sweep.seeds, ends, strict=True)
    ]
    of_source = [_given_up(sweep, at, end) for at in starts]
    parts, units = [], []
    for of, others in ((sweep, np.array(of_own)), (source, np.array(of_source))):
        n = len(others)
        parts.append(Part(float(jackknife_variance(others)), n - 1))
        units += [
            Unit(seed, size_of(of), float(n * value - (n - 1) * other))
            for seed, other in zip(of.seeds, others, strict=True)
        ]
    return welch(*parts), tuple(units)


def _left_out(pseudo: Array) -> Array:
    """Return the leave-one-out values that pseudo-values came from."""
    n = len(pseudo)
    return np.asarray((pseudo.mean() * n - pseudo) / (n - 1))
