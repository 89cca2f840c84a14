"""Stochastic gradient descent, with heavy-ball or Nesterov momentum if asked."""

from __future__ import annotations

from typing import Any

import torch

from lrtransfer.optim.groups import resolved


def sgd(
    groups: list[dict[str, Any]],
    *,
    momentum: float = 0.0,
    nesterov: bool = False,
    weight_decay: float = 0.0,
) -> torch.optim.SGD:
    """Return SGD over the groups; momentum is not rescaled with width (Noci et al. 2024).

    ``weight_decay`` adds λW to the gradient before the momentum.
    """
    own = resolved(groups, weight_decay=weight_decay)
    return torch.optim.SGD(own, lr=0.0, momentum=momentum, nesterov=nesterov)


FAMILY = "sgd"
OPTIMIZER = sgd
