"""Effective rates: what they are, what training depends on, and what is refused."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

import lrtransfer as lt
from lrtransfer.alignment.effective_rate import (
    UnknownEffectiveRateError,
    effective_rates,
    force_effective_rates,
)


class Invariant(nn.Module):
    """Two matrices whose scale the outputs do not see: a norm without ε follows the first."""

    def __init__(self) -> None:
        super().__init__()
        random = torch.Generator().manual_seed(0)
        self.first = nn.Parameter(torch.randn(8, 5, generator=random, dtype=torch.float64))
        self.second = nn.Parameter(torch.randn(3, 8, generator=random, dtype=torch.float64))

    def forward(self, x: Tensor) -> Tensor:
        hidden = torch.tanh(x @ self.first.T / self.first.norm())
        return hidden @ self.second.T / self.second.norm()


def data() -> tuple[Tensor, Tensor]:
    random = torch.Generator().manual_seed(1)
    x = torch.randn(32, 5, generator=random, dtype=torch.float64)
    return x, torch.arange(32) % 3


def losses(
    kind: type[torch.optim.Optimizer],
    options: dict[str, Any],
    rates: list[float],
    *,
    forced: list[dict[str, float]] | None = None,
) -> tuple[list[float], list[dict[str, float]]]:
    """Train at given rates, forced to effective rates if asked; return losses and those rates."""
    model, (x, y) = Invariant(), data()
    optimizer = kind(model.parameters(), lr=rates[0], **options)  # type: ignore[call-arg]
    found, effective = [], []
    for step, rate in enumerate(rates):
        for group in optimizer.param_groups:
            group["lr"] = rate
        if forced is not None:
            force_effective_rates(model, optimizer, forced[step])
        effective.append(effective_rates(model, optimizer))
        optimizer.zero_grad()
        loss = functional.cross_entropy(model(x), y)
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        found.append(loss.item())
    return found, effective


STEPS = 60
OSCILLATING = [0.05 * (1.5 + math.sin(step / 3)) for step in range(STEPS)]


def test_the_rate_is_over_the_norm_and_for_sgd_over_its_square() -> None:
    linear, convolution = nn.Linear(2, 2), nn.Conv1d(1, 1, 2, bias=False)
    nn.init.constant_(linear.weight, 1.0)  # norm 2
    nn.init.constant_(convolution.weight, 0.0)
    model = nn.Sequential(linear, convolution)
    groups: list[dict[str, Any]] = [
        {"params": linear.parameters(), "lr": 0.4},
        {"params": convolution.parameters()},
    ]
    adam = torch.optim.AdamW(groups, lr=0.1)
    assert effective_rates(model, adam) == {"0.weight": 0.2, "1.weight": math.inf}
    sgd = torch.optim.SGD(model.parameters(), lr=0.4)
    assert effective_rates(model, sgd)["0.weight"] == pytest.approx(0.1)
    before = {"0.weight": 2 * linear.weight.detach()}  # the other is the model's own
    assert effective_rates(model, adam, weights=before)["0.weight"] == pytest.approx(0.1)


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        (torch.optim.Adam, {"eps": 0.0}),
        (torch.optim.Muon, {"weight_decay": 0.0}),
        (torch.optim.SGD, {"momentum": 0.9}),
    ],
)
def test_rates_and_norms_of_another_size_with_equal_effective_rates_train_alike(
    kind: type[torch.optim.Optimizer], options: dict[str, Any]
) -> None:
    rate = 1.0 if kind is torch.optim.SGD else 0.05
    one, effective = losses(kind, options, [rate] * STEPS)
    other, again = losses(kind, options, [4 * rate] * STEPS, forced=effective)
    apart, _ = losses(kind, options, [4 * rate] * STEPS)
    exact = 0.02 if kind is torch.optim.Muon else 1e-9  # Newton-Schulz rounds to bfloat16
    assert other == pytest.approx(one, rel=exact)
    assert again[-1] == pytest.approx(effective[-1], rel=exact)
    assert max(abs(a - b) for a, b in zip(apart, one, strict=True)) > 0.02


def test_oscillating_rates_are_undone_exactly_without_memory() -> None:
    options: dict[str, Any] = {"betas": (0.0, 0.0), "eps": 0.0}
    one, effective = losses(torch.optim.Adam, options, [0.05] * STEPS)
    other, _ = losses(torch.optim.Adam, options, OSCILLATING, forced=effective)
    assert other == pytest.approx(one, rel=1e-9)


def test_forcing_decayed_rates_takes_most_of_what_decay_does() -> None:
    decayed, effective = losses(torch.optim.AdamW, {"weight_decay": 2.0}, [0.05] * STEPS)
    forced, _ = losses(torch.optim.AdamW, {"weight_decay": 0.0}, [0.05] * STEPS, forced=effective)
    plain, _ = losses(torch.optim.AdamW, {"weight_decay": 0.0}, [0.05] * STEPS)

    def distance(one: list[float]) -> float:
        return sum(abs(a - b) for a, b in zip(one, decayed, strict=True)) / STEPS

    assert distance(forced) < distance(plain) / 4


def test_in_equilibrium_it_is_the_root_of_twice_rate_times_decay_over_the_update() -> None:
    """AdamW at β₁ = 0 on noise: η_eff·‖u‖ = √(2ηλ), to first order in ηλ."""
    random = torch.Generator().manual_seed(0)
    w = nn.Parameter(torch.randn(64, 64, generator=random, dtype=torch.float64))
    model = nn.Module()
    model.w = w
    rate, decay = 0.01, 1.0
    optimizer = torch.optim.AdamW([w], lr=rate, weight_decay=decay, betas=(0.0, 0.0), eps=0.0)
    for _ in range(800):
        w.grad = torch.randn(64, 64, generator=random, dtype=torch.float64)
        optimizer.step()
    found = effective_rates(model, optimizer)["w"] * 64  # ‖±1‖ of 64²
    exact = math.sqrt(2 * rate * decay - (rate * decay) ** 2)
    assert found == pytest.approx(exact, rel=0.01)


def test_another_optimizer_is_refused_unless_its_power_is_given() -> None:
    model = nn.Linear(2, 2, bias=False)
    optimizer = torch.optim.Adagrad(model.parameters(), lr=0.1)
    with pytest.raises(UnknownEffectiveRateError, match="Adagrad scale with the gradient is not"):
        effective_rates(model, optimizer)
    with pytest.raises(UnknownEffectiveRateError, match="pass power=1"):
        force_effective_rates(model, optimizer, {})
    one = effective_rates(model, optimizer, power=1)["weight"]
    assert one == pytest.approx(0.1 / model.weight.norm().item())

    class AdamW(torch.optim.AdamW):
        """It may scale as it likes."""

    with pytest.raises(UnknownEffectiveRateError):
        effective_rates(model, AdamW(model.parameters()))


def test_optimizers_of_this_package_are_known_and_tuners_refused() -> None:
    model = nn.Linear(2, 2, bias=False)
    norm = model.weight.norm().item()
    own = [model.weight]
    for optimizer, power in (
        (lt.Muon(own, lr=0.1), 1),
        (lt.make_optimizer([{"params": own, "lr": 0.1, "optimizer": "momentum"}]), 2),
        (grouped(model.weight), 1),
    ):
        found = effective_rates(model, optimizer)["weight"]
        assert found == pytest.approx(0.1 / norm**power)
    tuner = lt.CDAT(torch.optim.SGD(own, lr=1.0))
    with pytest.raises(UnknownEffectiveRateError, match="CDAT chooses the rate of each step"):
        effective_rates(model, tuner, power=2)


def grouped(weight: Tensor) -> torch.optim.Optimizer:
    groups = [
        {"params": [weight], "lr": 0.1, "optimizer": "muon"},
        {"params": [nn.Parameter(torch.ones(1))], "lr": 0.1, "optimizer": "sgd"},
    ]
    return lt.make_optimizer(groups)


def test_what_cannot_be_forced_stays_or_is_refused() -> None:
    model = nn.Linear(2, 2)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.0)
    before = model.weight.detach().clone()
    force_effective_rates(model, optimizer, {"weight": 0.1})  # no rate now
    assert torch.equal(model.weight, before)
    optimizer.param_groups[0]["lr"] = 0.1
    force_effective_rates(model, optimizer, {"weight": math.inf})  # zeros there
    assert torch.equal(model.weight, before)
    with pytest.raises(ValueError, match="'bias', no matrix"):
        force_effective_rates(model, optimizer, {"bias": 0.1})
    with pytest.raises(ValueError, match="must be positive"):
        force_effective_rates(model, optimizer, {"weight": 0.0})
    two = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2))
    first = two.get_parameter("0.weight").detach().clone()
    adam = torch.optim.Adam(two.parameters(), lr=0.1)
    with pytest.raises(ValueError, match=r"'1\.weight' is -1\.0"):
        force_effective_rates(two, adam, {"0.weight": 0.5, "1.weight": -1.0})
    assert torch.equal(two.get_parameter("0.weight"), first), "nothing moves before all are checked"
    force_effective_rates(model, optimizer, {"weight": math.nan})
    assert model.weight.isnan().all()
