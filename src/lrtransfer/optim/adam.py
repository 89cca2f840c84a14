"""Adam (Kingma and Ba 2015, 1412.6980)."""

from __future__ import annotations

from typing import Any

import torch

from lrtransfer.optim.groups import resolved


def adam(
    groups: list[dict[str, Any]],
    *,
    beta1: float = 0.9,
    beta2: float = 0.999,
    epsilon: float = 1e-8,
    weight_decay: float = 0.0,
) -> torch.optim.Adam:
    """Return Adam over the groups.

    `weight_decay` adds λW to the gradient before it is normalised, which is rarely wanted: see
    `adamw`.

    Example:
        >>> w = torch.nn.Parameter(torch.ones(1))
        >>> opt = adam([{"params": [w], "lr": 0.1}])
        >>> w.sum().backward()
        >>> opt.step()
        >>> round(w.item(), 4)
        0.9
    """
    own = resolved(groups, weight_decay=weight_decay, eps=epsilon)
    return torch.optim.Adam(own, lr=0.0, betas=(beta1, beta2))


FAMILY = "adam"
ELEMENTWISE = True
OPTIMIZER = adam
