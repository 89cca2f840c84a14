"""RMSProp (Tieleman and Hinton 2012), with momentum if asked."""

from __future__ import annotations

from typing import Any

import torch

from lrtransfer.optim.groups import resolved


def rmsprop(
    groups: list[dict[str, Any]],
    *,
    beta2: float = 0.99,
    momentum: float = 0.0,
    epsilon: float = 1e-8,
    weight_decay: float = 0.0,
) -> torch.optim.RMSprop:
    """Return RMSProp over the groups; `beta2` is the decay rate of the squared gradient.

    `weight_decay` adds λW to the gradient before it is normalised.

    Example:
        >>> w = torch.nn.Parameter(torch.ones(1))
        >>> opt = rmsprop([{"params": [w], "lr": 0.1}])
        >>> w.sum().backward()
        >>> opt.step()
        >>> round(w.item(), 4)
        0.0
    """
    own = resolved(groups, weight_decay=weight_decay, eps=epsilon)
    return torch.optim.RMSprop(own, lr=0.0, alpha=beta2, momentum=momentum)


FAMILY = "adam"
ELEMENTWISE = True
OPTIMIZER = rmsprop
