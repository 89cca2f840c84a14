"""Trace estimates: exact where they must be, and within their errors elsewhere."""

import numpy as np
import pytest
import torch

from lrtransfer.curvature import HessianOperator, NonFiniteCurvatureError, trace
from lrtransfer.curvature.trace import Trace

from .cases import Case, dense_hessian
from .spectra import DiagonalOperator

SPECTRA = {
    "outliers": torch.cat([torch.tensor([30.0, -20.0, 10.0]), torch.linspace(-0.5, 0.7, 300)]),
    "decay": torch.arange(1, 400) ** -1.5,
    "flat": torch.linspace(-0.2, 1, 200),
}


def seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def estimates(spectrum: torch.Tensor, products: int, count: int) -> list[Trace]:
    return [
        trace(
            DiagonalOperator(spectrum.double()),
            tolerance=1e-12,
            max_products=products,
            generator=seeded(seed),
        )
        for seed in range(count)
    ]


def test_network_traces_lie_within_four_errors(case: Case) -> None:
    operator = HessianOperator(case.model, case.loss_fn, case.batch)
    found = trace(operator, max_products=40)
    exact = dense_hessian(case).trace().item()
    assert abs(found.value - exact) <= 4 * found.standard_error + 1e-8
    assert found.products == operator.products <= 40


@pytest.mark.parametrize("name", SPECTRA)
def test_a_fixed_number_of_probes_is_unbiased_with_an_error_of_the_right_size(name: str) -> None:
    found = estimates(SPECTRA[name], 40, 150)
    values = np.array([f.value for f in found])
    exact = SPECTRA[name].double().sum().item()
    assert abs(values.mean() - exact) < 3.5 * values.std() / np.sqrt(len(values))
    claimed = np.sqrt(np.mean([f.standard_error**2 for f in found]))
    assert 0.7 < claimed / values.std() < 1.3


def test_outliers_cost_no_variance_as_they_do_hutchinson() -> None:
    spectrum = SPECTRA["outliers"].double()
    values = np.array([f.value for f in estimates(spectrum, 40, 100)])
    hutchinson = (2 * (spectrum**2).sum().item() / 40) ** 0.5
    assert values.std() < 0.4 * hutchinson


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_low_rank_is_exact(dtype: torch.dtype) -> None:
    spectrum = torch.zeros(500, dtype=dtype)
    spectrum[:5] = torch.tensor([3.0, -1.0, 7.0, 7.0, 0.25])
    found = trace(DiagonalOperator(spectrum))
    assert found.converged
    assert found.standard_error == 0
    assert found.value == pytest.approx(16.25, rel=1e-5 if dtype == torch.float32 else 1e-12)
    assert found.products <= 12


@pytest.mark.parametrize("value", [0.0, 1.0, -2.0])
@pytest.mark.parametrize("dim", [1, 7, 40])
def test_multiples_of_the_identity(value: float, dim: int) -> None:
    found = trace(DiagonalOperator(torch.full((dim,), value).double()))
    assert found.converged
    assert found.value == pytest.approx(value * dim, abs=1e-10)


def test_a_budget_beyond_the_dimension_is_exact() -> None:
    spectrum = torch.randn(30, generator=seeded(0)).double()
    found = trace(DiagonalOperator(spectrum), tolerance=1e-9)
    assert found.standard_error == 0
    assert found.value == pytest.approx(spectrum.sum().item(), abs=1e-11)


def test_a_looser_tolerance_costs_less_and_a_short_budget_is_reported() -> None:
    operator = DiagonalOperator(SPECTRA["flat"].double() + 1)
    loose, tight = trace(operator, tolerance=0.1), trace(operator, tolerance=0.01)
    assert loose.converged
    assert tight.converged
    assert loose.products < tight.products
    short = trace(operator, tolerance=1e-6, max_products=20)
    assert not short.converged
    assert short.products == 20


def test_arguments_out_of_range_and_nan_raise() -> None:
    with pytest.raises(ValueError, match="tolerance"):
        trace(DiagonalOperator(torch.ones(50)), tolerance=0)
    with pytest.raises(ValueError, match="max_products is 15"):
        trace(DiagonalOperator(torch.ones(50)), max_products=15)
    for dim in (3, 50):
        with pytest.raises(NonFiniteCurvatureError):
            trace(DiagonalOperator(torch.full((dim,), torch.nan)))
