"""Sharpness in the norms of sign descent and of orthogonalised updates."""

from __future__ import annotations

import math

from lrtransfer.curvature.generalised import Norm
from lrtransfer.curvature.linear_operator import NonFiniteCurvatureError
from lrtransfer.curvature.sharpness import sharpness
from lrtransfer.study.probes import Measurement
from lrtransfer.study.probes.memory import WarmStart

# The start of the last measurement, the gradient, and one of chance.
_STARTS = 3
_NORMS: dict[Norm, str] = {"linf": "sign_sharpness", "spectral": "spectral_sharpness"}


class GeneralisedSharpness(WarmStart):
    """Columns `sign_sharpness` and `spectral_sharpness`, and each `…_normalised`.

    S = max dᵀHd over ‖d‖ = 1, in ℓ∞ over all weights and in the spectral norm jointly over the
    matrices, radii the relative rates: lower bounds (Islamov et al. 2026). Steepest descent's edge
    is S = 2/η; that of steps of a fixed length is `…_normalised`, S over the gradient's dual norm,
    at 2/η. A model without matrices has no spectral one.
    """

    def measure(self, at: Measurement) -> dict[str, float]:
        """Climb from the last direction, from the gradient, and from one of chance."""
        self.gradients = 0.0
        row: dict[str, float] = {}
        for norm, column in _NORMS.items():
            value, normalised = self._sharpness(at, norm, column)
            row |= {column: value, f"{column}_normalised": normalised}
        return row

    def _sharpness(self, at: Measurement, norm: Norm, column: str) -> tuple[float, float]:
        matrices = [n for n, p in at.model.named_parameters() if p.requires_grad and p.ndim > 1]
        if norm == "spectral" and not matrices:
            return math.nan, math.nan
        try:
            found = sharpness(
                at.model,
                at.loss,
                (at.inputs, at.targets),
                norm=norm,
                parameters=matrices if norm == "spectral" else None,
                scale=at.relative_rates,
                restarts=_STARTS,
                tolerance=at.tolerance,
                start=self.eigenvectors.get(column),
                generator=at.generator,
            )
        except NonFiniteCurvatureError:
            return math.nan, math.nan
        self.eigenvectors[column] = found.eigenvector
        self.gradients += 1.0 + 2.0 * found.products
        return found.value, found.normalised


PRICE = 120.0
COLUMNS = {
    "sign_sharpness": (),
    "sign_sharpness_normalised": (),
    "spectral_sharpness": (),
    "spectral_sharpness_normalised": (),
}
PROBE = GeneralisedSharpness
