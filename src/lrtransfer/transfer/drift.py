"""Drift of the optimum with size: slope of log2(optimum) per octave of the width or depth.

Least squares over the vertices of all seeds and sizes, with a t interval. The vertex's systematic
error depends on where the optimum lies between grid points. Where the optima stand still, it is the
same at every size and cancels; where they move, it distorts the slope by a fraction of itself
(`valley.STRETCH`), but by no more than independent errors (`valley.PHASE_RESOLUTION`) would. The
smaller of the two widens the interval. Seeds that scatter over a grid step average the error out
(and what is left of it is in their scatter already), so it is damped by `dithering`.

Found in simulation (3 seeds, 4 and 5 widths, spacing 1): at a seed scatter of 0.15 or more in log2,
nominal 95 % intervals cover 93 to 99 % of drifts, a drift of 0.5 octaves per octave is always told
from 0, and seed noise alone is called a drift in 1 to 3 % of cases. With almost no seed scatter the
grid is what limits: drifts of 0.03 to 0.15, which move the optimum by less than a grid step in all,
are covered in 90 to 93 % at a scatter of 0.05 and in 87 to 90 % at 0.02, no drift and those
of 0.25 and more in 98 to 100 %. A finer grid mends it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from lrtransfer.transfer import valley
from lrtransfer.transfer.estimate import Estimate, Part, Unit
from lrtransfer.transfer.intervals import line
from lrtransfer.transfer.size import Axis
from lrtransfer.transfer.sweeps import Sweep, groups_of

Array = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Drift:
    """How the optimum of one arm moves, in octaves of rate per octave of size.

    Attributes:
        slope: the estimate; its units are the vertices of all seeds and sizes. A seed whose minimum
            lies at the grid's edge enters with that edge, so the slope is a bound there: open on
            the side to which the true slope may lie (upwards for an optimum beyond the high edge
            at an above-average size, and so on). Unknown scatter below two seeds a size.
        n_sizes: how many sizes have an optimum.
    """

    arm: str
    axis: Axis
    fixed: int
    slope: Estimate
    n_sizes: int


def drifts(sweeps: list[Sweep]) -> list[Drift]:
    """Return the drift of every arm and fixed value.

    Example:
        >>> from lrtransfer.transfer.drift import drifts
        >>> import numpy as np
        >>> from lrtransfer.transfer.sweeps import Sweep, Valley
        >>> grid = np.arange(-9.0, 0.0)  # log2 of the rate
        >>> valleys = tuple(
        ...     Valley(seed, grid, np.exp((grid + 4 + seed) ** 2 / 20), grid > 0) for seed in (0, 1)
        ... )
        >>> swept = [Sweep("mup", "width", 2, n, valleys) for n in (64, 128, 256)]
        >>> round(abs(drifts(swept)[0].slope.value), 2)
        0.0
    """
    return [
        Drift(g[0].arm, g[0].axis, g[0].fixed, drift(g), sum(bool(s.has_vertex.any()) for s in g))
        for g in groups_of(sweeps)
    ]


def drift(group: list[Sweep]) -> Estimate:
    """Return the drift of one arm from its sweeps at several sizes."""
    units, edges = [], []
    for sweep in group:
        for seed, vertex, edge in zip(sweep.seeds, *sweep.vertices, strict=True):
            if np.isfinite(vertex):
                units.append(Unit(seed, sweep.size, float(vertex)))
                edges.append(edge)
    x = np.log2([unit.size for unit in units])
    y = np.array([unit.value for unit in units])
    fit = slope(x, y, max(sweep.spacing for sweep in group))
    if not np.isfinite(fit.value):
        return Estimate(float("nan"), units=tuple(units))
    lever = (x - x.mean()) * np.array(edges)
    several = min(int(s.has_vertex.sum()) for s in group if s.has_vertex.any()) > 1
    return Estimate(
        float(fit.value),
        (Part(float(fit.variance), fit.df),) if several and fit.df > 0 else (),
        systematic=float(fit.systematic),
        open_low=several and bool(np.any(lever < 0)),
        open_high=several and bool(np.any(lever > 0)),
        units=tuple(units),
    )


@dataclass(frozen=True)
class Slope:
    """Slopes (...) with their variance from the seeds, its df, and their systematic error."""

    value: Array
    variance: Array
    df: int
    systematic: Array


def slope(log2_size: Array, vertices: Array, spacing: float) -> Slope:
    """Return the least-squares slopes of vertices over sizes.

    Args:
        log2_size: (n,) of each vertex.
        vertices: (..., n) finite; leading dimensions are separate studies.
        spacing: of the learning-rate grid, in octaves.

    Example:
        >>> from lrtransfer.transfer.drift import slope
        >>> import numpy as np
        >>> float(slope(np.array([6.0, 7.0, 8.0]), np.array([-4.0, -4.5, -5.0]), 1.0).value)
        -0.5
    """
    fit = line(log2_size, vertices)
    sizes = np.unique(log2_size)
    if len(sizes) < 2 or fit.degrees_of_freedom < 1:
        blank = np.full(np.shape(fit.slope), np.nan)
        return Slope(np.asarray(fit.slope), blank, 0, blank)
    spread = np.sqrt(np.sum((sizes - sizes.mean()) ** 2))
    phase = valley.PHASE_RESOLUTION * spacing / spread
    damped = phase * dithering(_scatter(log2_size, vertices), spacing)
    systematic = np.minimum(valley.STRETCH * np.abs(fit.slope), damped)
    return Slope(fit.slope, fit.standard_error**2, fit.degrees_of_freedom, systematic)


def dithering(variance: Array, spacing: float) -> Array:
    """Return how much of a grid's systematic error is left under a seed scatter of `variance`.

    The error is periodic in the optimum's place between grid points; averaging over normal scatter
    damps its first harmonic by exp(−2π² variance / spacing²). Its square root is used: the scatter
    of three seeds is itself uncertain.

    Example:
        >>> from lrtransfer.transfer.drift import dithering
        >>> import numpy as np
        >>> float(dithering(np.array(0.0), spacing=1.0))
        1.0
    """
    return np.asarray(np.exp(-(np.pi**2) * variance / spacing**2))


def _scatter(log2_size: Array, vertices: Array) -> Array:
    """Return the variance over seeds (...), pooled over sizes; zero with one seed each."""
    sizes = np.unique(log2_size)
    freedom = len(log2_size) - len(sizes)
    if freedom == 0:
        return np.zeros(vertices.shape[:-1])
    groups = [vertices[..., log2_size == size] for size in sizes]
    squares = sum(np.sum((g - g.mean(axis=-1, keepdims=True)) ** 2, axis=-1) for g in groups)
    return np.asarray(squares / freedom)
