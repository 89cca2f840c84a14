"""What the runs of one arm leave open, and which further runs would tell."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from lrtransfer.transfer.optimum import Optimum
from lrtransfer.transfer.predict import MINIMAL_SIZES
from lrtransfer.transfer.sweeps import Sweep

_SHOWN = 3


def wanted(group: Sequence[Sweep], optima: Sequence[Optimum], kept: Sequence[str]) -> list[str]:
    """Return sentences, none where all is known.

    Args:
        group: the sweeps of an arm.
        optima: of those that have one.
        kept: the axes along which the law tells a drift.
    """
    return [
        *_of_grids(group, optima),
        *_of_failures(optima),
        *_of_sizes(group, kept),
        *_of_seeds(group),
    ]


def at(sweep: Sweep) -> str:
    """Name the size of a sweep."""
    return ", ".join(f"{axis} {size:g}" for axis, size in sweep.sizes.items())


def _of_grids(group: Sequence[Sweep], optima: Sequence[Optimum]) -> Iterator[str]:
    side = {id(o.sweep): o.side for o in optima}
    lines = [_of_grid(s, side.get(id(s), "none")) for s in group]
    told = [line for line in lines if line]
    yield from told[:_SHOWN]
    if len(told) > _SHOWN:
        yield f"{len(told) - _SHOWN} more sizes have no best rate inside theirs (see `side`)."


def _of_grid(sweep: Sweep, side: str) -> str:
    low, high = np.exp2(sweep.grid)
    step = 2.0 ** min(max(sweep.spacing, 0.5), 2.0) if np.isfinite(sweep.spacing) else 2.0
    if side == "none":
        return f"At {at(sweep)} every rate fails: run {low / step:.3g} and {low / step**2:.3g}."
    if side == "both":
        return f"At {at(sweep)} there is one rate: run {low / 2:.3g} and {low * 2:.3g} too."
    if side == "low":
        further, end = f"{low / step:.3g} and {low / step**2:.3g}", "lowest"
    elif side == "high":
        further, end = f"{high * step:.3g} and {high * step**2:.3g}", "highest"
    else:
        return ""
    return f"At {at(sweep)} the {end} rate is the best: the true one may lie beyond. Run {further}."


def _of_failures(optima: Sequence[Optimum]) -> Iterator[str]:
    told = [line for line in map(_of_failure, optima) if line]
    yield from told[:_SHOWN]
    if len(told) > _SHOWN:
        yield f"At {len(told) - _SHOWN} more sizes runs diverged at the best rate."


def _of_failure(optimum: Optimum) -> str:
    sweep, means = optimum.sweep, optimum.sweep.means
    best = int(np.nanargmin(means))
    failed = int(sweep.diverged[:, best].sum())
    if not failed:
        return ""
    runs = failed + int((np.isfinite(sweep.loss) & ~sweep.diverged)[:, best].sum())
    safe = np.where(sweep.diverged.any(axis=0), np.nan, means)
    told = (
        f"At {at(sweep)} {failed} of {runs} runs diverged at the best rate, "
        f"{2 ** sweep.log2_rate[best]:.3g}, which is the best of those that trained."
    )
    if np.isnan(safe).all():
        return told
    rate = 2 ** sweep.log2_rate[int(np.nanargmin(safe))]
    return f"{told} The best rate at which none did is {rate:.3g}."


def _of_sizes(group: Sequence[Sweep], kept: Sequence[str]) -> Iterator[str]:
    for axis in group[0].sizes:
        sizes = sorted({s.sizes[axis] for s in group})
        more = " and ".join(f"{sizes[-1] * 2**k:g}" for k in range(1, MINIMAL_SIZES))
        if len(sizes) == 1:
            yield f"One {axis} ({sizes[0]:g}): {more} would tell whether the best rate moves."
        elif axis not in kept and sum(s.has_optimum for s in group) > 1:
            yield (
                f"{axis} varies only together with other sizes: runs at {axis} {sizes[0]:g} and "
                f"{sizes[-1]:g} with all else equal would tell its part."
            )
        elif len(sizes) < MINIMAL_SIZES:
            yield f"Two sizes of {axis}: to predict beyond them, run {axis} {sizes[-1] * 2:g} too."


def _of_seeds(group: Sequence[Sweep]) -> Iterator[str]:
    if max(len(s.seeds) for s in group) == 1:
        yield (
            "One seed: how far off an optimum may be is taken from the scatter about the law and "
            "the valleys, and in part assumed. Two more seeds would tell."
        )
