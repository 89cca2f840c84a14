"""The Lanczos process that measures takes the steps of the page that tells it."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from lrtransfer.curvature import HessianOperator
from lrtransfer.curvature.krylov import KrylovBasis, default_generator
from lrtransfer.curvature.lanczos_reference import ritz_values


@pytest.mark.parametrize("steps", [1, 2, 12, 30])
def test_both_forms_have_the_same_ritz_values_and_residuals(steps: int) -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(6, 9), nn.Tanh(), nn.Linear(9, 3)).double()
    data = torch.randn(40, 6).double(), torch.randint(3, (40,))
    operator = HessianOperator(model, nn.CrossEntropyLoss(), data)
    start = torch.randn(operator.dim).double()
    basis = KrylovBasis(operator, start, default_generator(None))
    for _ in range(steps):
        basis.extend()
    found = basis.ritz()
    theta, residuals = ritz_values(operator, start, steps)
    radius = float(theta.abs().max())
    assert theta.numpy() == pytest.approx(found.values, rel=1e-10, abs=1e-12 * radius)
    assert residuals.numpy() == pytest.approx(found.residuals, rel=1e-6, abs=1e-12 * radius)


def test_an_eigenvalue_lies_within_each_residual() -> None:
    spectrum = torch.linspace(-1, 5, 60, dtype=torch.float64) ** 3
    theta, residuals = ritz_values(lambda v: spectrum * v, torch.ones(60).double(), 20)
    distance = (theta[:, None] - spectrum).abs().amin(1)
    assert (distance <= residuals * (1 + 1e-9) + 1e-9).all()
    assert residuals[-1] < 1e-2 * spectrum[-1]
