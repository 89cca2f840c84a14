"""Muon (Jordan et al. 2024): orthogonalised momentum for hidden matrices, AdamW for the rest."""

from __future__ import annotations

from typing import Any, Literal

import torch

from lrtransfer.optim.of_matrices import of_matrices

Factor = Literal["spectral", "original", "kimi"]
Precision = Literal["bfloat16", "float32"]


def muon(
    groups: list[dict[str, Any]],
    *,
    factor: Factor = "spectral",
    momentum: float = 0.95,
    nesterov: bool = True,
    precision: Precision = "bfloat16",
    rest_rate: float = 1.0,
    beta1: float = 0.9,
    beta2: float = 0.999,
    epsilon: float = 1e-8,
    weight_decay: float = 0.0,
) -> torch.optim.Optimizer:
    """Return Muon over the groups of the role `hidden`, AdamW over the others.

    Args:
        groups: With their `role`.
        factor: See `lrtransfer.optim.orthogonalised.Muon`.
        momentum: Of Muon.
        nesterov: Of Muon.
        precision: Of Muon's iteration; float32 is faster where bfloat16 products are slow.
        rest_rate: AdamW's learning rates over Muon's, beside the groups' own.
        beta1: Of AdamW, as `beta2`.
        beta2: See `beta1`.
        epsilon: Of both.
        weight_decay: Of both; a step shrinks a tensor by its learning rate times this.
    """
    return of_matrices(
        groups,
        "muon",
        {
            "factor": factor,
            "momentum": momentum,
            "nesterov": nesterov,
            "precision": precision,
            "betas": (beta1, beta2),
        },
        rest_rate=rest_rate,
        epsilon=epsilon,
        weight_decay=weight_decay,
    )


FAMILY = "muon"
OPTIMIZER = muon
