"""AdamH: Adam's direction on matrices of fixed norm (2606.16899), AdamW for the rest."""

from __future__ import annotations

from typing import Any

import torch

from lrtransfer.optim.of_matrices import of_matrices


def adamh(
    groups: list[dict[str, Any]],
    *,
    rest_rate: float = 1.0,
    beta1: float = 0.9,
    beta2: float = 0.999,
    epsilon: float = 1e-8,
    weight_decay: float = 0.0,
) -> torch.optim.Optimizer:
    """Return Adam in `Hyperball` over the groups of the role `hidden`, AdamW over the others.

    Args:
        groups: With their `role`.
        rest_rate: AdamW's learning rates over the matrices', beside the groups' own.
        beta1: Of both, as `beta2`.
        beta2: See `beta1`.
        epsilon: Of both.
        weight_decay: Of AdamW; the table of a parameterization gives matrices of fixed norm none.
    """
    return of_matrices(
        groups,
        "adamh",
        {"betas": (beta1, beta2)},
        rest_rate=rest_rate,
        epsilon=epsilon,
        weight_decay=weight_decay,
    )


FAMILY = "fixed_norm"
OPTIMIZER = adamh
