"""Sharpness in another norm than the Euclidean one: max of dᵀHd over ‖d‖ = 1.

Steepest descent in a norm is stable on the quadratic model up to S = 2/η (Islamov et al. 2026,
2603.05002): sign descent in ℓ∞, orthogonalised updates (Muon's, without momentum) in the spectral
norm, jointly over the matrices: max_i ‖D_i‖op/r_i, with r the relative rates.

The maximum of a quadratic form over such a ball is hard in general (max-cut in ℓ∞). Frank and
Wolfe's method with an exact line search climbs from several starts; where H is positive this is
D ← polar(HD), or sign(HD). What it finds is a lower bound.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

import torch
from torch import Tensor

from lrtransfer.curvature.krylov import plain_arithmetic, random_vector
from lrtransfer.curvature.linear_operator import LinearOperator, NonFiniteCurvatureError, dense

Norm: TypeAlias = Literal["spectral", "linf"]
"""Largest singular value of each matrix; largest entry in modulus."""

_ENUMERABLE = 16  # coordinates: 2¹⁵ vertices of the cube up to sign
_BLOCK = 2**12  # of them at a time
_ITERATIONS = 50  # of a start


@dataclass(frozen=True)
class Maximum:
    """The largest dᵀHd that was found.

    Attributes:
        value: it.
        direction: d, shape (dim,), of norm 1.
        gap: what a further step would gain to first order, at most.
        exact: whether it is the maximum, by enumeration.
    """

    value: float
    direction: Tensor
    gap: float
    exact: bool


class Ball:
    """The unit ball of a norm on vectors that hold parameters one after another.

    Args:
        norm: "spectral" or "linf".
        shapes: of the parameters, name -> shape.

    Raises:
        ValueError: a parameter has no spectral norm.
    """

    def __init__(self, norm: Norm, shapes: dict[str, torch.Size]) -> None:
        wrong = [name for name, shape in shapes.items() if len(shape) not in (2, 4)]
        if norm == "spectral" and wrong:
            raise ValueError(
                f"norm='spectral' is of matrices and convolutions (out, in·k²), which {wrong[0]!r} "
                f"of shape {tuple(shapes[wrong[0]])} is not; choose them with parameters="
            )
        self.entrywise = norm == "linf"
        self._rows = [shape[0] if shape else 1 for shape in shapes.values()]
        self._sizes = [shape.numel() for shape in shapes.values()]

    def farthest(self, gradient: Tensor, *, vertex: bool = True) -> Tensor:
        """Return the point of the ball with the largest product with `gradient`.

        Args:
            gradient: shape (dim,).
            vertex: whether what the gradient leaves open, entries or singular values of zero, is
                filled up; else it stays zero.
        """
        if self.entrywise:
            signs = gradient.sign()
            return torch.where(signs == 0, 1.0, signs) if vertex else signs
        return torch.cat([_polar(m, whole=vertex).flatten() for m in self._matrices(gradient)])

    def length(self, vector: Tensor) -> float:
        """Return ‖vector‖."""
        if self.entrywise:
            return float(vector.abs().max())
        return max(float(torch.linalg.matrix_norm(m, 2)) for m in self._matrices(vector))

    def dual(self, gradient: Tensor) -> float:
        """Return the dual norm: Σ|g|, or the sum of all singular values."""
        if self.entrywise:
            return float(gradient.double().abs().sum())
        return sum(float(torch.linalg.matrix_norm(m, "nuc")) for m in self._matrices(gradient))

    def _matrices(self, vector: Tensor) -> list[Tensor]:
        pieces = torch.split(vector, self._sizes)
        return [p.view(n, -1) for p, n in zip(pieces, self._rows, strict=True)]


def maximum(
    operator: LinearOperator,
    ball: Ball,
    starts: Sequence[Tensor],
    *,
    restarts: int,
    tolerance: float,
    max_products: int | None,
    generator: torch.Generator,
) -> Maximum:
    """Return the largest dᵀHd over ‖d‖ = 1 that is found.

    Args:
        operator: H, in coordinates in which the ball has radius 1.
        ball: of the norm.
        starts: where to start from; random directions make up the number.
        restarts: number of starts.
        tolerance: a start ends where a step gains less than its square, relative.
        max_products: budget; None is 51 a start.
        generator: source of random directions.

    Raises:
        NonFiniteCurvatureError: a product holds NaN or infinity.
    """
    budget = restarts * (_ITERATIONS + 1) if max_products is None else max_products
    with plain_arithmetic(operator):
        if ball.entrywise and operator.dim <= min(_ENUMERABLE, budget):
            matrix = dense(operator).double()
            _check(matrix)
            best = _best_vertex(matrix)
            # Convex in every coordinate, the form is largest at a vertex.
            if bool((matrix.diagonal() >= 0).all()):
                value = float(best @ matrix @ best)
                return Maximum(value, best.to(operator.dtype), 0.0, exact=True)
            starts, budget = [best.to(operator.dtype)], budget - operator.dim
        found: list[Maximum] = []
        for place in range(restarts):
            known = place < len(starts)
            start = starts[place] if known else random_vector(operator, generator)
            if budget < 1 and found:
                break
            climbed = _climb(operator, ball, start, tolerance, min(_ITERATIONS, budget - 1))
            budget -= climbed[1]
            found.append(climbed[0])
    return max(found, key=lambda one: one.value)


def _climb(
    operator: LinearOperator, ball: Ball, start: Tensor, tolerance: float, iterations: int
) -> tuple[Maximum, int]:
    """Return the local maximum that one start leads to, and the products spent."""
    multiply = _checked(operator)
    point = ball.farthest(start)
    product, spent, gap = multiply(point), 1, float("inf")
    for _ in range(iterations):
        value = _dot(point, product)
        vertex = ball.farthest(product)
        move = vertex - point
        slope = _dot(move, product)
        gap = 2 * slope
        if gap <= tolerance**2 * abs(value):
            break
        change = multiply(vertex) - product
        spent += 1
        bend = _dot(move, change)
        step = 1.0 if bend >= -slope else slope / -bend
        point, product = point + step * move, product + step * change
        if 2 * step * slope + step**2 * bend <= tolerance**2 * abs(value):
            break
    length = ball.length(point) or 1.0
    return Maximum(_dot(point, product) / length**2, point / length, gap, exact=False), spent


def _best_vertex(matrix: Tensor) -> Tensor:
    """Return the vertex of the cube with the largest sᵀ`matrix`s; s and −s are one."""
    n = len(matrix)
    places = torch.arange(n - 1, device=matrix.device)
    best, largest = torch.ones(n, dtype=matrix.dtype, device=matrix.device), -float("inf")
    for first in range(0, 2 ** (n - 1), _BLOCK):
        codes = torch.arange(first, min(first + _BLOCK, 2 ** (n - 1)), device=matrix.device)
        signs = torch.ones(len(codes), n, dtype=matrix.dtype, device=matrix.device)
        signs[:, 1:] -= 2 * ((codes[:, None] >> places) & 1)
        values = (signs @ matrix * signs).sum(1)
        place = int(values.argmax())
        if float(values[place]) > largest:
            best, largest = signs[place], float(values[place])
    return best


def _polar(matrix: Tensor, *, whole: bool) -> Tensor:
    u, s, vh = torch.linalg.svd(matrix, full_matrices=False)
    if not whole:
        u = u * (s > max(matrix.shape) * torch.finfo(s.dtype).eps * s.max())
    factor: Tensor = u @ vh
    return factor


def _dot(one: Tensor, other: Tensor) -> float:
    return float(one.double() @ other.double())


def _checked(operator: LinearOperator) -> Callable[[Tensor], Tensor]:
    def multiply(vector: Tensor) -> Tensor:
        product = operator(vector)
        _check(product)
        return product

    return multiply


def _check(product: Tensor) -> None:
    if not bool(torch.isfinite(product).all()):
        raise NonFiniteCurvatureError("a product holds NaN or infinity; there is no curvature")
