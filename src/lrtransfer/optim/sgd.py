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
    """Return SGD over the groups.

    Momentum is not rescaled with width (Noci et al. 2024, 2402.17457). `weight_decay` adds λW to
    the gradient before the momentum.

    Example:
        >>> w = torch.nn.Parameter(torch.ones(1))
        >>> opt = sgd([{"params": [w], "lr": 0.1}], momentum=0.9)
        >>> w.sum().backward()
        >>> opt.step()
        >>> round(w.item(), 4)
        0.9
    """
    own = resolved(groups, weight_decay=weight_decay)
    return torch.optim.SGD(own, lr=0.0, momentum=momentum, nesterov=nesterov)


FAMILY = "sgd"
ELEMENTWISE = True
OPTIMIZER = sgd
