"""A pilot: few sweeps of one arm -> a model from which studies of that arm are drawn.

A seed's height at size N is f_N(u − u_N − δ) + ε: f the pilot's seed-mean valley about its optimum
u_N (a size that was not piloted has the mean of its neighbours' valleys and lies on the law), δ the
seed's own shift, ε the noise of one run, which depends on how far from the optimum its rate lies.
δ and ε are told apart by regressing each seed's deviations on the valley's slope; with one seed δ
is assumed (`laws.ASSUMED`) and ε taken from the misfit of the valleys.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.interpolate import CubicHermiteSpline

from lrtransfer.transfer.laws import ASSUMED, Law, fit
from lrtransfer.transfer.roles import JudgeError
from lrtransfer.transfer.sweeps import Sweep

Array = npt.NDArray[np.float64]

#: Octaves from the optimum within which a seed's deviations tell its shift.
_NEAR = 2.6


@dataclass(frozen=True, eq=False)
class Pilot:
    """What a pilot says of one arm.

    Attributes:
        law: of its optima.
        shift: standard deviation of a seed's optimum, octaves.
        places: (n,) octaves from the optimum at which noise was seen.
        noise: (n,) variance of one run's height there (squared nats where losses are positive).
    """

    law: Law
    shift: float
    places: Array
    noise: Array

    @property
    def axis(self) -> str:
        """The one axis of size."""
        return self.law.axes[0]

    def optimum(self, size: float) -> float:
        """Return log2 of the best rate at a size."""
        return self.law.at({self.axis: size}).value

    def draw(
        self, rates: Mapping[float, Array], seeds: int, rng: np.random.Generator
    ) -> list[Sweep]:
        """Return the sweeps of a study.

        Args:
            rates: size -> its rates (L,), in log2.
            seeds: of each sweep.
            rng: source of shifts and noise.
        """
        found = []
        for size, grid in rates.items():
            away = grid - self.optimum(size) - self.shift * rng.standard_normal((seeds, 1))
            height, fails = self._valley(size, away)
            height = height + self.noise_at(away) * rng.standard_normal(away.shape)
            loss = np.exp(height) if self._sweeps[0].logarithmic else height
            found.append(Sweep("", {self.axis: size}, tuple(range(seeds)), grid, loss, fails))
        return found

    def noise_at(self, away: Array) -> Array:
        """Return the standard deviation of a run's height at places octaves from the optimum."""
        return np.sqrt(_smooth(self.places, self.noise, away))

    @property
    def _sweeps(self) -> tuple[Sweep, ...]:
        return self.law.vertices.sweeps

    def _valley(self, size: float, away: Array) -> tuple[Array, npt.NDArray[np.bool_]]:
        """Return the height at places about the optimum, and where runs diverge."""
        swept = np.log2([s.sizes[self.axis] for s in self._sweeps])
        at = float(np.clip(math.log2(size), swept[0], swept[-1]))
        above = int(np.clip(np.searchsorted(swept, at), 1, len(swept) - 1))
        share = float((at - swept[above - 1]) / (swept[above] - swept[above - 1]))
        (low, ends), (high, others) = (self._curve(i)(away) for i in (above - 1, above))
        return (1 - share) * low + share * high, ends if share < 0.5 else others

    def _curve(self, place: int) -> _Curve:
        if place not in self._curves:
            optimum = float(self.law.vertices.position[place])
            self._curves[place] = _Curve(self._sweeps[place], optimum)
        return self._curves[place]

    @cached_property
    def _curves(self) -> dict[int, _Curve]:
        return {}


def pilot(sweeps: Sequence[Sweep]) -> Pilot:
    """Return what a pilot of one arm says.

    Raises:
        JudgeError: it has fewer than two sizes or several axes, or an optimum at the end of its
            rates: nothing could be centred.
    """
    if len(sweeps[0].sizes) > 1:
        raise JudgeError("a design is along one axis of size: name one --size column")
    able = sorted((s for s in sweeps if s.has_optimum), key=lambda s: tuple(s.sizes.values()))
    axis = next(iter(sweeps[0].sizes))
    if len(able) < 2:
        raise JudgeError(
            f"a design needs a pilot of two sizes at least, the smallest and the largest {axis}: "
            f"{len(able)} has rates that train"
        )
    law = fit(able)
    for sweep, side in zip(law.vertices.sweeps, law.vertices.side, strict=True):
        if side:
            end = sweep.grid[0] if side == "low" else sweep.grid[1]
            raise JudgeError(
                f"at {axis} {sweep.sizes[axis]:g} the pilot's best rate is its "
                f"{'lowest' if side == 'low' else 'highest'}, {2**end:.3g}: pilot "
                f"{2 ** (end + (-1 if side == 'low' else 1)):.3g} and beyond"
            )
    return Pilot(law, *_scatter(law))


def _scatter(law: Law) -> tuple[float, Array, Array]:
    """Return the standard deviation of shifts, and places and variances of the noise."""
    seen = [
        own
        for sweep, position in zip(law.vertices.sweeps, law.vertices.position, strict=True)
        if (own := _deviations(sweep, float(position))) is not None
    ]
    if not seen:
        noise = law.vertices.noise / max(law.vertices.gain, 1e-12)
        return ASSUMED, np.zeros(1), np.array([noise])
    places = np.concatenate([own.places for own in seen])
    variance = np.ones_like(places)
    shift = 0.0
    for _ in range(3):  # shifts are weighted by the noise, which is what shifts leave
        found, gains, residuals = [], [], []
        for own in seen:
            weight = 1 / np.sqrt(_smooth(places, variance, own.places))
            design = own.design * weight[:, None]
            fitted = np.linalg.lstsq(design, own.heights.T * weight[:, None], rcond=None)[0]
            n, rates = own.heights.shape
            left = np.sum((own.heights.T - own.design @ fitted) ** 2, axis=1)
            residuals.append(left * rates / ((n - 1) * (rates - 2)))
            found.append(float(np.sum(fitted[1] ** 2)) / (n - 1))
            gains.append(float(np.linalg.pinv(design.T @ design)[1, 1]))
        shift = math.sqrt(max(float(np.mean(found)) - float(np.mean(gains)), 0.0))
        variance = np.maximum(np.concatenate(residuals), 1e-12)
    return shift, places, variance


class _Deviations(NamedTuple):
    """How the seeds of one sweep differ near its optimum.

    `heights` (S, L) are from the seeds' mean at rates `places` (L,) octaves from the optimum,
    `design` (L, 2) what a seed's offset and its shift do to them.
    """

    places: Array
    heights: Array
    design: Array


def _deviations(sweep: Sweep, optimum: float) -> _Deviations | None:
    """Return them; None where fewer than two seeds have three rates."""
    near = sweep.usable & (np.abs(sweep.log2_rate - optimum) <= _NEAR * sweep.spacing)
    heights = sweep.height[:, near]
    heights = heights[np.isfinite(heights).all(1)]
    if min(len(heights), int(near.sum()) - 1) < 2:
        return None
    slope = np.gradient(sweep.means[near], sweep.log2_rate[near], edge_order=2)
    design = np.stack([np.ones_like(slope), -slope], axis=1)
    return _Deviations(sweep.log2_rate[near] - optimum, heights - heights.mean(0), design)


def _smooth(places: Array, values: Array, at: Array) -> Array:
    """Return the means of positive values over places near `at`: kernel of half an octave."""
    weight = np.exp(-2 * (at[..., None] - places) ** 2) + 1e-9
    return np.asarray(weight @ values / weight.sum(-1))


class _Curve:
    """The height of a swept valley about its optimum, and where it diverges.

    Between rates a cubic with second-order tangents, beyond them its end's straight line.
    """

    def __init__(self, sweep: Sweep, optimum: float) -> None:
        x, y = sweep.log2_rate[sweep.usable] - optimum, sweep.means[sweep.usable]
        if len(x) < 3:
            raise JudgeError(f"a pilot needs three rates that train at each size, not {len(x)}")
        slope = np.gradient(y, x, edge_order=2)
        self._cubic = CubicHermiteSpline(x, y, slope)
        self._ends = float(x[0]), float(x[-1])
        self._slopes = min(float(slope[0]), 0.0), max(float(slope[-1]), 0.0)
        broken = sweep.log2_rate[~sweep.usable & (sweep.log2_rate > optimum)] - optimum
        self._wall = (x[x < broken[0]][-1] + broken[0]) / 2 if broken.size else math.inf

    def __call__(self, away: Array) -> tuple[Array, npt.NDArray[np.bool_]]:
        """Return heights, and whether runs diverge, at places (...) in octaves."""
        low, high = self._ends
        inside = np.clip(away, low, high)
        beyond = np.where(away < low, *self._slopes) * (away - inside)
        return self._cubic(inside) + beyond, away > self._wall
