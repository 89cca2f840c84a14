"""SGD against the update written out by hand."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from lrtransfer.optim.sgd import sgd

from .quadratic import RATE, assert_same, by_hand, gradient, trajectory


def test_one_step_follows_the_gradient_at_the_group_s_rate() -> None:
    a, b = (torch.nn.Parameter(torch.tensor([x], dtype=torch.float64)) for x in (1.0, 2.0))
    made = sgd([{"params": [a], "lr": 0.1}, {"params": [b], "lr": 0.5}])
    (3 * a + b**2).sum().backward()  # type: ignore[no-untyped-call]
    made.step()
    assert a.item() == pytest.approx(1.0 - 0.1 * 3, abs=1e-15)
    assert b.item() == pytest.approx(2.0 - 0.5 * 4, abs=1e-15)


@pytest.mark.parametrize("decay", [0.0, 0.3])
@pytest.mark.parametrize("nesterov", [False, True])
@pytest.mark.parametrize("momentum", [0.5, 0.9])
def test_momentum_is_a_sum_without_dampening_of_gradients_with_decay(
    momentum: float, nesterov: bool, decay: float
) -> None:
    velocity = torch.zeros(3, dtype=torch.float64)

    def update(step: int, weight: Tensor) -> Tensor:
        nonlocal velocity
        slope = gradient(weight) + decay * weight
        velocity = momentum * velocity + slope
        return weight - RATE * (slope + momentum * velocity if nesterov else velocity)

    found = trajectory("sgd", momentum=momentum, nesterov=nesterov, weight_decay=decay)
    assert_same(found, by_hand(update))


def test_a_tensor_s_weight_decay_is_relative_to_the_global_one() -> None:
    def update(step: int, weight: Tensor) -> Tensor:
        return weight - RATE * (gradient(weight) + 0.3 * 2.5 * weight)

    found = trajectory("sgd", {"relative_weight_decay": 2.5}, weight_decay=0.3)
    assert_same(found, by_hand(update))


def test_a_group_without_a_rate_stands_still() -> None:
    weight = torch.nn.Parameter(torch.ones(2))
    made = sgd([{"params": [weight]}], momentum=0.9)
    weight.sum().backward()  # type: ignore[no-untyped-call]
    made.step()
    assert weight.tolist() == [1.0, 1.0]
