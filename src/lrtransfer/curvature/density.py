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
from lrtransfer.curvature.quadrature import polynomial_bound, separation_bound, separation_gaps


@dataclass(frozen=True)
class SpectralDensity:
    """Gauss quadrature of the eigenvalue distribution, one rule per random probe.

    Attributes:
        nodes: eigenvalues seen by each probe, shape (probes, steps). A probe that exhausts its
            Krylov space early is padded with nodes of weight zero.
        weights: their masses, shape (probes, steps); each row sums to 1.
        dim: number of eigenvalues that the distribution stands for.
        exact: whether a probe exhausted its Krylov space, so that its rule has no quadrature
            error; shape (probes,).
        support: lowest and highest node over all probes, widened by their residuals.
        products: products with the operator that were spent.
        converged: whether every probe's lowest and highest node are eigenvalues to a hundredth of
            the spectral radius, so that `support` holds the spectrum.
    """

    nodes: NDArray[np.float64]
    weights: NDArray[np.float64]
    dim: int
    exact: NDArray[np.bool_]
    support: tuple[float, float]
    products: int
    converged: bool

    def moment(self, order: int) -> tuple[float, float]:
        """Return (1/dim) tr A^order and its standard error over probes (NaN for one probe).

        Raises:
            ValueError: `order` is negative, or beyond the 2·steps − 1 that quadrature integrates
                exactly.
        """
        if order < 0:
            raise ValueError(f"order is {order}; moments start at 0")
        highest = 2 * self.nodes.shape[1] - 1
        if order > highest and not self.exact.all():
            raise ValueError(f"order is {order}; these nodes are exact up to {highest}")
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

    def quadrature_bound(self, grid: NDArray[np.float64], width: float) -> NDArray[np.float64]:
        """Return a bound of the quadrature error of `smoothed` at `grid`, shape (points,).

        It adds to the standard error: that one is of the probes, this one of the Lanczos steps.
        The least of two bounds, by the nodes' separation and by polynomial approximation; both
        are strict for exact arithmetic and a spectrum within `support`.

        Raises:
            ValueError: `width` is not positive.
        """
        if not width > 0:
            raise ValueError(f"width is {width}; choose a positive standard deviation")
        points = np.asarray(grid, dtype=np.float64)
        everywhere = polynomial_bound(self.nodes.shape[1], width, self.support)
        bounds = [
            np.zeros_like(points)
            if exact
            else np.minimum(separation_bound(nodes, weights, points, width), everywhere)
            for nodes, weights, exact in zip(self.nodes, self.weights, self.exact, strict=True)
        ]
        return np.mean(bounds, axis=0)  # type: ignore[no-any-return]

    def cumulative(
        self, grid: NDArray[np.float64]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
        """Return the share of eigenvalues up to `grid`, its standard error and quadrature bound.

        All of shape (points,). The bound is the weight of the neighbouring nodes, so it is large
        beside an eigenvalue of high multiplicity, whose place a node marks.
        """
        points = np.asarray(grid, dtype=np.float64)
        shares, bounds = [], []
        for nodes, weights, exact in zip(self.nodes, self.weights, self.exact, strict=True):
            order = np.argsort(nodes, kind="stable")
            below = np.searchsorted(nodes[order], points, side="right")
            shares.append(np.concatenate(([0.0], np.cumsum(weights[order])))[below])
            gaps = separation_gaps(nodes[order], weights[order])
            bounds.append(np.zeros_like(points) if exact else gaps[below])
        mean, error = _over_probes(np.stack(shares))
        return mean, error, np.mean(bounds, axis=0)


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

    Example:
        >>> import torch
        >>> from torch import nn
        >>> from lrtransfer.curvature import HessianOperator
        >>> x, y = torch.eye(2).double(), torch.zeros(2, 1).double()
        >>> model, loss_fn = nn.Linear(2, 1, bias=False).double(), nn.MSELoss()
        >>> found = spectral_density(HessianOperator(model, loss_fn, (x, y)), probes=2, steps=2)
        >>> round(found.moment(1)[0], 6)
        1.0
    """
    if probes < 1 or steps < 1:
        raise ValueError(f"probes is {probes} and steps is {steps}; both must be at least 1")
    generator = default_generator(generator)
    nodes = np.zeros((probes, steps))
    weights = np.zeros((probes, steps))
    exact = np.zeros(probes, dtype=np.bool_)
    extremes = np.zeros((probes, 2))
    residuals = np.zeros((probes, 2))
    products = 0
    with plain_arithmetic(operator):
        for probe in range(probes):
            ritz, exact[probe] = _probe(operator, steps, generator)
            found = len(ritz.values)
            nodes[probe, :found] = ritz.values
            weights[probe, :found] = ritz.weights[0] ** 2
            extremes[probe] = ritz.values[[0, -1]]
            residuals[probe] = 0.0 if exact[probe] else ritz.residuals[[0, -1]]
            products += found
    low = float((extremes[:, 0] - residuals[:, 0]).min())
    high = float((extremes[:, 1] + residuals[:, 1]).max())
    return SpectralDensity(
        nodes,
        weights,
        operator.dim,
        exact,
        support=(low, high),
        products=products,
        converged=bool((residuals <= 0.01 * np.abs(extremes).max()).all()),
    )


def _probe(
    operator: LinearOperator, steps: int, generator: torch.Generator
) -> tuple[RitzPairs, bool]:
    """Return the Ritz pairs of a Lanczos run from one Rademacher vector, and if it ended."""
    signs = torch.where(random_vector(operator, generator) < 0, -1.0, 1.0)
    basis = KrylovBasis(operator, signs.to(operator.dtype), generator)
    basis.extend()
    while not basis.exhausted and basis.size < steps:
        basis.extend()
    return basis.ritz(), basis.exhausted
