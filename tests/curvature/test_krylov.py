"""The Lanczos basis: orthogonality, projection, exhaustion."""

import pytest
import torch

from lrtransfer.curvature import NonFiniteCurvatureError, krylov
from lrtransfer.curvature.krylov import KrylovBasis, default_generator, random_vector

from .spectra import DiagonalOperator, unit


def run(operator: DiagonalOperator, steps: int, generator: torch.Generator) -> KrylovBasis:
    basis = KrylovBasis(operator, random_vector(operator, generator), generator)
    for _ in range(steps):
        basis.extend()
    return basis


@pytest.mark.parametrize(("dtype", "error"), [(torch.float64, 1e-14), (torch.float32, 1e-6)])
def test_basis_stays_orthonormal_after_eigenvalues_converged(
    dtype: torch.dtype, error: float, generator: torch.Generator
) -> None:
    spectrum = torch.cat([torch.tensor([1e3, 5e2]), torch.linspace(0, 1, 500)]).to(dtype)
    basis = run(DiagonalOperator(spectrum), 60, generator)
    rows = basis.vectors(torch.eye(60, dtype=torch.float64).numpy()).double()
    gram = rows @ rows.T
    assert (gram - torch.eye(60)).abs().max() < error


def test_projection_is_tridiagonal_form_of_the_operator(generator: torch.Generator) -> None:
    operator = DiagonalOperator(torch.linspace(-1, 2, 40, dtype=torch.float64))
    basis = run(operator, 12, generator)
    ritz = basis.ritz()
    vectors = basis.vectors(ritz.weights)
    images = vectors * operator.spectrum
    residuals = torch.linalg.vector_norm(
        images - torch.from_numpy(ritz.values)[:, None] * vectors, dim=1
    )
    torch.testing.assert_close(residuals, torch.from_numpy(ritz.residuals), rtol=0, atol=1e-13)


def test_an_invariant_space_is_noticed_and_left(generator: torch.Generator) -> None:
    operator = DiagonalOperator(torch.tensor([3.0, 2.0, 1.0], dtype=torch.float64))
    basis = KrylovBasis(operator, unit(3, 1), generator)
    basis.extend()
    assert basis.exhausted
    assert basis.last_residual == 0
    basis.extend()
    basis.extend()
    assert sorted(basis.ritz().values) == pytest.approx([1, 2, 3], abs=1e-14)


def test_extending_beyond_the_whole_space_raises(generator: torch.Generator) -> None:
    basis = run(DiagonalOperator(torch.ones(2)), 2, generator)
    with pytest.raises(RuntimeError, match="whole space"):
        basis.extend()


def test_deflated_directions_stay_out(generator: torch.Generator) -> None:
    operator = DiagonalOperator(torch.tensor([5.0, 4.0, 3.0, 2.0], dtype=torch.float64))
    deflated = torch.stack([unit(4, 0), unit(4, 2)])
    basis = KrylovBasis(operator, random_vector(operator, generator), generator, deflated)
    while not basis.complete:
        basis.extend()
    assert basis.ritz().values == pytest.approx([2, 4], abs=1e-14)


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_non_finite_products_raise(bad: float, generator: torch.Generator) -> None:
    spectrum = torch.ones(10)
    spectrum[4] = bad
    with pytest.raises(NonFiniteCurvatureError, match="product 1"):
        run(DiagonalOperator(spectrum), 1, generator)


def test_the_default_generator_repeats_and_leaves_the_global_one() -> None:
    state = torch.get_rng_state()
    operator = DiagonalOperator(torch.ones(5))
    first, second = (random_vector(operator, default_generator(None)) for _ in range(2))
    assert torch.equal(first, second)
    assert torch.equal(torch.get_rng_state(), state)


def test_blocks_of_a_large_basis_are_one_basis(
    monkeypatch: pytest.MonkeyPatch, generator: torch.Generator
) -> None:
    operator = DiagonalOperator(torch.linspace(-1, 2, 80, dtype=torch.float64))
    start = random_vector(operator, generator)
    spectra = []
    for large in (2**22, 1):
        monkeypatch.setattr(krylov, "_LARGE", large)
        basis = KrylovBasis(operator, start, generator)
        for _ in range(50):  # over three blocks
            basis.extend()
        spectra.append(basis.ritz().values)
        rows = basis.vectors(torch.eye(50, dtype=torch.float64).numpy())
        lost = (rows @ rows.T - torch.eye(50)).abs().max()
        assert lost < (1e-13 if large > 80 else 1e-9)  # the large one looks at all rows late
    assert spectra[0] == pytest.approx(spectra[1], abs=1e-12)
    assert len(basis._blocks) == 4
