"""Scaled float64 networks, and a loop that trains them by any optimizer of the package."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

import torch
from torch import Tensor, nn

from lrtransfer.scaling.apply import Form, apply
from lrtransfer.scaling.roles import Roles
from lrtransfer.scaling.rules import Constants, Scaled
from lrtransfer.scaling.symmetry import Family
from lrtransfer.study.models.residual_mlp import ResidualMLP
from lrtransfer.study.plan import catalog, parameterizations
from lrtransfer.study.plan.catalog import load
from lrtransfer.study.plan.parameterizations import builtin

Rules = Mapping[str, Any]


def rules(name: str, family: Family = "sgd") -> dict[str, Any]:
    """Return a parameterization's rules in the form that a run's configuration holds."""
    spec = builtin()[name].families[family]
    return {role: rule.model_dump(exclude_defaults=True) for role, rule in spec.items()}


def column(optimizer: str) -> Family:
    """Return the column of the table that an optimizer follows."""
    return cast("Family", parameterizations.family(optimizer))


def scaled_model(
    model: nn.Module,
    table: Rules,
    constants: Constants,
    *,
    width: int,
    depth: int,
    seed: int = 0,
    form: Form | None = None,
) -> dict[str, Scaled]:
    """Make ``model`` float64, scale and initialise it, and return each tensor's numbers."""
    roles: Roles = model.double().roles()  # type: ignore[operator]
    random = torch.Generator().manual_seed(seed)
    return apply(
        model, roles, table, constants, width=width, depth=depth, generator=random, form=form
    )


def scaled_net(
    name: str,
    *,
    family: Family = "sgd",
    width: int = 8,
    depth: int = 2,
    seed: int = 0,
    constants: Constants | None = None,
    **changes: Any,
) -> tuple[ResidualMLP, dict[str, Scaled]]:
    """Return a residual MLP of parameterization ``name`` and its tensors' numbers."""
    sizes: dict[str, Any] = {"in_features": 5, "out_features": 3, "activation": "tanh"} | changes
    model = load("models", "residual_mlp")(width=width, depth=depth, **sizes)
    assert isinstance(model, ResidualMLP)
    constants = constants or Constants(0.5, 1.0, 1, 1)
    table = rules(name, family)
    return model, scaled_model(model, table, constants, width=width, depth=depth, seed=seed)


def data(samples: int = 16) -> tuple[Tensor, Tensor]:
    """Return inputs and targets that every residual MLP of the tests learns."""
    random = torch.Generator().manual_seed(5)
    inputs = torch.randn(samples, 5, generator=random, dtype=torch.float64)
    return inputs, torch.sign(inputs[:, :3])


def squared(outputs: Tensor, targets: Tensor) -> Tensor:
    """Return ½‖f − y‖², mean over samples."""
    return 0.5 * (outputs - targets).square().sum(-1).mean()


def groups(model: nn.Module, scaled: Mapping[str, Scaled], learning_rate: float) -> list[Any]:
    """Return one parameter group per tensor, with its own numbers."""
    return [
        {
            "params": [parameter],
            "lr": learning_rate * scaled[name].learning_rate,
            "relative_weight_decay": scaled[name].weight_decay,
            "relative_epsilon": scaled[name].epsilon,
        }
        for name, parameter in model.named_parameters()
    ]


def train(
    model: nn.Module,
    scaled: Mapping[str, Scaled],
    learning_rate: float,
    steps: int,
    *,
    batch: tuple[Tensor, Tensor] | None = None,
    name: str = "sgd",
    **options: Any,
) -> Tensor:
    """Train on the whole batch; return the outputs before every update and after the last.

    Args:
        model: The network.
        scaled: Its tensors' numbers.
        learning_rate: The global one.
        steps: Number of updates.
        batch: Inputs and numbers of the outputs' shape; None is :func:`data`.
        name: The optimizer.
        options: Of the optimizer.

    Returns:
        Shape (steps + 1, *outputs).
    """
    inputs, targets = batch or data()
    made = catalog.load("optim", name)(groups(model, scaled, learning_rate), **options)
    outputs = []
    for _ in range(steps):
        made.zero_grad()
        predicted = model(inputs)
        squared(predicted, targets).backward()  # type: ignore[no-untyped-call]
        made.step()
        outputs.append(predicted.detach())
    return torch.stack([*outputs, model(inputs).detach()])
