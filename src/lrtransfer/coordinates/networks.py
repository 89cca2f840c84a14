"""What the check trains: networks of one family at several widths, and one small batch."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from lrtransfer.scaling.apply import apply, scale_modules
from lrtransfer.scaling.groups import Group, Settings, build_groups
from lrtransfer.scaling.roles import Roles
from lrtransfer.scaling.rules import Constants, Scaled
from lrtransfer.scaling.symmetry import Family

# Global learning rates at the base width, so small that changes are proportional to them and have
# the exponent of a first step under every table of the package: the largest change, of SP's widest
# ResNet, is a third of the output, the smallest 1e-8 of a feature, 1e8 roundings.
LEARNING_RATES: Mapping[Family, float] = {"sgd": 1e-5, "adam": 1e-7}
EPSILON = 1e-16  # far below every gradient: Adam's steps do not depend on the gradient's size
# The check's gradient is all but constant. Off the diagonal of its eigenbasis SOAP would take what
# is left, the steps' own traces, for signs.
EPSILONS: Mapping[str, float] = {"soap": 1e-5}
STEPS = 3

Inputs = Tensor | Mapping[str, Any]


@dataclass(frozen=True)
class Network:
    """An untrained network in float64, ready to be trained.

    Attributes:
        model: Takes the batch's inputs and returns one tensor.
        groups: Parameter groups with `lr` and, for Adam's family, `eps`, as torch takes them.
        roles: Of its tensors; None where they are not known, so that nothing can be predicted.
        scaled: Name of each tensor, branch and module of attention logits -> its numbers; empty
            without roles.
    """

    model: nn.Module
    groups: list[Group]
    roles: Roles | None = None
    scaled: Mapping[str, Scaled] = field(default_factory=dict)


@dataclass(frozen=True)
class Problem:
    """Networks of one family and rule at several widths, the batch, and what steps.

    Attributes:
        widths: N, ascending; the first is the base width.
        network: (width, seed) -> a fresh network.
        optimizer: Parameter groups -> the optimizer that trains them.
        inputs: What the networks take, n samples along the first axis; a mapping is passed as
            keywords.
        signs: Of the outputs' shape: −n times the derivative of the loss, which is linear.
        steps: Updates before the coordinates are measured again.
    """

    widths: tuple[int, ...]
    network: Callable[[int, int], Network]
    optimizer: Callable[[list[Group]], torch.optim.Optimizer]
    inputs: Inputs
    signs: Tensor
    steps: int = STEPS


def scaled_network(
    model: nn.Module,
    roles: Roles,
    rules: Mapping[str, Any],
    constants: Constants,
    *,
    family: Family,
    width: int,
    depth: int,
    generator: torch.Generator,
    learning_rate: float | None = None,
) -> Network:
    """Return `model` under `rules`, with all that a prediction needs.

    Args:
        model: A plain module; it is initialised, given its multipliers and made float64.
        roles: Of its tensors.
        rules: Role -> exponents.
        constants: The parameterization's constants.
        family: The column of the table that `rules` are, `sgd` or `adam`.
        width: N.
        depth: L.
        generator: Source of the weights.
        learning_rate: Global one; None for that of `LEARNING_RATES`.

    Raises:
        UnknownRoleError: The rules lack the role of a tensor.
    """
    model = model.double()
    scaled = apply(model, roles, rules, constants, width=width, depth=depth, generator=generator)
    settings = Settings(learning_rate or LEARNING_RATES[family], 0.0, EPSILON)
    groups = build_groups(model, scaled, roles.tensors, settings, family)
    modules = dict(scale_modules(roles, rules, constants, width=width, depth=depth))
    return Network(model, groups, roles, scaled | modules)
