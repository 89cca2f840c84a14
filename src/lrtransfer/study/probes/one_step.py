"""What one step would do to the loss: the greedy rate against the rate on the edge."""

from __future__ import annotations

import math

from lrtransfer.optim.tuners.closure import NonFiniteLossError
from lrtransfer.optim.tuners.next_update import next_update
from lrtransfer.study.probes import Measurement
from lrtransfer.study.probes.memory import Stateless


class OneStep(Stateless):
    """Columns `one_step_greedy` and `one_step_on_edge`: f(w + ηu) − f(w).

    η is n/d for the greedy step and 2n/d for the one on the edge, n = −g·u and d = |u·Hu|, both
    along the next update u on the subset (Roulet et al. 2024, Fig. 16). NaN where u does not
    descend or d = 0.
    """

    gradients = 3 + 2 / 3

    def measure(self, at: Measurement) -> dict[str, float]:
        """Take one product with the Hessian and two forward passes."""
        names = ("one_step_greedy", "one_step_on_edge")
        try:
            coming = next_update(at.optimizer, at.subset_loss, at.relative_rates)
        except NonFiniteLossError:
            return dict.fromkeys(names, math.nan)
        curvature = abs(coming.curvature())
        if coming.slope >= 0 or curvature == 0:
            return dict.fromkeys(names, math.nan)
        greedy = -coming.slope / curvature
        changes = [coming.change(rate) for rate in (greedy, 2 * greedy)]
        return dict(zip(names, changes, strict=True))


PRICE = 3.7
COLUMNS = {"one_step_greedy": (), "one_step_on_edge": ()}
PROBE = OneStep
