"""The NTK operator against the dense Jacobian, Gauss-Newton and a closed form."""

import pytest
import torch
from torch import Tensor, nn

from lrtransfer.curvature import (
    GaussNewtonOperator,
    HessianOperator,
    NTKOperator,
    dense,
    ntk_gram,
    sharpness,
)

from .cases import CASES, Case, dense_jacobian
from .test_hessian import scale_diagonal, scale_of

SQUARED = [case for case in CASES if case.name.endswith("squared")]
squared_cases = pytest.mark.parametrize("case", SQUARED, ids=lambda case: case.name)
separable_cases = pytest.mark.parametrize(
    "case", [case for case in SQUARED if case.separable], ids=lambda case: case.name
)


@squared_cases
def test_gram_equals_dense_jacobian_product(case: Case) -> None:
    jacobian = dense_jacobian(case)
    expected = (jacobian * scale_diagonal(case)) @ jacobian.T / len(case.inputs)
    gram = ntk_gram(case.model, case.inputs, scale=scale_of(case))
    torch.testing.assert_close(gram, expected, rtol=0, atol=1e-9)
    assert torch.equal(gram, gram.T)


@squared_cases
def test_non_zero_spectrum_is_that_of_gauss_newton(case: Case) -> None:
    scale = scale_of(case)
    operator = GaussNewtonOperator(case.model, case.loss_fn, case.batch, scale=scale)
    gauss_newton = torch.linalg.eigvalsh(dense(operator)).flip(0)
    ntk = torch.linalg.eigvalsh(ntk_gram(case.model, case.inputs, scale=scale)).flip(0)
    shared = min(len(ntk), len(gauss_newton))
    torch.testing.assert_close(ntk[:shared], gauss_newton[:shared], rtol=0, atol=1e-9)
    for rest in (ntk[shared:], gauss_newton[shared:]):
        torch.testing.assert_close(rest, torch.zeros_like(rest), rtol=0, atol=1e-9)


@separable_cases
def test_chunks_give_the_kernel_of_the_whole_batch(case: Case) -> None:
    chunked = ntk_gram(case.model, list(case.inputs.split([8, 2])))
    torch.testing.assert_close(chunked, ntk_gram(case.model, case.inputs), rtol=0, atol=1e-12)


def test_rebuilt_chunks_draw_the_same_dropout_masks_in_both_passes() -> None:
    model = nn.Sequential(nn.Linear(5, 8), nn.Tanh(), nn.Dropout(0.5), nn.Linear(8, 3)).double()
    x = torch.randn(10, 5, dtype=torch.float64)
    matrix = dense(NTKOperator(model, list(x.split([8, 2]))))
    torch.testing.assert_close(matrix, matrix.T, rtol=0, atol=1e-12)


def test_the_random_state_is_left_as_found() -> None:
    model = nn.Sequential(nn.Dropout(0.5), nn.Linear(5, 3))
    state = torch.get_rng_state()
    ntk_gram(model, [torch.ones(2, 5), torch.ones(3, 5)])
    assert torch.equal(torch.get_rng_state(), state)


def test_a_pair_in_place_of_inputs_raises() -> None:
    with pytest.raises(ValueError, match="pass x"):
        NTKOperator(nn.Linear(5, 3), (torch.ones(2, 5), torch.ones(2, 3)))


class TwoLayerLinear(nn.Module):
    """f(X) = XEV/(γ√(ND)), entries N(0, 1) (Noci et al. 2024, §5)."""

    def __init__(self, dim: int, width: int, gamma: float) -> None:
        super().__init__()
        self.first = nn.Parameter(torch.randn(dim, width, dtype=torch.float64))
        self.last = nn.Parameter(torch.randn(width, dtype=torch.float64))
        self.root = (width * dim) ** 0.5
        self.gamma = gamma

    def forward(self, x: Tensor) -> Tensor:
        return (x @ self.first @ self.last / (self.gamma * self.root))[:, None]


@pytest.fixture(params=["mup", "ntp"])
def two_layer(request: pytest.FixtureRequest) -> TwoLayerLinear:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return TwoLayerLinear(6, 64, 8.0 if request.param == "mup" else 1.0)


def test_two_layer_linear_kernel_is_e_plus_v(two_layer: TwoLayerLinear) -> None:
    model, dim = two_layer, len(two_layer.first)
    eye = torch.eye(dim, dtype=torch.float64)
    rates = dict.fromkeys(("first", "last"), model.gamma**2)  # η = η₀γ²
    kernel = dim * ntk_gram(model, eye, scale=rates)  # the paper sums over samples
    e = (model.first @ model.first.T / model.root**2).detach()
    v = (model.last @ model.last / model.root**2).detach()
    torch.testing.assert_close(kernel, e + v * eye, rtol=0, atol=1e-13)


def test_two_layer_linear_residual_part_has_norm_root_k_r(two_layer: TwoLayerLinear) -> None:
    model, dim = two_layer, len(two_layer.first)
    eye, targets = torch.eye(dim, dtype=torch.float64), torch.ones(dim, 1, dtype=torch.float64)
    rates = dict.fromkeys(("first", "last"), model.gamma**2)

    def summed(outputs: Tensor, targets: Tensor) -> Tensor:
        return 0.5 * ((outputs - targets) ** 2).sum()

    arguments = (model, summed, (eye, targets))
    hessian = dense(HessianOperator(*arguments, scale=rates))
    residual_part = hessian - dense(GaussNewtonOperator(*arguments, scale=rates))
    spectrum = torch.linalg.eigvalsh(residual_part)
    r = torch.linalg.vector_norm(model(eye) - targets).item()
    bound = model.gamma / model.root * r  # √k‖r‖, k = γ²/(ND)
    assert spectrum[-1].item() == pytest.approx(bound, rel=1e-12)
    assert spectrum[0].item() == pytest.approx(-bound, rel=1e-12)

    top_kernel = dim * torch.linalg.eigvalsh(ntk_gram(model, eye, scale=rates))[-1].item()
    top = sharpness(*arguments, scale=rates, tolerance=1e-9).value
    assert abs(top - top_kernel) <= bound  # Weyl
