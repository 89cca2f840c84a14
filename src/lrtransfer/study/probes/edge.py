"""Curvature against the next update: largest eigenvalue, and how the update lies to its vector."""

from __future__ import annotations

import math

import torch

from lrtransfer.curvature.lanczos import eigenvalues
from lrtransfer.curvature.linear_operator import NonFiniteCurvatureError
from lrtransfer.optim.tuners.closure import NonFiniteLossError
from lrtransfer.optim.tuners.scaled_hessian import ScaledHessian
from lrtransfer.study.probes import Measurement
from lrtransfer.study.probes.memory import WarmStart
from lrtransfer.study.probes.next_update import NextUpdate, next_update

_COLUMNS = ("edge_sharpness", "edge_residual", "edge_alignment")


class Edge(WarmStart):
    """Columns ``edge_sharpness``, ``edge_residual`` and ``edge_alignment``.

    The value is the algebraic λ_max of SHS with S² = D/P: H the Hessian of the subset's loss plus
    coupled weight decay, D the relative learning rates, P what the optimizer divides its next
    update by (1 for SGD, √ν + ε for RMSProp, √ν̂ + ε for Adam). At a rate η the edge of stability
    of SGD and RMSProp is η·λ_max = 2. The alignment is |cos(S⁻¹u, v)| of the next update u and
    the top eigenvector v (Roulet et al. 2024, Figs. 12 and 17).
    """

    def measure(self, at: Measurement) -> dict[str, float]:
        """Run Lanczos from the last eigenvector."""
        self.gradients = 1.0
        try:
            coming = next_update(at)
            top = eigenvalues(
                ScaledHessian(coming.objective, coming.roots),
                tolerance=at.tolerance,
                start=self.eigenvector,
                generator=at.generator,
            )
        except (NonFiniteLossError, NonFiniteCurvatureError):
            return dict.fromkeys(_COLUMNS, math.nan)
        self.eigenvector = top.vectors[0]
        self.gradients += 2.0 * top.products
        values = (float(top.values[0]), float(top.residuals[0]), _alignment(coming, top.vectors[0]))
        return dict(zip(_COLUMNS, values, strict=True))


def _alignment(coming: NextUpdate, vector: torch.Tensor) -> float:
    pieces = [
        torch.where(root > 0, u / root, 0.0).reshape(-1)
        for u, root in zip(coming.direction, coming.roots, strict=True)
    ]
    update = torch.cat(pieces)
    return abs(float(torch.nn.functional.cosine_similarity(update, vector, dim=0)))


PROBE = Edge
