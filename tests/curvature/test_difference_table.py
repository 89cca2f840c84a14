"""Relative errors of products by differences: measured numbers of another implementation.

The reference is a table of errors ‖Ĥv − Hv‖/‖Hv‖ of central differences with an absolute step ε and
‖v‖ = 1, on a 32-128-128-10 network with 256 samples; ours are of the same order of magnitude.
"""

from collections.abc import Callable
from functools import cache
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from lrtransfer.curvature import FiniteDifferenceOperator, HessianOperator

STEPS = (1e-4, 5e-3, 0.02, 0.1, 0.2, 0.5, 2.0)
# (activation, dtype, direction) -> an error for each step.
TABLE: dict[tuple[type[nn.Module], torch.dtype, str], tuple[float, ...]] = {
    (nn.GELU, torch.float64, "random"): (5.7e-11, 1.2e-7, 1.9e-6, 4.8e-5, 1.9e-4, 1.2e-3, 1.9e-2),
    (nn.GELU, torch.float32, "random"): (1.4e-2, 2.8e-4, 7.1e-5, 5.0e-5, 1.9e-4, 1.2e-3, 1.9e-2),
    (nn.GELU, torch.float32, "gradient"): (1.8e-3, 3.8e-5, 2.4e-5, 5.4e-4, 2.2e-3, 1.4e-2, 0.21),
    (nn.GELU, torch.bfloat16, "random"): (13.0, 2.1, 0.99, 0.25, 0.13, 5.4e-2, 2.4e-2),
    (nn.GELU, torch.bfloat16, "gradient"): (1.5, 0.60, 0.18, 3.6e-2, 1.8e-2, 1.6e-2, 0.21),
    # Its first number, 3.3e-11, is of a step within which no kink happened to lie.
    (nn.ReLU, torch.float64, "random"): (150.0, 15.0, 8.1, 3.5, 2.3, 1.5, 0.78),
}


@cache
def network(activation: Any) -> tuple[nn.Sequential, Tensor, Tensor]:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        layers = [nn.Linear(32, 128), activation(), nn.Linear(128, 128), activation()]
        model = nn.Sequential(*layers, nn.Linear(128, 10)).double()
        return model, torch.randn(256, 32).double(), torch.randint(10, (256,))


@cache
def exact(activation: Any, direction: str) -> tuple[Tensor, Tensor]:
    """Return the unit vector and its product with the Hessian."""
    model, x, y = network(activation)
    operator = HessianOperator(model, F.cross_entropy, (x, y))
    vector = operator.gradient
    if direction == "random":
        vector = torch.randn(operator.dim, generator=torch.Generator().manual_seed(1)).double()
    vector = vector / torch.linalg.vector_norm(vector)
    return vector, operator(vector)


def error(activation: Any, dtype: torch.dtype, direction: str) -> Callable[[float], float]:
    model, x, y = network(activation)
    vector, expected = exact(activation, direction)
    operator = FiniteDifferenceOperator(
        model.to(dtype), F.cross_entropy, (x.to(dtype), y), step=0.1
    )
    weights = torch.cat([p.detach().double().flatten() for p in model.parameters()])
    # Ours is of the farthest coordinate, over the weights' root mean square.
    share = float(vector.abs().max() / weights.square().mean().sqrt())

    def at(step: float) -> float:
        found = operator(vector.to(operator.dtype), step=step * share).double()
        return float(
            torch.linalg.vector_norm(found - expected) / torch.linalg.vector_norm(expected)
        )

    return at


@pytest.mark.parametrize("row", TABLE, ids=lambda row: f"{row[0].__name__}-{row[1]}-{row[2]}")
def test_errors_are_of_the_order_of_the_table(
    row: tuple[type[nn.Module], torch.dtype, str],
) -> None:
    activation: Any
    activation, dtype, direction = row
    exact(activation, direction)
    at = error(activation, dtype, direction)
    try:
        found = {step: at(step) for step in STEPS}
        if activation is nn.ReLU:
            assert at(1e-8) < 1e-5
    finally:
        network.cache_clear()  # its weights were rounded
        exact.cache_clear()
    for step, expected in zip(STEPS, TABLE[row], strict=True):
        assert expected / 10 < found[step] < 10 * expected, (step, found)
