"""What a curvature operator is, and its dense matrix for small problems."""

from typing import Protocol

import torch
from torch import Tensor


class NonFiniteCurvatureError(RuntimeError):
    """A loss or an operator product holds NaN or infinity, so no curvature exists there."""


class AsymmetricProductsError(ValueError):
    """Products are not those of a symmetric matrix: wrong derivatives, or rounding alone."""


class LinearOperator(Protocol):
    """A symmetric linear map known only through its products with vectors."""

    products: int
    """Products computed so far."""

    @property
    def dim(self) -> int:
        """Length of the vectors that the operator acts on."""

    @property
    def dtype(self) -> torch.dtype:
        """Floating-point type of the vectors."""

    @property
    def device(self) -> torch.device:
        """Device of the vectors."""

    def __call__(self, vector: Tensor) -> Tensor:
        """Return the product with `vector`, both of shape (dim,)."""


def check_vector(operator: LinearOperator, vector: Tensor) -> None:
    """Raise unless `vector` is one that `operator` acts on.

    Raises:
        ValueError: the shape, dtype or device differs from the operator's.
    """
    if vector.shape != (operator.dim,):
        raise ValueError(
            f"vector has shape {tuple(vector.shape)}; this operator acts on ({operator.dim},)"
        )
    if vector.dtype != operator.dtype or vector.device != operator.device:
        raise ValueError(
            f"vector is {vector.dtype} on {vector.device}; "
            f"convert it to {operator.dtype} on {operator.device}"
        )


def dense(operator: LinearOperator) -> Tensor:
    """Return the (dim, dim) matrix of `operator`, one product per column.

    For tests and tiny networks: it costs `dim` products and `dim`² numbers of memory.

    Example:
        >>> import torch
        >>> from torch import nn
        >>> from lrtransfer.curvature import HessianOperator
        >>> x, y = torch.eye(2).double(), torch.zeros(2, 1).double()
        >>> model, loss_fn = nn.Linear(2, 1, bias=False).double(), nn.MSELoss()
        >>> dense(HessianOperator(model, loss_fn, (x, y))).tolist()
        [[1.0, 0.0], [0.0, 1.0]]
    """
    identity = torch.eye(operator.dim, dtype=operator.dtype, device=operator.device)
    return torch.stack([operator(column) for column in identity], dim=1)
