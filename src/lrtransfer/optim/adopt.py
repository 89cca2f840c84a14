"""ADOPT (Taniguchi et al. 2024, 2411.02853): Adam by the second moment of the steps before."""

from __future__ import annotations

from typing import Any

import torch

from lrtransfer.optim.groups import resolved
from lrtransfer.optim.make_optimizer import build


def adopt(
    groups: list[dict[str, Any]],
    *,
    beta1: float = 0.9,
    beta2: float = 0.9999,
    epsilon: float = 1e-6,
    weight_decay: float = 0.0,
) -> torch.optim.Optimizer:
    """Return ADOPT over the groups, with decoupled decay.

    Its first step only starts the second moment; ε is the least root that it divides by.
    """
    own = [
        {"lr": 0.0} | group | {"optimizer": "adopt"}
        for group in resolved(groups, weight_decay=weight_decay, eps=epsilon)
    ]
    return build(own, betas=(beta1, beta2))


FAMILY = "adam"
ELEMENTWISE = True
OPTIMIZER = adopt
