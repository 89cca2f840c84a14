"""The residual part against the difference of dense Hessian and Gauss-Newton matrices."""

from typing import Any

import pytest
import torch
from torch import nn

from lrtransfer.curvature import HessianOperator, NonFiniteCurvatureError, ResidualOperator, dense

from .cases import CASES, Case, dense_hessian
from .test_gauss_newton import dense_gauss_newton
from .test_hessian import SEPARABLE, scale_diagonal, scale_of

TANH = next(case for case in CASES if case.name == "tanh_mlp-squared")


def test_products_equal_dense_hessian_less_gauss_newton(case: Case) -> None:
    state = {name: value.clone() for name, value in case.model.state_dict().items()}
    matrix = dense(ResidualOperator(case.model, case.loss_fn, case.batch))
    expected = dense_hessian(case) - dense_gauss_newton(case)
    torch.testing.assert_close(matrix, expected, rtol=0, atol=2e-10)
    case.model.load_state_dict(state)  # the oracle's forward moved the BatchNorm statistics


def test_loss_and_gradient_are_those_of_the_loss_itself(case: Case) -> None:
    residual = ResidualOperator(case.model, case.loss_fn, case.batch)
    hessian = HessianOperator(case.model, case.loss_fn, case.batch)
    assert residual.loss == hessian.loss
    torch.testing.assert_close(residual.gradient, hessian.gradient, rtol=0, atol=1e-14)


@pytest.mark.parametrize("case", SEPARABLE[:4], ids=lambda case: case.name)
def test_ragged_chunks_and_scale_act_as_on_the_hessian(case: Case) -> None:
    plain = dense(ResidualOperator(case.model, case.loss_fn, case.batch))
    scale = scale_of(case)
    chunked = dense(ResidualOperator(case.model, case.loss_fn, case.ragged, scale=scale))
    root = scale_diagonal(case).sqrt()
    torch.testing.assert_close(chunked, root[:, None] * plain * root, rtol=0, atol=1e-12)


def test_a_linear_model_has_none() -> None:
    operator = ResidualOperator(nn.Linear(5, 3).double(), TANH.loss_fn, TANH.batch)
    assert torch.count_nonzero(dense(operator)) == 0


def test_bad_outputs_and_losses_raise() -> None:
    with pytest.raises(NonFiniteCurvatureError, match="loss is nan"):
        ResidualOperator(TANH.model, TANH.loss_fn, (TANH.inputs * torch.nan, TANH.targets))
    with pytest.raises(RuntimeError, match="do not detach"):
        ResidualOperator(TANH.model, lambda f, y: f.detach().sum(), TANH.batch)

    class Pair(nn.Linear):
        def forward(self, x: torch.Tensor) -> Any:
            return super().forward(x), x

    with pytest.raises(ValueError, match="returned tuple"):
        ResidualOperator(Pair(5, 3).double(), lambda f, y: f[0].mean(), TANH.batch)
