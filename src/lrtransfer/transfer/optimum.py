"""Optimal learning rate per size (width or depth), in log2.

Per seed: the vertex of `valley.vertices`. Estimate: the mean over seeds, with the seed variance
pooled over the sizes of an arm (assumed equal there: with 3 seeds alone t is 4.3) and the
estimator's systematic error `valley.RESOLUTION`, so that many seeds do not make a coarse grid look
fine.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from lrtransfer.transfer import valley
from lrtransfer.transfer.estimate import Estimate, Part, Unit
from lrtransfer.transfer.sweeps import Sweep

Array = npt.NDArray[np.float64]

#: A learning rate belongs to the valley while the mean loss is within this factor of the optimum's.
VALLEY_FACTOR = 1.1


@dataclass(frozen=True)
class Optimum:
    """The optimum of one sweep.

    Attributes:
        sweep: of one arm at one size.
        log2_rate: the estimate, units per seed. A seed whose minimum lies at the grid's edge counts
            as that edge, and opens the interval on that side: the optimum is censored.
        side: the end of the grid at which most of such seeds lie: `low`, `high` or empty.
        loss: mean over seeds of the loss at the optimum.
        best_grid_rate: log2 of the rate with the lowest mean loss.
        valley: log2 of the rates between which the mean loss stays within `VALLEY_FACTOR`.
    """

    sweep: Sweep
    log2_rate: Estimate
    side: str
    loss: float
    best_grid_rate: float
    valley: tuple[float, float]


def optima(sweeps: list[Sweep]) -> list[Optimum]:
    """Return the optimum of each sweep of an experiment.

    Example:
        >>> from lrtransfer.transfer.optimum import optima
        >>> import numpy as np
        >>> from lrtransfer.transfer.sweeps import Sweep, Valley
        >>> grid = np.arange(-9.0, 0.0)  # log2 of the rate
        >>> valleys = tuple(
        ...     Valley(seed, grid, np.exp((grid + 4 + seed) ** 2 / 20), grid > 0) for seed in (0, 1)
        ... )
        >>> swept = [Sweep("mup", "width", 2, n, valleys) for n in (64, 128, 256)]
        >>> [(found.sweep.size, round(found.log2_rate.value, 2)) for found in optima(swept)]
        [(64, -4.5), (128, -4.5), (256, -4.5)]
    """
    inside = {id(s): s.vertices[0][(s.vertices[1] == 0) & s.has_vertex] for s in sweeps}
    found = []
    for sweep in sweeps:
        peers = [
            inside[id(other)]
            for other in sweeps
            if (other.arm, other.fixed) == (sweep.arm, sweep.fixed)
        ]
        estimate = optimum(sweep, pooled_variance(peers))
        edges = sweep.vertices[1][sweep.has_vertex]
        found.append(Optimum(sweep, estimate, _side(edges), *_valley(sweep, estimate.value)))
    return found


def pooled_variance(groups: list[Array]) -> Part:
    """Return the variance over seeds pooled over sizes (NaN with no degree of freedom).

    Args:
        groups: per size the vertices (S,) that are inside the grid.
    """
    freedom = sum(max(len(g) - 1, 0) for g in groups)
    if freedom == 0:
        return Part(float("nan"), 0)
    squares = sum(float(np.sum((g - g.mean()) ** 2)) for g in groups if len(g) > 1)
    return Part(squares / freedom, freedom)


def optimum(sweep: Sweep, pooled: Part) -> Estimate:
    """Return the mean of one size's vertices, in log2 of the learning rate.

    A single rate tells nothing: both sides are open. One seed has no scatter.

    Args:
        sweep: of one arm at one size.
        pooled: variance of one seed's vertex.
    """
    vertices, edges = sweep.vertices
    finite = sweep.has_vertex
    units = tuple(
        Unit(seed, sweep.size, float(vertex))
        for seed, vertex, kept in zip(sweep.seeds, vertices, finite, strict=True)
        if kept
    )
    n = len(units)
    if n == 0:
        return Estimate(float("nan"))
    mean = float(vertices[finite].mean())
    if n == 1:
        return Estimate(mean, units=units)
    if np.isnan(sweep.spacing):
        return Estimate(mean, open_low=True, open_high=True, units=units)
    return Estimate(
        mean,
        (Part(pooled.variance / n, pooled.df),),
        systematic=valley.RESOLUTION * sweep.spacing,
        open_low=bool(np.any(edges[finite] < 0)),
        open_high=bool(np.any(edges[finite] > 0)),
        units=units,
    )


def _side(edges: npt.NDArray[np.int64]) -> str:
    low, high = int(np.sum(edges < 0)), int(np.sum(edges > 0))
    return "" if low == high == 0 else ("low" if low >= high else "high")


def _valley(sweep: Sweep, optimum: float) -> tuple[float, float, tuple[float, float]]:
    """Describe the seed-mean loss: its value at the optimum, its best grid point, its valley."""
    unknown = float("nan")
    low, high = sweep.grid
    if not np.isfinite(optimum) or low == high:
        return unknown, unknown, (unknown, unknown)
    grid = np.unique(np.concatenate([v.log2_lr for v in sweep.valleys]))
    means = sweep.mean_loss_at(grid)
    if np.all(np.isnan(means)):
        return unknown, unknown, (unknown, unknown)
    loss = float(sweep.mean_loss_at(optimum)[0])
    fine = np.linspace(low, high, 64 * int(np.ceil(high - low)) + 1)
    within = sweep.mean_loss_at(fine) <= VALLEY_FACTOR * loss
    start = int(np.argmin(np.abs(fine - optimum)))
    left = start - int(np.argmin(np.append(within[start::-1], False))) + 1
    right = start + int(np.argmin(np.append(within[start:], False))) - 1
    valley_ends = float(fine[min(left, start)]), float(fine[max(right, start)])
    return loss, float(grid[np.nanargmin(means)]), valley_ends
