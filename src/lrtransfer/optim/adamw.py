"""Adam with decoupled weight decay (Loshchilov and Hutter 2019, 1711.05101)."""

from __future__ import annotations

from typing import Any

import torch

from lrtransfer.optim.groups import resolved


def adamw(
    groups: list[dict[str, Any]],
    *,
    beta1: float = 0.9,
    beta2: float = 0.999,
    epsilon: float = 1e-8,
    weight_decay: float = 0.0,
) -> torch.optim.AdamW:
    """Return AdamW over the groups.

    A step shrinks a tensor by its learning rate times its `weight_decay`.

    Example:
        >>> w = torch.nn.Parameter(torch.ones(1))
        >>> opt = adamw([{"params": [w], "lr": 0.1}], weight_decay=0.1)
        >>> w.sum().backward()
        >>> opt.step()
        >>> round(w.item(), 4)
        0.89
    """
    own = resolved(groups, weight_decay=weight_decay, eps=epsilon)
    return torch.optim.AdamW(own, lr=0.0, betas=(beta1, beta2))


FAMILY = "adam"
ELEMENTWISE = True
OPTIMIZER = adamw
