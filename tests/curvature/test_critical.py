"""Critical sharpness against quadratics and against the loss along the step."""

import copy
import math
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from lrtransfer.curvature import (
    HessianOperator,
    NonFiniteCurvatureError,
    critical_sharpness,
    directional_sharpness,
    sharpness,
)

from .cases import CASES, AttentionBlock, Case, squared_loss

TANH = next(case for case in CASES if case.name == "tanh_mlp-squared")


class Counted:
    """A loss that counts its calls."""

    def __init__(self) -> None:
        self.calls = 0

    def __call__(self, outputs: Tensor, targets: Tensor) -> Tensor:
        self.calls += 1
        return squared_loss(outputs, targets)


@pytest.fixture
def quadratic() -> tuple[nn.Module, tuple[Tensor, Tensor], Tensor]:
    """A linear net: along its gradient the loss is exactly quadratic."""
    torch.manual_seed(0)
    model = nn.Linear(5, 3).double()
    batch = torch.randn(20, 5, dtype=torch.float64), torch.randn(20, 3, dtype=torch.float64)
    return model, batch, -HessianOperator(model, squared_loss, batch).gradient


@pytest.mark.parametrize("guess", [1e-3, 0.9, 300.0])
@pytest.mark.parametrize("tolerance", [1 / 16, 1e-4])
def test_on_a_quadratic_it_is_the_step_sharpness(
    quadratic: tuple[nn.Module, tuple[Tensor, Tensor], Tensor], guess: float, tolerance: float
) -> None:
    model, batch, step = quadratic
    expected = directional_sharpness(model, squared_loss, batch, step).step_sharpness
    found = critical_sharpness(model, squared_loss, batch, step, guess=guess, tolerance=tolerance)
    assert found.converged
    assert 2 / found.high <= expected <= 2 / found.low
    assert found.value == pytest.approx(expected, rel=tolerance)


def test_a_good_guess_takes_five_forward_passes(
    quadratic: tuple[nn.Module, tuple[Tensor, Tensor], Tensor],
) -> None:
    model, batch, step = quadratic
    exact = 2 / directional_sharpness(model, squared_loss, batch, step).step_sharpness
    for factor in (0.6, 0.9, 1.1, 1.6):
        loss = Counted()
        found = critical_sharpness(model, loss, batch, step, guess=factor * exact)
        assert found.forwards == loss.calls <= 6
        assert found.converged


def test_the_bracket_holds_on_networks(case: Case) -> None:
    step = -HessianOperator(case.model, case.loss_fn, case.batch).gradient
    found = critical_sharpness(case.model, case.loss_fn, case.batch, step)
    assert found.converged
    assert found.low < found.high <= found.low * 17 / 16
    changes = []
    for eta in (found.low, found.high):
        moved = copy.deepcopy(case.model)
        trainable = [p for p in moved.parameters() if p.requires_grad]
        pieces = step.split([p.numel() for p in trainable])
        with torch.no_grad():
            for p, piece in zip(trainable, pieces, strict=True):
                p.add_(eta * piece.view_as(p))
            changes.append(case.loss_fn(moved(case.inputs), case.targets) - found.loss)
    assert changes[0] <= 1e-12
    assert changes[1] > -1e-12


def test_ragged_chunks_are_weighted_by_their_samples() -> None:
    step = -HessianOperator(TANH.model, TANH.loss_fn, TANH.batch).gradient
    whole, chunked = (
        critical_sharpness(TANH.model, TANH.loss_fn, batch, step)
        for batch in (TANH.batch, TANH.ragged)
    )
    assert chunked.loss == pytest.approx(whole.loss, abs=1e-14)
    assert chunked.value == pytest.approx(whole.value, rel=1e-9)


def test_model_and_random_state_are_left_as_found(case: Case) -> None:
    before = {name: value.clone() for name, value in case.model.state_dict().items()}
    state = torch.get_rng_state()
    step = -HessianOperator(case.model, case.loss_fn, case.batch).gradient
    critical_sharpness(case.model, case.loss_fn, case.batch, step)
    assert torch.equal(torch.get_rng_state(), state)
    for name, value in case.model.state_dict().items():
        assert torch.equal(value, before[name])


def test_fused_attention_and_dropout_work() -> None:
    model = nn.Sequential(AttentionBlock(fused=True), nn.Dropout(0.5)).double()
    batch = torch.randn(4, 3, 4, dtype=torch.float64), torch.randn(4, 3, dtype=torch.float64)
    step = -HessianOperator(model, squared_loss, batch).gradient
    one, other = (critical_sharpness(model, squared_loss, batch, step) for _ in range(2))
    assert one.converged
    assert one == other


def test_an_ascent_direction_and_a_flat_one_are_reported() -> None:
    up = HessianOperator(TANH.model, TANH.loss_fn, TANH.batch).gradient
    rising = critical_sharpness(TANH.model, TANH.loss_fn, TANH.batch, up, max_forwards=20)
    assert (rising.low, rising.converged, rising.ascent) == (0, False, True)
    assert rising.forwards <= 8
    assert math.isnan(rising.value)
    linear = nn.Linear(5, 1).double()
    down = -torch.ones(6, dtype=torch.float64)
    falling = critical_sharpness(
        linear, lambda f, y: (f - f.detach()).mean() * 0, TANH.batch, down, max_forwards=20
    )
    assert (falling.high, falling.converged, falling.ascent) == (math.inf, False, False)


def test_an_overflowing_loss_counts_as_raised() -> None:
    model = nn.Linear(1, 1, bias=False).double()
    with torch.no_grad():
        model.weight.fill_(1.0)

    def cliff(outputs: Tensor, _: Tensor) -> Tensor:
        return torch.where(outputs > 0.5, outputs, torch.nan).mean()

    x = torch.ones(3, 1, dtype=torch.float64)
    found = critical_sharpness(model, cliff, (x, x), -torch.ones(1), guess=0.01, tolerance=0.01)
    assert found.converged
    assert found.value == pytest.approx(4, rel=0.01)


def test_bad_arguments_and_a_diverged_model_raise() -> None:
    step = torch.ones(HessianOperator(TANH.model, TANH.loss_fn, TANH.batch).dim)
    for options in ({"guess": 0.0}, {"tolerance": 0.0}, {"max_forwards": 2}):
        with pytest.raises(ValueError, match="must be positive"):
            critical_sharpness(TANH.model, TANH.loss_fn, TANH.batch, step, **options)
    with pytest.raises(NonFiniteCurvatureError):
        critical_sharpness(TANH.model, TANH.loss_fn, (TANH.inputs * torch.nan, TANH.targets), step)


def plane(*curvatures: float) -> tuple[nn.Module, Callable[[], Tensor]]:
    """Return w = (1, 1) and the loss ½ Σ h w²."""
    model = nn.Linear(2, 1, bias=False).double()
    nn.init.ones_(model.weight)
    diagonal = torch.tensor(curvatures, dtype=torch.float64)
    return model, lambda: 0.5 * (diagonal * model.weight.square()).sum()


@pytest.mark.parametrize(
    ("guess", "error", "most"), [(1e-3, 0.04, 13), (0.1, 0.04, 7), (0.19, 0.04, 6), (1.0, 0.04, 8)]
)
def test_along_the_gradient_of_a_plane_it_needs_few_forward_passes(
    guess: float, error: float, most: int
) -> None:
    model, loss = plane(10.0, 1.0)
    down = torch.tensor([-10.0, -1.0])
    found = critical_sharpness(model, loss, direction=down, guess=guess)
    assert found.converged
    assert found.forwards <= most
    assert found.value == pytest.approx(9.9109, rel=error)


def test_it_measures_the_direction_not_the_top_of_the_spectrum() -> None:
    model, loss = plane(10.0, 1.0)
    newton = torch.tensor([-1.0, -1.0])
    found = critical_sharpness(model, loss, direction=newton, tolerance=1e-4)
    assert found.value == pytest.approx(1.0, rel=1e-4)


def test_the_relative_one_takes_the_loss_of_one_task_and_the_update_of_another() -> None:
    model, loss = plane(10.0, 1.0)
    with pytest.raises(ValueError, match="direction is missing"):
        critical_sharpness(model, loss)
    update = torch.tensor([-3.0, -1.0])
    found = critical_sharpness(model, loss, direction=update, tolerance=1e-5)
    assert found.value == pytest.approx(2.9355, rel=1e-4)
    assert 2 / found.value == pytest.approx(0.68132, rel=1e-4)
    other = critical_sharpness(model, loss, direction=torch.tensor([1.0, -1.0]))
    assert other.ascent
    assert math.isnan(other.value)


@pytest.mark.parametrize("guess", [1e-4, 1.0, 1e4, 1e8])
def test_a_guess_far_too_long_is_no_ascent(guess: float) -> None:
    model, loss = plane(10.0, 1.0)
    steep = critical_sharpness(
        model, lambda: (1 + loss()).log(), direction=torch.tensor([-10.0, -1.0]), guess=guess
    )
    assert not steep.ascent
    assert steep.converged


def test_a_pattern_limits_what_the_direction_moves() -> None:
    model = TANH.model
    last = [name for name, _ in model.named_parameters()][-2:]
    gradient = HessianOperator(model, TANH.loss_fn, TANH.batch, parameters=last).gradient
    part = critical_sharpness(model, TANH.loss_fn, TANH.batch, -gradient, parameters=last)
    expected = directional_sharpness(
        model,
        TANH.loss_fn,
        TANH.batch,
        torch.cat([gradient.new_zeros(42), -gradient]),
    ).step_sharpness
    assert part.value == pytest.approx(expected, rel=1 / 16)  # quadratic in the last layer


def test_a_list_is_no_direction_and_a_loss_without_its_batch_is_told() -> None:
    model = nn.Linear(2, 1)
    batch = torch.ones(3, 2), torch.ones(3, 1)
    with pytest.raises(ValueError, match="direction is a list"):
        critical_sharpness(model, nn.MSELoss(), batch, [torch.ones(2)])  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="loss_fn takes arguments and there is no batch"):
        sharpness(model, nn.MSELoss())


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("offset", [0.0, 1e-3, 1.0])
def test_at_a_minimum_it_is_not_a_number(dtype: torch.dtype, offset: float) -> None:
    model = nn.Linear(2, 1, bias=False, dtype=dtype)
    x = torch.eye(2, dtype=dtype)
    batch = x, model(x).detach()
    along = torch.tensor([1.0, 0.0], dtype=dtype)
    found = critical_sharpness(model, lambda o, t: (o - t).square().sum() + offset, batch, along)
    assert math.isnan(found.value)
    assert not found.converged


def test_a_guess_that_hits_it_exactly_converges() -> None:
    model = nn.Linear(1, 1, bias=False).double()
    nn.init.constant_(model.weight, 1.0)
    batch = torch.ones(1, 1).double(), torch.zeros(1, 1).double()
    down = torch.tensor([-1.0]).double()
    found = critical_sharpness(model, squared_loss, batch, down, guess=2.0)  # L = ½(1 − η)²
    assert found.converged
    assert found.value == pytest.approx(1.0, rel=1 / 16)


def test_complex_parameters_are_refused() -> None:
    model = nn.Linear(2, 1, dtype=torch.complex64)
    batch = torch.ones(1, 2, dtype=torch.complex64), torch.zeros(1)
    with pytest.raises(ValueError, match="complex64"):
        critical_sharpness(model, lambda o, _: o.abs().sum(), batch, torch.zeros(3))
