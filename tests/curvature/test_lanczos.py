"""Extreme eigenvalues against dense spectra."""

import copy
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from lrtransfer.curvature import (
    HessianOperator,
    NonFiniteCurvatureError,
    dense,
    eigenvalues,
)
from lrtransfer.curvature.lanczos import Which

from .cases import Case, dense_hessian, squared_loss
from .spectra import DiagonalOperator, unit

WHICH: list[Which] = ["largest", "smallest", "magnitude"]


def ordered(spectrum: Tensor, which: Which) -> Tensor:
    """Return all eigenvalues, the wanted ones first."""
    rank = {"largest": spectrum, "smallest": -spectrum, "magnitude": spectrum.abs()}[which]
    return spectrum[rank.argsort(descending=True, stable=True)].double()


@pytest.mark.parametrize("which", WHICH)
def test_tight_tolerance_gives_the_dense_eigenvalues(case: Case, which: Which) -> None:
    operator = HessianOperator(case.model, case.loss_fn, case.batch)
    pairs = eigenvalues(operator, 3, which=which, tolerance=1e-9, max_products=2000)
    exact = ordered(torch.linalg.eigvalsh(dense_hessian(case)), which)[:3]
    assert pairs.converged
    torch.testing.assert_close(pairs.values, exact, rtol=0, atol=1e-8)


def test_vectors_are_unit_eigenvectors_within_their_residuals(case: Case) -> None:
    operator = HessianOperator(case.model, case.loss_fn, case.batch)
    pairs = eigenvalues(operator, 3)
    images = pairs.vectors @ dense(operator)
    residuals = torch.linalg.vector_norm(images - pairs.values[:, None] * pairs.vectors, dim=1)
    lengths = torch.linalg.vector_norm(pairs.vectors, dim=1)
    torch.testing.assert_close(lengths, torch.ones_like(lengths))
    torch.testing.assert_close(residuals, pairs.residuals, rtol=1e-6, atol=1e-10)
    assert (residuals <= 0.0101 * pairs.values.abs()).all()


def test_default_tolerance_leaves_less_than_a_thousandth(case: Case) -> None:
    operator = HessianOperator(case.model, case.loss_fn, case.batch)
    exact = torch.linalg.eigvalsh(dense_hessian(case))[-1].item()
    assert eigenvalues(operator).values.item() == pytest.approx(exact, rel=1e-3)


def test_products_are_those_of_the_operator(case: Case) -> None:
    operator = HessianOperator(case.model, case.loss_fn, case.batch)
    for k, start in ((1, None), (3, None), (1, torch.ones(operator.dim).double())):
        before = operator.products
        assert eigenvalues(operator, k, start=start).products == operator.products - before


def test_largest_is_algebraic_where_the_smallest_has_larger_modulus() -> None:
    outliers = torch.tensor([-9.3, 8.8], dtype=torch.float64)
    spectrum = torch.cat([outliers, torch.linspace(-1, 1, 300, dtype=torch.float64)])
    pairs = eigenvalues(DiagonalOperator(spectrum), tolerance=1e-6)
    assert pairs.values.item() == pytest.approx(8.8, abs=1e-8)
    assert pairs.largest == pairs.values.item()
    assert pairs.smallest == pytest.approx(-9.3, rel=1e-3)
    magnitude = eigenvalues(DiagonalOperator(spectrum), which="magnitude", tolerance=1e-6)
    assert magnitude.values.item() == pytest.approx(-9.3, abs=1e-8)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_every_copy_of_a_multiple_eigenvalue_is_found(dtype: torch.dtype) -> None:
    spectrum = torch.cat([torch.tensor([5.0] * 4 + [3.0]), torch.linspace(0, 1, 400)]).to(dtype)
    pairs = eigenvalues(DiagonalOperator(spectrum), 6)
    assert pairs.converged
    exact = torch.tensor([5.0, 5.0, 5.0, 5.0, 3.0, 1.0]).double()
    torch.testing.assert_close(pairs.values, exact, rtol=2e-3, atol=0)
    gram = pairs.vectors @ pairs.vectors.T
    torch.testing.assert_close(gram, torch.eye(6, dtype=dtype), rtol=0, atol=1e-5)


def test_a_linear_net_has_each_eigenvalue_once_per_output() -> None:
    x = torch.randn(20, 4, generator=torch.Generator().manual_seed(1)).double()
    model = nn.Linear(4, 3, bias=False).double()
    operator = HessianOperator(model, squared_loss, (x, torch.zeros(20, 3).double()))
    exact = torch.linalg.eigvalsh(x.T @ x / 20).flip(0).repeat_interleave(3)
    pairs = eigenvalues(operator, 7, tolerance=1e-9)
    torch.testing.assert_close(pairs.values, exact[:7], rtol=0, atol=1e-9)


@pytest.mark.parametrize("value", [0.0, 1.0, -2.0])
@pytest.mark.parametrize("k", [1, 7])
@pytest.mark.parametrize("which", WHICH)
def test_multiples_of_the_identity(value: float, k: int, which: Which) -> None:
    pairs = eigenvalues(DiagonalOperator(torch.full((7,), value)), k, which=which)
    assert pairs.converged
    torch.testing.assert_close(pairs.values, torch.full((k,), value).double())


def test_eigenvalue_near_zero_beside_a_large_negative_one() -> None:
    spectrum = torch.cat([torch.tensor([-100.0]), torch.linspace(-1, 0, 200)]).double()
    pairs = eigenvalues(DiagonalOperator(spectrum))
    assert pairs.converged
    assert abs(pairs.values.item()) < 0.02


def test_the_whole_spectrum_may_be_asked_for(generator: torch.Generator) -> None:
    spectrum = torch.randn(30, generator=generator, dtype=torch.float64)
    pairs = eigenvalues(DiagonalOperator(spectrum), 30, which="smallest", tolerance=1e-9)
    torch.testing.assert_close(pairs.values, spectrum.sort().values, rtol=0, atol=1e-12)


def test_results_repeat_for_one_generator_seed() -> None:
    operator = DiagonalOperator(torch.linspace(0, 1, 200))
    first, second, other = (
        eigenvalues(operator, generator=torch.Generator().manual_seed(seed)) for seed in (1, 1, 2)
    )
    assert torch.equal(first.vectors, second.vectors)
    assert not torch.equal(first.vectors, other.vectors)


def test_an_exhausted_budget_is_reported() -> None:
    pairs = eigenvalues(DiagonalOperator(torch.linspace(0, 1, 500)), max_products=5)
    assert not pairs.converged
    assert pairs.products == 5
    assert pairs.residuals.item() > 0.01 * pairs.values.item()


def test_an_unsearched_complement_is_reported() -> None:
    spectrum = torch.cat([torch.tensor([5.0, 5.0, 3.0]), torch.linspace(0, 1, 300)])
    full = eigenvalues(DiagonalOperator(spectrum), 2)
    assert full.converged
    short = eigenvalues(DiagonalOperator(spectrum), 2, max_products=full.products // 2)
    assert not short.converged


def test_a_warm_start_needs_fewer_products_and_finds_the_same() -> None:
    spectrum = torch.cat([torch.tensor([1.5, 1.2]), torch.linspace(0, 1, 20_000)])
    start = eigenvalues(DiagonalOperator(spectrum)).vectors[0]
    moved = spectrum.clone()
    moved[0] += 0.05
    cold = eigenvalues(DiagonalOperator(moved))
    warm = eigenvalues(DiagonalOperator(moved), start=start)
    assert warm.products < cold.products
    assert warm.values.item() == pytest.approx(1.55, rel=1e-3)


def test_a_warm_start_helps_on_a_slightly_moved_network() -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(20, 32), nn.Tanh(), nn.Linear(32, 3))
    batch = torch.randn(64, 20), torch.randn(64, 3)
    before = eigenvalues(HessianOperator(model, squared_loss, batch))
    moved = copy.deepcopy(model)
    operator = HessianOperator(model, squared_loss, batch)
    with torch.no_grad():
        step = operator.gradient.split([p.numel() for p in moved.parameters()])
        for parameter, piece in zip(moved.parameters(), step, strict=True):
            parameter.sub_(0.02 * piece.view_as(parameter))
    cold = eigenvalues(HessianOperator(moved, squared_loss, batch))
    warm = eigenvalues(HessianOperator(moved, squared_loss, batch), start=before.vectors[0])
    assert warm.products < cold.products
    assert warm.values.item() == pytest.approx(cold.values.item(), rel=1e-3)


@pytest.mark.parametrize("least", [2, 3, 6, 9])
def test_a_warm_start_takes_at_least_the_products_asked_for(least: int) -> None:
    spectrum = torch.cat([torch.tensor([5.0]), torch.linspace(0, 1, 20_000)])
    start = unit(len(spectrum), 0, spectrum.dtype)
    pairs = eigenvalues(DiagonalOperator(spectrum), start=start, warm_products=least)
    assert pairs.products >= least
    assert pairs.products <= max(least, 4)
    assert pairs.values.item() == pytest.approx(5.0, rel=1e-3)


def test_a_warm_start_takes_six_products_unless_told() -> None:
    spectrum = torch.cat([torch.tensor([5.0]), torch.linspace(0, 1, 20_000)])
    start = unit(len(spectrum), 0, spectrum.dtype)
    assert eigenvalues(DiagonalOperator(spectrum), start=start).products == 6


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("stale", [1, 7], ids=["second eigenvector", "bulk eigenvector"])
def test_a_start_orthogonal_to_the_top_eigenvector_does_not_mislead(stale: int, seed: int) -> None:
    spectrum = torch.cat([torch.tensor([3.0, 2.0]), torch.linspace(0, 1, 20_000)])
    pairs = eigenvalues(
        DiagonalOperator(spectrum),
        start=unit(len(spectrum), stale, spectrum.dtype),
        generator=torch.Generator().manual_seed(seed),
    )
    assert pairs.converged
    assert pairs.values.item() == pytest.approx(3.0, rel=1e-3)


def test_a_start_orthogonal_to_the_top_eigenvector_of_a_network(case: Case) -> None:
    operator = HessianOperator(case.model, case.loss_fn, case.batch)
    values, vectors = torch.linalg.eigh(dense_hessian(case))
    pairs = eigenvalues(operator, start=vectors[:, -2].contiguous())
    assert pairs.values.item() == pytest.approx(values[-1].item(), rel=1e-3)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"k": 0}, "choose 1 to 5"),
        ({"k": 6}, "choose 1 to 5"),
        ({"which": "LA"}, "largest, smallest, magnitude"),
        ({"tolerance": 0.0}, "tolerance"),
        ({"k": 3, "max_products": 2}, "max_products"),
        ({"start": torch.zeros(5)}, "not zero"),
        ({"start": torch.full((5,), torch.nan)}, "finite"),
        ({"start": torch.ones(4)}, "acts on"),
        ({"warm_products": 1}, "warm_products"),
    ],
)
def test_arguments_out_of_range_raise(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        eigenvalues(DiagonalOperator(torch.ones(5)), **arguments)


def test_non_finite_products_raise() -> None:
    with pytest.raises(NonFiniteCurvatureError):
        eigenvalues(DiagonalOperator(torch.tensor([1.0, torch.nan, 2.0])))
