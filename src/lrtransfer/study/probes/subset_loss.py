"""The training loss on the fixed subset: free of the mini-batch's noise."""

from __future__ import annotations

import torch

from lrtransfer.study.probes import Measurement
from lrtransfer.study.probes.memory import Stateless


class SubsetLoss(Stateless):
    """Column `subset_loss`, in the loss's own unit (nats for cross-entropy)."""

    gradients = 1 / 3

    def measure(self, at: Measurement) -> dict[str, float]:
        """Evaluate the loss once."""
        with torch.no_grad():
            return {"subset_loss": float(at.subset_loss())}


PRICE = 0.4
COLUMNS = {"subset_loss": ("compared",)}
PROBE = SubsetLoss
