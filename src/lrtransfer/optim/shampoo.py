"""Shampoo (Gupta et al. 2018, 1802.09568) for hidden matrices, AdamW for the rest."""

from __future__ import annotations

from typing import Any

import torch

from lrtransfer.optim.of_matrices import of_matrices


def shampoo(
    groups: list[dict[str, Any]],
    *,
    compute_every: int = 1,
    rest_rate: float = 1.0,
    beta1: float = 0.9,
    beta2: float = 0.999,
    epsilon: float = 1e-8,
    weight_decay: float = 0.0,
) -> torch.optim.Optimizer:
    """Return Shampoo over the groups of the role `hidden`, AdamW over the others.

    u = L^-¼ g R^-¼ with L and R sums of ggᵀ and gᵀg, which start at ε. Without momentum: the
    package's mixes updates into gradients, which has no width rule.

    Args:
        groups: With their `role`.
        compute_every: Steps between two inverse roots.
        rest_rate: AdamW's learning rates over Shampoo's, beside the groups' own.
        beta1: Of AdamW, as `beta2`.
        beta2: See `beta1`.
        epsilon: Of both.
        weight_decay: Of both, decoupled.
    """
    return of_matrices(
        groups,
        "shampoo",
        {"preconditioning_compute_steps": compute_every, "betas": (beta1, beta2)},
        rest_rate=rest_rate,
        epsilon=epsilon,
        weight_decay=weight_decay,
    )


FAMILY = "shampoo"
OPTIMIZER = shampoo
