"""Squared loss ½‖f − onehot‖², summed over outputs, mean over samples."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional


def squared(outputs: Tensor, targets: Tensor) -> Tensor:
    """Return the mean squared loss of outputs (n, C) against one-hot class numbers (n,)."""
    onehot = functional.one_hot(targets, outputs.shape[-1]).to(outputs.dtype)
    return 0.5 * (outputs - onehot).square().sum(-1).mean()


LOSS = squared
