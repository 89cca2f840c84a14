"""The curvature along the next update, as a tuner reads it."""

from __future__ import annotations

import math

from lrtransfer.optim.tuners.closure import NonFiniteLossError
from lrtransfer.optim.tuners.next_update import next_update
from lrtransfer.study.probes import Measurement
from lrtransfer.study.probes.memory import Stateless


class DirectionalSharpness(Stateless):
    """Columns `directional_sharpness`, u·Hu/(−g·u), and `objective_gradient_norm`, ‖g‖.

    u, g and H are those of the next update on the subset, weight decay included. CDAT's rate is σ
    over the first; 2 over it is where the quadratic model along u rises again.
    """

    gradients = 3.0

    def measure(self, at: Measurement) -> dict[str, float]:
        """Take one product with the Hessian."""
        names = ("directional_sharpness", "objective_gradient_norm")
        try:
            coming = next_update(at.optimizer, at.subset_loss, at.relative_rates)
        except NonFiniteLossError:
            return dict.fromkeys(names, math.nan)
        value = coming.curvature() / -coming.slope if coming.slope else math.nan
        return dict(zip(names, (value, coming.objective.gradient_norm), strict=True))


PRICE = 3.0
COLUMNS = {"directional_sharpness": ("compared",), "objective_gradient_norm": ()}
PROBE = DirectionalSharpness
