"""The gradient of a batch in pieces, for batches whose activations do not fit into memory."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm


class MicroBatches:
    """Adds up the gradients of a batch's pieces, each weighted by its samples.

    The sum is the gradient of the whole batch up to the order of summation.

    Args:
        size: Samples of a piece; the last one of a batch may be smaller.
        model: Whose gradients they are.

    Raises:
        ValueError: The model has batch norm, by which samples depend on each other.
    """

    def __init__(self, size: int, model: nn.Module) -> None:
        if name := next((n for n, m in model.named_modules() if isinstance(m, _BatchNorm)), None):
            raise ValueError(
                f"the model has batch norm ({name}), whose statistics are those of a whole batch, "
                f"but micro_batch is {size}. Remove it, or give the model norm: layer or group."
            )
        self.size = size

    def gradient(
        self, loss: Callable[[Tensor, Tensor], Tensor], inputs: Tensor, targets: Tensor
    ) -> Tensor:
        """Add the gradient of the batch's loss to the parameters' `grad`, and return the loss.

        Args:
            loss: Inputs and targets of some samples -> a mean over these, with its graph.
            inputs: Of the batch, samples first.
            targets: Theirs.
        """
        losses = []
        for piece, own in zip(inputs.split(self.size), targets.split(self.size), strict=True):  # type: ignore[no-untyped-call]
            share = loss(piece, own) * (len(piece) / len(inputs))
            share.backward()  # type: ignore[no-untyped-call]
            losses.append(share.detach())
        return torch.stack(losses).sum()
