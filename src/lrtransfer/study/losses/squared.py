"""Squared loss ½‖f − y‖², summed over outputs, mean over samples."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional


def squared(outputs: Tensor, targets: Tensor) -> Tensor:
    """Return the mean squared loss of outputs (…, C).

    Args:
        outputs: f.
        targets: y, numbers of the outputs' shape, or class numbers (…) that stand for their
            one-hot vectors.
    """
    if not targets.is_floating_point():
        targets = functional.one_hot(targets, outputs.shape[-1]).to(outputs.dtype)
    return 0.5 * (outputs - targets).square().sum(-1).mean()


LOSS = squared
