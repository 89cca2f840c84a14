"""A factor of the loss is no matter to CDAT, however small or large."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn

from lrtransfer.optim.tuners.cdat import CDAT
from lrtransfer.optim.tuners.closure import NonFiniteLossError


def trained(factor: float, base: Callable[[Any], torch.optim.Optimizer], **options: Any) -> Any:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(4, 6), nn.Tanh(), nn.Linear(6, 3))
    inputs, targets = torch.randn(12, 4), torch.randint(3, (12,))
    tuner = CDAT(base(model.parameters()), **options)

    def loss(outputs: Any, targets: Any) -> Any:
        return factor * nn.functional.cross_entropy(outputs, targets)

    for _ in range(3):
        tuner.step(model=model, loss_fn=loss, batch=(inputs, targets))
    return torch.cat([p.detach().reshape(-1) for p in model.parameters()])


def sgd(parameters: Any) -> torch.optim.Optimizer:
    return torch.optim.SGD(parameters, lr=1.0, momentum=0.9)


def adam(parameters: Any) -> torch.optim.Optimizer:
    return torch.optim.Adam(parameters, lr=1.0, eps=0.0)


@pytest.mark.parametrize("factor", [1e-30, 1e-20, 1e20])
@pytest.mark.parametrize("curvature", ["double_backward", "forward"])
def test_a_factor_of_the_loss_changes_no_step(factor: float, curvature: str) -> None:
    found = trained(factor, sgd, curvature=curvature)
    torch.testing.assert_close(found, trained(1.0, sgd, curvature=curvature), rtol=1e-3, atol=1e-4)


def test_a_power_of_two_changes_no_bit() -> None:
    assert torch.equal(trained(2.0**-40, sgd), trained(1.0, sgd))


def test_a_tiny_loss_goes_through_an_adaptive_base_too() -> None:
    # Squares of 1e-15 are what Adam itself can hold.
    torch.testing.assert_close(trained(1e-15, adam), trained(1.0, adam), rtol=1e-3, atol=1e-3)


def test_a_rate_beyond_its_dtype_is_the_largest_number_and_diverges() -> None:
    """Twice over a curvature of 2e-39 is 1e39; what the step leads to is no number."""
    model, batch = nn.Linear(1, 1, bias=False), (torch.ones(1, 1), torch.zeros(1))
    tuner = CDAT(torch.optim.SGD(model.parameters(), lr=1.0), decay=0.0)

    def loss(outputs: Any, _: Any) -> Any:
        return (outputs + 1e-39 * outputs**2).sum()

    tuner.step(model=model, loss_fn=loss, batch=batch)
    assert model.weight.item() == pytest.approx(-torch.finfo(torch.float32).max)
    with pytest.raises(NonFiniteLossError):
        tuner.step(model=model, loss_fn=lambda o, _: (o**3).sum(), batch=batch)
