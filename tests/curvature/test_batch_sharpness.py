"""Batch sharpness and gradient-noise interaction against direct sums."""

import itertools
import math

import pytest
import torch
from torch import Tensor, nn

from lrtransfer.curvature import (
    HessianOperator,
    batch_sharpness,
    directional_sharpness,
    gradient_noise_interaction,
    mini_batches,
)

from .cases import CASES, squared_loss

TANH = next(case for case in CASES if case.name == "tanh_mlp-squared")
SCALE = {"0.weight": 2.0, "0.bias": 0.5, "2.weight": 1.0, "2.bias": 3.0}


def pairs_of(size: int) -> list[tuple[Tensor, Tensor]]:
    """Every mini-batch of `size` of the ten samples, once."""
    rows = [list(chosen) for chosen in itertools.combinations(range(10), size)]
    return [(TANH.inputs[r], TANH.targets[r]) for r in rows]


def quotients(scale: dict[str, float] | None) -> tuple[Tensor, Tensor]:
    above, below = [], []
    for batch in pairs_of(2):
        operator = HessianOperator(TANH.model, TANH.loss_fn, batch, scale=scale)
        g = operator.scaled_gradient
        above.append(g @ operator(g))
        below.append(g @ g)
    return torch.stack(above), torch.stack(below)


@pytest.mark.parametrize("scale", [None, SCALE], ids=["plain", "scaled"])
def test_it_is_the_mean_quotient_over_mini_batches(scale: dict[str, float] | None) -> None:
    above, below = quotients(scale)
    found = batch_sharpness(TANH.model, TANH.loss_fn, pairs_of(2), scale=scale, tolerance=1e-9)
    assert found.value == pytest.approx((above / below).mean().item(), rel=1e-12)
    assert found.ratio_of_means == pytest.approx((above.sum() / below.sum()).item(), rel=1e-12)
    expected = (above / below).std().item() / math.sqrt(45)
    assert found.standard_error == pytest.approx(expected, rel=1e-10)
    assert (found.batches, found.products, found.converged) == (45, 45, False)


def test_the_full_batch_gives_the_directional_sharpness_of_the_gradient() -> None:
    expected = directional_sharpness(TANH.model, TANH.loss_fn, TANH.batch, scale=SCALE).value
    for found in (
        batch_sharpness(TANH.model, TANH.loss_fn, [TANH.batch], scale=SCALE),
        gradient_noise_interaction(TANH.model, TANH.loss_fn, TANH.batch, [TANH.batch], scale=SCALE),
    ):
        assert found.value == pytest.approx(expected, rel=1e-10)
        assert math.isnan(found.standard_error)
        assert not found.converged


def test_interaction_is_the_full_curvature_along_noisy_gradients() -> None:
    full = HessianOperator(TANH.model, TANH.loss_fn, TANH.batch)
    terms = []
    for batch in pairs_of(2):
        g = HessianOperator(TANH.model, TANH.loss_fn, batch).gradient
        terms.append(g @ full(g))
    expected = torch.stack(terms).mean() / (full.gradient @ full.gradient)
    found = gradient_noise_interaction(
        TANH.model, TANH.loss_fn, TANH.batch, pairs_of(2), tolerance=1e-9
    )
    assert found.value == pytest.approx(expected.item(), rel=1e-10)
    assert found.ratio_of_means == pytest.approx(found.value)


def test_interaction_predicts_the_mean_rise_of_sgd_on_a_quadratic() -> None:
    """E_B L(θ−ηg_B) − L(θ) = −η‖g‖² + ½η²‖g‖²·GNI, exactly: zero at η = 2/GNI."""
    torch.manual_seed(0)
    model = nn.Linear(5, 3).double()
    found = gradient_noise_interaction(model, squared_loss, TANH.batch, pairs_of(1), tolerance=1e-9)
    start = [p.detach().clone() for p in model.parameters()]
    loss = squared_loss(model(TANH.inputs), TANH.targets).item()
    moved = []
    for x, y in pairs_of(1):
        gradient = torch.autograd.grad(squared_loss(model(x), y), list(model.parameters()))
        with torch.no_grad():
            for p, g in zip(model.parameters(), gradient, strict=True):
                p.sub_(2 / found.value * g)
            moved.append(squared_loss(model(TANH.inputs), TANH.targets).item())
            for p, old in zip(model.parameters(), start, strict=True):
                p.copy_(old)
    assert sum(moved) / len(moved) == pytest.approx(loss, rel=1e-10)


def test_random_mini_batches_agree_within_the_error_and_stop_early() -> None:
    above, below = quotients(None)
    found = batch_sharpness(TANH.model, TANH.loss_fn, mini_batches(TANH.batch, 2), tolerance=0.05)
    assert found.converged
    assert 8 <= found.batches < 1000
    assert abs(found.value - (above / below).mean().item()) < 4 * found.standard_error
    capped = batch_sharpness(
        TANH.model, TANH.loss_fn, mini_batches(TANH.batch, 2), tolerance=1e-6, max_batches=9
    )
    assert (capped.batches, capped.converged) == (9, False)


def test_empty_or_gradient_free_batches_and_bad_arguments_raise() -> None:
    model, loss_fn = TANH.model, TANH.loss_fn
    with pytest.raises(ValueError, match="batches is empty"):
        batch_sharpness(model, loss_fn, [])
    with pytest.raises(ValueError, match="gradient of mini-batch 0 is zero"):
        batch_sharpness(model, lambda f, y: 0 * f.sum(), [TANH.batch])
    with pytest.raises(ValueError, match="tolerance"):
        batch_sharpness(model, loss_fn, [TANH.batch], tolerance=0)


def test_mini_batches_draw_masks_of_their_own_and_leave_the_random_state() -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(4, 8), nn.Dropout(0.5), nn.Linear(8, 1)).double()
    batch = torch.randn(6, 4).double(), torch.randn(6, 1).double()
    before = torch.get_rng_state()
    found = batch_sharpness(model, squared_loss, [batch] * 200, tolerance=1e-9)
    assert torch.equal(torch.get_rng_state(), before)
    again = batch_sharpness(model, squared_loss, [batch] * 200, tolerance=1e-9)
    assert again == found
    torch.manual_seed(7)
    other = batch_sharpness(model, squared_loss, [batch] * 200, tolerance=1e-9)
    apart = abs(other.value - found.value)
    assert 0 < apart < 4 * math.hypot(other.standard_error, found.standard_error)
