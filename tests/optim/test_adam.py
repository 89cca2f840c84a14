"""Adam, AdamW and RMSProp against their updates written out by hand."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from lrtransfer.study.plan import catalog

from .quadratic import RATE, assert_same, by_hand, gradient, trajectory

ZERO = torch.zeros(3, dtype=torch.float64)
NAMES = ("adam", "adamw", "rmsprop")


class Moments:
    """m and v of Kingma and Ba (2015), Algorithm 1."""

    def __init__(self, beta1: float, beta2: float) -> None:
        self.betas, self.first, self.second = (beta1, beta2), ZERO, ZERO

    def direction(self, step: int, slope: Tensor, epsilon: float) -> Tensor:
        """Return m̂/(√v̂ + ε) after one more gradient."""
        beta1, beta2 = self.betas
        self.first = beta1 * self.first + (1 - beta1) * slope
        self.second = beta2 * self.second + (1 - beta2) * slope**2
        mean, square = self.first / (1 - beta1**step), self.second / (1 - beta2**step)
        return mean / (square.sqrt() + epsilon)


@pytest.mark.parametrize("decay", [0.0, 0.3])
@pytest.mark.parametrize(("beta1", "beta2", "epsilon"), [(0.9, 0.999, 1e-8), (0.5, 0.8, 0.3)])
def test_adam_normalises_the_gradient_with_its_decay(
    beta1: float, beta2: float, epsilon: float, decay: float
) -> None:
    moments = Moments(beta1, beta2)

    def update(step: int, weight: Tensor) -> Tensor:
        slope = gradient(weight) + decay * weight
        return weight - RATE * moments.direction(step, slope, epsilon)

    options: dict[str, Any] = {
        "beta1": beta1,
        "beta2": beta2,
        "epsilon": epsilon,
        "weight_decay": decay,
    }
    assert_same(trajectory("adam", **options), by_hand(update))


@pytest.mark.parametrize("decay", [0.0, 0.3])
@pytest.mark.parametrize(("beta1", "beta2", "epsilon"), [(0.9, 0.999, 1e-8), (0.5, 0.8, 0.3)])
def test_adamw_shrinks_the_weight_by_rate_times_decay(
    beta1: float, beta2: float, epsilon: float, decay: float
) -> None:
    moments = Moments(beta1, beta2)

    def update(step: int, weight: Tensor) -> Tensor:
        step_taken = RATE * moments.direction(step, gradient(weight), epsilon)
        return weight * (1 - RATE * decay) - step_taken

    options: dict[str, Any] = {
        "beta1": beta1,
        "beta2": beta2,
        "epsilon": epsilon,
        "weight_decay": decay,
    }
    assert_same(trajectory("adamw", **options), by_hand(update))


@pytest.mark.parametrize("decay", [0.0, 0.3])
@pytest.mark.parametrize("momentum", [0.0, 0.6])
@pytest.mark.parametrize(("beta2", "epsilon"), [(0.99, 1e-8), (0.8, 0.3)])
def test_rmsprop_divides_by_the_root_of_the_running_square(
    beta2: float, epsilon: float, momentum: float, decay: float
) -> None:
    square, velocity = ZERO, ZERO

    def update(step: int, weight: Tensor) -> Tensor:
        nonlocal square, velocity
        slope = gradient(weight) + decay * weight
        square = beta2 * square + (1 - beta2) * slope**2
        velocity = momentum * velocity + slope / (square.sqrt() + epsilon)
        return weight - RATE * velocity

    options: dict[str, Any] = {
        "beta2": beta2,
        "epsilon": epsilon,
        "momentum": momentum,
        "weight_decay": decay,
    }
    assert_same(trajectory("rmsprop", **options), by_hand(update))


@pytest.mark.parametrize("name", NAMES)
def test_a_tensor_s_decay_and_epsilon_are_relative_to_the_global_ones(name: str) -> None:
    relative = {"relative_weight_decay": 2.5, "relative_epsilon": 4.0}
    found = trajectory(name, relative, weight_decay=0.2, epsilon=0.1)
    assert_same(found, trajectory(name, weight_decay=0.5, epsilon=0.4))
    plain = trajectory(name, weight_decay=0.2, epsilon=0.1)
    for one in ("relative_weight_decay", "relative_epsilon"):
        alone = trajectory(name, {one: relative[one]}, weight_decay=0.2, epsilon=0.1)
        assert not torch.allclose(alone[-1], found[-1], rtol=1e-3)
        assert not torch.allclose(alone[-1], plain[-1], rtol=1e-3)


@pytest.mark.parametrize("name", NAMES)
def test_without_epsilon_the_gradient_s_size_does_not_count(name: str) -> None:
    def moved(scale: float) -> float:
        weight = torch.nn.Parameter(torch.ones(1, dtype=torch.float64))
        made = catalog.load("optim", name)([{"params": [weight], "lr": 0.1}], epsilon=0.0)
        for slope in (1.0, -3.0, 2.0):
            weight.grad = torch.full_like(weight, slope * scale)
            made.step()
        return weight.item() - 1.0

    assert moved(1e-6) == pytest.approx(moved(1.0), rel=1e-12)


@pytest.mark.parametrize("name", NAMES)
def test_a_group_without_a_rate_stands_still(name: str) -> None:
    options: dict[str, Any] = {"weight_decay": 0.5}
    weight = torch.nn.Parameter(torch.ones(2))
    made = catalog.load("optim", name)([{"params": [weight]}], **options)
    weight.sum().backward()  # type: ignore[no-untyped-call]
    made.step()
    assert weight.tolist() == [1.0, 1.0]
