"""How much of each weight an optimizer's last step took away as weight decay."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn


class InseparableDecayError(ValueError):
    """An optimizer whose weight decay is no share of the weight that a step takes away."""


def decay_shares(model: nn.Module, optimizer: torch.optim.Optimizer) -> dict[str, float]:
    """Return parameter name -> the share of it that the last step took away, ηλ of its group.

    Defined for decoupled decay (AdamW) and for SGD without momentum. Call it before a scheduler
    changes the learning rates.

    Args:
        model: The network; a tied parameter is there under each of its names.
        optimizer: The optimizer of its parameters.

    Raises:
        InseparableDecayError: A group has weight decay, and the optimizer mixes it with momentum,
            normalises it with the gradient, or is not known here.

    Example:
        >>> import torch
        >>> from torch import nn
        >>> model = nn.Linear(2, 1, bias=False)
        >>> decay_shares(model, torch.optim.AdamW(model.parameters(), lr=0.5, weight_decay=0.1))
        {'weight': 0.05}
    """
    shares = {
        id(parameter): _share(optimizer, group)
        for group in optimizer.param_groups
        for parameter in group["params"]
    }
    return {
        name: shares[id(parameter)]
        for name, parameter in model.named_parameters(remove_duplicate=False)
        if id(parameter) in shares
    }


def _share(optimizer: torch.optim.Optimizer, group: dict[str, Any]) -> float:
    decay = float(group.get("weight_decay", 0.0))
    if decay == 0:
        return 0.0
    plain_sgd = isinstance(optimizer, torch.optim.SGD) and not group["momentum"]
    decoupled = isinstance(optimizer, torch.optim.AdamW) or group.get("decoupled_weight_decay")
    if plain_sgd or decoupled:
        return float(group["lr"]) * decay
    raise InseparableDecayError(
        f"weight_decay is {decay}, and a step of {type(optimizer).__name__} takes no defined share "
        "of the weight away as decay. Use AdamW, SGD without momentum, or no weight decay."
    )
