"""Trace of an operator by exchangeable low-rank estimation, with its error."""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.linalg import solve_triangular
from torch import Tensor

from lrtransfer.curvature.krylov import default_generator, plain_arithmetic, random_vector
from lrtransfer.curvature.linear_operator import LinearOperator, NonFiniteCurvatureError, dense

_LEAST_PROBES = 8  # fewer give no useful error estimate
_GROWTH = 1.25  # probes between two looks at the error


@dataclass(frozen=True)
class Trace:
    """Trace of a symmetric operator.

    Attributes:
        value: estimate of tr A; divided by the dimension, the mean eigenvalue.
        standard_error: of `value`; 0 where the trace is exact.
        products: products with A that were spent.
        converged: whether the standard error met the tolerance.
    """

    value: float
    standard_error: float
    products: int
    converged: bool


def trace(
    operator: LinearOperator,
    *,
    tolerance: float = 0.05,
    max_products: int = 200,
    generator: torch.Generator | None = None,
) -> Trace:
    """Estimate tr A by XTrace (Epperly, Tropp and Webber 2024), two products per probe.

    The images of the probes span the leading eigenvectors, on which the trace is exact; each
    probe in turn is left out of the basis and estimates the trace of the remainder. The mean is
    unbiased for a fixed number of probes, with a variance far below Girard and Hutchinson's where
    a few eigenvalues dominate; its error estimate is the spread over the probes. Stopping at the
    first small error, as here, biases it by less than that error. An operator of numerical rank
    below the number of probes, or of dimension up to 16, is exact.

    Args:
        operator: symmetric.
        tolerance: relative standard error to stop at. A trace near zero beside the Frobenius
            norm cannot meet it and spends the budget.
        max_products: budget; memory is `max_products` vectors.
        generator: source of the probes; None is one with seed 0.

    Raises:
        ValueError: `tolerance` is not positive or `max_products` is below 16.
        NonFiniteCurvatureError: a product holds NaN or infinity.

    Example:
        >>> import torch
        >>> from torch import nn
        >>> from lrtransfer.curvature import HessianOperator
        >>> x, y = torch.eye(2).double(), torch.zeros(2, 1).double()
        >>> model, loss_fn = nn.Linear(2, 1, bias=False).double(), nn.MSELoss()
        >>> round(trace(HessianOperator(model, loss_fn, (x, y))).value, 6)
        2.0
    """
    if not tolerance > 0:
        raise ValueError(f"tolerance is {tolerance}; choose a positive relative error")
    if max_products < 2 * _LEAST_PROBES:
        raise ValueError(
            f"max_products is {max_products}; an error estimate takes {2 * _LEAST_PROBES}"
        )
    with plain_arithmetic(operator):
        if operator.dim <= 2 * _LEAST_PROBES:
            exact = float(_finite(operator, dense(operator)).diagonal().double().sum())
            return Trace(exact, 0.0, operator.dim, True)
        sketch = _Sketch(operator, max_products // 2, default_generator(generator))
        look = float(_LEAST_PROBES)
        while True:
            sketch.add_probe()
            if sketch.spans_range:
                return Trace(sketch.captured(), 0.0, sketch.products, True)
            last = 2 * (sketch.probes + 1) > max_products
            if sketch.probes < look and not last:
                continue
            look *= _GROWTH
            estimates = sketch.estimates()
            value = float(estimates.mean())
            error = float(estimates.std(ddof=1) / np.sqrt(sketch.probes))
            converged = error <= tolerance * abs(value)
            if converged or last:
                return Trace(value, error, sketch.products, converged)


class _Sketch:
    """The probes Ω, the orthonormal basis Q of their images Y = AΩ = QR, and QᵀAQ."""

    def __init__(self, operator: LinearOperator, capacity: int, generator: torch.Generator) -> None:
        capacity = min(capacity, operator.dim)
        self._operator = operator
        self._generator = generator
        shape = capacity, operator.dim
        self._omega = torch.empty(shape, dtype=operator.dtype, device=operator.device)
        self._q = torch.empty_like(self._omega)
        self._r = np.zeros((capacity, capacity))
        self._core = np.zeros((capacity, capacity))
        self._quadratic = np.zeros(capacity)  # ωᵀAω
        self._largest_image = 0.0
        self.probes = 0
        self.products = 0
        self.spans_range = False

    def add_probe(self) -> None:
        """Draw one probe and grow the basis by its image, unless it adds nothing."""
        m, dim = self.probes, self._operator.dim
        omega = random_vector(self._operator, self._generator)
        # On the sphere of radius √dim the estimate of a remainder has less variance.
        omega = omega * (dim**0.5 / torch.linalg.vector_norm(omega))
        image = self._product(omega)
        self._omega[m], self._quadratic[m] = omega, float(omega.double() @ image.double())
        length = float(torch.linalg.vector_norm(image, dtype=torch.float64))
        self._largest_image = max(self._largest_image, length)
        coefficients = np.zeros(m)
        rest = image
        for _ in range(2):
            projections = self._q[:m] @ rest
            coefficients += projections.double().cpu().numpy()
            rest = rest - projections @ self._q[:m]
        norm = float(torch.linalg.vector_norm(rest, dtype=torch.float64))
        if norm <= 100 * torch.finfo(self._operator.dtype).eps * self._largest_image:
            self.spans_range = True
            return
        self._q[m] = rest / norm
        self._r[:m, m], self._r[m, m] = coefficients, norm
        column = (self._q[: m + 1] @ self._product(self._q[m])).double().cpu().numpy()
        self._core[: m + 1, m] = self._core[m, : m + 1] = column
        self.probes += 1
        self.spans_range = self.probes == dim

    def captured(self) -> float:
        """Return tr QᵀAQ."""
        return float(np.trace(self._core[: self.probes, : self.probes]))

    def estimates(self) -> NDArray[np.float64]:
        """Return for each probe the estimate whose basis leaves that probe out, shape (m,)."""
        m, dim = self.probes, self._operator.dim
        r, core = self._r[:m, :m], self._core[:m, :m]
        w = (self._q[:m] @ self._omega[:m].T).double().cpu().numpy()
        # Column i of S is the direction of Q that only the image of probe i reaches.
        s = solve_triangular(r, np.eye(m), trans="T")
        s /= np.linalg.norm(s, axis=0)
        p = w - s * (s * w).sum(axis=0)
        remainder = self._quadratic[:m] - 2 * (p * r).sum(axis=0) + (p * (core @ p)).sum(axis=0)
        sphere = (dim - m + 1) / (dim - (p * p).sum(axis=0))
        left_out = (s * (core @ s)).sum(axis=0)
        estimates: NDArray[np.float64] = np.trace(core) - left_out + sphere * remainder
        return estimates

    def _product(self, vector: Tensor) -> Tensor:
        self.products += 1
        return _finite(self._operator, self._operator(vector))


def _finite(operator: LinearOperator, product: Tensor) -> Tensor:
    if not bool(torch.isfinite(product).all()):
        raise NonFiniteCurvatureError(
            f"product {operator.products} with the operator holds NaN or infinity"
        )
    return product
