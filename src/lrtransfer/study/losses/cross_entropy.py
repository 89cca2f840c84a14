"""Softmax cross-entropy in nats, mean over samples."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional


def cross_entropy(outputs: Tensor, targets: Tensor) -> Tensor:
    """Return the mean cross-entropy of logits (…, C) against class numbers (…)."""
    return functional.cross_entropy(outputs.flatten(0, -2), targets.flatten())


LOSS = cross_entropy
