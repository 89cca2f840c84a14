"""Apply a parameterization to a model: draw the weights, add multipliers, tell the rates."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import torch
from torch import nn

from lrtransfer.scaling.multiplier import multiply_output
from lrtransfer.scaling.roles import Roles
from lrtransfer.scaling.rules import Constants, Scaled, Shape, scale

# Tensors that are looked up, added or multiplied entry by entry: no sum runs over their inputs.
VECTOR_LIKE = frozenset({"embedding", "positional", "bias", "norm_gain", "scalar_bias"})

Form = Callable[[Scaled], Scaled]


class UnknownRoleError(ValueError):
    """A tensor whose role the parameterization's table does not have."""


def apply(
    model: nn.Module,
    roles: Roles,
    rules: Mapping[str, Any],
    constants: Constants,
    *,
    width: int,
    depth: int,
    generator: torch.Generator,
    form: Form | None = None,
) -> dict[str, Scaled]:
    """Initialise `model` and give it the multipliers of a parameterization.

    Weights are drawn from N(mean, init²) in the order of `named_parameters`, on the generator's
    device, so that a seed means the same weights on every host.

    Args:
        model: A plain module; its multipliers are added as forward hooks.
        roles: The role of each tensor, the residual branches, the attention logits.
        rules: Role -> exponents (`parameterizations.yaml`).
        constants: The parameterization's constants.
        width: N.
        depth: L, the number of residual branches.
        generator: Source of the weights.
        form: What to make of each tensor's numbers, an equivalent form for instance (see
            `lrtransfer.scaling.symmetry`); None leaves them as the table has them.

    Returns:
        Parameter name -> its numbers.

    Raises:
        UnknownRoleError: The rules lack the role of a tensor or module; the message names it.
    """
    scaled = dict(scale_tensors(model, roles, rules, constants, width=width, depth=depth))
    for name, parameter in model.named_parameters():
        if form is not None:
            scaled[name] = form(scaled[name])
        drawn = torch.randn(parameter.shape, generator=generator, dtype=torch.float64)
        with torch.no_grad():
            parameter.copy_(drawn * scaled[name].init + scaled[name].mean)
        multiply_output(model.get_submodule(name.rpartition(".")[0]), scaled[name].multiplier)
    for name, module in scale_modules(roles, rules, constants, width=width, depth=depth):
        multiply_output(model.get_submodule(name), module.multiplier)
    return scaled


def scale_tensors(
    model: nn.Module,
    roles: Roles,
    rules: Mapping[str, Any],
    constants: Constants,
    *,
    width: int,
    depth: int,
) -> Iterator[tuple[str, Scaled]]:
    """Yield the name and the numbers of every parameter; arguments as for `apply`."""
    for name, parameter in model.named_parameters():
        role = roles.tensors.get(name)
        shape = tensor_shape(parameter.shape, role, width=width, depth=depth)
        shape = Shape(**{**vars(shape), "in_branch": _in_branch(name, roles)})
        yield name, scale(_rule(name, role, rules), shape, constants)


def scale_modules(
    roles: Roles, rules: Mapping[str, Any], constants: Constants, *, width: int, depth: int
) -> Iterator[tuple[str, Scaled]]:
    """Yield the name and the numbers of every residual branch and module of attention logits."""
    branch = Shape(fan_in=width, width=width, depth=depth)
    for name in roles.branches:
        yield name, scale(_rule(name, "branch", rules), branch, constants)
    for name, head in roles.attention_logits.items():
        logits = Shape(fan_in=head, width=width, depth=depth)
        yield name, scale(_rule(name, "attention_logits", rules), logits, constants)


def tensor_shape(shape: torch.Size, role: str | None, *, width: int, depth: int) -> Shape:
    """Return the fan-in and fan-out of a tensor of a role; weights are (out, in, …).

    Example:
        >>> from lrtransfer.scaling.apply import tensor_shape
        >>> import torch
        >>> tensor_shape(torch.Size([8, 4, 3, 3]), "hidden", width=8, depth=1).fan_in
        36
    """
    if role in VECTOR_LIKE or len(shape) < 2:
        return Shape(
            fan_in=1, fan_out=shape[-1] if role == "embedding" else 1, width=width, depth=depth
        )
    receptive = shape[2:].numel()
    return Shape(
        fan_in=shape[1] * receptive, fan_out=shape[0] * receptive, width=width, depth=depth
    )


def _in_branch(name: str, roles: Roles) -> bool:
    return any(name.startswith(f"{branch}.") for branch in roles.branches)


def _rule(name: str, role: str | None, rules: Mapping[str, Any]) -> Mapping[str, Any]:
    if role is None or role not in rules:
        raise UnknownRoleError(
            f"tensor {name!r} has the role {role!r}, which the parameterization lacks. "
            f"Add the role to its table; it has {', '.join(sorted(rules))}."
        )
    rule: Mapping[str, Any] = rules[role]
    return rule
