"""Batch and duration: the rules' tables, τ, clipping, and what no source tells."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from torch import nn

import lrtransfer as lt
from lrtransfer.scaling.horizon import horizon


@pytest.mark.parametrize(
    ("batch", "duration", "rate", "epsilon", "beta1", "beta2", "steps"),
    [
        (4.0, 1.0, 2.0, 0.5, 0.6, 0.80, 0.25),
        (1.0, 4.0, 0.5, 2.0, 0.975, 0.9875, 4.0),
        (4.0, 4.0, 1.0, 1.0, 0.9, 0.95, 1.0),
    ],
)
def test_the_table_of_the_sde_rule(
    batch: float,
    duration: float,
    rate: float,
    epsilon: float,
    beta1: float,
    beta2: float,
    steps: float,
) -> None:
    found = horizon("sde", "adamw", batch=batch, duration=duration, betas=(0.9, 0.95))
    assert (found.learning_rate, found.weight_decay, found.epsilon) == (rate, rate, epsilon)
    assert found.betas == pytest.approx((beta1, beta2))
    assert not found.clipped
    assert rate * rate * steps == pytest.approx(1.0)  # τ stays


@pytest.mark.parametrize("rule", ["sde", "root_batch"])
def test_the_time_scale_stays_under_a_rule(rule: Any) -> None:
    base = {"names": ["w"], "params": [], "lr": 1e-3, "weight_decay": 0.1, "optimizer": "adamw"}
    (before,) = lt.time_scales([base], steps=1000).values()
    for batch, duration in ((4.0, 1.0), (0.5, 8.0), (2.0, 2.0)):
        groups = lt.rescale([base], rule, batch=batch, duration=duration, betas=(0.9, 0.95))
        (after,) = lt.time_scales(groups, steps=int(1000 * duration / batch)).values()
        assert after == pytest.approx(before)


def test_a_beta_below_zero_is_clipped_and_said() -> None:
    group = {"names": ["w"], "params": [], "lr": 1.0, "weight_decay": 0.0, "optimizer": "adamw"}
    with pytest.warns(UserWarning, match=r"too large for its duration: β1 = -0\.6 is clipped to 0"):
        (found,) = lt.rescale([group], "sde", batch=16.0, betas=(0.9, 0.99))
    assert found["betas"] == pytest.approx((0.0, 0.84))
    assert horizon("sde", "adamw", batch=10.0, betas=(0.9, 0.99)).betas == pytest.approx((0.0, 0.9))


def test_the_law_of_hyper_p() -> None:
    # Its fit at 208M parameters: 24.27·T^-0.320 at three durations.
    for tokens, rate in ((10.4e9, 0.01512), (41.6e9, 0.00970), (166.4e9, 0.00623)):
        found = horizon("hyper_p", "muonh", duration=tokens / 10.4e9)
        assert 0.01512 * found.learning_rate == pytest.approx(rate, rel=2e-3)
        assert 24.27 * tokens**-0.320 == pytest.approx(rate, rel=2e-3)
    assert horizon("hyper_p", "muonh", duration=10).learning_rate == pytest.approx(0.479, abs=5e-4)
    found = horizon("hyper_p", "muonh", batch=4.0)
    assert (found.learning_rate, found.weight_decay, found.betas) == (2.0, 1.0, None)
    rest = horizon("hyper_p", "adamw", batch=4.0, duration=2.0, betas=(0.9, 0.99))
    assert rest.learning_rate == pytest.approx(math.sqrt(2))
    assert rest.epsilon == pytest.approx(1 / math.sqrt(2))
    assert rest.betas == pytest.approx((0.9, 0.99**4))
    low = horizon("hyper_p", "adamw", batch=40.0, betas=(0.9, 0.99))
    assert low.betas == (0.9, 0.9) and "β2" in low.clipped


@pytest.mark.parametrize(
    ("rule", "optimizer", "options", "message"),
    [
        ("sde", "muon", {}, "no source tells the rule sde for muon. It is for adam, adamw"),
        ("sde", "sgd", {}, "no source tells the rule sde for sgd"),
        ("hyper_p", "muon", {}, "no source tells the rule hyper_p for muon"),
        ("cube_root", "adamw", {}, "rule is 'cube_root'. Give one of sde"),
        ("sde", "adamw", {"batch": 0.0}, "batch is 0.0. Give a positive factor"),
    ],
)
def test_what_no_source_tells_is_refused(
    rule: Any, optimizer: str, options: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValueError, match=message.replace(".", r"\.")):
        horizon(rule, optimizer, **options)


def test_groups_of_a_plan_are_scaled_and_stay_as_they_are() -> None:
    model = nn.Sequential(nn.Linear(4, 16), nn.Linear(16, 16), nn.Linear(16, 2))
    base = nn.Sequential(nn.Linear(4, 8), nn.Linear(8, 8), nn.Linear(8, 2))
    groups = lt.parameterize(model, "mup", base=base, optimizer="adamw", lr=1e-3, weight_decay=0.1)
    with pytest.raises(ValueError, match=r"scales β₁ and β₂\. Give betas="):
        lt.rescale(groups, "sde", batch=2.0)
    found = lt.rescale(groups, "sde", batch=2.0, betas=(0.9, 0.95))
    for before, after in zip(groups, found, strict=True):
        for name, factor in (("lr", 2**0.5), ("relative_rate", 2**0.5), ("eps", 2**-0.5)):
            assert after[name] == pytest.approx(before[name] * factor)
        assert "betas" not in before
    optimizer = lt.make_optimizer(found, model=model)
    assert isinstance(optimizer, torch.optim.AdamW)
    assert optimizer.param_groups[0]["betas"] == pytest.approx((0.8, 0.9))


def test_a_tensor_without_decay_averages_for_ever() -> None:
    groups = [{"names": ["w"], "lr": 0.1, "weight_decay": 0.0}]
    assert lt.time_scales(groups, steps=10) == {"w": math.inf}
    with pytest.raises(ValueError, match="steps is 0"):
        lt.time_scales(groups, steps=0)


def test_a_scheduler_of_before_does_not_bring_the_former_rates_back() -> None:
    weight = nn.Parameter(torch.ones(1))
    group = {"params": [weight], "lr": 1e-3, "optimizer": "adamw"}
    before = torch.optim.AdamW([group])
    torch.optim.lr_scheduler.LambdaLR(before, lambda step: 1.0)
    found = lt.rescale(before.param_groups, "root_batch", batch=4.0)
    optimizer = lt.make_optimizer(found)
    torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: 1.0)
    assert optimizer.param_groups[0]["lr"] == pytest.approx(2e-3)
