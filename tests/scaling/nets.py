"""Scaled residual MLPs in float64, and a plain loop that trains them."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from lrtransfer.models.residual_mlp import ResidualMLP
from lrtransfer.scaling.apply import apply
from lrtransfer.scaling.rules import Constants

from .test_rules import rules


def scaled_net(
    name: str, *, width: int = 8, depth: int = 2, seed: int = 0, **changes: Any
) -> tuple[ResidualMLP, dict[str, float]]:
    """Return a net of parameterization ``name`` and its relative learning rates."""
    constants = changes.pop("constants", Constants(0.5, 1.0, 1, 1))
    sizes: dict[str, Any] = {"in_features": 5, "out_features": 3, "activation": "tanh"} | changes
    model = ResidualMLP(width=width, depth=depth, **sizes).double()
    rates = apply(
        model,
        model.roles(),
        rules(name),
        constants,
        width=width,
        depth=depth,
        generator=torch.Generator().manual_seed(seed),
    )
    return model, rates


def data(samples: int = 16) -> tuple[Tensor, Tensor]:
    """Return inputs and targets that every net of the tests learns."""
    random = torch.Generator().manual_seed(5)
    inputs = torch.randn(samples, 5, generator=random, dtype=torch.float64)
    return inputs, torch.sign(inputs[:, :3])


def train(
    model: nn.Module, rates: dict[str, float], learning_rate: float, steps: int
) -> list[Tensor]:
    """Train by full-batch gradient descent on ½‖f − y‖² and return the outputs at every step."""
    inputs, targets = data()
    outputs = []
    for _ in range(steps):
        outputs.append(model(inputs).detach())
        loss = 0.5 * (model(inputs) - targets).square().sum(-1).mean()
        named = dict(model.named_parameters())
        gradients = torch.autograd.grad(loss, list(named.values()))
        with torch.no_grad():
            for (tensor, parameter), gradient in zip(named.items(), gradients, strict=True):
                parameter -= learning_rate * rates[tensor] * gradient
    return [*outputs, model(inputs).detach()]
