"""The share of a weight that a step takes away, against steps without gradient."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

from lrtransfer.alignment import InseparableDecayError, decay_shares


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        (torch.optim.AdamW, {"weight_decay": 0.3}),
        (torch.optim.AdamW, {"weight_decay": 0.0}),
        (torch.optim.AdamW, {"weight_decay": 0.3, "amsgrad": True, "lr": torch.tensor(0.2)}),
        (torch.optim.SGD, {"weight_decay": 0.3}),
        (torch.optim.SGD, {"momentum": 0.9}),
        (torch.optim.Adam, {}),
    ],
)
def test_a_step_without_gradient_takes_the_share_away(
    kind: type[torch.optim.Optimizer], options: dict[str, Any]
) -> None:
    model = nn.Linear(3, 2).double()
    optimizer = kind(model.parameters(), **{"lr": 0.2} | options)  # type: ignore[call-arg]
    before = model.weight.detach().clone()
    for parameter in model.parameters():
        parameter.grad = torch.zeros_like(parameter)
    optimizer.step()
    shares = decay_shares(model, optimizer)
    assert set(shares) == {"weight", "bias"}
    torch.testing.assert_close(model.weight.detach(), (1 - shares["weight"]) * before)
    assert (shares["weight"] > 0) == (options.get("weight_decay", 0) > 0)


def test_groups_have_shares_of_their_own_and_frozen_tensors_none() -> None:
    model = nn.Sequential(nn.Linear(3, 2, bias=False), nn.Linear(2, 2, bias=False), nn.Linear(2, 2))
    groups: list[dict[str, Any]] = [
        {"params": model[0].parameters(), "lr": 0.5, "weight_decay": 0.2},
        {"params": [*model[1].parameters(), nn.Parameter(torch.zeros(1))]},
    ]
    optimizer = torch.optim.AdamW(groups, lr=0.1, weight_decay=0.01)
    assert decay_shares(model, optimizer) == {
        "0.weight": pytest.approx(0.1),
        "1.weight": pytest.approx(0.001),
    }


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        (torch.optim.SGD, {"momentum": 0.9}),
        (torch.optim.Adam, {}),
        (torch.optim.RMSprop, {}),
    ],
)
def test_decay_that_mixes_with_the_gradient_is_refused_by_name(
    kind: type[torch.optim.Optimizer], options: dict[str, Any]
) -> None:
    model = nn.Linear(3, 2)
    optimizer = kind(model.parameters(), lr=0.1, weight_decay=0.1, **options)  # type: ignore[call-arg]
    with pytest.raises(InseparableDecayError, match=f"a step of {kind.__name__} takes no defined"):
        decay_shares(model, optimizer)
