"""Extreme eigenvalues of a symmetric operator by Lanczos iteration."""

from dataclasses import dataclass, replace
from numbers import Integral
from typing import Literal, TypeAlias, get_args

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from lrtransfer.curvature.krylov import (
    KrylovBasis,
    RitzPairs,
    default_generator,
    plain_arithmetic,
    random_vector,
)
from lrtransfer.curvature.linear_operator import LinearOperator, check_vector

Which: TypeAlias = Literal["largest", "smallest", "magnitude"]
"""Which end of the spectrum: algebraically largest or smallest, or largest in modulus."""

_ORDERINGS = get_args(Which)
_COMPLEMENT_PRODUCTS = 10  # before the complement's spectrum is taken to lie below
_START_NOISE = 0.1  # length of the random part of a warm start


@dataclass(frozen=True)
class Eigenpairs:
    """Wanted eigenpairs of a symmetric operator A.

    Attributes:
        values: shape (k,), float64 on the CPU, in the wanted order.
        vectors: unit rows, shape (k, dim), in the operator's dtype and on its device.
        residuals: estimates of ‖A v − θ v‖ in the units of A, shape (k,): an eigenvalue lies
            within this distance of each value.
        smallest: lowest Ritz value of the run, not converged unless wanted.
        largest: highest Ritz value of the run, not converged unless wanted.
        products: products with A that were spent.
        converged: whether every residual met the tolerance and, for k > 1, the complement of
            the vectors was searched for further copies of the wanted eigenvalues.
    """

    values: Tensor
    vectors: Tensor
    residuals: Tensor
    smallest: float
    largest: float
    products: int
    converged: bool


def eigenvalues(
    operator: LinearOperator,
    k: int = 1,
    *,
    which: Which = "largest",
    tolerance: float = 0.01,
    max_products: int | None = None,
    start: Tensor | None = None,
    warm_products: int = 6,
    generator: torch.Generator | None = None,
) -> Eigenpairs:
    """Return `k` extreme eigenpairs of `operator`.

    Stops when every wanted Ritz residual is at most tolerance · max(|θ|, tolerance · radius), or
    at the rounding level of the dtype, with radius the spectral radius of the run: the second
    term serves eigenvalues near zero. The error of θ is at most the residual, and of the order
    of residual²/gap where the eigenvalue is separated. Krylov spaces of one vector hold one
    vector of each eigenspace; for k > 1 a second run in the orthogonal complement finds
    the further ones.

    A warm start is guarded: at least `warm_products` products, and the runner-up must be settled.
    What can still slip through, if `start` is an exact eigenvector of another eigenvalue, is a top
    one a few per cent higher: the error is that difference. A cold start whose random vector has
    next to no part along the top eigenvector may do the same, about once in a hundred where the
    second one is a few per cent below (docs/curvature-price.md); k > 1 searches the
    complement.

    Args:
        operator: symmetric.
        k: number of pairs.
        which: "largest" and "smallest" are algebraic: the largest in modulus may be negative.
        tolerance: relative residual.
        max_products: budget of products; None is max(300, 10 k).
        start: a vector near the wanted eigenvectors (or the sum of several), shape (dim,); a
            random part is added, a larger one if its first residual shows that it is stale.
        warm_products: least number of products of a warm start, 2 or more. A stale eigenvector
            has a small residual at once; these look further. No part in a cold start.
        generator: source of random vectors; None is one with seed 0.

    Returns:
        The pairs; look at `converged` and `residuals` if the budget may be short.

    Raises:
        ValueError: `k`, `which`, `tolerance`, `max_products`, `start` or `warm_products` is out
            of range.
        NonFiniteCurvatureError: a product holds NaN or infinity.

    Example:
        >>> import torch
        >>> from torch import nn
        >>> from lrtransfer.curvature import HessianOperator
        >>> x, y = torch.eye(2).double(), torch.zeros(2, 1).double()
        >>> model, loss_fn = nn.Linear(2, 1, bias=False).double(), nn.MSELoss()
        >>> eigenvalues(HessianOperator(model, loss_fn, (2 * x, y))).values.round(
        ...     decimals=6
        ... ).tolist()
        [4.0]
    """
    budget = max(300, 10 * k) if max_products is None else max_products
    _check_arguments(operator, k, which, tolerance, budget)
    if warm_products < 2:
        raise ValueError(
            f"warm_products is {warm_products}; choose 2 or more, so that there is a runner-up"
        )
    search = _Search(
        operator,
        which,
        tolerance=tolerance,
        budget=budget,
        warm_products=warm_products,
        generator=default_generator(generator),
    )
    with plain_arithmetic(operator):
        pairs = search.run(k, start=start)
        while k > 1 and pairs.converged and k < operator.dim:
            pairs, merged = search.complement(pairs)
            if not merged:
                break
    return pairs


class _Search:
    """One call of `eigenvalues`: the operator, what is wanted, and the budget left."""

    def __init__(
        self,
        operator: LinearOperator,
        which: Which,
        *,
        tolerance: float,
        budget: int,
        warm_products: int,
        generator: torch.Generator,
    ) -> None:
        self.operator = operator
        self.which = which
        self.tolerance = tolerance
        self.warm_products = warm_products
        self.generator = generator
        self.products = 0
        self.budget = budget

    def run(
        self, k: int, *, start: Tensor | None = None, beyond: Eigenpairs | None = None
    ) -> Eigenpairs:
        """Return `k` pairs, in the complement of the vectors of `beyond` if those are given."""
        basis, least = self._begin(start, beyond)
        while True:
            if basis.size == 0:
                self._extend(basis)
            ritz = basis.ritz()
            order = np.argsort(-self._rank(ritz.values), kind="stable")
            wanted = order[:k]
            met = bool(np.all(ritz.residuals[wanted] <= self._targets(ritz, wanted)))
            enough = basis.exhausted or (
                basis.size >= least and (start is None or k > 1 or self._settled(ritz, order[:2]))
            )
            done = len(wanted) == k and enough and (met or self._behind(beyond, ritz, wanted))
            if done or basis.complete or self.products >= self.budget:
                break
            self._extend(basis)
        return Eigenpairs(
            values=torch.from_numpy(ritz.values[wanted]),
            vectors=basis.vectors(ritz.weights[:, wanted]),
            residuals=torch.from_numpy(ritz.residuals[wanted]),
            smallest=float(ritz.values[0]),
            largest=float(ritz.values[-1]),
            products=self.products,
            converged=len(wanted) == k and (met or done),
        )

    def complement(self, pairs: Eigenpairs) -> tuple[Eigenpairs, bool]:
        """Look for a wanted eigenvalue among the vectors orthogonal to those of `pairs`.

        Returns:
            The pairs, with the better one merged in, and whether there was one.
        """
        if self.products >= self.budget:
            return replace(pairs, converged=False), False
        found = self.run(1, beyond=pairs)
        values = torch.cat([pairs.values, found.values])
        order = torch.from_numpy(np.argsort(-self._rank(values.numpy()), kind="stable"))
        order = order[: len(pairs.values)]
        last = len(pairs.values)
        merged = bool((order == last).any()) and found.converged
        if not merged:
            order = torch.arange(last)
        everything = torch.cat([pairs.vectors, found.vectors])
        return Eigenpairs(
            values=values[order],
            vectors=everything[order.to(everything.device)],
            residuals=torch.cat([pairs.residuals, found.residuals])[order],
            smallest=min(pairs.smallest, found.smallest),
            largest=max(pairs.largest, found.largest),
            products=self.products,
            converged=found.converged,
        ), merged

    def _extend(self, basis: KrylovBasis) -> None:
        basis.extend()
        self.products += 1

    def _begin(self, start: Tensor | None, beyond: Eigenpairs | None) -> tuple[KrylovBasis, int]:
        """Return the basis to run on and the least number of products before it may stop."""
        noise = random_vector(self.operator, self.generator)
        if start is None:
            if beyond is None:
                return KrylovBasis(self.operator, noise, self.generator), 1
            radius = max(abs(beyond.smallest), abs(beyond.largest))
            return KrylovBasis(self.operator, noise, self.generator, beyond.vectors, radius), 1
        check_vector(self.operator, start)
        length = torch.linalg.vector_norm(start)
        if not (torch.isfinite(length) and length > 0):
            raise ValueError("start must be finite and not zero; pass None for a random start")
        noise = noise / torch.linalg.vector_norm(noise)
        basis = KrylovBasis(self.operator, start / length + _START_NOISE * noise, self.generator)
        self._extend(basis)
        quotient = float(self._rank(basis.ritz().values)[0])
        if basis.last_residual > quotient and self.products < self.budget:
            # Far from any wanted eigenvector: give the random part equal weight.
            basis = KrylovBasis(self.operator, start / length + noise, self.generator)
        return basis, self.warm_products

    def _rank(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return numbers that are higher for what is wanted first."""
        if self.which == "magnitude":
            return np.abs(values)
        return values if self.which == "largest" else -values

    def _targets(self, ritz: RitzPairs, wanted: NDArray[np.intp]) -> NDArray[np.float64]:
        """Return the largest residual accepted for each wanted pair."""
        radius = float(np.abs(ritz.values).max())
        relative = self.tolerance * np.maximum(np.abs(ritz.values[wanted]), self.tolerance * radius)
        return np.maximum(relative, 4 * torch.finfo(self.operator.dtype).eps * radius)

    def _settled(self, ritz: RitzPairs, order: NDArray[np.intp]) -> bool:
        """Whether the runner-up is known to a tenth or clearly ranks behind the best.

        A stale start that is an eigenvector, but not the top one, converges at once, while the
        top one is still rising from the random part as the runner-up.
        """
        best, runner_up = self._rank(ritz.values[order])
        residual = ritz.residuals[order[1]]
        return bool(residual <= 0.1 * abs(runner_up) or runner_up + 3 * residual < best)

    def _behind(self, beyond: Eigenpairs | None, ritz: RitzPairs, wanted: NDArray[np.intp]) -> bool:
        """Whether the complement's best, with its uncertainty, ranks behind what is known."""
        if beyond is None or len(ritz.values) < _COMPLEMENT_PRODUCTS:
            return False
        best = float(self._rank(ritz.values[wanted])[0] + ritz.residuals[wanted][0])
        return best < float(self._rank(beyond.values.numpy())[-1])


def _check_arguments(
    operator: LinearOperator, k: int, which: Which, tolerance: float, budget: int
) -> None:
    if not isinstance(k, Integral):
        raise ValueError(f"k is {k!r}; choose a whole number of pairs")
    if not 1 <= k <= operator.dim:
        raise ValueError(f"k is {k}; choose 1 to {operator.dim}, the operator's dimension")
    if which not in _ORDERINGS:
        raise ValueError(f"which is {which!r}; choose one of {', '.join(_ORDERINGS)}")
    if not 0 < tolerance < 1:
        raise ValueError(f"tolerance is {tolerance}; choose a relative residual in (0, 1)")
    if budget < k:
        raise ValueError(f"max_products is {budget}; {k} pairs take at least {k} products")
