"""The power law of transfer: log2 of the best rate, linear in the log2 of every size axis.

Its terms are the drifts: octaves of rate per octave of width, depth, batch, … Least squares of
the seeds' pseudo-values at all sizes (`vertices.py`), with Student's t, in quadrature with what
seeds do not lessen: each size's own error, and the doubt of how the valley's shape changes.

The bandwidth is the one of `vertices.tried` at which the drift's interval is narrowest: broad
valleys bear a wide one, which averages noise away, and pay for it with a floor in proportion.

With one seed a size its scatter is not seen. It is taken from the scatter about the law and from
the valleys' own residuals, moderated by a standard deviation of `ASSUMED` octaves that counts as
`ASSUMED_FREEDOM` degrees of freedom.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import numpy.typing as npt
from scipy import special

from lrtransfer.transfer.estimate import Estimate, Part
from lrtransfer.transfer.sweeps import Sweep
from lrtransfer.transfer.vertices import DOUBT_OF_MOVES, Vertices, tried

Array = npt.NDArray[np.float64]

#: The assumed scatter of single seeds' optima, octaves, and how many degrees it counts as.
ASSUMED, ASSUMED_FREEDOM = 0.2, 4

#: Level of the test whether the sizes' optima miss the law by more than seeds explain. A test that
#: decides how an interval is built must be liberal if the interval is to cover (Bancroft 1964).
MISS_LEVEL = 0.25


#: Fitted once what optima, drift, regret and prediction of the same sweeps ask for: the last arms.
_FITTED: dict[tuple[Sweep, ...], Law] = {}
_KEPT = 256


@dataclass(frozen=True, eq=False)
class Law:
    """The power law of one arm.

    Attributes:
        vertices: what it is fitted to.
        axes: those along which the sizes vary, in the order of its terms.
    """

    vertices: Vertices
    axes: tuple[str, ...]

    @cached_property
    def terms(self) -> dict[str, Estimate]:
        """`constant` (log2 of the rate at size 1) and each axis (its drift) -> estimate."""
        row = np.append(1.0, np.zeros(len(self.axes)))
        return {"constant": self._of(row, is_move=False)} | self.drifts

    @cached_property
    def drifts(self) -> dict[str, Estimate]:
        """Each axis -> its drift."""
        rows = np.eye(len(self.axes) + 1)[1:]
        return {a: self._of(row, is_move=True) for a, row in zip(self.axes, rows, strict=True)}

    @property
    def drift(self) -> Estimate:
        """The drift along the one axis; unknown below two sizes."""
        return self.drifts[self.axes[0]] if len(self.axes) == 1 else Estimate(float("nan"))

    def at(self, sizes: Mapping[str, float]) -> Estimate:
        """Return the law's optimum (log2 of the rate) at a size, with the doubt of its place."""
        row = np.array([1.0, *(math.log2(sizes[axis]) for axis in self.axes)])
        found = self._of(row, is_move=False)
        miss = self._miss
        if miss is None:
            return found
        spread = float(row @ np.linalg.inv(self._sizes.T @ self._sizes) @ row)
        return replace(found, parts=(Part(miss.variance * (1 + spread), miss.df),))

    @cached_property
    def residual(self) -> float:
        """Root mean square of the sizes' optima about the law, in octaves."""
        return float(np.sqrt(np.mean((self.vertices.position - self._fitted) ** 2)))

    @cached_property
    def scatter(self) -> Part:
        """Variance of one seed's optimum about the law, and its degrees of freedom."""
        squares = self._squares_about(self._fitted)
        freedom = int(self._seeds.sum()) - len(self.axes) - 1
        if self._seeds.max() > 1:
            return Part(squares / freedom if freedom > 0 else math.nan, freedom)
        assumed = ASSUMED_FREEDOM * (ASSUMED**2 + self.vertices.noise)
        whole = ASSUMED_FREEDOM + max(freedom, 0)
        return Part((assumed + squares) / whole, whole)

    def _squares_about(self, places: Array) -> float:
        """Return the sum of squares of the pseudo-values about places (N,)."""
        about = np.repeat(places, self._seeds.astype(np.int64))
        return float(np.sum((np.concatenate(self.vertices.pseudo) - about) ** 2))

    @cached_property
    def _sizes(self) -> Array:
        """Design (N, terms) of the sizes."""
        return np.array(
            [[1.0, *(math.log2(s.sizes[a]) for a in self.axes)] for s in self.vertices.sweeps]
        )

    @cached_property
    def _seeds(self) -> Array:
        return np.array([len(v) for v in self.vertices.pseudo], dtype=np.float64)

    @cached_property
    def _covariance(self) -> Array:
        """Covariance (terms, terms) of the terms in units of one seed's variance."""
        return np.asarray(np.linalg.inv(self._sizes.T @ (self._seeds[:, None] * self._sizes)))

    @cached_property
    def _crowding(self) -> float:
        """Sizes for each half octave: the grid and the valley's form do the same to all of them."""
        cells = half_octaves(self._sizes[:, 1:])
        return len(cells) / len(np.unique(cells, axis=0))

    @cached_property
    def _weights(self) -> Array:
        """How each size's optimum enters each term (terms, N)."""
        return np.asarray(self._covariance @ (self._sizes * self._seeds[:, None]).T)

    @cached_property
    def _fitted(self) -> Array:
        return np.asarray(self._sizes @ (self._weights @ self.vertices.position))

    @cached_property
    def _miss(self) -> Part | None:
        """Variance of a size's optimum about a law that misses it by more than seeds explain."""
        n, terms = self._sizes.shape
        freedom = n - terms
        own, of_own = self.scatter, float(np.sum(self._seeds)) - n
        if freedom < 1 or of_own < 1:
            return None
        misses = float(np.sum((self.vertices.position - self._fitted) ** 2)) / freedom
        within = self._squares_about(self.vertices.position) / of_own
        explained = within / float(self._seeds.mean()) + float(np.mean(self.vertices.floor**2))
        if explained > 0 and special.fdtrc(freedom, of_own, misses / explained) > MISS_LEVEL:
            return None
        return Part(misses, freedom) if misses > own.variance / self._seeds.mean() else None

    def _of(self, row: Array, *, is_move: bool) -> Estimate:
        """Return row · terms, with its error."""
        v = self.vertices
        weights = row @ self._weights
        scatter = self.scatter
        shape = float(weights @ v.gap)
        shared = 0.0 if is_move else float(np.sqrt(np.mean(v.offset**2)))
        towards = {"low": -1, "high": 1, "both": 0}
        ends = [w * towards[side] for w, side in zip(weights, v.side, strict=True) if side and w]
        return Estimate(
            float(weights @ v.position),
            (Part(float(row @ self._covariance @ row) * scatter.variance, scatter.df),)
            if scatter.df > 0
            else (),
            systematic=math.hypot(
                math.sqrt(self._crowding) * float(np.linalg.norm(weights * v.floor)),
                DOUBT_OF_MOVES * shape,
                shared,
            ),
            open_low=any(end <= 0 for end in ends),
            open_high=any(end >= 0 for end in ends),
            units=v.units,
        )


def fit(sweeps: Sequence[Sweep]) -> Law:
    """Return the law of one arm's sweeps, at the bandwidth that tells its drifts best.

    Args:
        sweeps: of one arm. Sizes without an optimum (every run diverged) are left out; of axes that
            vary together only the first is kept.

    Raises:
        ValueError: no sweep has an optimum.

    Example:
        >>> from lrtransfer.transfer.laws import fit
        >>> import numpy as np
        >>> from lrtransfer.transfer.sweeps import Sweep
        >>> grid = np.arange(-9.0, 0.0)  # log2 of the rate
        >>> def swept(width, best):
        ...     losses = np.exp([(grid - best - seed) ** 2 / 20 for seed in (0.0, 0.1)])
        ...     return Sweep("ntp", {"width": width}, (0, 1), grid, losses, losses > 1e9)
        >>> law = fit([swept(64, -5.0), swept(128, -4.5), swept(256, -4.0)])
        >>> round(law.drift.value, 3)
        0.5
    """
    return fits([sweeps])[0]


def fits(arms: Sequence[Sequence[Sweep]]) -> list[Law]:
    """Return the law of each arm; fitted at once, many take little longer than one.

    Raises:
        ValueError: an arm has no sweep with an optimum.
    """
    keys = [tuple(arm) for arm in arms]
    new = [key for key in dict.fromkeys(keys) if key not in _FITTED]
    usable = [tuple(s for s in arm if s.has_optimum) for arm in new]
    if not all(usable):
        raise ValueError("no size has a rate at which its runs train: sweep lower learning rates")
    for key, arm, vertices in zip(new, usable, tried(usable), strict=True):
        axes = _independent(arm)
        narrowest, *wider = (Law(own, axes) for own in vertices)
        moving = [narrowest, *(law for law in wider if law.vertices.inside)]
        _FITTED[key] = min(moving, key=_width)
    found = [_FITTED[key] for key in keys]
    for key in list(_FITTED)[:-_KEPT]:
        del _FITTED[key]
    return found


def half_octaves(octaves: Array) -> npt.NDArray[np.int64]:
    """Return the half octave (N, ...) above the smallest in which each size lies."""
    # Not to the half: a step of a quarter octave must not be rounded by its last digit.
    places = 2 * (octaves - octaves.min(axis=0))
    return np.asarray(np.round(places + 1e-6), dtype=np.int64)


def _width(law: Law) -> float:
    """Return the geometric mean half width of the drifts; of the optima without any."""
    of = list(law.drifts.values()) or [law.terms["constant"]]
    widths = [replace(e, open_low=False, open_high=False).half_width(0.05) for e in of]
    known = [w for w in widths if w > 0]
    return float(np.exp(np.mean(np.log(known)))) if known else math.inf


def _independent(sweeps: Sequence[Sweep]) -> tuple[str, ...]:
    """Return the axes that vary, without those that others already determine."""
    kept: list[str] = []
    columns = [np.ones(len(sweeps))]
    for axis in sweeps[0].sizes:
        column = np.log2([s.sizes[axis] for s in sweeps])
        if np.linalg.matrix_rank(np.stack([*columns, column]), tol=1e-9) > len(columns):
            kept.append(axis)
            columns.append(column)
    return tuple(kept)
