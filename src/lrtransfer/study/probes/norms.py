"""Norms of the weights, and of the gradient on the fixed subset."""

from __future__ import annotations

import torch

from lrtransfer.study.probes import Measurement
from lrtransfer.study.probes.memory import Stateless


class Norms(Stateless):
    """Columns `gradient_norm`, `weight_norm` and `weight_norm/<tensor>` (Frobenius).

    The gradient is of the loss as the optimizer sees it, without learning-rate factors.
    """

    gradients = 1.0

    def measure(self, at: Measurement) -> dict[str, float]:
        """Differentiate the loss once."""
        named = [(n, p) for n, p in at.model.named_parameters() if p.requires_grad]
        weights = [p for _, p in named]
        gradients = torch.autograd.grad(at.subset_loss(), weights)
        columns = {
            "gradient_norm": float(torch.nn.utils.get_total_norm(gradients)),
            "weight_norm": float(torch.nn.utils.get_total_norm([p.detach() for p in weights])),
        }
        per_tensor = {f"weight_norm/{n}": float(p.detach().norm()) for n, p in named}
        return columns | per_tensor


PRICE = 1.0
COLUMNS = {"gradient_norm": (), "weight_norm": ()}
PROBE = Norms
