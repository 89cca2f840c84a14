"""Error bounds of Gauss quadrature for a spectral measure, against a Gaussian kernel."""

import math

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


def separation_gaps(nodes: Array, weights: Array) -> Array:
    """Return bounds of |F − F_m| left of, between and right of the nodes, shape (m + 1,).

    F is the cumulative distribution of the measure and F_m of its quadrature. By the separation
    theorem of Chebyshev, Markov and Stieltjes (Szegő 1939, §3.41) F at a node lies between the
    sums of the weights before it and up to it.

    Args:
        nodes: ascending, shape (m,).
        weights: of the nodes, shape (m,).
    """
    padded = np.concatenate(([0.0], weights, [0.0]))
    return np.maximum(padded[:-1], padded[1:])


def separation_bound(nodes: Array, weights: Array, grid: Array, width: float) -> Array:
    """Return a bound of the smoothed density's quadrature error at `grid`, shape (points,).

    Integrating by parts, the error is at most ∫ |k'| |F − F_m| with k the Gaussian at a point.
    """
    edges = np.concatenate(([-np.inf], nodes, [np.inf]))
    distance = (edges - grid[:, None]) / width
    peak = 1 / (width * math.sqrt(2 * math.pi))
    kernel = peak * np.exp(-0.5 * distance**2)
    travelled = np.where(distance <= 0, kernel, 2 * peak - kernel)  # ∫ |k'| from −∞
    bound: Array = np.diff(travelled, axis=1) @ separation_gaps(nodes, weights)
    return bound


def polynomial_bound(steps: int, width: float, support: tuple[float, float]) -> float:
    """Return a bound of the smoothed density's quadrature error that holds at every point.

    `steps` nodes integrate polynomials below degree 2·steps exactly, so the error is at most
    twice the distance of the kernel from those. On a Bernstein ellipse of parameter ρ the
    Gaussian is at most M = peak · exp(y²/2s²), y = (ρ − 1/ρ)/2, s its width over the half length
    of the support, which leaves 2 M ρ^{1−2·steps}/(ρ − 1) (Trefethen 2013, Theorem 8.2).

    Args:
        steps: number of nodes m.
        width: standard deviation of the kernel.
        support: interval that holds the measure.
    """
    half = (support[1] - support[0]) / 2
    peak = 1 / (width * math.sqrt(2 * math.pi))
    if half == 0:
        return 0.0
    ratio = width / half
    rho = 1 + np.geomspace(1e-4, 1e3, 400)
    imaginary = (rho - 1 / rho) / 2
    exponent = 0.5 * (imaginary / ratio) ** 2 + (1 - 2 * steps) * np.log(rho) - np.log(rho - 1)
    return 4 * peak * math.exp(min(float(exponent.min()), 0.0))
