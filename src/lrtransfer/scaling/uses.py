"""The numbers of every parameter in the form without multipliers, tied parameters included."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from torch import nn

from lrtransfer.scaling.apply import UnknownRoleError
from lrtransfer.scaling.branches import Branches
from lrtransfer.scaling.fans import fans
from lrtransfer.scaling.hooks import MultiplyArgument, Planned
from lrtransfer.scaling.layouts import TensorLayout
from lrtransfer.scaling.rules import Constants, Scaled, Shape, scale
from lrtransfer.scaling.symmetry import absorbed, family_of
from lrtransfer.scaling.table import Rules

# Modules that are linear in their first argument, `input`.
_LINEAR = (nn.Linear, nn.Conv1d, nn.Conv2d, nn.Conv3d)


@dataclass(frozen=True)
class Use:
    """One place where a parameter enters the network.

    Attributes:
        name: Name of the parameter there.
        role: Its role there.
        scaled: Its numbers, with a multiplier of one.
    """

    name: str
    role: str
    scaled: Scaled


@dataclass(frozen=True)
class Numbers:
    """What `absorbed_numbers` finds.

    Attributes:
        scaled: Parameter name, as in `named_parameters` -> its numbers.
        roles: The same names -> the role whose numbers they are.
        tied: The multipliers that tied parameters leave.
    """

    scaled: Mapping[str, Scaled]
    roles: Mapping[str, str]
    tied: list[Planned]


@dataclass(frozen=True)
class Scaler:
    """All that the numbers of a tensor depend on, beside the tensor.

    Attributes:
        rules: Role -> exponents.
        constants: The parameterization's constants.
        branches: Residual branches and depth.
        width: N.
        column: The table's, of the optimizer's family.
    """

    rules: Rules
    constants: Constants
    branches: Branches
    width: int
    column: str

    def use(self, name: str, role: str, fans: tuple[int, int]) -> Use:
        """Return a use of a parameter.

        Args:
            name: Name of the parameter there.
            role: Its role there.
            fans: Its fan-in and fan-out.

        Raises:
            UnknownRoleError: The rules lack the role.
        """
        if role not in self.rules:
            raise UnknownRoleError(
                f"tensor {name!r} has the role {role!r}, which the parameterization lacks. "
                f"It has {', '.join(sorted(self.rules))}: give another with "
                f'layout=lt.Layout(roles={{"{name}": role}}), or add the role to your table.'
            )
        inside, (fan_in, fan_out) = self.branches.hold(name), fans
        shape = Shape(fan_in, self.width, self.branches.depth, fan_out, in_branch=inside)
        numbers = scale(self.rules[role], shape, self.constants)
        return Use(name, role, absorbed(numbers, family_of(self.column, role)))


def absorbed_numbers(
    model: nn.Module,
    scaler: Scaler,
    roles: Mapping[str, tuple[str, ...]],
    told_fans: Mapping[str, tuple[int, int]],
    said: Mapping[str, TensorLayout],
) -> Numbers:
    """Return the numbers of every parameter in the form without multipliers.

    A tensor that is tied follows the rule of the embedding among its uses, or of the first. In the
    uses of another role it is multiplied so that there it starts at the size that its role has in
    the table: m·W there has the standard deviation of the untied tensor.

    Args:
        model: The network.
        scaler: Gives the numbers of each tensor.
        roles: Parameter name, tied ones under each -> its role; or the roles that it could have,
            which must give it equal numbers.
        told_fans: Fan-in and fan-out that the user gives.
        said: Parameter name -> what the layouts say of it.

    Raises:
        UnknownRoleError: The rules lack the role of a tensor.
        ValueError: A matrix does not tell its fan-in, or a tied tensor has no form, or possible
            roles differ.
    """
    together: dict[int, list[Use]] = {}
    for name, parameter in model.named_parameters(remove_duplicate=False):
        owner = model.get_submodule(name.rpartition(".")[0])
        layout = said.get(name, TensorLayout())
        possible = [
            scaler.use(
                name, role, told_fans.get(name) or fans(name, parameter, owner, role, layout)
            )
            for role in roles[name]
            if role in scaler.rules or len(roles[name]) == 1
        ]
        together.setdefault(id(parameter), []).append(_one(name, possible))
    scaled, primary_roles, tied = {}, {}, []
    for uses in together.values():
        primary = next((use for use in uses if use.role == "embedding"), uses[0])
        # named_parameters knows a tied tensor by its first name alone.
        scaled[uses[0].name], primary_roles[uses[0].name] = primary.scaled, primary.role
        tied += [_tied(model, use, primary) for use in uses if use.role != primary.role]
    return Numbers(scaled, primary_roles, tied)


def _one(name: str, possible: list[Use]) -> Use:
    """Return the first of the uses that a tensor could have, if it does not matter which."""
    for use in possible:
        if use.scaled != possible[0].scaled:
            raise ValueError(
                f"base has the width of the model, and {name!r} could be {possible[0].role} or "
                f"{use.role}, to which the parameterization gives different numbers. Give base= "
                "a pair: the base, and an instance of another width."
            )
    return possible[0]


def _tied(model: nn.Module, use: Use, primary: Use) -> Planned:
    owner, _, leaf = use.name.rpartition(".")
    if leaf != "weight" or not isinstance(model.get_submodule(owner), _LINEAR):
        raise ValueError(
            f"{use.name!r} ({use.role}) is tied to {primary.name!r} ({primary.role}), and only the "
            "input of a linear module can carry the multiplier between them. Untie them, or give "
            "both one role with layout=lt.Layout(roles={…})."
        )
    if not (use.scaled.init > 0 and primary.scaled.init > 0):
        raise ValueError(
            f"{use.name!r} ({use.role}) is tied to {primary.name!r} ({primary.role}), and one of "
            "the roles starts at zero. Untie them, or choose another parameterization."
        )
    factor = use.scaled.init / primary.scaled.init
    # On the input, since a bias of the module has numbers of its own.
    return Planned(owner, MultiplyArgument(factor, use.role, position=0, keyword="input"))
