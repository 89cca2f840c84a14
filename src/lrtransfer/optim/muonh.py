"""MuonH: Muon's direction on matrices of fixed norm (2606.16899), AdamW for the rest."""

from __future__ import annotations

from typing import Any, Literal

import torch

from lrtransfer.optim.of_matrices import of_matrices

Precision = Literal["bfloat16", "float32"]


def muonh(
    groups: list[dict[str, Any]],
    *,
    momentum: float = 0.95,
    nesterov: bool = True,
    precision: Precision = "bfloat16",
    rest_rate: float = 1.0,
    beta1: float = 0.9,
    beta2: float = 0.999,
    epsilon: float = 1e-8,
    weight_decay: float = 0.0,
) -> torch.optim.Optimizer:
    """Return Muon in `Hyperball` over the groups of the role `hidden`, AdamW over the others.

    Args:
        groups: With their `role`.
        momentum: Of Muon, as `nesterov`.
        nesterov: See `momentum`.
        precision: Of Muon's iteration; float32 is faster where bfloat16 products are slow.
        rest_rate: AdamW's learning rates over the matrices', beside the groups' own.
        beta1: Of AdamW, as `beta2`.
        beta2: See `beta1`.
        epsilon: Of both.
        weight_decay: Of AdamW; the table of a parameterization gives matrices of fixed norm none.
    """
    return of_matrices(
        groups,
        "muonh",
        {
            "momentum": momentum,
            "nesterov": nesterov,
            "precision": precision,
            "betas": (beta1, beta2),
        },
        rest_rate=rest_rate,
        epsilon=epsilon,
        weight_decay=weight_decay,
    )


FAMILY = "fixed_norm"
OPTIMIZER = muonh
