"""The Lanczos process: an orthonormal Krylov basis and the tridiagonal projection onto it."""

import math
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.linalg import eigh_tridiagonal
from torch import Tensor

from lrtransfer.curvature.linear_operator import (
    AsymmetricProductsError,
    LinearOperator,
    NonFiniteCurvatureError,
)
from lrtransfer.curvature.surroundings import Undone, gradient_mode

_INITIAL_CAPACITY = 16
_LARGE = 2**22  # numbers in a vector from which on memory and passes over all rows are spared
_PART = 2**16
_MARGIN = 10  # over the residual, in units of √ε times the radius, at which all rows are looked at
_SHORTEST = 1e-12  # norms whose squares may underflow in float32
_ASYMMETRY = 200  # in units of √ε times the spectral radius: 7 % in float32, 3e-6 in float64


def random_vector(operator: LinearOperator, generator: torch.Generator) -> Tensor:
    """Return a Gaussian vector, shape (dim,), drawn on the generator's device."""
    drawn = torch.randn(
        operator.dim, generator=generator, device=generator.device, dtype=operator.dtype
    )
    return drawn.to(operator.device)


def default_generator(generator: torch.Generator | None) -> torch.Generator:
    """Return `generator`, or one with seed 0: results repeat and torch's own state stays put."""
    return torch.Generator().manual_seed(0) if generator is None else generator


def plain_arithmetic(operator: LinearOperator) -> Undone:
    """Switch off graphs, inference tensors and autocast for the vectors of `operator`."""
    return gradient_mode(False, operator.device)


def unit(vector: Tensor) -> Tensor:
    """Return `vector` over its norm, of whatever length: squares neither over- nor underflow."""
    length = torch.linalg.vector_norm(vector)
    if not _SHORTEST < float(length) < math.inf:
        vector = vector / vector.abs().max()
        length = torch.linalg.vector_norm(vector)
    scaled: Tensor = vector / length
    return scaled


@dataclass(frozen=True)
class RitzPairs:
    """Eigenpairs of the projection, by ascending value.

    Attributes:
        values: Ritz values, shape (m,).
        weights: eigenvectors of the projection in its columns, shape (m, m).
        residuals: ‖A y − θ y‖ of the Ritz vectors y, shape (m,), from the last off-diagonal
            entry (Parlett 1980, §13.2).
    """

    values: NDArray[np.float64]
    weights: NDArray[np.float64]
    residuals: NDArray[np.float64]


class KrylovBasis:
    """Lanczos basis of `operator` from `start`, reorthogonalised.

    Two Gram-Schmidt passes, the first against the two newest vectors, the second against all,
    keep the basis orthogonal to working precision (Giraud et al. 2005); without them converged
    eigenvalues come back as ghost copies. Of more than four million numbers, the second is against
    the two newest again until a Ritz pair has begun to converge. Vectors have the operator's dtype;
    norms and the tridiagonal entries are float64.

    Args:
        operator: symmetric.
        start: first direction, shape (dim,), of any length but zero.
        generator: draws the directions that replace an exhausted Krylov space.
        deflated: orthonormal rows, shape (r, dim), that the basis stays orthogonal to; None for
            the whole space.
        known_radius: spectral radius of the operator as far as known from earlier runs. Beside
            it, what remains in the complement of the deflated vectors may be rounding noise.
    """

    def __init__(
        self,
        operator: LinearOperator,
        start: Tensor,
        generator: torch.Generator,
        deflated: Tensor | None = None,
        known_radius: float = 0.0,
    ) -> None:
        self._operator = operator
        self._large = operator.dim >= _LARGE
        self._known_radius = known_radius
        self._scale = known_radius  # spectral radius seen so far
        self._generator = generator
        self._deflated = _storage(operator, 0) if deflated is None else deflated
        self._blocks = [_storage(operator, min(_INITIAL_CAPACITY, operator.dim))]
        self._diagonal: list[float] = []
        self._off_diagonal: list[float] = []
        self._row(0).copy_(self._orthogonal_direction(start))
        self._ready = True  # whether the row after the basis holds the next direction

    @property
    def size(self) -> int:
        """Number of basis vectors, equal to the number of products computed."""
        return len(self._diagonal)

    @property
    def exhausted(self) -> bool:
        """Whether the basis is invariant: its Ritz pairs are exact, and a step starts anew."""
        return not self._ready

    @property
    def complete(self) -> bool:
        """Whether the basis spans the whole space left by `deflated`."""
        return self.size + len(self._deflated) >= self._operator.dim

    @property
    def last_residual(self) -> float:
        """Norm of the newest product outside the basis, the last off-diagonal entry."""
        return self._off_diagonal[-1]

    @property
    def radius(self) -> float:
        """Upper bound of |θ| over the Ritz values, by Gershgorin's discs."""
        diagonal = np.abs(self._diagonal)
        off = np.asarray(self._off_diagonal)
        return float(np.max(diagonal + off + np.concatenate(([0.0], off[:-1]))))

    def extend(self) -> None:
        """Add one vector: one product with the operator.

        Raises:
            RuntimeError: the basis spans the whole space already.
            NonFiniteCurvatureError: the product holds NaN or infinity.
            AsymmetricProductsError: the products are plainly not those of a symmetric matrix.
        """
        if self.complete:
            raise RuntimeError("the Krylov basis spans the whole space; there is nothing to add")
        direction = self._row(self.size)
        if not self._ready:
            anew = random_vector(self._operator, self._generator)
            direction.copy_(self._orthogonal_direction(anew))
        self._ready = False
        remainder, coefficient = self._orthogonalise(self._operator(direction))
        norm = _length(remainder)
        if not math.isfinite(norm):  # any bad entry of the product shows in it
            raise NonFiniteCurvatureError(
                f"product {self._operator.products} with the operator holds NaN or infinity"
            )
        self._diagonal.append(coefficient)
        self._off_diagonal.append(norm)
        radius = max(self.radius, self._known_radius)
        self._scale = radius
        rounding = 10 * torch.finfo(self._operator.dtype).eps * radius
        if norm <= rounding or self.complete:
            # Beyond the coupling, whatever is left is rounding noise.
            self._off_diagonal[-1] = 0.0 if norm <= rounding else norm
        else:
            remainder.div_(norm)
            if not self._large:
                self._row(self.size).copy_(remainder)
            self._ready = True

    def ritz(self) -> RitzPairs:
        """Return the eigenpairs of the projection."""
        values, weights = eigh_tridiagonal(
            np.asarray(self._diagonal), np.asarray(self._off_diagonal[:-1])
        )
        return RitzPairs(values, weights, np.abs(weights[-1]) * self.last_residual)

    def vectors(self, weights: NDArray[np.float64]) -> Tensor:
        """Return unit vectors, shape (k, dim), with the coordinates `weights`, shape (m, k)."""
        coordinates = torch.as_tensor(weights.T, dtype=self._operator.dtype)
        combined: Tensor | None = None
        start = 0
        for rows in self._rows(0, self.size):
            part = coordinates[:, start : start + len(rows)].to(rows.device) @ rows
            combined = part if combined is None else combined.add_(part)
            start += len(rows)
        assert combined is not None  # noqa: S101 - there is a vector after the first product
        unit: Tensor = combined / torch.linalg.vector_norm(combined, dim=1, keepdim=True)
        return unit

    def _rows(self, start: int, stop: int) -> list[Tensor]:
        """Return the basis vectors from `start` to `stop`, from each block those in it."""
        found, first = [], 0
        for block in self._blocks:
            rows = block[max(0, start - first) : max(0, stop - first)]
            first += len(block)
            if len(rows):
                found.append(rows)
        return found

    def _row(self, index: int) -> Tensor:
        """Return the storage of one vector, which is made where there is none."""
        capacity = sum(map(len, self._blocks))
        if index == capacity:
            if not self._large:
                (old,) = self._blocks
                wanted = min(2 * capacity, self._operator.dim)
                self._blocks = [_storage(self._operator, wanted)]
                self._blocks[0][:capacity] = old
            else:
                self._blocks.append(_storage(self._operator, _INITIAL_CAPACITY))
        (row,) = self._rows(index, index + 1)
        return row[0]

    def _orthogonalise(self, vector: Tensor) -> tuple[Tensor, float]:
        """Return `vector` without its part in the span, and its newest coefficient there.

        The rows are those appended so far, one more than the `size` while a product is pending. If
        large, the result lies in the row after them: fresh memory costs more than the arithmetic.
        """
        coefficient = 0.0
        result = self._row(self.size + 1) if self._large else None
        newest = self._rows(max(0, self.size - 1), self.size + 1)
        # Beyond the two newest vectors the coefficients are rounding errors: one pass suffices.
        for last_pass in (False, True):
            blocks = self._rows(0, self.size + 1) if last_pass and self._fading() else newest
            projections = torch.cat([rows @ vector for rows in blocks])
            *earlier, last = projections[-2:].tolist()
            if not last_pass and earlier and getattr(self._operator, "symmetric", True):
                self._check_symmetry(earlier[0])
            coefficient += last
            parts = torch.split(projections, [len(rows) for rows in blocks])
            for rows, part in zip(blocks, parts, strict=True):
                if result is None or vector is not result:
                    vector = torch.addmv(vector, rows.T, part, alpha=-1, out=result)
                else:
                    vector.addmv_(rows.T, part, alpha=-1)
            if len(self._deflated):
                vector = torch.addmv(
                    vector, self._deflated.T, self._deflated @ vector, alpha=-1, out=result
                )
        return vector, coefficient

    def _fading(self) -> bool:
        """Whether orthogonality to all may be lost, as it is along Ritz vectors that converge.

        The loss is of the order of ε · radius over the smallest residual (Paige 1980); below √ε it
        does not touch the values (Simon 1984). Small operators do not ask: their passes are cheap.
        """
        if not self._large or not self._diagonal:
            return True
        root = torch.finfo(self._operator.dtype).eps ** 0.5
        return bool(self.ritz().residuals.min() < _MARGIN * root * self._scale)

    def _check_symmetry(self, coupling: float) -> None:
        """Raise if ⟨v, Au⟩ is not the ⟨u, Av⟩ that the last product gave, v and u the newest."""
        expected = self._off_diagonal[-1]
        finfo = torch.finfo(self._operator.dtype)
        tolerance = _ASYMMETRY * (finfo.eps**0.5 * self._scale + finfo.tiny)
        if tolerance < abs(coupling - expected) < math.inf:  # what is not finite has its own error
            dtype = str(self._operator.dtype).removeprefix("torch.")
            raise AsymmetricProductsError(
                f"the products are not those of a symmetric matrix: vᵀAu is {coupling:.3g} and "
                f"uᵀAv {expected:.3g}; either an autograd function of the model or the loss "
                "computes its backward pass outside autograd (detach, no_grad, .data, numpy), or "
                f"the loss is so saturated that the curvature is less than {dtype}'s rounding: "
                "float64 tells which"
            )

    def _orthogonal_direction(self, vector: Tensor) -> Tensor:
        """Return the unit vector along the part of `vector` outside the basis."""
        vector = vector / _length(vector)
        for _ in range(3):
            for rows in self._rows(0, self.size):
                vector = vector - (rows @ vector) @ rows
            if len(self._deflated):
                vector = vector - (self._deflated @ vector) @ self._deflated
            vector.div_(_length(vector))
        return vector


def _length(vector: Tensor) -> float:
    """Return the norm, summed in float64: a float32 sum is off by 1e-5 at 1e6 entries."""
    if len(vector) < _LARGE:
        return float(torch.linalg.vector_norm(vector, dtype=torch.float64))
    # In parts: torch makes a float64 copy, which costs more than the sum.
    parts = (torch.linalg.vector_norm(v, dtype=torch.float64) for v in vector.split(_PART))  # type: ignore[no-untyped-call]
    return math.hypot(*map(float, parts))


def _storage(operator: LinearOperator, count: int) -> Tensor:
    """Return uninitialised storage for `count` vectors, shape (count, dim)."""
    return torch.empty(count, operator.dim, dtype=operator.dtype, device=operator.device)
