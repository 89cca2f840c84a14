"""Simulated studies with a known optimum: the valleys on which the estimators are tried.

A valley is the height of the mean log loss `x` octaves from the optimum, at a net whose place among
the sizes is `w` (0 the smallest, 1 the largest). Noise: a seed's offset of the log loss (common to
its rates), a seed's shift of the valley, and independent noise per run. `TUNED` names the cells on
which the constants of `vertices.py` were chosen; the others were not looked at before.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import numpy as np

from lrtransfer.transfer.sweeps import Sweep

from .frames import Array

Shape = Callable[[Array, float], Array]

INITIAL = 2.3
DRIFTS = (0.0, 0.1, 0.3, -0.3)


def quadratic(x: Array, w: float) -> Array:
    return 0.15 * x**2


def log_cosh(x: Array, w: float) -> Array:
    return 0.25 * np.log(np.cosh(1.2 * x)) * np.where(x > 0, 2, 1)


def soft_kink(x: Array, w: float) -> Array:
    return 0.25 * (np.sqrt(x**2 + 0.1) - np.sqrt(0.1)) + np.where(x > 0, 0.1 * x**2, 0)


def flat(x: Array, w: float) -> Array:
    return 0.24 * np.maximum(np.abs(x) - 0.5, 0) ** 2


def steep_right(x: Array, w: float) -> Array:
    return np.where(x < 0, 0.15 * x**2 / (1 + 0.3 * np.abs(x)), 0.45 * x**2)


def steeper_with_size(x: Array, w: float) -> Array:
    right = 0.15 * 1.6 * 2**w
    return np.where(x < 0, 0.15 * x**2 / (1 + 0.3 * np.abs(x)), right * x**2)


def kink(x: Array, w: float) -> Array:
    return np.where(x < 0, -0.3 * x, 0.5 * x)


def exponential(x: Array, w: float) -> Array:
    return 0.3 * (np.exp(0.9 * x) - 1 - 0.9 * x)


def saturating(x: Array, w: float) -> Array:
    return x**2 / (x**2 + 4)


def steeper_left_with_size(x: Array, w: float) -> Array:
    left = (0.34 + 0.07 * w) * (np.sqrt(x**2 + 0.36) - 0.6)
    return np.where(x < 0, left, 0.15 * x**2)


def wall(x: Array, w: float) -> Array:
    """Long slope below, quick rise above, flat again once nothing is learned."""
    return np.where(x < 0, 0.3 * (np.sqrt(x**2 + 0.2) - np.sqrt(0.2)), 2 * x**2 / (1.5 + x**2))


def edge(x: Array, w: float) -> Array:
    """A shallow bowl below, a steep edge above, flat again behind it."""
    return np.where(x < 0, 0.1 * x**2 / (1 + 0.2 * np.abs(x)), 1.2 * (1 - np.exp(-3 * x**2)))


def hinge(x: Array, w: float) -> Array:
    """Two straight slopes, 0.2 and 0.6 nats an octave, joined within an octave."""
    at = x - np.log(3) / 3
    return 0.8 / 3 * (np.logaddexp(0, 3 * at) - np.log(4 / 3)) - 0.2 * x


def quartic(x: Array, w: float) -> Array:
    return 0.04 * x**2 + 0.05 * x**4


def lopsided_cubic(x: Array, w: float) -> Array:
    return 0.15 * x**2 * (1 + 0.35 * np.tanh(x))


@dataclass(frozen=True)
class Cell:
    """A valley and its noise, in nats and octaves.

    Attributes:
        cliff: octaves above the optimum beyond which runs diverge.
        growing: whether the noise grows with the rate, e-fold in 1¼ octaves.
        correlated: correlation of the noise of adjacent rates.
        missing: share of runs that are missing.
        uneven: whether the grid's steps vary by up to a half.
    """

    shape: Shape
    shift: float = 0.15
    noise: float = 0.02
    cliff: float = np.inf
    growing: bool = False
    correlated: float = 0.0
    missing: float = 0.0
    uneven: bool = False


CELLS = {
    "quadratic": Cell(quadratic),
    "log-cosh": Cell(log_cosh),
    "soft kink, growing noise": Cell(soft_kink, growing=True),
    "flat bottom": Cell(flat),
    "correlated noise": Cell(steep_right, correlated=0.8),
    "15 % missing": Cell(steep_right, missing=0.15),
    "uneven grid": Cell(steep_right, uneven=True),
    "steeper with size": Cell(steeper_with_size, shift=0.05, noise=0.01),
    "kink": Cell(kink, shift=0.05, noise=0.01),
    "kink and cliff": Cell(kink, cliff=0.7),
    "steep and cliff": Cell(steep_right, cliff=0.4),
    "steep and cliff, little noise": Cell(steep_right, cliff=0.4, shift=0.05, noise=0.01),
    "exponential": Cell(exponential),
    "saturating": Cell(saturating),
    "steeper left with size": Cell(steeper_left_with_size, shift=0.08),
    "wall": Cell(wall),
    "wall, little noise": Cell(wall, shift=0.05, noise=0.01),
    "lopsided cubic": Cell(lopsided_cubic),
    "lopsided cubic, much noise": Cell(lopsided_cubic, shift=0.3, noise=0.05),
    "edge": Cell(edge),
    "hinge": Cell(hinge, shift=0.08),
    "quartic": Cell(quartic),
}
TUNED = set(CELLS) - {"edge", "hinge", "quartic"}


@dataclass(frozen=True)
class Study:
    """Sweeps of one arm with its true optima (N,) in octaves, and drift per octave of size."""

    sweeps: list[Sweep]
    optima: Array
    drift: float
    cell: Cell

    def regret(self) -> float:
        """Loss given up at the largest size with the smallest one's optimum, seeds averaged."""
        away = float(self.optima[0] - self.optima[-1])
        return float(_expected(self.cell, np.array([away]))[0]) - _lowest(self.cell)


def _expected(cell: Cell, x: Array) -> Array:
    """Return the expected loss of the largest net at `x`: seeds shift its valley."""
    shift = cell.shift * np.random.default_rng(0).standard_normal(4000)
    return np.asarray(np.exp(-1.2 + cell.shape(x[:, None] + shift, 1.0)).mean(1))


@cache
def _lowest(cell: Cell) -> float:
    return float(_expected(cell, np.linspace(-0.6, 0.6, 241)).min())


def study(
    cell: Cell,
    rng: np.random.Generator,
    *,
    sizes: int = 4,
    seeds: int = 3,
    drift: float = 0.1,
    step: float = 1.0,
    half: float = 3.0,
) -> Study:
    """Draw one study: widths an octave apart, rates `step` octaves apart over ±`half`."""
    place = np.arange(sizes) - (sizes - 1) / 2
    optima = rng.uniform(-0.5, 0.5) + drift * place
    grid = np.arange(-half, half + 1e-9, step)
    if cell.uneven:
        grid = grid + rng.uniform(-0.25, 0.25, len(grid)) * step
    found = []
    for i, optimum in enumerate(optima):
        x = grid - optimum - cell.shift * rng.standard_normal((seeds, 1))
        noise = rng.standard_normal(x.shape)
        for column in range(1, x.shape[1]):
            own = np.sqrt(1 - cell.correlated**2) * noise[:, column]
            noise[:, column] = cell.correlated * noise[:, column - 1] + own
        if cell.growing:
            noise = noise * np.exp(0.8 * np.clip(x, -2, 2))
        height = cell.shape(x, i / max(sizes - 1, 1)) + cell.noise * noise - 1.2
        loss = np.exp(height + 0.1 * rng.standard_normal((seeds, 1)))
        diverged = x > cell.cliff
        loss[(rng.random(x.shape) < cell.missing) & ~diverged] = np.nan
        loss[diverged] = INITIAL
        width = {"width": 32 * 2**i}
        found.append(Sweep("arm", width, tuple(range(seeds)), grid, loss, diverged))
    return Study(found, np.asarray(optima, dtype=np.float64), drift, cell)
