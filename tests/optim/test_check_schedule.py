"""Which schedules keep two groups at 16:1, and that a dry run leaves the optimizer alone."""

from __future__ import annotations

import math
from collections.abc import Callable
from copy import deepcopy
from typing import Any

import pytest
import torch
from torch import nn
from torch.optim import lr_scheduler as torchs
from torch.optim.swa_utils import SWALR
from transformers import get_scheduler

import lrtransfer as lt

T = 60
RATES = [1.6, 0.1]
Make = Callable[[Any], Any]


def huggingface(name: str, **options: Any) -> Make:
    return lambda opt: get_scheduler(
        name, opt, num_warmup_steps=5, num_training_steps=T, scheduler_specific_kwargs=options
    )


KEEP: dict[str, Make] = {
    "lambda": lambda opt: torchs.LambdaLR(opt, lambda step: 1 / (1 + step)),
    "lambda from zero": lambda opt: torchs.LambdaLR(opt, lambda step: min(1.0, step / 9)),
    "multiplicative": lambda opt: torchs.MultiplicativeLR(opt, lambda step: 0.9),
    "step": lambda opt: torchs.StepLR(opt, 7),
    "multistep": lambda opt: torchs.MultiStepLR(opt, [3, 30]),
    "exponential": lambda opt: torchs.ExponentialLR(opt, 0.9),
    "constant": lambda opt: torchs.ConstantLR(opt),
    "linear": lambda opt: torchs.LinearLR(opt),
    "polynomial": lambda opt: torchs.PolynomialLR(opt, T),
    "cosine": lambda opt: torchs.CosineAnnealingLR(opt, T),
    "one cycle, a list": lambda opt: torchs.OneCycleLR(opt, RATES, total_steps=T),
    "plateau": lambda opt: torchs.ReduceLROnPlateau(opt, patience=2),
    "sequence": lambda opt: torchs.SequentialLR(
        opt, [torchs.LinearLR(opt), torchs.CosineAnnealingLR(opt, T - 9)], [9]
    ),
    "chain": lambda opt: torchs.ChainedScheduler(
        [torchs.ConstantLR(opt), torchs.ExponentialLR(opt, 0.9)]
    ),
    "hf linear": huggingface("linear"),
    "hf cosine": huggingface("cosine"),
    "hf restarts": huggingface("cosine_with_restarts"),
    "hf polynomial": huggingface("polynomial"),
    "hf inverse square root": huggingface("inverse_sqrt"),
    "hf least rate": huggingface("cosine_with_min_lr", min_lr=1e-4),
    "hf stable": huggingface("warmup_stable_decay", num_decay_steps=9),
}
BREAK: dict[str, tuple[Make, str]] = {
    "cosine": (lambda opt: torchs.CosineAnnealingLR(opt, T, eta_min=0.01), "CosineAnnealingLR"),
    "restarts": (
        lambda opt: torchs.CosineAnnealingWarmRestarts(opt, 20, eta_min=0.01),
        "CosineAnnealingWarmRestarts",
    ),
    "one cycle": (lambda opt: torchs.OneCycleLR(opt, 1.6, total_steps=T), "OneCycleLR"),
    "cycle": (lambda opt: torchs.CyclicLR(opt, 0.01, 0.1), "CyclicLR"),
    "swa": (lambda opt: SWALR(opt, 0.05), "SWALR"),
    "plateau": (
        lambda opt: torchs.ReduceLROnPlateau(opt, patience=2, min_lr=0.01),
        "ReduceLROnPlateau",
    ),
    "sequence": (
        lambda opt: torchs.SequentialLR(
            opt, [torchs.LinearLR(opt), torchs.CosineAnnealingLR(opt, T, eta_min=0.01)], [9]
        ),
        "CosineAnnealingLR in SequentialLR",
    ),
}


def optimizer(kind: Any = torch.optim.SGD, **options: Any) -> torch.optim.Optimizer:
    rates = [torch.tensor(r) for r in RATES] if options.pop("tensors", False) else RATES
    groups = [
        {"params": [nn.Parameter(torch.ones(1))], "lr": rate, "role": role}
        for rate, role in zip(rates, ("embedding", "hidden"), strict=True)
    ]
    return kind(groups, **{"lr": 1.6, "momentum": 0.9, **options})


@pytest.mark.parametrize("name", KEEP)
def test_a_schedule_of_factors_keeps_the_ratio(name: str) -> None:
    opt = optimizer()
    lt.check_schedule(opt, KEEP[name], steps=2 * T)
    made = KEEP[name](opt)
    for _ in range(T - 1):
        opt.step()
        made.step(*[1.0] * isinstance(made, torchs.ReduceLROnPlateau))
        wide, narrow = (float(group["lr"]) for group in opt.param_groups)
        assert wide == pytest.approx(16 * narrow, rel=1e-6, abs=1e-6)


@pytest.mark.parametrize("name", BREAK)
def test_a_schedule_with_an_absolute_rate_is_named_with_the_group(name: str) -> None:
    make, said = BREAK[name]
    with pytest.raises(lt.ScheduleError, match=rf"^{said} does not.* hidden is at .* embedding at"):
        lt.check_schedule(optimizer(), make)


def test_the_optimizer_is_left_alone_and_may_be_scheduled_already() -> None:
    opt = optimizer()
    schedule = torchs.LambdaLR(opt, lambda step: math.exp(-step))
    opt.step()
    schedule.step()
    before = deepcopy(opt.state_dict())
    lt.check_schedule(opt, KEEP["cosine"])
    assert opt.state_dict() == before


@pytest.mark.parametrize("options", [{"fused": True}, {"capturable": True, "foreach": True}])
def test_rates_that_are_tensors_are_not_moved(options: dict[str, Any]) -> None:
    def adamw(groups: Any, **given: Any) -> torch.optim.Optimizer:
        return torch.optim.AdamW(groups, **{k: v for k, v in given.items() if k != "momentum"})

    opt = optimizer(adamw, tensors=True, **options)
    held = [group["lr"] for group in opt.param_groups]
    lt.check_schedule(opt, KEEP["lambda"])
    with pytest.raises(lt.ScheduleError):
        lt.check_schedule(opt, BREAK["cosine"][0])
    assert [float(rate) for rate in held] == pytest.approx(RATES)
    assert all(g["lr"] is rate for g, rate in zip(opt.param_groups, held, strict=True))


def test_a_schedule_that_gives_a_group_of_rate_zero_a_rate_is_refused() -> None:
    opt = optimizer()
    opt.param_groups[1]["lr"] = 0.0
    lt.check_schedule(opt, KEEP["cosine"])
    with pytest.raises(lt.ScheduleError, match="hidden"):
        lt.check_schedule(opt, BREAK["cosine"][0])


def test_groups_of_several_kinds_and_tuners_are_checked_alike() -> None:
    a, b = (nn.Parameter(torch.ones(1)) for _ in range(2))
    mixed = lt.make_optimizer(
        [
            {"params": [a], "lr": 1.6, "optimizer": "sgd"},
            {"params": [b], "lr": 0.1, "optimizer": "adam"},
        ]
    )
    for opt in (mixed, lt.CDAT(optimizer())):
        lt.check_schedule(opt, KEEP["hf polynomial"])
        with pytest.raises(lt.ScheduleError):
            lt.check_schedule(opt, BREAK["cosine"][0])


def test_rates_that_a_schedule_has_overwritten_already_are_told() -> None:
    opt = optimizer()
    for group in opt.param_groups:
        group["relative_rate"] = group["lr"] / 1.6
    lt.check_schedule(opt, KEEP["cosine"])
    torchs.LambdaLR(opt, lambda step: 0.5)
    lt.check_schedule(opt, KEEP["cosine"])
    torchs.OneCycleLR(opt, 1.6, total_steps=T)
    for make in (KEEP["cosine"], BREAK["one cycle"][0]):
        with pytest.raises(lt.ScheduleError, match="embedding and hidden are not in the ratio"):
            lt.check_schedule(opt, make)


def test_a_schedule_that_is_resumed_finds_its_initial_rates() -> None:
    optimizer = torch.optim.SGD([{"params": [nn.Parameter(torch.ones(1))], "lr": 0.1}])
    torchs.CosineAnnealingLR(optimizer, 100)
    lt.check_schedule(optimizer, lambda o: torchs.CosineAnnealingLR(o, 100, last_epoch=10))
