"""The diagonal P with which an adaptive optimizer divides the gradient: u = −P⁻¹g."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from lrtransfer.optim.optax_rmsprop import OptaxRMSProp

Group = dict[str, Any]


def preconditioner(base: torch.optim.Optimizer, parameters: Sequence[nn.Parameter]) -> list[Tensor]:
    """Return P of the step that `base` took last, in the shapes of `parameters`.

    Momentum is no part of it, nor Adam's factor 1 − β₁ᵗ of it.

    Raises:
        ValueError: `base` is not SGD, RMSProp, Adam or AdamW.

    Example:
        >>> w = torch.nn.Parameter(torch.tensor([3.0, -4.0]))
        >>> base = torch.optim.Adam([w], lr=0.0)
        >>> w.square().sum().backward()
        >>> base.step()
        >>> [round(entry) for entry in preconditioner(base, [w])[0].tolist()]
        [6, 8]
    """
    rule = _RULES.get(type(base))
    if rule is None:
        raise ValueError(
            f"base is {type(base).__name__}, whose preconditioner is unknown; give SGD, RMSprop, "
            "Adam or AdamW"
        )
    groups = {id(p): group for group in base.param_groups for p in group["params"]}
    return [rule(p, base.state[p], groups[id(p)]) for p in parameters]


def _identity(parameter: Tensor, state: dict[str, Any], group: Group) -> Tensor:
    return torch.ones_like(parameter)


def _rmsprop(parameter: Tensor, state: dict[str, Any], group: Group) -> Tensor:
    square: Tensor = state["square_avg"]
    if group["centered"]:
        square = square - state["grad_avg"].square()
    root: Tensor = square.sqrt() + group["eps"]
    return root


def _rmsprop_inside(parameter: Tensor, state: dict[str, Any], group: Group) -> Tensor:
    square: Tensor = state["square"]
    root: Tensor = (square + group["eps"]).sqrt()
    return root


def _adam(parameter: Tensor, state: dict[str, Any], group: Group) -> Tensor:
    square: Tensor = state["max_exp_avg_sq" if group["amsgrad"] else "exp_avg_sq"]
    correction = 1 - group["betas"][1] ** float(state["step"])
    root: Tensor = (square / correction).sqrt() + group["eps"]
    return root


_RULES: dict[type[torch.optim.Optimizer], Callable[[Tensor, dict[str, Any], Group], Tensor]] = {
    torch.optim.SGD: _identity,
    torch.optim.RMSprop: _rmsprop,
    OptaxRMSProp: _rmsprop_inside,
    torch.optim.Adam: _adam,
    torch.optim.AdamW: _adam,
}
