"""SOAP (Vyas et al. 2024, 2409.11321) for hidden matrices, AdamW for the rest."""

from __future__ import annotations

from typing import Any

import torch

from lrtransfer.optim.of_matrices import of_matrices


def soap(
    groups: list[dict[str, Any]],
    *,
    compute_every: int = 10,
    rest_rate: float = 1.0,
    beta1: float = 0.95,
    beta2: float = 0.95,
    epsilon: float = 1e-8,
    weight_decay: float = 0.0,
) -> torch.optim.Optimizer:
    """Return SOAP, Adam in Shampoo's eigenbasis, over the role `hidden`, AdamW over the others.

    Its first step only starts the basis. Every axis is preconditioned, however long: a limit would
    change the rule as the network grows.

    Args:
        groups: With their `role`.
        compute_every: Steps between two bases.
        rest_rate: AdamW's learning rates over SOAP's, beside the groups' own.
        beta1: Of both, as `beta2`.
        beta2: See `beta1`.
        epsilon: Of both.
        weight_decay: Of both, decoupled.
    """
    return of_matrices(
        groups,
        "soap",
        {"precondition_frequency": compute_every, "betas": (beta1, beta2)},
        rest_rate=rest_rate,
        epsilon=epsilon,
        weight_decay=weight_decay,
    )


FAMILY = "soap"
OPTIMIZER = soap
