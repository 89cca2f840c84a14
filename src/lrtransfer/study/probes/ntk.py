"""Largest eigenvalue of the neural tangent kernel on the fixed subset."""

from __future__ import annotations

import math

from lrtransfer.curvature.lanczos import eigenvalues
from lrtransfer.curvature.linear_operator import NonFiniteCurvatureError
from lrtransfer.curvature.ntk import NTKOperator
from lrtransfer.study.probes import Measurement
from lrtransfer.study.probes.memory import WarmStart


class NTKProbe(WarmStart):
    """Columns `ntk` and `ntk_residual`: λ_max of Θ = (1/n) J D Jᵀ over n samples.

    D are the per-tensor learning rates over the global one, so that Θ carries the factor γ²
    (Noci et al. 2024, Lemma 5.2).
    """

    def measure(self, at: Measurement) -> dict[str, float]:
        """Run Lanczos from the last eigenvector."""
        self.gradients = 1.0
        try:
            operator = NTKOperator(at.model, at.inputs, scale=at.relative_rates)
            top = eigenvalues(
                operator,
                tolerance=at.tolerance,
                start=self.eigenvectors.get("ntk"),
                generator=at.generator,
            )
        except NonFiniteCurvatureError:
            return {"ntk": math.nan, "ntk_residual": math.nan}
        self.eigenvectors["ntk"] = top.vectors[0]
        self.gradients += 4 / 3 * top.products
        return {"ntk": float(top.values[0]), "ntk_residual": float(top.residuals[0])}


PRICE = 10.0
COLUMNS = {"ntk": ("curvature", "compared", "predictor", "times_rate"), "ntk_residual": ()}
PROBE = NTKProbe
