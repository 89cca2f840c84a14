"""A model that tells no roles, scaled from outside: `parameterize` reads them off two widths."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import torch
from torch import nn

from lrtransfer.scaling import table
from lrtransfer.scaling.infer import UnplacedTensorError
from lrtransfer.scaling.layout import Layout
from lrtransfer.scaling.layouts import read_layouts
from lrtransfer.scaling.parameterize import parameterize
from lrtransfer.scaling.roles import Roles
from lrtransfer.scaling.rules import Constants, Scaled
from lrtransfer.scaling.symmetry import Family
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
    generator: torch.Generator,
) -> dict[str, Scaled]:
    """Initialise and scale a model, give it the method `roles`, return its numbers by tensor.

    Args:
        model: The network, in the form without multipliers afterwards.
        build: Width -> an instance of that width.
        size: Width and depth, and the model's family.
        parameterization: Rules, constants and the optimizer's family.
        generator: Source of the weights.

    Raises:
        UnplacedTensorError: Tensors whose role cannot be told; the message says where to.
        UnknownRoleError: The rules lack a role.
        ValueError: What the model's `LAYOUT` says does not fit.
    """
    family: Family = parameterization.outside or "sgd"
    constants = Constants(**parameterization.constants)
    entry = {"families": {family: dict(parameterization.rules)}}
    layout = replace(layout_of(size), width=(size.width, constants.base_width))
    branched = layout.branches is not None or read_layouts(model, layout.modules).branches
    deep = table.mentions_branch_exponent(table.rules(entry, family).values())
    try:
        groups = parameterize(
            model,
            entry,
            optimizer="adamw" if family == "adam" else "sgd",
            lr=1.0,
            weight_decay=1.0,
            eps=1.0,
            base=build(2 * size.width),
            layout=layout,
            base_depth=constants.base_depth if branched else None,
            branch_exponent=constants.branch_exponent if deep else None,
            gamma0=constants.gamma0,
            seed=generator,
        )
    except UnplacedTensorError as error:
        raise UnplacedTensorError(
            f"{error} A study's model says it in its file, as LAYOUT = {{'roles': {{…}}}}."
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


def layout_of(size: ModelConfig) -> Layout:
    """Return what the `LAYOUT` of a model's file tells: fields of a `Layout`, by size or not.

    Raises:
        TypeError: It has other fields.
    """
    told = catalog.attribute("models", size.family, "LAYOUT", {})
    told = told(width=size.width, depth=size.depth) if callable(told) else told
    return told if isinstance(told, Layout) else Layout(**told)
