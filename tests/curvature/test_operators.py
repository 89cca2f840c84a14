"""Operators by name, against the classes they stand for."""

from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import nn

import lrtransfer as lt
from lrtransfer.curvature import (
    FisherOperator,
    GaussNewtonOperator,
    HessianOperator,
    NTKOperator,
    ResidualOperator,
    curvature_operator,
    dense,
    eigenvalues,
    preconditioner,
    relative_rates,
)

from .cases import CASES, Case

TANH = next(case for case in CASES if case.name == "tanh_mlp-cross_entropy")
ARGUMENTS: tuple[Any, Any, Any] = (TANH.model, TANH.loss_fn, TANH.batch)


def adam(model: nn.Module) -> torch.optim.Adam:
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    for parameter in model.parameters():
        optimizer.state[parameter] = {
            "step": torch.tensor(3.0),
            "exp_avg": torch.zeros_like(parameter),
            "exp_avg_sq": torch.rand_like(parameter) + 0.1,
        }
    return optimizer


@pytest.mark.parametrize(
    ("name", "kind"),
    [("hessian", HessianOperator), ("ggn", GaussNewtonOperator), ("residual", ResidualOperator)],
)
def test_a_name_stands_for_its_operator(name: Any, kind: Any) -> None:
    check(name, kind(*ARGUMENTS))


def test_names_of_operators_without_targets() -> None:
    check("fisher", FisherOperator(TANH.model, TANH.inputs))
    check("ntk", NTKOperator(TANH.model, TANH.inputs))


def check(name: Any, expected: Any) -> None:
    built = curvature_operator(name, *ARGUMENTS)
    assert built.products == 0
    torch.testing.assert_close(dense(built), dense(expected), rtol=0, atol=1e-14)
    chunked = curvature_operator(name, TANH.model, TANH.loss_fn, iter(TANH.ragged))
    torch.testing.assert_close(dense(chunked), dense(expected), rtol=0, atol=1e-12)


def test_preconditioned_is_the_hessian_under_the_optimizers_diagonal() -> None:
    optimizer = adam(TANH.model)
    built = curvature_operator("preconditioned", *ARGUMENTS, optimizer=optimizer, lr=0.005)
    scale = preconditioner(TANH.model, optimizer, lr=0.005)
    expected = HessianOperator(*ARGUMENTS, scale=scale)
    torch.testing.assert_close(dense(built), dense(expected), rtol=0, atol=0)


@pytest.mark.parametrize("name", ["hessian", "ggn", "residual", "fisher", "ntk"])
def test_groups_give_the_diagonal_of_every_operator(name: Any) -> None:
    groups = [
        {"params": TANH.model[0].parameters(), "lr": 0.2},
        {"params": list(TANH.model[2].parameters()), "lr": 0.7},
    ]
    groups[0]["params"] = list(groups[0]["params"])
    one = curvature_operator(name, *ARGUMENTS, groups=groups, lr=0.1)
    scale = relative_rates(TANH.model, groups, lr=0.1)
    other = curvature_operator(name, *ARGUMENTS, scale=scale)
    torch.testing.assert_close(dense(one), dense(other), rtol=0, atol=0)


@pytest.mark.parametrize("name", ["hessian", "ggn", "residual", "fisher", "ntk"])
def test_public_eigenvalues_are_those_of_the_dense_operator(name: Any) -> None:
    exact = torch.linalg.eigvalsh(dense(curvature_operator(name, *ARGUMENTS)))
    found = lt.eigenvalues(*ARGUMENTS, k=3, operator=name, tolerance=1e-9)
    torch.testing.assert_close(found.values, exact.flip(0)[:3], rtol=0, atol=1e-8)
    lowest = lt.eigenvalues(*ARGUMENTS, 2, operator=name, which="smallest", tolerance=1e-9)
    torch.testing.assert_close(lowest.values, exact[:2], rtol=0, atol=1e-8)


def test_the_public_function_is_the_internal_one_on_the_hessian() -> None:
    one = lt.eigenvalues(*ARGUMENTS, 2, generator=torch.Generator().manual_seed(5))
    other = eigenvalues(HessianOperator(*ARGUMENTS), 2, generator=torch.Generator().manual_seed(5))
    assert torch.equal(one.vectors, other.vectors)
    assert one.products == other.products


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("hesian", {}, "choose one of hessian, ggn"),
        ("preconditioned", {}, "takes its diagonal from optimizer"),
        ("preconditioned", {"optimizer": adam(TANH.model), "groups": []}, "neither scale nor"),
        ("ggn", {"optimizer": adam(TANH.model)}, r"scale=preconditioner\(model"),
        ("ntk", {"process_group": object()}, "acts on the outputs of one process"),
        ("hessian", {"lr": 0.1}, "pass groups too"),
    ],
)
def test_arguments_that_contradict_each_other_raise(
    name: Any, options: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        curvature_operator(name, *ARGUMENTS, **options)


def test_fisher_of_another_loss_raises() -> None:
    squared: Case = next(case for case in CASES if case.name == "tanh_mlp-squared")
    with pytest.raises(ValueError, match="not the cross-entropy of the model's softmax"):
        curvature_operator("fisher", squared.model, squared.loss_fn, squared.batch)

    def weighted(outputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        return F.cross_entropy(outputs, targets, weight=torch.tensor([1.0, 2, 3]).double())

    with pytest.raises(ValueError, match="not the cross-entropy"):
        curvature_operator("fisher", TANH.model, weighted, TANH.batch)
