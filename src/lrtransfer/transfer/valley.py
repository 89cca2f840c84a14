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

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]
Form = Literal["cubic", "halves"]

#: Steps towards the vertex; each is shortened, since weights and vertex depend on one another.
_STEPS = 15
_SHORTENED = 0.6

#: 2⁷ = 128 turns of rates and seeds about one another, where runs are missing.
_DOUBLINGS = 7

#: Points that weigh less than this count as absent when the degree is chosen.
_NEGLIGIBLE = 1e-3


@dataclass(frozen=True)
class Bottom:
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

    def __getitem__(self, which: int | slice) -> Bottom:
        """Return those of some valleys."""
        return Bottom(
            self.position[which],
            self.lowest[which],
            self.points[which],
            self.influence[which],
            self.misfit[which],
        )


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
    there = known.astype(np.float64)
    filled = np.where(known, height, 0.0)
    per_rate, per_seed = np.maximum(there.sum(-2), 1), np.maximum(there.sum(-1), 1)
    plain = filled.sum(-2) / per_rate
    if not known.all():
        # Rates and seeds take turns: seeds <- once @ seeds + gained, n steps of which are
        # once^n and the sum of its lower powers on `gained`. Each doubling takes twice as many.
        share = there / per_seed[..., None]
        once = _centred(share @ np.swapaxes(there / per_rate[..., None, :], -1, -2))
        gained = filled.sum(-1) / per_seed - (share @ plain[..., None])[..., 0]
        seeds = _centred(gained[..., None])
        for _ in range(_DOUBLINGS):
            seeds, once = once @ seeds + seeds, once @ once
        plain = plain - (np.swapaxes(there, -1, -2) @ seeds)[..., 0] / per_rate
    return np.where(known.any(-2), plain, np.nan)


def _centred(values: Array) -> Array:
    """Return values (..., S, n) less their means over seeds."""
    return np.asarray(values - values.mean(-2, keepdims=True))


def bottom(
    log2_rate: Array, height: Array, bandwidth: npt.ArrayLike, form: Form = "cubic"
) -> Bottom:
    """Return the bottom of each valley.

    Args:
        log2_rate: (L,) or (..., L) increasing grid, in octaves.
        height: (..., L); NaN at rates that are not usable.
        bandwidth: octaves from the vertex at which a point ceases to count, or (...) of them.
        form: of the valley.

    Raises:
        ValueError: `log2_rate` is not increasing, or a `bandwidth` is not positive.

    Example:
        >>> from lrtransfer.transfer.valley import bottom
        >>> import numpy as np
        >>> grid = np.array([-4.0, -3.0, -2.0, -1.0])
        >>> float(bottom(grid, 0.1 * (grid + 2.3) ** 2, bandwidth=2.6).position.round(3))
        -2.3
    """
    if np.any(np.diff(log2_rate) <= 0):
        raise ValueError("log2_rate must be an increasing axis: sort it and drop repeated rates")
    width = np.asarray(bandwidth, dtype=np.float64)
    if not np.all(width > 0):
        raise ValueError(f"bandwidth must be positive octaves, not {width.min():g}")
    usable = np.isfinite(height)
    lowest = np.argmin(np.where(usable, height, np.inf), axis=-1)
    floor = np.take_along_axis(np.where(usable, height, 0.0), lowest[..., None], -1)
    rise = np.where(usable, height - floor, 0.0)
    grid = np.broadcast_to(log2_rate, height.shape)
    start = np.take_along_axis(grid, lowest[..., None], -1)[..., 0]
    near = np.abs(grid - start[..., None]) < width[..., None]
    unit = np.where(near, rise, 0.0).max(-1, keepdims=True)
    unit = np.where(unit > 0, unit, 1.0)
    rise = rise / unit
    reach, stride = width * 0.3, width * 0.2
    centre = start
    for step in range(_STEPS):
        fit = _Local.of((grid - centre[..., None]) / width[..., None], rise, usable, form)
        shift = np.clip(fit.vertex * width, -stride, stride)
        whole = step == _STEPS - 1
        centre = np.clip(
            centre + (shift if whole else _SHORTENED * shift), start - reach, start + reach
        )
    with np.errstate(over="ignore", invalid="ignore"):  # a valley of no height to speak of
        influence = np.nan_to_num(fit.influence * width[..., None] / unit)
    return Bottom(
        np.where(usable.any(-1), centre, np.nan),
        lowest,
        fit.points,
        influence,
        fit.misfit * unit[..., 0] ** 2,
    )


@dataclass(frozen=True)
class _Local:
    """A local fit to heights at places in bandwidths from the centre.

    Attributes:
        design: (..., L, 4) of its terms.
        weight: (..., L).
        rise: (..., L) what is fitted.
        normal: (..., 4, 4) of the least squares.
        found: (..., 4) coefficients.
        form: of the valley.
    """

    design: Array
    weight: Array
    rise: Array
    normal: Array
    found: Array
    form: Form

    @classmethod
    def of(cls, x: Array, rise: Array, usable: npt.NDArray[np.bool_], form: Form) -> _Local:
        """Fit heights at places `x` (..., L)."""
        distance = np.minimum(np.abs(x), 1.0)
        weight = np.where(usable, _cubed(1 - _cubed(distance)), 0.0)
        third = _cubed(x) if form == "cubic" else x * np.abs(x)
        design = np.stack([np.ones_like(x), x, x * x, third], axis=-1)
        weighted = np.swapaxes(design * weight[..., None], -1, -2)
        # A coefficient that too few points determine is held at zero.
        points = (weight > _NEGLIGIBLE).sum(-1)
        held = np.where(points[..., None] <= np.arange(4), 1e9, 1e-10)
        normal = weighted @ design + held[..., None] * np.eye(4)
        found = np.linalg.solve(normal, weighted @ rise[..., None])[..., 0].astype(np.float64)
        return cls(design, weight, rise, normal, found, form)

    @property
    def vertex(self) -> Array:
        """Its vertex (...), in bandwidths from the centre."""
        _, slope, curved, lopsided = np.moveaxis(self.found, -1, 0)
        with np.errstate(divide="ignore", invalid="ignore"):
            if self.form == "cubic":
                root = curved**2 - 3 * slope * lopsided
                steep = curved + np.sqrt(np.maximum(root, 0.0))
                vertex = np.where((root >= 0) & (steep > 1e-12), -slope / steep, -np.sign(slope))
            else:
                steep = curved - np.sign(slope) * lopsided
                vertex = np.where(steep > 1e-12, -slope / (2 * steep), -np.sign(slope))
        return np.asarray(np.nan_to_num(vertex))

    @property
    def points(self) -> npt.NDArray[np.int64]:
        """How many points (...) bear on it."""
        return np.asarray((self.weight > _NEGLIGIBLE).sum(-1))

    @property
    def influence(self) -> Array:
        """How the vertex changes with each height (..., L)."""
        weighted = np.swapaxes(self.design * self.weight[..., None], -1, -2)
        slope = np.linalg.solve(self.normal, weighted)[..., 1, :]
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.asarray(np.nan_to_num(-slope / (2 * self.found[..., 2, None])))

    @property
    def misfit(self) -> Array:
        """Sum of squared residuals (...) of the points that bear on it."""
        residual = self.rise - (self.design @ self.found[..., None])[..., 0]
        return np.asarray(np.where(self.weight > _NEGLIGIBLE, residual**2, 0.0).sum(-1))


def _cubed(values: Array) -> Array:
    """Return third powers; numpy's own are ten times as slow."""
    return values * values * values
