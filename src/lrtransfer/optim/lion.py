"""Lion (Chen et al. 2023, 2302.06675): the sign of an interpolated momentum."""

from __future__ import annotations

from typing import Any

import torch

from lrtransfer.optim.groups import resolved
from lrtransfer.optim.make_optimizer import build


def lion(
    groups: list[dict[str, Any]],
    *,
    beta1: float = 0.9,
    beta2: float = 0.99,
    weight_decay: float = 0.0,
) -> torch.optim.Optimizer:
    """Return Lion over the groups; its rates lie 3 to 10 times below AdamW's.

    c = β₁m + (1 − β₁)g, W ← W − η(sign c + λW), m ← β₂m + (1 − β₂)g.
    """
    own = [
        {"lr": 0.0} | group | {"optimizer": "lion"}
        for group in resolved(groups, weight_decay=weight_decay)
    ]
    return build(own, betas=(beta1, beta2))


FAMILY = "adam"
ELEMENTWISE = True
OPTIMIZER = lion
