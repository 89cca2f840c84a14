"""The Fisher operator against its definition: an expectation over the model's own classes."""

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from lrtransfer.curvature import FisherOperator, GaussNewtonOperator, dense

from .cases import CASES, Case
from .test_hessian import scale_diagonal, scale_of

CLASSIFIERS = [case for case in CASES if case.name.endswith("cross_entropy") and case.separable]
classifiers = pytest.mark.parametrize("case", CLASSIFIERS, ids=lambda case: case.name)


def expected_outer_product(case: Case) -> Tensor:
    """Return mean_x Σ_c p(c|x) ∇log p(c|x) ∇log p(c|x)ᵀ, one class and sample at a time."""
    parameters = [p for p in case.model.parameters() if p.requires_grad]
    total = torch.zeros(())
    for x in case.inputs.split(1):
        log_p = case.model(x).log_softmax(dim=1)[0]
        for value in log_p:
            gradient = torch.autograd.grad(
                value, parameters, retain_graph=True, allow_unused=True, materialize_grads=True
            )
            flat = torch.cat([g.flatten() for g in gradient])
            total = total + value.exp().detach() * torch.outer(flat, flat)
    return total / len(case.inputs)


@classifiers
def test_products_equal_the_expected_outer_product(case: Case) -> None:
    matrix = dense(FisherOperator(case.model, case.inputs))
    torch.testing.assert_close(matrix, expected_outer_product(case), rtol=0, atol=1e-12)


@classifiers
def test_it_is_the_gauss_newton_matrix_of_cross_entropy_whatever_the_targets(case: Case) -> None:
    scale = scale_of(case)
    fisher = dense(FisherOperator(case.model, list(case.inputs.split([8, 2])), scale=scale))
    targets = (case.targets + 1) % 3
    ggn = dense(GaussNewtonOperator(case.model, F.cross_entropy, (case.inputs, targets)))
    root = scale_diagonal(case).sqrt()
    torch.testing.assert_close(fisher, root[:, None] * ggn * root, rtol=0, atol=1e-12)


def test_tokens_count_as_predictions_and_the_class_axis_is_asked_for() -> None:
    model = nn.Sequential(nn.Linear(4, 5), nn.Tanh(), nn.Linear(5, 3)).double()
    x = torch.randn(6, 2, 4, dtype=torch.float64)
    with pytest.raises(ValueError, match="pass class_axis"):
        FisherOperator(model, x)
    with pytest.raises(ValueError, match="class_axis is 3"):
        FisherOperator(model, x, class_axis=3)
    tokens = dense(FisherOperator(model, x, class_axis=-1))
    torch.testing.assert_close(tokens, dense(FisherOperator(model, x.flatten(0, 1))))
