"""u·Hu by forward-mode differentiation alone: the second derivative of η ↦ f(w + ηu) at 0."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call, jvp

from lrtransfer.curvature.attention_kernels import explicit_attention
from lrtransfer.optim.tuners.elementary_norms import ElementaryNorms


@dataclass(frozen=True)
class Task:
    """A loss told in parts, as nested forward mode needs it.

    Attributes:
        model: Called with the inputs.
        loss_fn: (outputs, targets) -> mean over samples.
        batch: (inputs, targets).
    """

    model: nn.Module
    loss_fn: Callable[[Any, Any], Tensor]
    batch: tuple[Any, Any]

    def loss(self) -> Tensor:
        """Return the loss at the present parameters."""
        inputs, targets = self.batch
        return self.loss_fn(self.model(inputs), targets)


def second_derivative(
    task: Task, parameters: Sequence[nn.Parameter], direction: Sequence[Tensor]
) -> Tensor:
    """Return d²/dη² of the loss at w + ηu, at η = 0, as Roulet et al. (2024) compute u·Hu.

    The model's buffers stay as they are; dropout draws from the present random state.

    Args:
        task: Model, loss and batch.
        parameters: The tensors that move.
        direction: u in their shapes.

    Raises:
        ValueError: A tensor that moves is not a parameter of the model.
    """
    moving = {id(p): u for p, u in zip(parameters, direction, strict=True)}
    named = dict(task.model.named_parameters())
    if missing := set(moving) - {id(p) for p in named.values()}:
        raise ValueError(
            f"model lacks {len(missing)} of the optimizer's parameters; pass the module that "
            "the optimizer trains"
        )
    inputs, targets = task.batch
    device, dtype = parameters[0].device, parameters[0].dtype

    def along(rate: Tensor) -> Tensor:
        weights = {
            name: p.detach() + rate * moving[id(p)] if id(p) in moving else p.detach()
            for name, p in named.items()
        }
        buffers = {name: buffer.clone() for name, buffer in task.model.named_buffers()}
        return task.loss_fn(functional_call(task.model, weights | buffers, (inputs,)), targets)

    zero = torch.zeros((), device=device, dtype=dtype)
    one = torch.ones_like(zero)
    with (
        explicit_attention(),
        torch.autocast(device.type, enabled=False),
        ElementaryNorms(),
    ):
        found: Tensor = jvp(lambda rate: jvp(along, (rate,), (one,))[1], (zero,), (one,))[1]
    return found.detach()
