"""Spectral density of an operator by stochastic Lanczos quadrature."""

import math
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from lrtransfer.curvature.krylov import (
    KrylovBasis,
    RitzPairs,
    default_generator,
    plain_arithmetic,
    random_vector,
)
from lrtransfer.curvature.linear_operator import LinearOperator


@dataclass(frozen=True)
class SpectralDensity:
    """Gauss quadrature of the eigenvalue distribution, one rule per random probe.

    Attributes:
        nodes: eigenvalues seen by each probe, shape (probes, steps). A probe that exhausts its
            Krylov space early is padded with nodes of weight zero.
        weights: their masses, shape (probes, steps); each row sums to 1.
        dim: number of eigenvalues that the distribution stands for.
    """

    nodes: NDArray[np.float64]
    weights: NDArray[np.float64]
    dim: int

    def moment(self, order: int) -> tuple[float, float]:
        """Return (1/dim) tr A^order and its standard error over probes (NaN for one probe).

        Raises:
            ValueError: `order` is negative.
        """
        if order < 0:
            raise ValueError(f"order is {order}; moments start at 0")
        mean, error = _over_probes((self.weights * self.nodes**order).sum(axis=1))
        return float(mean), float(error)

    def smoothed(
        self, grid: NDArray[np.float64], width: float
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return the density at `grid`, shape (points,), and its standard error over probes.

        Each node becomes a Gaussian of standard deviation `width`; the integral is 1.

        Raises:
            ValueError: `width` is not positive.
        """
        if not width > 0:
            raise ValueError(f"width is {width}; choose a positive standard deviation")
        points = np.asarray(grid, dtype=np.float64)
        peak = 1 / (width * math.sqrt(2 * math.pi))
        # One probe at a time, so that memory stays at points × steps.
        curves = np.stack(
            [
                (weights * peak * np.exp(-0.5 * ((points[:, None] - nodes) / width) ** 2)).sum(1)
                for nodes, weights in zip(self.nodes, self.weights, strict=True)
            ]
        )
        return _over_probes(curves)


def _over_probes(
    samples: NDArray[np.float64],
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return mean and standard error along the first axis."""
    mean = samples.mean(axis=0)
    if len(samples) == 1:
        return mean, np.full_like(mean, np.nan)
    return mean, samples.std(axis=0, ddof=1) / math.sqrt(len(samples))


def spectral_density(
    operator: LinearOperator,
    *,
    probes: int = 8,
    steps: int = 64,
    generator: torch.Generator | None = None,
) -> SpectralDensity:
    """Estimate the distribution of the eigenvalues of `operator`.

    Each Rademacher probe starts a Lanczos run; the eigenvalues of its tridiagonal matrix and the
    squared first components of their eigenvectors are the Gauss quadrature of the probe's
    spectral measure, exact for polynomials of degree below 2·steps (Golub and Welsch 1969;
    Ghorbani et al. 2019). Costs probes × min(steps, dim) products.

    Args:
        operator: symmetric.
        probes: number of random vectors; the standard error falls with its square root.
        steps: Lanczos steps per probe.
        generator: source of the probes; None is one with seed 0.

    Raises:
        ValueError: `probes` or `steps` is below 1.
        NonFiniteCurvatureError: a product holds NaN or infinity.
    """
    if probes < 1 or steps < 1:
        raise ValueError(f"probes is {probes} and steps is {steps}; both must be at least 1")
    generator = default_generator(generator)
    nodes = np.zeros((probes, steps))
    weights = np.zeros((probes, steps))
    with plain_arithmetic(operator):
        for probe in range(probes):
            ritz = _probe(operator, steps, generator)
            nodes[probe, : len(ritz.values)] = ritz.values
            weights[probe, : len(ritz.values)] = ritz.weights[0] ** 2
    return SpectralDensity(nodes, weights, operator.dim)


def _probe(operator: LinearOperator, steps: int, generator: torch.Generator) -> RitzPairs:
    """Return the Ritz pairs of a Lanczos run from one Rademacher vector."""
    signs = torch.where(random_vector(operator, generator) < 0, -1.0, 1.0)
    basis = KrylovBasis(operator, signs.to(operator.dtype), generator)
    basis.extend()
    while not basis.exhausted and basis.size < steps:
        basis.extend()
    return basis.ritz()
