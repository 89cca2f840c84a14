"""Curvature against the next update: largest eigenvalue, and how the update lies to its vector."""

from __future__ import annotations

import math

import torch

from lrtransfer.curvature.lanczos import eigenvalues
from lrtransfer.optim.optax_rmsprop import OptaxRMSProp
from lrtransfer.optim.tuners.closure import NonFiniteLossError
from lrtransfer.optim.tuners.next_update import next_update
from lrtransfer.study.probes import Measurement
from lrtransfer.study.probes.memory import WarmStart

# Of others no P is known, and so no edge.
_KNOWN = (torch.optim.SGD, torch.optim.Adam, torch.optim.RMSprop, OptaxRMSProp)  # AdamW is an Adam
_COLUMNS = ("edge_sharpness", "edge_residual", "edge_alignment")


class Edge(WarmStart):
    """Columns `edge_sharpness`, `edge_residual` and `edge_alignment`.

    The value is the algebraic λ_max of SHS with S² = D/P: H the Hessian of the subset's loss plus
    coupled weight decay, D the relative learning rates, P what the optimizer divides its next
    update by (1 for SGD, √ν + ε for RMSProp, √ν̂ + ε for Adam). At a rate η the edge of stability
    of SGD and RMSProp is η·λ_max = 2. The alignment is |cos(S⁻¹u, v)| of the next update u and
    the top eigenvector v (Roulet et al. 2024, Figs. 12 and 17). All three are NaN under optimizers
    whose P is unknown, Muon and fixed norms among them, and where the curvature of a saturated loss
    has drowned in rounding.
    """

    def measure(self, at: Measurement) -> dict[str, float]:
        """Run Lanczos from the last eigenvector."""
        self.gradients = 0.0
        if not isinstance(at.optimizer, _KNOWN):
            return dict.fromkeys(_COLUMNS, math.nan)
        self.gradients = 1.0
        try:
            coming = next_update(at.optimizer, at.subset_loss, at.relative_rates)
            top = eigenvalues(
                coming.hessian(),
                tolerance=at.tolerance,
                start=self.eigenvectors.get("edge"),
                generator=at.generator,
            )
        except self.nan_at("edge", NonFiniteLossError):
            return dict.fromkeys(_COLUMNS, math.nan)
        vector = self.eigenvectors["edge"] = top.vectors[0]
        self.gradients += 2.0 * top.products
        values = (float(top.values[0]), float(top.residuals[0]), coming.alignment(vector))
        return dict(zip(_COLUMNS, values, strict=True))


PRICE = 16.0
COLUMNS = {"edge_sharpness": ("predictor", "times_rate"), "edge_residual": (), "edge_alignment": ()}
PROBE = Edge
