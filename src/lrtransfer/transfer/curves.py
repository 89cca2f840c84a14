"""The loss between grid points: curves through the runs of a seed, many seeds at once.

The height is a cubic between points of the valley and a straight line in cells that touch a cliff,
over which a cubic would overshoot. Outside of its own runs a curve is never extrapolated.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeVar

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]
Shape = Literal["smooth", "monotone"]
_Kind = TypeVar("_Kind", bound=np.generic)


def loss_at(
    log2_rate: Array,
    loss: Array,
    cliff: Mask,
    where: npt.ArrayLike,
    *,
    logarithmic: bool | Mask = True,
    shape: Shape = "smooth",
) -> Array:
    """Return seeds' losses between grid points.

    Args:
        log2_rate: (L,) or (..., L) increasing grid, in octaves.
        loss: (..., L); NaN where a run is missing.
        cliff: (..., L) true where the run diverged or ended no better than untrained.
        where: (P,) or (..., P) positions in octaves.
        logarithmic: (...) whether the height is the log of the loss, which is positive then.
        shape: `smooth` has second-order tangents (exact for a parabola), `monotone` never leaves
            the range of a cell's ends: their difference says how uncertain interpolation is.

    Returns:
        (..., P) losses; NaN outside a seed's runs.

    Example:
        >>> from lrtransfer.transfer.curves import loss_at
        >>> import numpy as np
        >>> grid = np.array([-4.0, -3.0, -2.0, -1.0])
        >>> loss_at(grid, np.exp(grid + 4), np.zeros(4, bool), [-2.5]).round(3).tolist()
        [4.482]
    """
    return Curves.through(log2_rate, loss, cliff, logarithmic, shape)(where)


@dataclass(frozen=True, eq=False)
class Curves:
    """A piecewise cubic height for each seed.

    Attributes:
        start: (..., L) where each cell begins, in octaves; infinite where there is none.
        end: (...) where the last one ends; minus infinity without runs.
        powers: (..., L, 4) of each cell: what 1, t, t², t³ count, t from its beginning.
        logarithmic: (...) whether the height is the log of the loss.
    """

    start: Array
    end: Array
    powers: Array
    logarithmic: bool | Mask

    @classmethod
    def through(
        cls,
        log2_rate: Array,
        loss: Array,
        cliff: Mask,
        logarithmic: bool | Mask = True,
        shape: Shape = "smooth",
    ) -> Curves:
        """Return the curves through losses; arguments are those of `loss_at`."""
        there = np.isfinite(loss)
        runs = there.sum(-1, keepdims=True)
        place = np.arange(loss.shape[-1])
        real = place < runs
        order = np.argsort(~there, axis=-1, kind="stable")  # each seed's runs, then its gaps
        log = np.asarray(logarithmic)[..., None]
        # A loss of exactly zero has no logarithm; the smallest float keeps its order.
        positive = np.where(there & log, np.maximum(loss, np.finfo(np.float64).tiny), 1.0)
        height = np.where(there, np.where(log, np.log(positive), loss), 0.0)
        grid = np.broadcast_to(log2_rate, loss.shape)
        x = np.where(real, np.take_along_axis(grid, order, -1), grid[..., -1:] + 1 + place)
        y = np.take_along_axis(height, order, -1)
        wall = np.take_along_axis(cliff, order, -1) | ~real
        width = np.diff(x, append=x[..., -1:] + 1)
        slope = np.where(place + 1 < runs, np.diff(y, append=0.0) / width, 0.0)
        bent = _valley(np.where(real, y, np.inf), wall)
        tangent = _tangents(width, slope, bent, shape)
        cubic = np.where(bent, (tangent + _shifted(tangent, -1) - 2 * slope) / width, 0.0)
        straight = np.where(bent, tangent, slope)
        square = np.where(bent, (slope - tangent) / width - cubic, 0.0)
        powers = np.stack([y, straight, square, cubic / width], axis=-1)
        last = np.take_along_axis(x, np.maximum(runs - 1, 0), -1)
        return cls(
            np.where(place < np.maximum(runs - 1, 1), x, np.inf),
            np.where(runs > 0, last, -np.inf)[..., 0],
            powers,
            logarithmic,
        )

    def __call__(self, where: npt.ArrayLike) -> Array:
        """Return the losses (..., P) at places (P,) or (..., P); NaN outside a seed's runs."""
        at = np.atleast_1d(np.asarray(where, dtype=np.float64))
        at = np.broadcast_to(at, (*self.end.shape, at.shape[-1]))
        cell = np.maximum((self.start[..., None, :] <= at[..., None]).sum(-1) - 1, 0)
        t = at - np.take_along_axis(self.start, cell, -1)
        a, b, c, d = np.moveaxis(np.take_along_axis(self.powers, cell[..., None], -2), -1, 0)
        height = a + t * (b + t * (c + t * d))
        inside = (at >= self.start[..., :1]) & (at <= self.end[..., None])
        height = np.where(inside, height, np.nan)
        log = np.asarray(self.logarithmic)[..., None]
        return np.where(log, np.exp(np.where(log, height, 0.0)), height)


def _valley(y: Array, wall: Mask) -> Mask:
    """Return the cells (..., L) between the points around the minimum that no cliff interrupts.

    `y` is infinite where there is no run. None where the points are fewer than three, or the
    minimum itself is a cliff.
    """
    place = np.arange(y.shape[-1])
    lowest = np.argmin(y, axis=-1)[..., None]
    first = np.where(wall & (place <= lowest), place + 1, 0).max(-1, keepdims=True)
    stop = np.where(wall & (place >= lowest), place, len(place)).min(-1, keepdims=True)
    return np.asarray((stop - first >= 3) & (place >= first) & (place + 1 < stop))


def _tangents(width: Array, slope: Array, bent: Mask, shape: Shape) -> Array:
    """Return the height's derivative at each point (..., L) that ends a bent cell.

    Args:
        width: (..., L) of the cell after each point.
        slope: (..., L) of its chord.
        bent: (..., L) whether it is a cubic.
        shape: of the curve.
    """
    monotone = shape == "monotone"
    before, of_before = _shifted(width, 1), _shifted(slope, 1)
    with np.errstate(divide="ignore", invalid="ignore"):
        if monotone:  # Fritsch and Butland's weighted harmonic mean
            mean = (3 * (before + width)) / (
                (2 * width + before) / of_before + (width + 2 * before) / slope
            )
            inner = np.where(of_before * slope > 0, mean, 0.0)
        else:
            inner = (before * slope + width * of_before) / (before + width)
        first = _end(width, _shifted(width, -1), slope, _shifted(slope, -1), monotone)
        last = _end(before, _shifted(width, 2), of_before, _shifted(slope, 2), monotone)
    return np.where(_shifted(bent, 1) & bent, inner, np.where(bent, first, last))


def _end(near: Array, far: Array, slope: Array, beyond: Array, monotone: bool) -> Array:
    """Return the derivative at the end of two cells: that of the parabola through their points.

    Where it must be monotone it has the sign of the chord and at most three times its size.
    """
    end = ((2 * near + far) * slope - near * beyond) / (near + far)
    if not monotone:
        return np.asarray(end)
    end = np.where(np.sign(end) != np.sign(slope), 0.0, end)
    steep = (np.sign(slope) != np.sign(beyond)) & (np.abs(end) > 3 * np.abs(slope))
    return np.where(steep, 3 * slope, end)


def _shifted(values: npt.NDArray[_Kind], by: int) -> npt.NDArray[_Kind]:
    """Return the values (..., L) of `by` places before, zero where there are none."""
    moved = np.zeros_like(values)
    if by > 0:
        moved[..., by:] = values[..., :-by]
    else:
        moved[..., :by] = values[..., -by:]
    return moved
