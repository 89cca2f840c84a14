"""Effective learning rate of every matrix: its rate over its norm."""

from __future__ import annotations

import math

from lrtransfer.alignment.effective_rate import effective_rates
from lrtransfer.study.probes import Measurement
from lrtransfer.study.probes.memory import Stateless
from lrtransfer.study.probes.pooled import hidden, table


class EffectiveRate(Stateless):
    """Columns `effective_rate/<weight>` of the update that led to this step, η_k/‖W_k‖.

    W_k is from before the update (Liu et al. 2026); for SGD it is η_k/‖W_k‖². Weights are as the
    optimizer holds them. `effective_rate` is the geometric mean over the hidden weights. Before the
    first update every value is NaN.
    """

    needs_update = True
    # The norms of the weights cost next to nothing.
    gradients = 0.1

    def measure(self, at: Measurement) -> dict[str, float]:
        """Take the norms of the weights before the update."""
        before = None if at.update is None else at.update.previous
        found = effective_rates(at.model, at.optimizer, weights=before)
        # Before the first update the optimizer holds no rate.
        known = {n: math.nan if before is None else rate for n, rate in found.items()}
        return table({n: {"effective_rate": r} for n, r in known.items()}, hidden(at.model))


PRICE = 0.1
COLUMNS = {"effective_rate": ("phases",)}
PROBE = EffectiveRate
