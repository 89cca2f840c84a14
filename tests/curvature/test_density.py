"""Spectral density against dense traces and exact quadrature identities."""

import numpy as np
import pytest
import torch

from lrtransfer.curvature import HessianOperator, NonFiniteCurvatureError, spectral_density
from lrtransfer.curvature.krylov import default_generator, random_vector

from .cases import Case, dense_hessian
from .spectra import DiagonalOperator


def test_moments_lie_within_four_standard_errors_of_dense_traces(case: Case) -> None:
    operator = HessianOperator(case.model, case.loss_fn, case.batch)
    density = spectral_density(operator, probes=24, steps=8)
    spectrum = torch.linalg.eigvalsh(dense_hessian(case))
    for order in (1, 2):
        value, error = density.moment(order)
        assert 0 < error < abs(spectrum**order).mean()
        assert abs(value - (spectrum**order).mean().item()) < 4 * error


def test_a_short_run_integrates_low_moments_of_its_probe_exactly(case: Case) -> None:
    operator = HessianOperator(case.model, case.loss_fn, case.batch)
    density = spectral_density(operator, probes=1, steps=4)
    matrix = dense_hessian(case)
    probe = random_vector(operator, default_generator(None)).sign() / operator.dim**0.5
    for order in range(8):  # Gauss quadrature with m nodes is exact to degree 2m - 1
        expected = probe @ torch.linalg.matrix_power(matrix, order) @ probe
        assert density.moment(order)[0] == pytest.approx(expected.item(), rel=1e-8, abs=1e-9)


def test_a_full_length_run_has_the_exact_eigenvalues_as_nodes(generator: torch.Generator) -> None:
    spectrum = torch.randn(12, generator=generator, dtype=torch.float64)
    density = spectral_density(DiagonalOperator(spectrum), probes=2, steps=12)
    for nodes, weights in zip(density.nodes, density.weights, strict=True):
        assert nodes == pytest.approx(spectrum.sort().values.numpy(), abs=1e-10)
        assert weights == pytest.approx(np.full(12, 1 / 12), abs=1e-9)


def test_weights_of_each_probe_sum_to_one(case: Case) -> None:
    operator = HessianOperator(case.model, case.loss_fn, case.batch)
    density = spectral_density(operator, probes=3, steps=10)
    assert density.nodes.shape == density.weights.shape == (3, 10)
    assert density.weights.sum(axis=1) == pytest.approx(np.ones(3), abs=1e-12)
    assert density.dim == operator.dim


def test_an_exhausted_krylov_space_is_padded_with_empty_nodes() -> None:
    operator = DiagonalOperator(torch.tensor([2.0, 2.0, 2.0, -1.0], dtype=torch.float64))
    density = spectral_density(operator, probes=2, steps=9)
    assert operator.products <= 2 * 3
    assert density.nodes.shape == (2, 9)
    assert density.moment(1)[0] == pytest.approx(5 / 4)
    assert density.moment(2)[0] == pytest.approx(13 / 4)


def test_smoothed_density_is_the_gaussian_mixture_of_the_nodes() -> None:
    density = spectral_density(DiagonalOperator(torch.full((5,), 2.0).double()), probes=3)
    grid = np.linspace(-2, 6, 801)
    curve, error = density.smoothed(grid, 0.5)
    exact = np.exp(-0.5 * ((grid - 2) / 0.5) ** 2) / (0.5 * np.sqrt(2 * np.pi))
    assert curve == pytest.approx(exact, abs=1e-12)
    assert error == pytest.approx(0, abs=1e-12)


def test_smoothed_density_integrates_to_one_and_follows_the_spectrum(case: Case) -> None:
    operator = HessianOperator(case.model, case.loss_fn, case.batch)
    spectrum = torch.linalg.eigvalsh(dense_hessian(case)).numpy()
    width = 0.2 * np.ptp(spectrum)
    grid = np.linspace(spectrum.min() - 6 * width, spectrum.max() + 6 * width, 400)
    curve, error = spectral_density(operator, probes=16, steps=24).smoothed(grid, width)
    assert np.trapezoid(curve, grid) == pytest.approx(1, abs=1e-8)
    kernels = np.exp(-0.5 * ((grid[:, None] - spectrum) / width) ** 2)
    exact = kernels.mean(axis=1) / (width * np.sqrt(2 * np.pi))
    assert (np.abs(curve - exact) <= 4.5 * error + 1e-3 * exact.max()).all()


def test_one_probe_has_no_standard_error() -> None:
    density = spectral_density(DiagonalOperator(torch.linspace(0, 1, 30)), probes=1, steps=5)
    assert np.isnan(density.moment(1)[1])
    assert np.isnan(density.smoothed(np.zeros(1), 1.0)[1]).all()


def test_probes_differ_repeat_and_leave_the_global_random_state(case: Case) -> None:
    state = torch.get_rng_state()
    operator = HessianOperator(case.model, case.loss_fn, case.batch)
    first, second = (spectral_density(operator, probes=2, steps=5) for _ in range(2))
    assert np.array_equal(first.nodes, second.nodes)
    assert not np.array_equal(first.nodes[0], first.nodes[1])
    assert torch.equal(torch.get_rng_state(), state)


def test_arguments_out_of_range_raise() -> None:
    operator = DiagonalOperator(torch.ones(3))
    with pytest.raises(ValueError, match="at least 1"):
        spectral_density(operator, probes=0)
    density = spectral_density(operator, probes=1)
    with pytest.raises(ValueError, match="positive"):
        density.smoothed(np.zeros(1), 0.0)
    with pytest.raises(ValueError, match="start at 0"):
        density.moment(-1)


def test_non_finite_products_raise() -> None:
    with pytest.raises(NonFiniteCurvatureError):
        spectral_density(DiagonalOperator(torch.tensor([1.0, torch.inf])))
