"""Directional sharpness against dense quotients."""

from typing import Any

import pytest
import torch
from torch import nn

from lrtransfer.curvature import HessianOperator, NonFiniteCurvatureError, directional_sharpness

from .cases import CASES, Case, dense_hessian, squared_loss, trainable
from .test_hessian import scale_diagonal, scale_of

TANH = next(case for case in CASES if case.name == "tanh_mlp-squared")


def test_default_direction_is_the_gradient_step(case: Case) -> None:
    diagonal, matrix = scale_diagonal(case), dense_hessian(case)
    gradient = HessianOperator(case.model, case.loss_fn, case.batch).gradient
    step = diagonal * gradient
    expected = (step @ matrix @ step / (gradient @ step)).item()
    found = directional_sharpness(case.model, case.loss_fn, case.batch, scale=scale_of(case))
    assert found.value == pytest.approx(expected, abs=1e-8)
    assert found.step_sharpness == pytest.approx(expected, abs=1e-8)


def test_any_direction_by_vector_or_by_name(case: Case) -> None:
    named = {n: torch.randn_like(p) for n, p in trainable(case.model).items()}
    u = torch.cat([value.flatten() for value in named.values()])
    matrix, diagonal = dense_hessian(case), scale_diagonal(case)
    gradient = HessianOperator(case.model, case.loss_fn, case.batch).gradient
    curvature = (u @ matrix @ u).item()
    for direction in (u, named, {n: named[n] for n in reversed(named)}):
        found = directional_sharpness(
            case.model, case.loss_fn, case.batch, direction, scale=scale_of(case)
        )
        assert found.value == pytest.approx(curvature / (u @ (u / diagonal)).item(), abs=1e-8)
        assert found.step_sharpness == pytest.approx(curvature / -(gradient @ u).item(), rel=1e-6)


def test_the_residual_encloses_an_eigenvalue_and_vanishes_at_one(case: Case) -> None:
    spectrum, vectors = torch.linalg.eigh(dense_hessian(case))
    found = directional_sharpness(case.model, case.loss_fn, case.batch)
    assert (spectrum - found.value).abs().min().item() <= found.residual + 1e-9
    top = directional_sharpness(case.model, case.loss_fn, case.batch, vectors[:, -1])
    assert top.residual < 1e-7
    assert top.value == pytest.approx(spectrum[-1].item(), abs=1e-8)
    assert top.products == 1


def test_ascent_directions_have_negative_step_sharpness() -> None:
    gradient = HessianOperator(TANH.model, TANH.loss_fn, TANH.batch).gradient
    found = directional_sharpness(TANH.model, TANH.loss_fn, TANH.batch, gradient)
    assert found.step_sharpness == pytest.approx(-found.value)


def test_directions_that_do_not_fit_raise() -> None:
    def measure(direction: Any, scale: Any = None) -> None:
        directional_sharpness(TANH.model, TANH.loss_fn, TANH.batch, direction, scale=scale)

    dim = HessianOperator(TANH.model, TANH.loss_fn, TANH.batch).dim
    with pytest.raises(ValueError, match="direction has shape"):
        measure(torch.ones(3))
    with pytest.raises(ValueError, match="for each trainable"):
        measure({"0.weight": torch.ones(7, 5)})
    with pytest.raises(ValueError, match="zero or not finite"):
        measure(torch.zeros(dim))
    still = dict.fromkeys(trainable(TANH.model), 1.0) | {"0.weight": 0.0}
    with pytest.raises(ValueError, match="whose scale is 0"):
        measure(torch.ones(dim), still)


def test_zero_gradients_and_nan_raise() -> None:
    x, y = TANH.batch
    with pytest.raises(ValueError, match="gradient is zero"):
        directional_sharpness(nn.Linear(5, 3).double(), lambda f, y: 0 * f.sum(), (x, y))
    with pytest.raises(NonFiniteCurvatureError):
        directional_sharpness(TANH.model, squared_loss, (x * torch.nan, y))


def test_a_closure_and_a_pattern_give_the_blocks_quotient() -> None:
    def closure() -> torch.Tensor:
        return TANH.loss_fn(TANH.model(TANH.inputs), TANH.targets)

    found = directional_sharpness(TANH.model, closure, parameters="2.*")
    exact = dense_hessian(TANH)[42:, 42:]
    gradient = HessianOperator(TANH.model, TANH.loss_fn, TANH.batch).gradient[42:]
    assert found.value == pytest.approx(
        (gradient @ exact @ gradient / gradient.square().sum()).item()
    )
