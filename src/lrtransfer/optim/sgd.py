"""Stochastic gradient descent, with heavy-ball momentum if asked."""

from __future__ import annotations

from typing import Any

import torch


def sgd(groups: list[dict[str, Any]], *, momentum: float = 0.0) -> torch.optim.SGD:
    """Return SGD over the groups; momentum is not rescaled with width (Noci et al. 2024)."""
    return torch.optim.SGD(groups, lr=0.0, momentum=momentum)


OPTIMIZER = sgd
