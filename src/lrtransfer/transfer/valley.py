"""The valley of a learning-rate sweep: log loss over log2(learning rate) of one seed.

The optimum is the vertex of the parabola through the lowest grid point and its two neighbours. This
estimator is continuous in the losses (where two grid points tie, both parabolas give the midpoint),
needs no tuning, and is exact on a symmetric quadratic valley. On other valleys it is off by a
systematic error that more seeds do not reduce; `RESOLUTION` is its size.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.interpolate import CubicHermiteSpline

Array = npt.NDArray[np.float64]

#: Systematic error of a vertex as a standard deviation, in grid spacings. Calibrated by simulation
#: (tests/transfer/simulated_sweeps.py: a spacing of one octave, the right side 1 to 4 times as
#: steep as the left, a divergence cliff 0.7 to 2.5 octaves above the optimum). There the vertex
#: is low by 0.18 on average, root mean square 0.22; the error is bounded, so 0.185 suffices for
#: 95 %.
RESOLUTION = 0.185

#: The part that varies with where the optimum lies between grid points; the rest comes from the
#: valley's asymmetry, is common to all widths and cancels in a drift. More than its root mean
#: square of 0.07: the phases of a slowly moving optimum are neighbours, not independent draws.
PHASE_RESOLUTION = 0.12

#: Relative systematic error of a small move: an optimum that moves by a fraction of a grid step
#: moves its vertex by about half to one and a half times as much; a vertex that hardly moved may
#: stand for an optimum that moved nearly twice as far.
STRETCH = 0.8

#: A cliff next to the minimum counts at most this many times the rise on the other side: a diverged
#: run says where the valley ends, not how steep it is, and its raw value would push every vertex to
#: half a step below the minimum. Of 1, 2, 3, 5 and no cap, 2 gave the smallest error.
CLIFF_RISE = 2.0


def vertices(
    log2_lr: Array, log_loss: Array, cliff: npt.NDArray[np.bool_]
) -> tuple[Array, npt.NDArray[np.int64]]:
    """Return the vertex of each valley and whether its minimum lies at the grid's edge.

    Args:
        log2_lr: (L,) increasing grid, in octaves.
        log_loss: (..., L) log of the losses, finite; a diverged run holds a penalty, not NaN.
        cliff: (..., L) true where the run diverged or ended no better than untrained.

    Returns:
        Vertices (...) in log2 of the learning rate, NaN where every run is a cliff; at most half a
        step from the lowest grid point, and equal to it at the edge. Edges (...): -1 low, 1 high,
        0 inside.

    Raises:
        ValueError: `log2_lr` is not increasing or `log_loss` is not finite.

    Example:
        >>> from lrtransfer.transfer.valley import vertices
        >>> import numpy as np
        >>> grid = np.array([-4.0, -3.0, -2.0, -1.0])
        >>> vertex, edge = vertices(grid, 0.1 * (grid + 2.3) ** 2, np.zeros(4, bool))
        >>> float(vertex.round(2)), int(edge)
        (-2.3, 0)
    """
    if log2_lr.ndim != 1 or np.any(np.diff(log2_lr) <= 0):
        raise ValueError("log2_lr must be one increasing axis: sort it and drop repeated rates")
    if not np.all(np.isfinite(log_loss)):
        raise ValueError("log_loss must be finite: give diverged runs a penalty, drop missing ones")
    last = len(log2_lr) - 1
    lowest = np.argmin(log_loss, axis=-1)
    edge = np.where(lowest == 0, -1, np.where(lowest == last, 1, 0))
    left, right = np.maximum(lowest - 1, 0), np.minimum(lowest + 1, last)

    def at(table: npt.NDArray[np.generic], index: npt.NDArray[np.int64]) -> Array:
        return np.take_along_axis(table, index[..., None], axis=-1)[..., 0].astype(np.float64)

    bottom = at(log_loss, lowest)
    rise_left, rise_right = at(log_loss, left) - bottom, at(log_loss, right) - bottom
    cliff_left, cliff_right = at(cliff, left) > 0, at(cliff, right) > 0
    capped_left = np.where(cliff_left, np.minimum(rise_left, CLIFF_RISE * rise_right), rise_left)
    capped_right = np.where(cliff_right, np.minimum(rise_right, CLIFF_RISE * rise_left), rise_right)
    both = cliff_left & cliff_right
    rise_left = np.where(both, 1.0, capped_left)
    rise_right = np.where(both, 1.0, capped_right)

    step_left, step_right = log2_lr[lowest] - log2_lr[left], log2_lr[right] - log2_lr[lowest]
    with np.errstate(divide="ignore", invalid="ignore"):
        slope_left, slope_right = rise_left / step_left, rise_right / step_right
        curvature = (slope_left + slope_right) / (step_left + step_right)
        offset = (curvature * step_right - slope_right) / (2 * curvature)
    offset = np.where((edge == 0) & (slope_left + slope_right > 0), offset, 0.0)
    position = np.where(cliff.all(axis=-1), np.nan, log2_lr[lowest] + offset)
    return position, np.asarray(edge, dtype=np.int64)


def loss_at(log2_lr: Array, loss: Array, cliff: npt.NDArray[np.bool_], where: Array) -> Array:
    """Return one seed's loss between grid points.

    The log loss is a cubic with second-order tangents (exact for a parabola) between points of the
    valley, and a straight line in cells that touch a cliff, over which a cubic would overshoot.

    Args:
        log2_lr: (L,) increasing grid, in octaves.
        loss: (L,) losses in nats, finite and positive.
        cliff: (L,) true where the run diverged or ended no better than untrained.
        where: (P,) positions in octaves.

    Returns:
        (P,) losses in nats; NaN outside the grid, which is never extrapolated.

    Example:
        >>> from lrtransfer.transfer.valley import loss_at
        >>> import numpy as np
        >>> grid = np.array([-4.0, -3.0, -2.0, -1.0])
        >>> loss_at(grid, np.exp(grid + 4), np.zeros(4, bool), np.array([-2.5])).round(3).tolist()
        [4.482]
    """
    log_loss = np.log(loss)
    value = np.interp(where, log2_lr, log_loss, left=np.nan, right=np.nan)
    start, stop = _valley_floor(log_loss, cliff)
    if stop - start >= 3:
        x, y = log2_lr[start:stop], log_loss[start:stop]
        inside = (where >= x[0]) & (where <= x[-1])
        cubic = CubicHermiteSpline(x, y, np.gradient(y, x, edge_order=2))
        value[inside] = cubic(where[inside])
    return np.asarray(np.exp(value), dtype=np.float64)


def _valley_floor(log_loss: Array, cliff: npt.NDArray[np.bool_]) -> tuple[int, int]:
    """Return the slice of grid points around the minimum that no cliff interrupts."""
    lowest = int(np.argmin(log_loss))
    walls = np.flatnonzero(cliff)
    below, above = walls[walls < lowest], walls[walls > lowest]
    start = int(below[-1]) + 1 if below.size else 0
    stop = int(above[0]) if above.size else len(log_loss)
    return (start, stop) if not cliff[lowest] else (lowest, lowest)
