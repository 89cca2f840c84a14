"""Simulated sweeps with a known optimum: the valleys on which the estimators are calibrated.

Valley: quadratic near the optimum, linear far to the left, 1 to 4 times as steep on the right, a
divergence cliff 0.7 to 2.5 octaves above it. Noise: a seed's offset of the log loss (common
to its rates), a seed's shift of the valley, and independent noise per run.
"""

from dataclasses import dataclass

import numpy as np

from lrtransfer.transfer import valley

from .frames import Array

GRID = np.arange(-5.0, 7.0)
LOG2_WIDTH = np.arange(5.0, 10.0)
SEEDS = 3
INITIAL_LOSS = 2.3


@dataclass(frozen=True)
class Simulated:
    """log_loss and cliff (n, widths, seeds, rates); optimum (n, widths)."""

    log_loss: np.ndarray
    cliff: np.ndarray
    optimum: np.ndarray

    @property
    def vertices(self) -> np.ndarray:
        position, edge = valley.vertices(GRID, self.log_loss, self.cliff)
        assert not edge.any(), "the grid must hold all optima"
        return position


def mean_valley(x: Array, curvature: float, asymmetry: Array) -> Array:
    """log loss above the optimum's, x octaves from it."""
    left = curvature * x**2 / (1 + 0.3 * np.abs(x))
    return np.where(x < 0, left, curvature * asymmetry * x**2)


def simulate(
    n: int,
    slope: float,
    *,
    seed: int = 0,
    shift: float = 0.15,
    offset: float = 0.1,
    noise: float = 0.02,
    curvature: float = 0.15,
    log2_width: Array = LOG2_WIDTH,
) -> Simulated:
    """Draw n studies of 5 widths and 3 seeds whose optimum drifts by `slope` octaves per octave."""
    rng = np.random.default_rng(seed)
    widths = len(log2_width)
    centre = rng.uniform(-0.5, 0.5, (n, 1))
    optimum = centre + slope * (log2_width - log2_width.mean())
    asymmetry = np.exp(rng.uniform(0, np.log(4), (n, 1, 1, 1)))
    wall = rng.uniform(0.7, 2.5, (n, 1, 1, 1))
    seeds = optimum[..., None] + shift * rng.normal(size=(n, widths, SEEDS))
    x = GRID - seeds[..., None]
    log_loss = mean_valley(x, curvature, asymmetry) - 1.2
    log_loss += offset * rng.normal(size=(n, widths, SEEDS, 1))
    log_loss += noise * rng.normal(size=log_loss.shape)
    diverged = x > wall
    log_loss = np.where(diverged, np.log(INITIAL_LOSS), log_loss)
    return Simulated(log_loss, diverged | (log_loss >= np.log(INITIAL_LOSS)), optimum)
