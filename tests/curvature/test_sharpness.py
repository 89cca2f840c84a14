"""Sharpness as one call."""

import copy
from typing import Any

import pytest
import torch

import lrtransfer as lt
from lrtransfer.curvature import HessianOperator, sharpness

from .cases import Case, dense_hessian
from .test_hessian import scale_diagonal, scale_of


def test_value_is_the_algebraic_largest_eigenvalue(case: Case) -> None:
    result = sharpness(case.model, case.loss_fn, case.batch, tolerance=1e-9)
    spectrum = torch.linalg.eigvalsh(dense_hessian(case))
    assert result.converged
    assert result.value == pytest.approx(spectrum[-1].item(), abs=1e-8)
    assert spectrum[0].item() - 1e-8 <= result.smallest <= result.value


def test_scaled_value_is_that_of_the_scaled_hessian(case: Case) -> None:
    result = sharpness(case.model, case.loss_fn, case.batch, scale=scale_of(case), tolerance=1e-9)
    root = scale_diagonal(case).sqrt()
    scaled = root[:, None] * dense_hessian(case) * root
    assert result.value == pytest.approx(torch.linalg.eigvalsh(scaled)[-1].item(), abs=1e-7)


def test_float32_value_is_within_1e_4_of_float64(case: Case) -> None:
    model = copy.deepcopy(case.model).float()
    targets = case.targets if case.targets.dtype == torch.int64 else case.targets.float()
    single = sharpness(model, case.loss_fn, (case.inputs.float(), targets), tolerance=1e-4)
    exact = torch.linalg.eigvalsh(dense_hessian(case))[-1].item()
    assert single.value == pytest.approx(exact, rel=1e-4)


def test_eigenvector_residual_and_loss_belong_to_the_value(case: Case) -> None:
    result = sharpness(case.model, case.loss_fn, case.batch)
    operator = HessianOperator(case.model, case.loss_fn, case.batch)
    error = operator(result.eigenvector) - result.value * result.eigenvector
    assert torch.linalg.vector_norm(error).item() == pytest.approx(result.residual, rel=1e-6)
    assert result.loss == operator.loss


def test_fewer_warm_products_are_fewer_products_of_the_same_value(case: Case) -> None:
    before = sharpness(case.model, case.loss_fn, case.batch)
    default = sharpness(case.model, case.loss_fn, case.batch, start=before.eigenvector)
    arguments: dict[str, Any] = {"start": before.eigenvector, "warm_products": 3}
    fewer = sharpness(case.model, case.loss_fn, case.batch, **arguments)
    pairs = lt.eigenvalues(case.model, case.loss_fn, case.batch, **arguments)
    assert fewer.products == pairs.products
    assert 3 <= fewer.products <= default.products
    assert fewer.value == pytest.approx(default.value, rel=1e-3)


def test_gradient_descent_on_a_quadratic_diverges_just_above_two_over_sharpness() -> None:
    x = torch.randn(30, 4, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    model = torch.nn.Linear(4, 1, bias=False).double()

    def loss_fn(outputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        return 0.5 * ((outputs - targets) ** 2).mean()

    batch = x, x.sum(dim=1, keepdim=True)
    edge = 2 / sharpness(model, loss_fn, batch, tolerance=1e-9).value
    for factor, diverges in ((0.99, False), (1.01, True)):
        trained = copy.deepcopy(model)
        optimizer = torch.optim.SGD(trained.parameters(), lr=factor * edge)
        first = loss_fn(trained(x), batch[1]).item()
        for _ in range(400):
            optimizer.zero_grad()
            loss = loss_fn(trained(x), batch[1])
            loss.backward()
            optimizer.step()
        assert (loss.item() > first) == diverges
