"""Quadrature bounds against measures whose quadrature error is known."""

import numpy as np
import pytest
import torch

from lrtransfer.curvature import spectral_density
from lrtransfer.curvature.krylov import default_generator, random_vector
from lrtransfer.curvature.quadrature import polynomial_bound

from .spectra import DiagonalOperator

SPECTRA = {
    "uniform": torch.linspace(-1, 1, 400),
    "atom": torch.cat([torch.zeros(300), torch.linspace(-0.5, 2, 60), torch.tensor([6.0, 9.0])]),
    "clusters": torch.cat([1 + 0.01 * torch.linspace(-1, 1, 90), torch.linspace(2, 3, 40)]),
}


def probe_measure(operator: DiagonalOperator) -> np.ndarray:
    """Return the masses that the first probe puts on the eigenvalues."""
    signs = random_vector(operator, default_generator(None)).sign()
    return (signs.double() ** 2 / operator.dim).numpy()


@pytest.mark.parametrize("name", SPECTRA)
@pytest.mark.parametrize("steps", [6, 20])
@pytest.mark.parametrize("width", [0.05, 0.3])
def test_smoothed_densities_lie_within_the_bound(name: str, steps: int, width: float) -> None:
    spectrum = SPECTRA[name].double()
    operator = DiagonalOperator(spectrum)
    density = spectral_density(operator, probes=1, steps=steps)
    grid = np.linspace(-2, 10, 301)
    kernels = np.exp(-0.5 * ((grid[:, None] - spectrum.numpy()) / width) ** 2)
    exact = kernels @ probe_measure(operator) / (width * np.sqrt(2 * np.pi))
    error = np.abs(density.smoothed(grid, width)[0] - exact)
    assert (error <= density.quadrature_bound(grid, width) + 1e-10).all()


@pytest.mark.parametrize("name", SPECTRA)
def test_cumulative_shares_lie_within_the_bound(name: str) -> None:
    spectrum = SPECTRA[name].double()
    operator = DiagonalOperator(spectrum)
    density = spectral_density(operator, probes=1, steps=12)
    grid = np.linspace(-2, 10, 1201) + 1e-4
    value, _, bound = density.cumulative(grid)
    exact = (spectrum.numpy()[None] <= grid[:, None]) @ probe_measure(operator)
    assert (np.abs(value - exact) <= bound + 1e-10).all()
    assert (value[0], value[-1]) == (0, pytest.approx(1))


def test_bounds_shrink_with_the_steps_and_vanish_when_exact() -> None:
    operator = DiagonalOperator(SPECTRA["uniform"].double())
    grid = np.linspace(-1, 1, 21)
    bounds = [
        spectral_density(operator, probes=2, steps=steps).quadrature_bound(grid, 0.2).max()
        for steps in (4, 16, 48)
    ]
    assert bounds[0] > bounds[1] > 1e4 * bounds[2]
    few = spectral_density(DiagonalOperator(torch.tensor([1.0, 2.0, 2.0]).double()), steps=9)
    assert few.exact.all()
    assert few.quadrature_bound(grid, 0.2).max() == 0
    assert few.cumulative(np.array([1.5]))[2].item() == 0


def test_the_standard_error_covers_the_whole_spectrum() -> None:
    spectrum = SPECTRA["uniform"].double()
    density = spectral_density(DiagonalOperator(spectrum), probes=24, steps=48)
    grid = np.linspace(-0.9, 0.9, 19)
    value, error, bound = density.cumulative(grid)
    exact = (spectrum.numpy()[None] <= grid[:, None]).mean(axis=1)
    assert (np.abs(value - exact) <= 4 * error + bound).all()
    assert bound.max() < 0.05


def test_polynomial_bound_of_a_point_and_of_a_narrow_kernel() -> None:
    assert polynomial_bound(5, 0.1, (2.0, 2.0)) == 0
    assert polynomial_bound(5, 1e-6, (0.0, 1.0)) > 1


def test_products_support_and_convergence_are_reported() -> None:
    operator = DiagonalOperator(SPECTRA["atom"].double())
    long = spectral_density(operator, probes=3, steps=40)
    assert long.products == operator.products
    assert long.converged
    assert long.support == pytest.approx((-0.5, 9.0), abs=0.01)
    assert not spectral_density(operator, probes=3, steps=3).converged


def test_moments_beyond_the_quadrature_and_bad_widths_raise() -> None:
    density = spectral_density(DiagonalOperator(torch.linspace(0, 1, 50)), steps=4)
    with pytest.raises(ValueError, match="exact up to 7"):
        density.moment(8)
    with pytest.raises(ValueError, match="width"):
        density.quadrature_bound(np.zeros(1), 0.0)
