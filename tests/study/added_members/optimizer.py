"""Gradient descent."""

from __future__ import annotations

from typing import Any

import torch

from lrtransfer.optim.groups import resolved


def added(groups: list[dict[str, Any]], *, weight_decay: float = 0.0) -> torch.optim.SGD:
    """Return the optimizer over the groups."""
    return torch.optim.SGD(resolved(groups, weight_decay=weight_decay), lr=0.0)


FAMILY = "sgd"
OPTIMIZER = added
