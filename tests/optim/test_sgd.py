"""SGD against the update written out by hand."""

from __future__ import annotations

import pytest
import torch

from lrtransfer.optim import optimizer


def test_one_step_follows_the_gradient_at_the_group_s_rate() -> None:
    a, b = (torch.nn.Parameter(torch.tensor([x], dtype=torch.float64)) for x in (1.0, 2.0))
    made = optimizer("sgd", [{"params": [a], "lr": 0.1}, {"params": [b], "lr": 0.5}])
    (3 * a + b**2).sum().backward()
    made.step()
    assert a.item() == pytest.approx(1.0 - 0.1 * 3, abs=1e-15)
    assert b.item() == pytest.approx(2.0 - 0.5 * 4, abs=1e-15)


def test_momentum_is_heavy_ball_without_dampening() -> None:
    weight = torch.nn.Parameter(torch.tensor([1.0], dtype=torch.float64))
    made = optimizer("sgd", [{"params": [weight], "lr": 0.1}], momentum=0.5)
    expected, velocity = 1.0, 0.0
    for _ in range(4):
        made.zero_grad()
        (weight**2).sum().backward()
        made.step()
        velocity = 0.5 * velocity + 2 * expected
        expected -= 0.1 * velocity
        assert weight.item() == pytest.approx(expected, abs=1e-15)


def test_a_group_without_a_rate_stands_still() -> None:
    weight = torch.nn.Parameter(torch.ones(2))
    made = optimizer("sgd", [{"params": [weight]}], momentum=0.9)
    weight.sum().backward()
    made.step()
    assert weight.tolist() == [1.0, 1.0]
