"""The Gauss-Newton operator against JᵀHJ from dense differences."""

from typing import Any

import pytest
import torch
from torch import Tensor

from lrtransfer.curvature import GaussNewtonOperator, NonFiniteCurvatureError, dense

from .cases import CASES, Case, dense_jacobian
from .test_hessian import SEPARABLE, scale_diagonal, scale_of

TANH = next(case for case in CASES if case.name == "tanh_mlp-squared")


def dense_gauss_newton(case: Case) -> Tensor:
    """Return JᵀH_LJ with the textbook H_L: I/n, or (diag p - ppᵀ)/n per sample."""
    jacobian = dense_jacobian(case)
    samples = len(case.inputs)
    if case.name.endswith("squared"):
        return jacobian.T @ jacobian / samples
    p = case.model(case.inputs).detach().softmax(dim=1)
    curvature = torch.diag_embed(p) - p[:, :, None] * p[:, None, :]
    per_sample = jacobian.view(samples, p.shape[1], -1)
    return torch.einsum("ncp,ncd,ndq->pq", per_sample, curvature, per_sample) / samples


def test_products_equal_dense_gauss_newton(case: Case) -> None:
    state = {name: value.clone() for name, value in case.model.state_dict().items()}
    matrix = dense(GaussNewtonOperator(case.model, case.loss_fn, case.batch))
    torch.testing.assert_close(matrix, dense_gauss_newton(case), rtol=0, atol=1e-10)
    case.model.load_state_dict(state)  # the oracle's forward moved the BatchNorm statistics


def test_scale_multiplies_both_sides_by_its_root(case: Case) -> None:
    plain = dense(GaussNewtonOperator(case.model, case.loss_fn, case.batch))
    scaled = dense(GaussNewtonOperator(case.model, case.loss_fn, case.batch, scale=scale_of(case)))
    root = scale_diagonal(case).sqrt()
    torch.testing.assert_close(scaled, root[:, None] * plain * root, rtol=0, atol=1e-12)


@pytest.mark.parametrize("case", SEPARABLE, ids=lambda case: case.name)
def test_ragged_chunks_are_weighted_by_their_samples(case: Case) -> None:
    whole = GaussNewtonOperator(case.model, case.loss_fn, case.batch)
    chunked = GaussNewtonOperator(case.model, case.loss_fn, case.ragged)
    torch.testing.assert_close(dense(chunked), dense(whole), rtol=0, atol=1e-12)
    assert chunked.loss == pytest.approx(whole.loss, abs=1e-13)


def test_loss_linear_in_the_outputs_has_no_gauss_newton_part() -> None:
    operator = GaussNewtonOperator(TANH.model, lambda f, y: f.mean(), TANH.batch)
    assert torch.count_nonzero(dense(operator)) == 0


def test_non_finite_loss_raises() -> None:
    with pytest.raises(NonFiniteCurvatureError):
        GaussNewtonOperator(TANH.model, lambda f, y: f.mean() / 0, TANH.batch)


def test_outputs_that_are_not_one_tensor_raise() -> None:
    class Pair(torch.nn.Linear):
        def forward(self, x: Tensor) -> Any:
            return super().forward(x), x

    with pytest.raises(ValueError, match="it returned tuple"):
        GaussNewtonOperator(Pair(5, 3).double(), lambda f, y: f[0].mean(), TANH.batch)
