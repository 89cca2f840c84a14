"""The Hessian of one step's objective in the coordinates that the optimizer moves in."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from lrtransfer.optim.tuners.objective import Objective


class ScaledHessian:
    """v -> S∇²f S v with S the diagonal of `roots`, from the graph of one objective.

    A `lrtransfer.curvature.LinearOperator`; ∇²f is the mean over workers where the objective's is.

    Args:
        objective: f at the present parameters, built with its graph.
        roots: S in the shapes of the objective's members, (D/P)^½ for an optimizer that divides
            its updates by P and has relative rates D.
    """

    def __init__(self, objective: Objective, roots: Sequence[Tensor]) -> None:
        self._objective, self._roots = objective, roots
        self._sizes = [root.numel() for root in roots]
        first = roots[0]
        self.dim, self.dtype, self.device = sum(self._sizes), first.dtype, first.device
        self.products = 0

    def __call__(self, vector: Tensor) -> Tensor:
        """Return the product, shape (dim,)."""
        self.products += 1
        pieces = torch.split(vector, self._sizes)
        scaled = [p.view_as(r) * r for p, r in zip(pieces, self._roots, strict=True)]
        with torch.enable_grad():
            product = self._objective.product(scaled)
        return torch.cat([(h * r).reshape(-1) for h, r in zip(product, self._roots, strict=True)])
