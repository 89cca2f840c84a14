"""What a prediction needs to know of a network: its modules in order, and which gradients are sums.

Read off the smallest network of a problem by one pass and three gradients, so that a new model
family needs nothing but its roles.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from lrtransfer.coordinates.networks import Inputs, Network
from lrtransfer.coordinates.sizes import first_tensor, observe, outputs, owned
from lrtransfer.scaling.roles import Roles

# A gradient this much smaller than the largest of the network is rounding.
_NO_GRADIENT = 1e-9


@dataclass(frozen=True)
class Module:
    """A module that is measured.

    Attributes:
        name: Its name in the network.
        tensor: The tensor it owns, by name; None for attention logits.
        role: The tensor's role, or `attention_logits`.
        source: The first module that is given the same input: itself, or the queries for keys and
            values; None where it takes none, as a gain or a bias, which only return their tensor.
        through_logits: Whether the loss sees its tensor through attention logits alone (queries,
            keys).
        has_gradient: Whether the loss depends on its tensor at all. A bias on all keys of a
            softmax, or one that the next layer norm takes out, has none.
    """

    name: str
    tensor: str | None
    role: str
    source: str | None
    through_logits: bool
    has_gradient: bool


def modules(net: Network, roles: Roles, inputs: Inputs) -> list[Module]:
    """Return the measured modules in the order of their calls.

    Raises:
        ValueError: A module owns more than one tensor, whose exponents cannot be told apart.
    """
    seen = observe(net, inputs)
    sizes = _gradient_sizes(net.model, inputs)
    smallest = _NO_GRADIENT * max(sizes.values())
    blocked = _gradient_sizes(net.model, inputs, blocked=roles.attention_logits)
    first: dict[int, str] = {}  # id of an input, all of which are alive in `seen` -> module
    found = []
    for name, passed in seen.items():
        tensors = list(owned(net.model, name).values())
        if len(tensors) > 1:
            raise ValueError(
                f"{name} owns {', '.join(tensors)}. An exponent is predicted for a module with one "
                "tensor: put the bias into a module of its own, or leave it out."
            )
        tensor = tensors[0] if tensors else None
        found.append(
            Module(
                name=name,
                tensor=tensor,
                role=roles.tensors[tensor] if tensor else "attention_logits",
                source=first.setdefault(id(passed.inputs[0]), name) if passed.inputs else None,
                through_logits=tensor is not None and blocked[tensor] <= smallest,
                has_gradient=tensor is None or sizes[tensor] > smallest,
            )
        )
    return found


def _gradient_sizes(
    model: nn.Module, inputs: Inputs, blocked: Iterable[str] = ()
) -> dict[str, float]:
    """Return the largest entry of each tensor's gradient, with `blocked` modules constant."""

    def detach(module: nn.Module, given: Any, output: Tensor) -> Tensor:
        return output.detach()

    handles = [model.get_submodule(name).register_forward_hook(detach) for name in blocked]
    found = first_tensor(outputs(model, inputs))
    for handle in handles:
        handle.remove()
    random = torch.Generator().manual_seed(0)
    direction = torch.randn(found.shape, generator=random, dtype=found.dtype)
    trained = {name: p for name, p in model.named_parameters() if p.requires_grad}
    gradients = torch.autograd.grad(
        (found * direction).sum(),
        list(trained.values()),
        allow_unused=True,
        materialize_grads=True,
    )
    return {n: g.abs().max().item() for n, g in zip(trained, gradients, strict=True)}
