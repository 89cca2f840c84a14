"""Largest eigenvalues of the two parts of the Hessian on the fixed subset, H = G + R."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor

from lrtransfer.curvature.gauss_newton import GaussNewtonOperator
from lrtransfer.curvature.hessian import HessianOperator
from lrtransfer.curvature.lanczos import Eigenpairs, eigenvalues
from lrtransfer.curvature.linear_operator import LinearOperator, NonFiniteCurvatureError
from lrtransfer.study.probes import Measurement

_COLUMNS = ("gauss_newton", "hessian_residual")


class GaussNewtonProbe:
    """Columns ``gauss_newton``, λ_max(D^½GD^½), and ``hessian_residual``, λ_max(D^½RD^½).

    G = Jᵀ(∂²L/∂f²)J is the features' part, R = Σ_i (∂L/∂f_i)∇²f_i the errors' part (Noci et al.
    2024, §5 and Lemma 5.2), D the per-tensor learning rates over the global one.
    """

    def __init__(self) -> None:
        self.eigenvectors: dict[str, Tensor] = {}
        self.gradients = 0.0

    def measure(self, at: Measurement) -> dict[str, float]:
        """Run Lanczos on each part from its last eigenvector."""
        self.gradients = 2.0
        batch = (at.inputs, at.targets)
        try:
            parts: tuple[LinearOperator, LinearOperator] = (
                GaussNewtonOperator(at.model, at.loss, batch, scale=at.rates),
                HessianOperator(at.model, _linearised(at.loss), batch, scale=at.rates),
            )
            top = {c: self._top(c, part, at) for c, part in zip(_COLUMNS, parts, strict=True)}
        except NonFiniteCurvatureError:
            return dict.fromkeys(_COLUMNS, math.nan)
        features, errors = top.values()
        self.gradients += 4 / 3 * features.products + 2.0 * errors.products
        self.eigenvectors = {column: pairs.vectors[0] for column, pairs in top.items()}
        return {column: float(pairs.values[0]) for column, pairs in top.items()}

    def _top(self, column: str, operator: LinearOperator, at: Measurement) -> Eigenpairs:
        return eigenvalues(
            operator,
            tolerance=at.tolerance,
            start=self.eigenvectors.get(column),
            generator=at.generator,
        )

    def state(self) -> dict[str, Tensor]:
        """Return the last eigenvector of each part, by column."""
        return dict(self.eigenvectors)

    def load_state(self, state: dict[str, Tensor]) -> None:
        """Take up the last eigenvectors."""
        self.eigenvectors = dict(state)


def _linearised(loss: Callable[[Tensor, Tensor], Tensor]) -> Callable[[Tensor, Tensor], Tensor]:
    """Return the loss made linear in the outputs at their present value: its Hessian is R.

    H − G as a difference would lose R in rounding once the errors are small.
    """

    def linear(outputs: Tensor, targets: Tensor) -> Tensor:
        point = outputs.detach().requires_grad_()
        (slope,) = torch.autograd.grad(loss(point, targets), point)
        return (outputs * slope).sum()

    return linear


PROBE = GaussNewtonProbe
