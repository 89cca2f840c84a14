"""Schedules, copies and stored states that once went wrong in silence."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn
from torch.optim import lr_scheduler

from lrtransfer.optim.tuners.cdat import CDAT
from lrtransfer.optim.tuners.constant import Constant


def weight() -> nn.Parameter:
    return nn.Parameter(torch.tensor([2.0, -1.0]))


def one_cycle(optimizer: Any) -> Any:
    return lr_scheduler.OneCycleLR(optimizer, 1.0, total_steps=10)


SCHEDULERS: dict[str, Callable[[Any], Any]] = {
    "one cycle": one_cycle,
    "lambda": lambda o: lr_scheduler.LambdaLR(o, lambda step: (step + 1) / 10),
    "linear": lr_scheduler.LinearLR,
    "cosine": lambda o: lr_scheduler.CosineAnnealingWarmRestarts(o, 4),
    "cyclic": lambda o: lr_scheduler.CyclicLR(o, 0.1, 1.0, step_size_up=3, cycle_momentum=False),
    "exponential": lambda o: lr_scheduler.ExponentialLR(o, 0.9),
}


@pytest.mark.parametrize("first", [True, False], ids=["before the tuner", "on the tuner"])
@pytest.mark.parametrize("name", SCHEDULERS)
def test_the_factor_is_the_scheduled_rate_over_the_full_one(name: str, first: bool) -> None:
    base = torch.optim.SGD([parameter := weight()], lr=1.0)
    if first:
        scheduler = SCHEDULERS[name](base)
        tuner = Constant(base, learning_rate=0.5)
    else:
        tuner = Constant(base, learning_rate=0.5)
        scheduler = SCHEDULERS[name](tuner)
    if name == "cyclic" and first:
        return  # its base rate is all that the group knows
    for _ in range(8):
        scheduled = base.param_groups[0]["lr"]
        tuner.step(lambda: parameter.square().sum())
        assert tuner.learning_rate == pytest.approx(0.5 * scheduled)
        assert tuner.learning_rate <= 0.5 * (1 + 1e-12)
        scheduler.step()


@pytest.mark.parametrize("duplicate", [copy.deepcopy, lambda x: pickle.loads(pickle.dumps(x))])
def test_a_copy_under_a_scheduler_steps_its_own_weights(duplicate: Callable[[Any], Any]) -> None:
    parameter = weight()
    tuner = CDAT(torch.optim.SGD([parameter], lr=1.0, momentum=0.9), sigma=1.0)
    lr_scheduler.ConstantLR(tuner, 0.5)
    other, twin = duplicate((parameter, tuner))
    twin.step(lambda: other.square().sum())
    assert parameter.tolist() == [2.0, -1.0]
    assert other.tolist() != [2.0, -1.0]
    assert tuner.steps == 0


def test_a_state_of_another_base_is_refused_and_nothing_is_loaded() -> None:
    one, other = weight(), weight()
    adam = CDAT(torch.optim.Adam([one], lr=1.0), max_learning_rate=0.1)
    adam.step(lambda: one.square().sum())
    tuner = CDAT(torch.optim.SGD([other], lr=1.0))
    with pytest.raises(ValueError, match="state_dict is of Adam; this is SGD"):
        tuner.load_state_dict(adam.state_dict())
    tuner.step(lambda: other.square().sum())
    assert tuner.steps == 1


def test_a_state_from_before_the_base_was_named_still_loads() -> None:
    parameter = weight()
    tuner = CDAT(torch.optim.SGD([parameter], lr=1.0), sigma=1.0)
    tuner.step(lambda: parameter.square().sum())
    state = tuner.state_dict()
    del state["optimizer"]
    for group in state["base"]["param_groups"]:
        del group["unscheduled_lr"]
    tuner.load_state_dict(state)
    assert tuner.param_groups[0]["unscheduled_lr"] == 1.0


@pytest.mark.parametrize("rate", [float("nan"), float("inf"), -1.0])
def test_a_stored_rate_that_is_none_is_refused(rate: float) -> None:
    parameter = weight()
    tuner = CDAT(torch.optim.SGD([parameter], lr=1.0), every=2)
    tuner.step(lambda: parameter.square().sum())
    state = tuner.state_dict()
    state["memory"]["tuned_rate"] = rate
    with pytest.raises(ValueError, match="tuned_rate in state_dict is"):
        tuner.load_state_dict(state)


@pytest.mark.parametrize("every", [float("nan"), float("inf"), 1.5, 0])
def test_every_is_a_whole_number(every: Any) -> None:
    with pytest.raises(ValueError, match=f"every is {every}; measure at least every 1 steps"):
        CDAT(torch.optim.SGD([weight()], lr=1.0), every=every)


def test_a_tuner_around_a_tuner_is_refused() -> None:
    inner = CDAT(torch.optim.SGD([weight()], lr=1.0))
    with pytest.raises(ValueError, match="base is a tuner, CDAT; give the optimizer that it wraps"):
        CDAT(inner)


def test_a_differentiable_base_is_refused() -> None:
    with pytest.raises(ValueError, match="base has differentiable=True"):
        CDAT(torch.optim.SGD([weight()], lr=1.0, differentiable=True))
