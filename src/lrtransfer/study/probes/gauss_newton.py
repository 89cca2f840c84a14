"""Largest eigenvalues of the two parts of the Hessian on the fixed subset, H = G + R."""

from __future__ import annotations

import math
from collections.abc import Callable

from lrtransfer.curvature.gauss_newton import GaussNewtonOperator
from lrtransfer.curvature.lanczos import Eigenpairs, eigenvalues
from lrtransfer.curvature.linear_operator import LinearOperator
from lrtransfer.curvature.residual import ResidualOperator
from lrtransfer.study.probes import Measurement
from lrtransfer.study.probes.memory import WarmStart

_PARTS: dict[str, Callable[..., LinearOperator]] = {
    "gauss_newton": GaussNewtonOperator,
    "hessian_residual": ResidualOperator,
}


class GaussNewtonProbe(WarmStart):
    """Columns `gauss_newton`, λ_max(D^½GD^½), and `hessian_residual`, λ_max(D^½RD^½).

    G = Jᵀ(∂²L/∂f²)J is the features' part, R = Σ_i (∂L/∂f_i)∇²f_i the errors' part (Noci et al.
    2024, §5 and Lemma 5.2), D the per-tensor learning rates over the global one.
    """

    def measure(self, at: Measurement) -> dict[str, float]:
        """Run Lanczos on each part from its last eigenvector."""
        self.gradients = 2.0
        batch = (at.inputs, at.targets)
        try:
            top = {
                column: self._top(
                    column, part(at.model, at.loss, batch, scale=at.relative_rates), at
                )
                for column, part in _PARTS.items()
            }
        except self.nan_at("gauss_newton"):
            return dict.fromkeys(_PARTS, math.nan)
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


PRICE = 32.0
COLUMNS = {"gauss_newton": ("curvature", "compared"), "hessian_residual": ()}
PROBE = GaussNewtonProbe
