"""The valley of a learning-rate sweep: the loss's height over log2(rate), where its bottom lies.

The bottom is the vertex of a local polynomial about itself: weighted least squares (tricube) of the
seeds' mean height, centred anew until the centre is the vertex. Centred so, the weights move with
the valley and not with the grid, and where the optimum lies between grid points hardly matters.

How a valley is lopsided beyond its curvature is not known. Two forms are fitted: a `cubic`, and two
half parabolas of unequal curvature (`halves`). They agree on any symmetric valley and err to
opposite sides on many others; the cubic is the estimate, the gap between both says how far to trust
it (`vertices.py` has the constants, `docs/statistics.md` what they cover).
"""

from __future__ import annotations

from functools import lru_cache
from typing import Literal, NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.interpolate import CubicHermiteSpline, PchipInterpolator

Array = npt.NDArray[np.float64]
Form = Literal["cubic", "halves"]

#: Steps towards the vertex; each is shortened, since weights and vertex depend on one another.
_STEPS = 15
_SHORTENED = 0.6

#: Points that weigh less than this count as absent when the degree is chosen.
_NEGLIGIBLE = 1e-3


class Bottom(NamedTuple):
    """Where valleys (...) have their bottoms.

    Attributes:
        position: (...) log2 of the rate; NaN without a usable rate.
        lowest: (...) index of the lowest grid point.
        points: (...) rates that bear on the fit.
        influence: (..., L) how the position changes with each height.
        misfit: (...) sum of squared residuals of these points about the fit.
    """

    position: Array
    lowest: npt.NDArray[np.int64]
    points: npt.NDArray[np.int64]
    influence: Array
    misfit: Array


def rate_means(height: Array) -> Array:
    """Return the means over seeds at each rate, freed of which seeds are missing there.

    Least squares of height = seed + rate: with all runs there, the plain means.

    Args:
        height: (..., S, L); NaN where a run is missing.

    Returns:
        (..., L); NaN at rates without a run.

    Example:
        >>> from lrtransfer.transfer.valley import rate_means
        >>> import numpy as np
        >>> rate_means(np.array([[1.0, 2.0], [3.0, np.nan]])).tolist()  # the second seed lies 2 up
        [2.0, 3.0]
    """
    known = np.isfinite(height)
    filled = np.where(known, height, 0.0)
    per_rate, per_seed = np.maximum(known.sum(-2), 1), np.maximum(known.sum(-1), 1)
    seeds = np.zeros(height.shape[:-1])
    rates = filled.sum(-2) / per_rate
    for _ in range(0 if known.all() else 100):
        seeds = np.where(known, filled - rates[..., None, :], 0.0).sum(-1) / per_seed
        seeds -= seeds.mean(-1, keepdims=True)
        rates = np.where(known, filled - seeds[..., None], 0.0).sum(-2) / per_rate
    return np.where(known.any(-2), rates, np.nan)


def bottom(log2_rate: Array, height: Array, bandwidth: float, form: Form = "cubic") -> Bottom:
    """Return the bottom of each valley.

    Args:
        log2_rate: (L,) increasing grid, in octaves.
        height: (..., L); NaN at rates that are not usable.
        bandwidth: octaves from the vertex at which a point ceases to count.
        form: of the valley.

    Raises:
        ValueError: `log2_rate` is not increasing, or `bandwidth` is not positive.

    Example:
        >>> from lrtransfer.transfer.valley import bottom
        >>> import numpy as np
        >>> grid = np.array([-4.0, -3.0, -2.0, -1.0])
        >>> float(bottom(grid, 0.1 * (grid + 2.3) ** 2, bandwidth=2.6).position.round(3))
        -2.3
    """
    if log2_rate.ndim != 1 or np.any(np.diff(log2_rate) <= 0):
        raise ValueError("log2_rate must be one increasing axis: sort it and drop repeated rates")
    if not bandwidth > 0:
        raise ValueError(f"bandwidth must be positive octaves, not {bandwidth}")
    usable = np.isfinite(height)
    lowest = np.argmin(np.where(usable, height, np.inf), axis=-1)
    floor = np.take_along_axis(np.where(usable, height, 0.0), lowest[..., None], -1)
    rise = np.where(usable, height - floor, 0.0)
    start = log2_rate[lowest]
    near = np.abs(log2_rate - start[..., None]) < bandwidth
    unit = np.where(near, rise, 0.0).max(-1, keepdims=True)
    unit = np.where(unit > 0, unit, 1.0)
    reach, stride = bandwidth * 0.3, bandwidth * 0.2
    centre = start.astype(np.float64)
    for step in range(_STEPS):
        fit = _local((log2_rate - centre[..., None]) / bandwidth, rise / unit, usable, form)
        shift = np.clip(fit.vertex * bandwidth, -stride, stride)
        whole = step == _STEPS - 1
        centre = np.clip(
            centre + (shift if whole else _SHORTENED * shift), start - reach, start + reach
        )
    with np.errstate(over="ignore", invalid="ignore"):  # a valley of no height to speak of
        influence = np.nan_to_num(fit.influence * bandwidth / unit)
    return Bottom(
        np.where(usable.any(-1), centre, np.nan),
        lowest,
        fit.points,
        influence,
        fit.misfit * unit[..., 0] ** 2,
    )


class _Local(NamedTuple):
    """A local fit: its vertex in bandwidths from the centre, and what `Bottom` says of it."""

    vertex: Array
    points: npt.NDArray[np.int64]
    influence: Array
    misfit: Array


def _local(x: Array, rise: Array, usable: npt.NDArray[np.bool_], form: Form) -> _Local:
    """Fit heights at places `x` (..., L), in bandwidths from the centre."""
    distance = np.minimum(np.abs(x), 1.0)
    weight = np.where(usable, (1 - distance**3) ** 3, 0.0)
    bears = weight > _NEGLIGIBLE
    points = bears.sum(-1)
    third = x**3 if form == "cubic" else x * np.abs(x)
    design = np.stack([np.ones_like(x), x, x**2, third], axis=-1)
    weighted = design * weight[..., None]
    # A coefficient that too few points determine is held at zero.
    held = np.where(points[..., None] <= np.arange(4), 1e9, 1e-10)
    normal = np.einsum("...li,...lj->...ij", weighted, design) + held[..., None] * np.eye(4)
    solved = np.linalg.solve(normal, np.swapaxes(weighted, -1, -2))
    found = np.einsum("...il,...l->...i", solved, rise)
    _, slope, curved, lopsided = np.moveaxis(found, -1, 0)
    with np.errstate(divide="ignore", invalid="ignore"):
        if form == "cubic":
            root = curved**2 - 3 * slope * lopsided
            steep = curved + np.sqrt(np.maximum(root, 0.0))
            vertex = np.where((root >= 0) & (steep > 1e-12), -slope / steep, -np.sign(slope))
        else:
            steep = curved - np.sign(slope) * lopsided
            vertex = np.where(steep > 1e-12, -slope / (2 * steep), -np.sign(slope))
        influence = -solved[..., 1, :] / (2 * curved[..., None])
    residual = rise - np.einsum("...li,...i->...l", design, found)
    misfit = np.where(bears, residual**2, 0.0).sum(-1)
    return _Local(np.nan_to_num(vertex), points, np.nan_to_num(influence), misfit)


def loss_at(
    log2_rate: Array,
    loss: Array,
    cliff: npt.NDArray[np.bool_],
    where: npt.ArrayLike,
    *,
    logarithmic: bool = True,
    shape: Literal["smooth", "monotone"] = "smooth",
) -> Array:
    """Return one seed's loss between grid points.

    The height is a cubic with second-order tangents (exact for a parabola) between points of the
    valley, and a straight line in cells that touch a cliff, over which a cubic would overshoot.

    Args:
        log2_rate: (L,) increasing grid, in octaves.
        loss: (L,) finite.
        cliff: (L,) true where the run diverged or ended no better than untrained.
        where: (P,) positions in octaves.
        logarithmic: whether the height is the log of the loss, which is positive then.
        shape: `monotone` is the cubic that never leaves the range of a cell's ends: the difference
            to `smooth` says how uncertain interpolation is.

    Returns:
        (P,) losses; NaN outside the grid, which is never extrapolated.

    Example:
        >>> from lrtransfer.transfer.valley import loss_at
        >>> import numpy as np
        >>> grid = np.array([-4.0, -3.0, -2.0, -1.0])
        >>> loss_at(grid, np.exp(grid + 4), np.zeros(4, bool), [-2.5]).round(3).tolist()
        [4.482]
    """
    at = np.atleast_1d(np.asarray(where, dtype=np.float64))
    height = np.log(loss) if logarithmic else loss
    value = np.interp(at, log2_rate, height, left=np.nan, right=np.nan)
    start, stop = _floor(height, cliff)
    if stop - start >= 3:
        x, y = log2_rate[start:stop], height[start:stop]
        inside = (at >= x[0]) & (at <= x[-1])
        smooth = shape == "smooth"
        if inside.any():
            value[inside] = _curve(x.tobytes(), y.tobytes(), smooth)(at[inside])
    return np.asarray(np.exp(value) if logarithmic else value, dtype=np.float64)


@lru_cache(maxsize=64)
def _curve(x: bytes, y: bytes, smooth: bool) -> CubicHermiteSpline | PchipInterpolator:
    """Return the curve through points; one valley is asked for its loss many times in a row."""
    places, heights = np.frombuffer(x), np.frombuffer(y)
    if not smooth:
        return PchipInterpolator(places, heights)
    return CubicHermiteSpline(places, heights, np.gradient(heights, places, edge_order=2))


def _floor(height: Array, cliff: npt.NDArray[np.bool_]) -> tuple[int, int]:
    """Return the slice of grid points around the minimum that no cliff interrupts."""
    lowest = int(np.argmin(height))
    if cliff[lowest]:
        return lowest, lowest
    walls = np.flatnonzero(cliff)
    below, above = walls[walls < lowest], walls[walls > lowest]
    return (
        int(below[-1]) + 1 if below.size else 0,
        int(above[0]) if above.size else len(height),
    )
