"""The optimizer's diagonal against the updates that torch's optimizers make."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn

from lrtransfer.curvature import HessianOperator, dense, eigenvalues, preconditioner, sharpness

from .cases import UnusedParameterNet, squared_loss

BATCH = (
    torch.randn(12, 5, generator=torch.Generator().manual_seed(0), dtype=torch.float64),
    torch.randn(12, 3, generator=torch.Generator().manual_seed(1), dtype=torch.float64),
)


def network() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(5, 4), nn.Tanh(), nn.Linear(4, 3)).double()


def train(model: nn.Module, optimizer: torch.optim.Optimizer, steps: int) -> None:
    for _ in range(steps):
        optimizer.zero_grad()
        squared_loss(model(BATCH[0]), BATCH[1]).backward()
        optimizer.step()


OPTIMIZERS: dict[str, tuple[Callable[..., torch.optim.Optimizer], dict[str, Any]]] = {
    "adam": (torch.optim.Adam, {}),
    "adam_other_betas": (torch.optim.Adam, {"betas": (0.7, 0.95), "eps": 1e-3}),
    "amsgrad": (torch.optim.Adam, {"amsgrad": True, "betas": (0.9, 0.5)}),
    "capturable": (torch.optim.Adam, {"foreach": False}),
    "adamw": (torch.optim.AdamW, {"weight_decay": 0.0, "betas": (0.8, 0.99)}),
    "rmsprop": (torch.optim.RMSprop, {"alpha": 0.9}),
    "rmsprop_momentum": (torch.optim.RMSprop, {"alpha": 0.9, "momentum": 0.5, "eps": 1e-2}),
    "rmsprop_centered": (torch.optim.RMSprop, {"alpha": 0.9, "centered": True}),
}


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_an_update_is_the_rate_times_the_diagonal_times_the_momentum(name: str) -> None:
    kind, options = OPTIMIZERS[name]
    model = network()
    groups = [
        {"params": list(model[0].parameters()), "lr": 0.01},
        {"params": list(model[2].parameters()), "lr": 0.002},
    ]
    optimizer = kind(groups, lr=1.0, **options)
    train(model, optimizer, 6)
    before = {n: p.detach().clone() for n, p in model.named_parameters()}
    velocity = {
        n: optimizer.state[p]["momentum_buffer"].clone()
        for n, p in model.named_parameters()
        if "momentum_buffer" in optimizer.state[p]
    }
    train(model, optimizer, 1)
    scale = preconditioner(model, optimizer, lr=0.01)
    for n, p in model.named_parameters():
        update = p.detach() - before[n]
        if name == "rmsprop_momentum":  # its buffer holds P⁻¹g already
            rate = 0.01 if n.startswith("0") else 0.002
            update = update + rate * 0.5 * velocity[n]
        state = optimizer.state[p]
        momentum = state.get("exp_avg", p.grad)
        torch.testing.assert_close(update, -0.01 * scale[n] * momentum, rtol=1e-9, atol=1e-14)


def test_the_first_adam_step_follows_the_reference_formula() -> None:
    model = network()
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01, eps=1e-3)
    train(model, optimizer, 1)
    scale = preconditioner(model, optimizer)
    for n, p in model.named_parameters():
        assert p.grad is not None
        expected = 1 / (0.1 * (p.grad.abs() + 1e-3))  # ν₁/(1−β₂) = g²
        torch.testing.assert_close(scale[n], expected, rtol=1e-9, atol=0)


def test_preconditioned_sharpness_is_that_of_the_unsymmetric_product() -> None:
    model = network()
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    train(model, optimizer, 5)
    scale = preconditioner(model, optimizer)
    flat = torch.cat([value.flatten() for value in scale.values()])
    matrix = dense(HessianOperator(model, squared_loss, BATCH))
    expected = torch.linalg.eigvals(flat[:, None] * matrix).real.max().item()
    found = sharpness(model, squared_loss, BATCH, scale=scale, tolerance=1e-9)
    assert found.value == pytest.approx(expected, rel=1e-9)


def quadratic(kind: type[Any], factor: float, **options: Any) -> float:
    """Return the loss after many steps at `factor` times the edge, ν held at its value."""
    model = nn.Linear(4, 1, bias=False).double()
    x = torch.randn(30, 4, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    batch = x, x.sum(dim=1, keepdim=True)
    optimizer = kind(model.parameters(), lr=1e-9, **options)
    fixed = torch.tensor([[0.2, 1.0, 3.0, 0.5]], dtype=torch.float64)

    def step() -> float:
        optimizer.zero_grad()
        loss = 0.5 * ((model(x) - batch[1]) ** 2).mean()
        loss.backward()
        for state in optimizer.state.values():
            key = "exp_avg_sq" if "exp_avg_sq" in state else "square_avg"
            state[key].copy_(fixed)
            state["step"] = torch.tensor(1e8)  # past both bias corrections
        optimizer.step()
        return loss.item()

    step()
    step()
    scale = preconditioner(model, optimizer, lr=1.0)["weight"] * 1e9  # rates are 1e-9 here
    top = eigenvalues(
        HessianOperator(
            model, lambda f, y: 0.5 * ((f - y) ** 2).mean(), batch, scale={"weight": scale}
        ),
        tolerance=1e-9,
    ).values.item()
    first = options.get("betas", (0.0,))[0]
    momentum = options.get("momentum", 0.0)
    edge = 2 * (1 + first) / (1 - first) if first else 2 * (1 + momentum)
    optimizer.param_groups[0]["lr"] = factor * edge / top
    for _ in range(1500):
        loss = step()
    return loss


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        (torch.optim.Adam, {"betas": (0.9, 1 - 1e-12)}),
        (torch.optim.RMSprop, {"alpha": 1 - 1e-12}),
        (torch.optim.RMSprop, {"alpha": 1 - 1e-12, "momentum": 0.6}),
    ],
    ids=["adam", "rmsprop", "rmsprop with momentum"],
)
def test_a_frozen_preconditioner_diverges_just_above_its_edge(
    kind: type[torch.optim.Optimizer], options: dict[str, Any]
) -> None:
    assert quadratic(kind, 0.98, **options) < 1e-3
    assert quadratic(kind, 1.02, **options) > 1e3


def test_an_unused_parameter_is_not_moved_and_has_scale_zero() -> None:
    torch.manual_seed(0)
    model = UnusedParameterNet().double()
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    train(model, optimizer, 2)
    scale = preconditioner(model, optimizer)
    assert torch.equal(scale["spare"], torch.zeros(4, dtype=torch.float64))
    assert "body.0.bias" not in scale
    assert sharpness(model, squared_loss, BATCH, scale=scale).value > 0


def test_the_optimizer_is_left_as_found() -> None:
    model = network()
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    train(model, optimizer, 2)
    before = [s["exp_avg_sq"].clone() for s in optimizer.state.values()]
    preconditioner(model, optimizer)
    for old, state in zip(before, optimizer.state.values(), strict=True):
        assert torch.equal(old, state["exp_avg_sq"])


@pytest.mark.parametrize(
    "kind", [torch.optim.SGD, torch.optim.NAdam, torch.optim.Adagrad, torch.optim.Adamax]
)
def test_unsupported_optimizers_are_refused_by_name(kind: type[Any]) -> None:
    model = network()
    optimizer = kind(model.parameters(), lr=0.01)
    train(model, optimizer, 1)
    with pytest.raises(ValueError, match=f"{kind.__name__}; supported are"):
        preconditioner(model, optimizer)


def test_a_subclass_of_adam_is_refused() -> None:
    class Lookahead(torch.optim.Adam):
        pass

    model = network()
    with pytest.raises(ValueError, match="Lookahead"):
        preconditioner(model, Lookahead(model.parameters()))


def test_states_that_say_nothing_raise() -> None:
    model = network()
    with pytest.raises(ValueError, match="take a step"):
        preconditioner(model, torch.optim.Adam(model.parameters()))
    with pytest.raises(ValueError, match="maximizes"):
        preconditioner(model, torch.optim.Adam(model.parameters(), maximize=True))
    optimizer = torch.optim.Adam(model.parameters(), eps=0.0)
    with torch.no_grad():
        model[2].weight.zero_()  # the first layer's gradient vanishes
    train(model, optimizer, 1)
    with pytest.raises(ValueError, match=r"'0.weight' has entries that are zero"):
        preconditioner(model, optimizer)


def test_a_nan_gradient_is_noticed() -> None:
    model = network()
    optimizer = torch.optim.RMSprop(model.parameters())
    for p in model.parameters():
        p.grad = torch.full_like(p, torch.nan)
    optimizer.step()
    with pytest.raises(ValueError, match="not finite"):
        preconditioner(model, optimizer)
