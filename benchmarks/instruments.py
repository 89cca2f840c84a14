"""What every instrument of `lrtransfer.curvature` costs, on five networks in training."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch

from benchmarks.pricing import Price, digits
from benchmarks.problems import GROUP_NORM, IMAGES, TOKENS, Problem, make
from lrtransfer.curvature import (
    GaussNewtonOperator,
    HessianOperator,
    NTKOperator,
    ResidualOperator,
    batch_sharpness,
    critical_sharpness,
    directional_sharpness,
    eigenvalues,
    mini_batches,
    sharpness,
    spectral_density,
    trace,
)

STEPS = 20
RATE = 0.02


def rows(device: torch.device) -> Iterator[dict[str, Any]]:
    """Yield one row per network."""
    for problem in _problems(device):
        problem.train(STEPS, torch.optim.SGD(problem.model.parameters(), lr=RATE))
        yield _row(problem)


def _problems(device: torch.device) -> Iterator[Problem]:
    yield make("mlp", "residual_mlp", 256, device, **IMAGES, width=256)
    yield make("conv net", "convnet", 128, device, **IMAGES, width=32)
    yield make("resnet, group norm", "resnet", 8, device, **IMAGES, **GROUP_NORM, width=8)
    yield make("gpt", "gpt", 16, device, **TOKENS, width=64)
    yield make("vit", "vit", 32, device, **IMAGES, width=48)


def _row(problem: Problem) -> dict[str, Any]:
    model, loss, batch = problem.model, problem.loss, problem.batch
    arguments = (model, loss, batch)
    operators = {
        "hessian": HessianOperator(*arguments),
        "ggn": GaussNewtonOperator(*arguments),
        "residual": ResidualOperator(*arguments),
        "ntk": NTKOperator(model, problem.inputs),
    }
    vectors = {
        name: torch.randn(operator.dim, device=operator.device)
        for name, operator in operators.items()
    }
    top = sharpness(*arguments, tolerance=1e-3).value
    price = Price(problem)
    row: dict[str, Any] = {
        "network": problem.name,
        "parameters": operators["hessian"].dim,
        "gradient_ms": round(price.unit() * 1e3, 2),
    }
    for name, operator in operators.items():
        row[f"{name}_product"] = price(lambda o=operator, v=vectors[name]: o(v))
    row["sharpness"] = price(lambda: sharpness(*arguments))
    row["ntk_top"] = price(lambda: eigenvalues(NTKOperator(model, problem.inputs)), rounds=1)
    row["trace"] = price(lambda: trace(HessianOperator(*arguments), tolerance=0.1), rounds=1)
    row["density_1x32"] = price(
        lambda: spectral_density(HessianOperator(*arguments), probes=1, steps=32), rounds=1
    )
    step = -operators["hessian"].gradient
    critical = critical_sharpness(*arguments, step)
    row["directional"] = price(lambda: directional_sharpness(*arguments))
    row["critical"] = price(lambda: critical_sharpness(*arguments, step, guess=1.2 * critical.low))
    row["directional_over_sharpness"] = digits(directional_sharpness(*arguments).value / top)
    row["critical_over_sharpness"] = digits(critical.value / top)
    found = batch_sharpness(model, loss, mini_batches(batch, 8), tolerance=0.1, max_batches=40)
    row["batch_8_over_sharpness"] = digits(found.value / top)
    return row
