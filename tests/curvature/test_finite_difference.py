"""Products by differences of gradients: as good as they say they are."""

import warnings
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import nn

import lrtransfer as lt
from lrtransfer.curvature import FiniteDifferenceOperator, HessianOperator

from .cases import CASES, Case

SMOOTH = [case for case in CASES if "relu" not in case.name]


def mlp(activation: type[nn.Module]) -> tuple[nn.Module, tuple[torch.Tensor, torch.Tensor]]:
    torch.manual_seed(0)
    layers = [nn.Linear(8, 32), activation(), nn.Linear(32, 32), activation(), nn.Linear(32, 10)]
    return nn.Sequential(*layers), (torch.randn(64, 8), torch.randint(10, (64,)))


@pytest.mark.parametrize("case", SMOOTH, ids=lambda case: case.name)
def test_a_product_is_the_exact_one(case: Case) -> None:
    exact = HessianOperator(case.model, case.loss_fn, case.ragged if case.separable else case.batch)
    operator = FiniteDifferenceOperator(case.model, case.loss_fn, case.batch)
    vector = torch.randn(exact.dim, dtype=torch.float64)
    expected = exact(vector)
    error = torch.linalg.vector_norm(operator(vector) - expected)
    assert error < 1e-6 * torch.linalg.vector_norm(expected)
    assert operator.loss == pytest.approx(exact.loss, rel=1e-12)


@pytest.mark.parametrize("scale", [1e-3, 1.0, 1e3])
def test_the_step_is_relative_to_the_parameters_and_the_vector(scale: float) -> None:
    case = next(case for case in CASES if case.name == "tanh_mlp-squared")
    operator = FiniteDifferenceOperator(case.model, case.loss_fn, case.batch, step=1e-5)
    vector = torch.ones(operator.dim, dtype=torch.float64)
    torch.testing.assert_close(operator(scale * vector), scale * operator(vector))


def test_sharpness_in_float32_says_its_error() -> None:
    model, batch = mlp(nn.GELU)
    found = lt.sharpness(model, F.cross_entropy, batch, method="finite_difference")
    exact = lt.sharpness(model.double(), F.cross_entropy, (batch[0].double(), batch[1])).value
    assert found.converged
    assert found.value == pytest.approx(exact, rel=2e-3)
    assert found.difference_error < 1e-2 * exact


@pytest.mark.filterwarnings("ignore:the product moves")
def test_weights_of_16_bits_are_measured_in_vectors_of_32() -> None:
    model, (x, y) = mlp(nn.GELU)
    exact = lt.sharpness(model, F.cross_entropy, (x, y)).value
    half = model.bfloat16()
    before = [p.detach().clone() for p in half.parameters()]
    found = lt.sharpness(half, F.cross_entropy, (x.bfloat16(), y), method="finite_difference")
    assert found.eigenvector.dtype == torch.float32
    assert found.value == pytest.approx(exact, rel=0.1)
    assert all(map(torch.equal, before, half.parameters()))
    with pytest.raises(ValueError, match="finite_difference"):
        lt.sharpness(half, F.cross_entropy, (x.bfloat16(), y))


def test_kinks_that_double_backward_does_not_see_are_warned_of() -> None:
    model, batch = mlp(nn.ReLU)
    exact = lt.sharpness(model, F.cross_entropy, batch).value
    with pytest.warns(UserWarning, match=r"kinks \(Relu\)"):
        found = lt.sharpness(model, F.cross_entropy, batch, method="finite_difference", step=5e-3)
    assert found.value > 1.1 * exact
    smooth, batch = mlp(nn.GELU)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        lt.sharpness(smooth, F.cross_entropy, batch, method="finite_difference")


def test_a_step_far_too_long_is_warned_of() -> None:
    model, batch = mlp(nn.Tanh)
    with pytest.warns(UserWarning, match="as the step doubles"):
        lt.sharpness(model, F.cross_entropy, batch, method="finite_difference", step=0.9)


def test_a_scale_and_a_pattern_hold_for_differences_too() -> None:
    model, (x, y) = mlp(nn.Tanh)
    model, x = model.double(), x.double()
    scale = {name: 2.0 if "weight" in name else 0.5 for name, _ in model.named_parameters()}
    exact, found = (
        lt.sharpness(
            model, F.cross_entropy, (x, y), scale=scale, parameters=["0.*", "2.weight"], method=m
        )
        for m in ("exact", "finite_difference")
    )
    assert found.value == pytest.approx(exact.value, rel=1e-7)


def test_an_error_in_the_loss_puts_the_parameters_back() -> None:
    model, (x, y) = mlp(nn.Tanh)
    calls = 0

    def loss_fn(outputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        nonlocal calls
        calls += 1
        if calls == 3:
            raise KeyError
        return F.cross_entropy(outputs, targets)

    before = [p.detach().clone() for p in model.parameters()]
    with pytest.raises(KeyError):
        lt.sharpness(model, loss_fn, (x, y), method="finite_difference")
    assert all(map(torch.equal, before, model.parameters()))


@pytest.mark.parametrize("options", [{"method": "fd"}, {"step": 0.1}])
def test_methods_and_steps_that_do_not_fit_raise(options: dict[str, Any]) -> None:
    model, batch = mlp(nn.Tanh)
    with pytest.raises(ValueError, match="choose one of exact, finite_difference"):
        lt.sharpness(model, F.cross_entropy, batch, **options)


@pytest.mark.parametrize("bend", [10.0, 100.0])
def test_an_eigenvector_that_the_gradient_does_not_see_gets_a_step_of_its_own(bend: float) -> None:
    torch.manual_seed(0)
    wide, x = nn.Linear(64, 1), torch.randn(32, 64)  # with the gradient, and quadratic
    nn.init.normal_(wide.weight)
    model = nn.ModuleDict({"wide": wide})
    small = nn.Parameter(torch.zeros(3))
    model.register_parameter("small", small)

    def loss() -> torch.Tensor:
        waves = 1 - (bend * small * torch.tensor([1.0, 0.5, 0.2])).cos()
        return wide(x).square().mean() + waves.sum()

    found = lt.sharpness(model, loss, method="finite_difference")
    assert found.converged
    assert found.value == pytest.approx(bend**2, rel=2e-3)
