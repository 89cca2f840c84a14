"""Sharpness in the spectral norm and in ℓ∞ against exact answers (Islamov et al. 2026)."""

import copy
import itertools
import math
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

import lrtransfer as lt
from lrtransfer.curvature import HessianOperator
from lrtransfer.curvature.generalised import Ball

HADAMARD = torch.tensor([[1, 1, 1, 1], [1, -1, 1, -1], [1, 1, -1, -1], [1, -1, -1, 1]]).double() / 2
SPECTRUM = torch.tensor([4, 2.25, 1, 0.25]).double()
ROTATED = HADAMARD @ SPECTRUM.diag() @ HADAMARD.T


class Quadratic(nn.Module):
    """L = ½ tr(W Σ Wᵀ) of a matrix W (m, n), or ½ wᵀHw of a vector."""

    def __init__(self, curvature: Tensor, *shape: int) -> None:
        super().__init__()
        random = torch.Generator().manual_seed(0)
        self.weight = nn.Parameter(torch.randn(*shape, generator=random, dtype=torch.float64))
        self.curvature = curvature

    def loss(self) -> Tensor:
        return (self.weight @ self.curvature * self.weight).sum() / 2


def linear(curvature: Tensor = ROTATED) -> Quadratic:
    return Quadratic(curvature, 3, 4)


def test_the_linear_layers_three_sharpnesses() -> None:
    model = linear()
    assert lt.sharpness(model, model.loss, tolerance=1e-6).value == pytest.approx(4)
    spectral = lt.sharpness(model, model.loss, norm="spectral", tolerance=1e-6)
    assert spectral.value == pytest.approx(7.25, rel=1e-6)  # 4 + 2.25 + 1
    assert not spectral.converged
    entries = lt.sharpness(model, model.loss, norm="linf")
    assert entries.value == pytest.approx(48)  # 3 · max sᵀΣs
    assert entries.converged and entries.residual == 0


@pytest.mark.parametrize("seed", range(5))
def test_every_start_leads_to_the_spectral_sharpness(seed: int) -> None:
    model = linear()
    random = torch.Generator().manual_seed(seed)
    start = torch.randn(12, generator=random, dtype=torch.float64)
    found = lt.sharpness(
        model, model.loss, norm="spectral", start=start, restarts=1, tolerance=1e-6
    )
    assert found.value == pytest.approx(7.25, rel=1e-6)


def test_a_diagonal_covariance_has_its_trace_times_the_rows_in_linf() -> None:
    model = linear(SPECTRUM.diag())
    assert lt.sharpness(model, model.loss, norm="linf").value == pytest.approx(22.5)


@pytest.mark.parametrize(("m", "n"), [(2, 3), (4, 2)])
def test_the_identity_has_the_smaller_side_as_its_spectral_sharpness(m: int, n: int) -> None:
    model = Quadratic(torch.eye(n).double(), m, n)
    assert lt.sharpness(model, model.loss, norm="spectral").value == pytest.approx(min(m, n))
    assert lt.sharpness(model, model.loss).value == pytest.approx(1)


def test_two_by_two() -> None:
    model = Quadratic(torch.tensor([[2.0, 1], [1, 2]]).double(), 2)
    assert lt.sharpness(model, model.loss, tolerance=1e-6).value == pytest.approx(3)
    assert lt.sharpness(model, model.loss, norm="linf").value == pytest.approx(6)


def step_of(norm: str | None) -> Callable[[Tensor], Tensor]:
    """Return g -> steepest descent's step at the rate 1, ‖g‖_dual · d*."""
    if norm is None:
        return lambda g: g
    if norm == "linf":
        return lambda g: g.abs().sum() * g.sign()

    def orthogonalised(g: Tensor) -> Tensor:
        u, s, vh = torch.linalg.svd(g, full_matrices=False)
        return s.sum() * (u @ vh)

    return orthogonalised


@pytest.mark.parametrize(
    ("norm", "sharpness", "diverging"), [(None, 4.0, 6), ("spectral", 7.25, 6), ("linf", 48.0, 4)]
)
def test_steepest_descent_turns_at_two_over_the_sharpness(
    norm: str | None, sharpness: float, diverging: int
) -> None:
    step = step_of(norm)

    def diverges(seed: int, product: float) -> bool:
        random = torch.Generator().manual_seed(seed)
        w = torch.randn(3, 4, generator=random, dtype=torch.float64)
        first = float((w @ ROTATED * w).sum())
        for _ in range(1500):
            w = w - product * 2 / sharpness * step(w @ ROTATED)
        return not float((w @ ROTATED * w).sum()) < first

    assert not any(diverges(seed, 0.98) for seed in range(6))
    beyond = sum(diverges(seed, 1.02) for seed in range(6))
    assert beyond == diverging
    assert all(diverges(seed, 1.1) for seed in range(6))


def test_sign_descent_diverges_beyond_two_over_its_own_sharpness_alone() -> None:
    curvature = torch.tensor([[2.0, 1], [1, 2]]).double()
    starts = torch.randn(200, 2, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    for rate, share in ((0.33, 0), (0.40, 1)):
        w = starts.clone()
        for _ in range(3000):
            g = w @ curvature
            w = w - rate * g.abs().sum(1, keepdim=True) * g.sign()
        size = (w @ curvature * w).sum(1)
        diverged = ~(size < (starts @ curvature * starts).sum(1))
        assert diverged.double().mean() == share


def test_an_indefinite_form_of_few_entries_is_a_lower_bound() -> None:
    curvature = torch.tensor([[1.0, 2], [2, -3]]).double()
    model = Quadratic(curvature, 2)
    found = lt.sharpness(model, model.loss, norm="linf", tolerance=1e-6)
    assert not found.converged
    # Along the edge d₁ = 1: 1 + 4t − 3t², largest at t = 2/3.
    assert found.value == pytest.approx(1 + 4 / 3, rel=1e-6)


def test_many_entries_are_climbed_to_nearly_what_enumeration_finds() -> None:
    random = torch.Generator().manual_seed(1)
    root = torch.randn(18, 18, generator=random, dtype=torch.float64)
    curvature = root @ root.T
    model = Quadratic(curvature, 18)
    signs = torch.tensor(list(itertools.product((1.0, -1.0), repeat=17))).double()
    signs = torch.cat([torch.ones(len(signs), 1).double(), signs], dim=1)
    exact = float((signs @ curvature * signs).sum(1).max())
    found = lt.sharpness(model, model.loss, norm="linf", restarts=20)
    assert not found.converged
    assert 0.97 * exact <= found.value <= exact * (1 + 1e-12)


class TwoLayers(nn.Module):
    """A small network of two matrices, and a bias if asked."""

    def __init__(self, *, bias: bool = False) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.first = nn.Linear(3, 4, bias=bias, dtype=torch.float64)
        self.second = nn.Linear(4, 2, bias=False, dtype=torch.float64)

    def forward(self, x: Tensor) -> Tensor:
        return self.second(torch.tanh(self.first(x)))


def batch() -> tuple[Tensor, Tensor]:
    random = torch.Generator().manual_seed(0)
    return (
        torch.randn(16, 3, generator=random, dtype=torch.float64),
        torch.randn(16, 2, generator=random, dtype=torch.float64),
    )


@pytest.mark.parametrize("norm", ["linf", "spectral"])
def test_the_value_is_that_of_a_direction_of_norm_one(norm: str) -> None:
    model, loss_fn = TwoLayers(), nn.MSELoss()
    rates = {"first.weight": 0.5, "second.weight": 2.0}
    before = copy.deepcopy(model.state_dict())
    found = lt.sharpness(model, loss_fn, batch(), norm=norm, scale=rates)  # type: ignore[arg-type]
    d = found.eigenvector
    ball = Ball(norm, {n: p.shape for n, p in model.named_parameters()})  # type: ignore[arg-type]
    assert ball.length(d) == pytest.approx(1)
    radii = torch.cat([torch.full((12,), 0.5), torch.full((8,), 2.0)]).double()
    plain = HessianOperator(model, loss_fn, batch())
    assert float(radii * d @ plain(radii * d)) == pytest.approx(found.value, rel=1e-6)
    # The radii are the rates, so that the block with the larger one counts for more.
    assert found.value > lt.sharpness(model, loss_fn, batch(), norm=norm).value / 4  # type: ignore[arg-type]
    pieces = torch.split(radii * plain.gradient, [12, 8])
    dual = {
        "linf": sum(float(p.abs().sum()) for p in pieces),
        "spectral": sum(
            float(torch.linalg.svdvals(p.view(-1, n)).sum())
            for p, n in zip(pieces, (3, 4), strict=True)
        ),
    }
    assert found.dual_norm == pytest.approx(dual[norm])
    assert found.normalised == pytest.approx(found.value / dual[norm])
    assert all(torch.equal(v, before[n]) for n, v in model.state_dict().items())


def test_at_the_minimum_the_normalised_sharpness_is_no_number() -> None:
    model = linear()
    nn.init.zeros_(model.weight)
    found = lt.sharpness(model, model.loss, norm="linf")
    assert found.value == pytest.approx(48)
    assert math.isnan(found.normalised)


def test_a_warm_start_takes_fewer_products() -> None:
    model, loss_fn = TwoLayers(), nn.MSELoss()
    first = lt.sharpness(model, loss_fn, batch(), norm="spectral", restarts=20)
    again = lt.sharpness(
        model, loss_fn, batch(), norm="spectral", start=first.eigenvector, restarts=1
    )
    assert again.products <= 3
    assert again.value == pytest.approx(first.value, rel=1e-3)


def test_a_bias_has_no_spectral_norm_and_is_left_out_by_a_pattern() -> None:
    model, loss_fn = TwoLayers(bias=True), nn.MSELoss()
    with pytest.raises(ValueError, match=r"'first.bias' of shape \(4,\) is not; choose them with"):
        lt.sharpness(model, loss_fn, batch(), norm="spectral")
    found = lt.sharpness(model, loss_fn, batch(), norm="spectral", parameters="*.weight")
    assert len(found.eigenvector) == 20
    assert lt.sharpness(model, loss_fn, batch(), norm="linf").value > 0


def test_convolutions_are_matrices_of_patches() -> None:
    torch.manual_seed(0)
    convolution = nn.Conv2d(2, 3, 2, bias=False, dtype=torch.float64)
    flat = nn.Linear(8, 3, bias=False, dtype=torch.float64)
    flat.weight.data = convolution.weight.data.flatten(1)
    random = torch.Generator().manual_seed(0)
    x = torch.randn(16, 2, 2, 2, generator=random, dtype=torch.float64)
    y = torch.randn(16, 3, generator=random, dtype=torch.float64)

    def loss_fn(outputs: Tensor, targets: Tensor) -> Tensor:
        return (outputs.flatten(1) - targets).square().mean()

    one = lt.sharpness(convolution, loss_fn, (x, y), norm="spectral")
    other = lt.sharpness(flat, loss_fn, (x.flatten(1), y), norm="spectral")
    assert one.value == pytest.approx(other.value)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"norm": "nuclear"}, "choose one of spectral, linf"),
        ({"norm": "linf", "restarts": 0}, "at least 1"),
        ({"norm": "linf", "method": "finite_difference"}, "exact products of one process"),
        ({"norm": "linf", "scale": {"weight": torch.ones(3, 4).double()}}, "holds a tensor"),
    ],
)
def test_what_has_no_meaning_is_refused(options: dict[str, object], message: str) -> None:
    model = linear()
    with pytest.raises(ValueError, match=message):
        lt.sharpness(model, model.loss, **options)  # type: ignore[arg-type]
