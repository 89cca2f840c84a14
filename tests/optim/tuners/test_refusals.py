"""What no tuner takes: closures, losses, gradients and bases that do not fit."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from lrtransfer.optim.tuners.cdat import CDAT
from lrtransfer.optim.tuners.closure import ClosureError, NonFiniteLossError
from lrtransfer.optim.tuners.constant import Constant
from lrtransfer.study.plan import catalog

from .own_base import Signed
from .problems import batch, flat, loss_of, momentum, network, sgd


def test_a_closure_that_called_backward_is_refused() -> None:
    model, data = network(), batch()

    def closure() -> Tensor:
        loss = loss_of(model, data)()
        loss.backward()
        return loss

    before = flat(model)
    with pytest.raises(ClosureError, match="the closure called backward"):
        CDAT(sgd(model.parameters())).step(closure)
    assert torch.equal(flat(model), before)


def test_a_graph_that_was_used_elsewhere_is_refused() -> None:
    model, data = network(), batch()

    def closure() -> Tensor:
        loss = loss_of(model, data)()
        torch.autograd.grad(loss, list(model.parameters()))
        return loss

    with pytest.raises(ClosureError, match="was already used"):
        CDAT(sgd(model.parameters())).step(closure)


@pytest.mark.parametrize(
    ("spoil", "error", "message"),
    [
        (lambda loss: loss.detach(), ClosureError, "detached"),
        (lambda loss: loss.item(), ClosureError, r"returned float; .* without \.item"),
        (lambda loss: loss.repeat(2), ClosureError, r"shape \(2,\); return the mean"),
        (lambda loss: loss * torch.nan, NonFiniteLossError, "the loss is nan"),
        (lambda loss: loss * torch.inf, NonFiniteLossError, "the loss is inf"),
    ],
)
@pytest.mark.parametrize("name", ["cdat", "line_search", "constant"])
def test_what_is_no_loss_is_refused_and_nothing_moves(
    name: str, spoil: Any, error: type[Exception], message: str
) -> None:
    model, data = network(), batch()
    tuner = catalog.load("optim/tuners", name)(momentum(model.parameters()))
    before = flat(model)
    with pytest.raises(error, match=message):
        tuner.step(lambda: spoil(loss_of(model, data)()))
    assert torch.equal(flat(model), before)
    assert not tuner.state


def test_a_gradient_that_is_not_finite_is_refused() -> None:
    weight = nn.Parameter(torch.zeros(2, dtype=torch.float64))
    tuner = CDAT(momentum([weight]))
    with pytest.raises(NonFiniteLossError, match="the gradient holds NaN or infinity"):
        tuner.step(lambda: weight.abs().sqrt().sum())
    assert not tuner.state


def test_a_loss_of_other_parameters_is_refused() -> None:
    model, other = network(), network()
    with pytest.raises(ClosureError, match="does not depend on any parameter"):
        CDAT(sgd(model.parameters())).step(loss_of(other, batch()))


def test_sparse_gradients_are_refused() -> None:
    table = nn.Embedding(4, 2, sparse=True)
    with pytest.raises(ClosureError, match="sparse=False"):
        Constant(sgd(table.parameters())).step(lambda: table(torch.tensor([1])).sum())


def half() -> list[nn.Parameter]:
    return [nn.Parameter(torch.ones(2, dtype=torch.bfloat16))]


@pytest.mark.parametrize(
    ("base", "error", "message"),
    [
        (lambda: object(), TypeError, "give a torch.optim.Optimizer"),
        (lambda: torch.optim.LBFGS(network().parameters()), ValueError, "base is LBFGS"),
        (
            lambda: torch.optim.SGD(network().parameters(), lr=1.0, maximize=True),
            ValueError,
            "negate the loss",
        ),
        (
            lambda: Signed(network().parameters(), weight_decay=0.1),
            ValueError,
            r"base is Signed with weight_decay=0\.1",
        ),
        (lambda: torch.optim.SGD(half(), lr=1.0), ValueError, "needs float32 or float64"),
        (lambda: torch.optim.SGD(network().parameters(), lr=0.0), ValueError, "has lr 0"),
        (
            lambda: torch.optim.SGD(network().requires_grad_(False).parameters(), lr=1.0),
            ValueError,
            "nothing can be tuned",
        ),
    ],
)
def test_a_base_that_cannot_be_tuned_is_refused(
    base: Any, error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        CDAT(base())
