"""Apply a parameterization to a model: draw the weights, add multipliers, scale the rates."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import nn

from lrtransfer.models.roles import Roles
from lrtransfer.scaling.multiplier import multiply_output
from lrtransfer.scaling.rules import Constants, Scaled, Shape, scale


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
) -> dict[str, float]:
    """Initialise ``model`` and give it the multipliers of a parameterization.

    Weights are drawn from N(0, init²) in the order of ``named_parameters``, on the generator's
    device, so that a seed means the same weights on every host.

    Args:
        model: A plain module; its multipliers are added as forward hooks.
        roles: The role of each tensor, and the residual branches.
        rules: Role -> exponents (Noci et al. 2024, §2-3, as in ``parameterizations.yaml``).
        constants: The parameterization's constants.
        width: N.
        depth: L, the number of residual branches.
        generator: Source of the weights.

    Returns:
        Parameter name -> its learning rate relative to the global one.

    Raises:
        UnknownRoleError: The rules lack the role of a tensor; the message names the tensor.
    """
    rates = {}
    for name, parameter in model.named_parameters():
        scaled = _scaled(
            name,
            roles.tensors.get(name),
            rules,
            constants,
            Shape(fan_in=parameter[0].numel(), width=width, depth=depth),
        )
        drawn = torch.randn(parameter.shape, generator=generator, dtype=torch.float64)
        with torch.no_grad():
            parameter.copy_(drawn * scaled.init)
        multiply_output(model.get_submodule(name.rpartition(".")[0]), scaled.multiplier)
        rates[name] = scaled.learning_rate
    branch_shape = Shape(fan_in=width, width=width, depth=depth)
    for branch in roles.branches:
        scaled = _scaled(branch, "branch", rules, constants, branch_shape)
        multiply_output(model.get_submodule(branch), scaled.multiplier)
    return rates


def _scaled(
    name: str, role: str | None, rules: Mapping[str, Any], constants: Constants, shape: Shape
) -> Scaled:
    if role is None or role not in rules:
        raise UnknownRoleError(
            f"tensor {name!r} has the role {role!r}, which the parameterization lacks. "
            f"Add the role to its table; it has {', '.join(sorted(rules))}."
        )
    return scale(rules[role], shape, constants)
