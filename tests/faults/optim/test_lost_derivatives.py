"""Graphs that drop derivatives in silence are refused, not trained on."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.utils.checkpoint import checkpoint

from lrtransfer.study.plan import catalog

from .whole import Trial


class Square(torch.autograd.Function):
    """x², whose derivative is not differentiable."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:  # type: ignore[override]
        ctx.save_for_backward(x)
        return x.square()

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, slope: Tensor) -> Tensor:  # type: ignore[override]
        (x,) = ctx.saved_tensors
        return 2 * x * slope


@pytest.mark.parametrize("name", ["cdat", "constant", "line_search", "sharpness_rule"])
def test_reentrant_checkpointing_is_refused_and_nothing_moves(name: str) -> None:
    trial = Trial(name)
    body, head = trial.model[:4], trial.model[4]
    fresh = Trial(name)
    before = trial.state()

    def loss() -> Tensor:
        features = checkpoint(body, trial.inputs.requires_grad_(), use_reentrant=True)
        return nn.functional.cross_entropy(head(features), trial.targets)

    with pytest.raises(ValueError, match="use_reentrant=False"):
        trial.tuner.step(loss)
    assert trial.state() == before
    assert fresh.tuner.steps == trial.tuner.steps


def test_all_parameters_behind_a_reentrant_checkpoint_are_told_of_it() -> None:
    trial = Trial("cdat")
    with pytest.raises(ValueError, match="use_reentrant=False"):
        trial.tuner.step(
            lambda: checkpoint(
                trial.model, trial.inputs.requires_grad_(), use_reentrant=True
            ).square().mean()
        )  # fmt: skip


@pytest.mark.parametrize("name", ["cdat", "sharpness_rule"])
def test_a_missing_second_derivative_is_refused(name: str) -> None:
    weight = nn.Parameter(torch.tensor([1.0, 2.0]))
    tuner = catalog.load("optim/tuners", name)(torch.optim.SGD([weight], lr=1.0))
    with pytest.raises(ValueError, match="once_differentiable"):
        tuner.step(lambda: Square.apply(weight.sin()).sum())
    assert weight.tolist() == [1.0, 2.0]


def test_a_tuner_without_second_derivatives_takes_such_a_function() -> None:
    weight = nn.Parameter(torch.tensor([1.0, 2.0]))
    tuner = catalog.load("optim/tuners", "constant")(torch.optim.SGD([weight], lr=1.0))
    tuner.step(lambda: Square.apply(weight.sin()).sum())
    assert tuner.steps == 1


def test_the_other_checkpointing_trains_as_none() -> None:
    trial, twin = Trial("cdat"), Trial("cdat")
    for one in (trial, twin):
        one.model[3].__dict__.update(p=0.0)
        one.model[1].__dict__.update(momentum=0.0)

    def loss() -> Tensor:
        outputs = checkpoint(trial.model, trial.inputs, use_reentrant=False)
        return nn.functional.cross_entropy(outputs, trial.targets)

    for _ in range(2):
        assert trial.tuner.step(loss) == twin.tuner.step(twin.loss)
    assert trial.tuner.learning_rate == pytest.approx(twin.tuner.learning_rate)
