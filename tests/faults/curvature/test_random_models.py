"""Random small models: curvature equals differences of gradients in float64, or is refused."""

import random
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

import lrtransfer as lt
from lrtransfer.curvature import HessianOperator, directional_sharpness, sharpness

from .test_graphs import Cube, DetachedCube, MarkedCube

# A fourth-order difference: an error of h⁴ (seen where BatchNorm is steep) and one of ε/h.
STEP, COEFFICIENTS = 1e-4, {-2: 1 / 12, -1: -2 / 3, 1: 2 / 3, 2: -1 / 12}


class Shifted(nn.Module):
    """Has a buffer, works in place."""

    shift: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("shift", torch.randn(5))

    def forward(self, x: Tensor) -> Any:
        return (x + self.shift).mul_(1.5).tanh_()


class Apply(nn.Module):
    def __init__(self, function: Any) -> None:
        super().__init__()
        self.function = function

    def forward(self, x: Tensor) -> Any:
        return self.function.apply(0.5 * x.tanh())


class Checkpointed(nn.Module):
    def __init__(self, inner: nn.Module, reentrant: bool) -> None:
        super().__init__()
        self.inner, self.reentrant = inner, reentrant

    def forward(self, x: Tensor) -> Any:
        x = x if x.requires_grad else x.clone().requires_grad_()
        return checkpoint(self.inner, x, use_reentrant=self.reentrant)


def random_model(draw: random.Random) -> nn.Module:
    tied = nn.Linear(5, 5)
    makers: list[Any] = [
        lambda: nn.Linear(5, 5),
        lambda: tied,
        nn.Tanh,
        nn.GELU,
        Shifted,
        lambda: nn.LayerNorm(5),
        lambda: nn.BatchNorm1d(5).train(draw.random() < 0.5),
        lambda: nn.Dropout(0.2),
        lambda: Apply(draw.choice([Cube, Cube, Cube, MarkedCube, DetachedCube])),
    ]
    layers: list[nn.Module] = [nn.Linear(4, 5)]
    for _ in range(draw.randint(1, 5)):
        layer = draw.choice(makers)()
        if draw.random() < 0.2:
            layer = Checkpointed(nn.Sequential(nn.Linear(5, 5), layer), draw.random() < 0.3)
        layers.append(layer)
    return nn.Sequential(*layers, nn.Linear(5, 3)).double()


def disagreement(seed: int) -> float | None:
    """Largest relative error of three measures on one random model; None where one refuses."""
    draw = random.Random(seed)
    torch.manual_seed(seed)
    model = random_model(draw)
    batch = torch.randn(6, 4, dtype=torch.float64), torch.randint(3, (6,))
    vector = torch.randn(sum(p.numel() for p in model.parameters()), dtype=torch.float64)
    vector /= vector.norm()

    def gradient(shift: Any) -> Tensor:
        """Gradient of plain autograd at shifted parameters, where every `.grad` is right."""
        parameters = list(model.parameters())
        pieces = shift.split([p.numel() for p in parameters])
        buffers = [b.clone() for b in model.buffers()]
        state = torch.get_rng_state()
        for sign in (1, 0, -1):
            if sign:
                with torch.no_grad():
                    for parameter, piece in zip(parameters, pieces, strict=True):
                        parameter.add_(piece.view_as(parameter), alpha=sign)
                continue
            model.zero_grad()
            loss: Any = F.cross_entropy(model(batch[0]), batch[1])
            loss.backward()
        torch.set_rng_state(state)
        for buffer, before in zip(model.buffers(), buffers, strict=True):
            buffer.copy_(before)
        grads = [torch.zeros_like(p) if p.grad is None else p.grad for p in parameters]
        model.zero_grad()
        return torch.cat([grad.flatten() for grad in grads])

    def product(u: Tensor) -> Tensor:
        terms = [c * gradient(s * STEP * u) for s, c in COEFFICIENTS.items()]
        return torch.stack(terms).sum(0) / STEP

    exact, slope = product(vector), gradient(torch.zeros_like(vector))
    try:
        top = sharpness(model, F.cross_entropy, batch, tolerance=1e-6)
        along = directional_sharpness(model, F.cross_entropy, batch, vector).value
        found = HessianOperator(model, F.cross_entropy, batch)(vector)
    except ValueError:
        return None
    scale = max(top.value, -top.smallest, exact.norm().item(), 1e-3)
    errors = [
        (found - exact).norm().item(),
        abs(along - (vector @ exact).item()),
        (product(top.eigenvector) - top.value * top.eigenvector).norm().item(),
    ]
    u = -slope
    curvature = (u @ product(u / u.norm())).item() * u.norm().item()
    if curvature > 1e-3 * scale * (u @ u).item():
        state = torch.get_rng_state()
        tuner = lt.CDAT(torch.optim.SGD(model.parameters(), lr=1.0), sigma=2.0)
        torch.set_rng_state(state)
        before = nn.utils.parameters_to_vector(model.parameters()).detach().clone()
        tuner.step(lambda: F.cross_entropy(model(batch[0]), batch[1]))
        moved = nn.utils.parameters_to_vector(model.parameters()).detach() - before
        rate = 2 * (slope @ slope).item() / curvature
        errors.append((moved - rate * u).norm().item() / (rate * u.norm().item()) * scale)
    return float(max(errors) / scale)


@pytest.mark.parametrize("seed", range(12))
def test_a_random_model_is_measured_right_or_refused(seed: int) -> None:
    assert (disagreement(seed) or 0.0) < 1e-4


@pytest.mark.long
def test_two_thousand_random_models_are_measured_right_or_refused() -> None:
    errors = {seed: disagreement(seed) for seed in range(2000)}
    wrong = {seed: error for seed, error in errors.items() if error is not None and error >= 1e-4}
    assert not wrong
    assert sum(error is None for error in errors.values()) < 1000
