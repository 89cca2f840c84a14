"""A model that tells no roles, scaled from outside: `parameterize` reads them off two widths."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from lrtransfer.scaling import table
from lrtransfer.scaling.infer import UnplacedTensorError
from lrtransfer.scaling.parameterize import parameterize
from lrtransfer.scaling.roles import Roles
from lrtransfer.scaling.rules import Constants, Scaled
from lrtransfer.study.plan import catalog

if TYPE_CHECKING:
    from lrtransfer.study.plan.run_config import ModelConfig, ParameterizationConfig

Build = Callable[[int], nn.Module]


@dataclass(frozen=True)
class _Told:
    """The method `roles` of a model that has none."""

    roles: Roles

    def __call__(self) -> Roles:
        return self.roles


def parameterized(
    model: nn.Module,
    build: Build,
    size: ModelConfig,
    parameterization: ParameterizationConfig,
    generator: torch.Generator | None,
) -> dict[str, Scaled]:
    """Initialise and scale a model, give it the method `roles`, return its numbers by tensor.

    Args:
        model: The network, in the form without multipliers afterwards.
        build: Width -> an instance of that width.
        size: Width and depth, and the model's family.
        parameterization: Rules, constants and the optimizer's family.
        generator: Source of the weights; None leaves those that the model was built with.

    Raises:
        UnplacedTensorError: Tensors whose role cannot be told; the message says where to.
        UnknownRoleError: The rules lack a role.
        ValueError: What the model's `LAYOUT` says does not fit.
    """
    family = str(parameterization.outside)
    constants = Constants(**parameterization.constants)
    rules = {"families": {family: dict(parameterization.rules)}}
    told = _layout(size)
    if "branches" in told:
        told["base_depth"] = constants.base_depth
        if table.mentions_branch_exponent(table.rules(rules, family).values()):  # type: ignore[arg-type]
            told["branch_exponent"] = constants.branch_exponent
    try:
        groups = parameterize(
            model,
            rules,
            optimizer="adamw" if family == "adam" else "sgd",
            lr=1.0,
            weight_decay=1.0,
            eps=1.0,
            base=build(2 * size.width),
            width=size.width,
            base_width=constants.base_width,
            gamma0=constants.gamma0,
            initialise=generator is not None,
            generator=generator,
            **told,
        )
    except UnplacedTensorError as error:
        raise UnplacedTensorError(
            f"{error} In the file of the model {size.family!r}: LAYOUT = {{'roles': {{…}}}}."
        ) from error
    tensors = {name: group["role"] for group in groups for name in group["names"]}
    model.roles = _Told(Roles(tensors))  # type: ignore[assignment]
    return {
        name: Scaled(
            init=1.0,  # drawn already, and multiplied by nothing
            multiplier=1.0,
            learning_rate=group["relative_rate"],
            weight_decay=group["relative_weight_decay"],
            epsilon=group.get("relative_epsilon", 1.0),
        )
        for group in groups
        for name in group["names"]
    }


def _layout(size: ModelConfig) -> dict[str, Any]:
    """Return the `LAYOUT` that a model's file gives `parameterize`, if any."""
    told = catalog.attribute("models", size.family, "LAYOUT", {})
    return dict(told(width=size.width, depth=size.depth) if callable(told) else told)
