"""One optimizer for groups of several kinds, against each kind's own."""

from __future__ import annotations

import pickle
from copy import deepcopy
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import lrtransfer as lt
from lrtransfer.optim.make_optimizer import GroupedOptimizer

GENERATOR = torch.Generator().manual_seed(0)
INPUTS = torch.randn(8, 4, generator=GENERATOR)


def net() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(4, 6), nn.Tanh(), nn.Linear(6, 1))


def mixed(model: nn.Sequential) -> list[dict[str, Any]]:
    first, _, last = model
    return [
        {
            "params": list(first.parameters()),
            "lr": 0.1,
            "optimizer": "momentum",
            "names": ["a", "b"],
        },
        {"params": list(last.parameters()), "lr": 0.01, "optimizer": "adamw", "names": ["c", "d"]},
    ]


def descend(model: nn.Module, *optimizers: torch.optim.Optimizer, steps: int = 5) -> list[float]:
    losses = []
    for _ in range(steps):
        loss = model(INPUTS).square().mean()
        for optimizer in optimizers:
            optimizer.zero_grad()
        loss.backward()
        for optimizer in optimizers:
            optimizer.step()
        losses.append(loss.item())
    return losses


def test_each_group_steps_as_under_its_own_optimizer() -> None:
    one, apart = net(), net()
    mix = lt.make_optimizer(mixed(one), betas=(0.8, 0.9))
    assert isinstance(mix, GroupedOptimizer)
    sgd = torch.optim.SGD(apart[0].parameters(), lr=0.1, momentum=0.9)
    adamw = torch.optim.AdamW(apart[2].parameters(), lr=0.01, betas=(0.8, 0.9))
    assert descend(one, mix) == descend(apart, sgd, adamw)


def test_groups_of_one_kind_make_torchs_own_and_stay_as_they_are() -> None:
    model = net()
    groups = lt.parameterize(
        model, "sp", optimizer="adamw", lr=1e-3,
        layout=lt.Layout(
            roles={"0.weight": "input", "2.weight": "output", "*.bias": "bias"}, width=(6, 6)
        ),
    )  # fmt: skip
    before = [sorted(group) for group in groups]
    optimizer = lt.make_optimizer(groups, model=model, fused=True)
    assert type(optimizer) is torch.optim.AdamW
    assert all(group["fused"] for group in optimizer.param_groups)
    assert [sorted(group) for group in groups] == before
    assert descend(model, optimizer)[-1] > 0


def test_a_scheduler_sets_the_rates_of_all_parts() -> None:
    model = net()
    optimizer = lt.make_optimizer(mixed(model))
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: 0.0)
    before = [p.detach().clone() for p in model.parameters()]
    descend(model, optimizer)
    schedule.step()
    assert all(map(torch.equal, before, model.parameters()))


@pytest.mark.parametrize(
    "again",
    [
        lambda pair: deepcopy(pair),
        lambda pair: pickle.loads(pickle.dumps(pair)),
        lambda pair: loaded(*pair),
    ],
    ids=["deepcopy", "pickle", "state_dict"],
)
def test_a_copy_goes_on_as_the_original(again: Any) -> None:
    model = net()
    optimizer = lt.make_optimizer(mixed(model))
    descend(model, optimizer)
    copied, stepped = again((model, optimizer))
    assert descend(copied, stepped) == descend(model, optimizer)
    assert all(part.state is stepped.state for part in stepped.parts.values())


def loaded(model: nn.Sequential, optimizer: torch.optim.Optimizer) -> tuple[nn.Module, Any]:
    copied = deepcopy(model)
    fresh = lt.make_optimizer(mixed(copied))
    fresh.load_state_dict(deepcopy(optimizer.state_dict()))
    return copied, fresh


def test_tensors_that_a_trainer_exchanges_in_the_groups_are_stepped() -> None:
    model, other = net(), net()
    optimizer = lt.make_optimizer(mixed(model))
    exchanged = dict(zip(model.parameters(), other.parameters(), strict=True))
    for group in optimizer.param_groups:  # as accelerate does under FSDP2
        group["params"] = [exchanged[p] for p in group["params"]]
    alone = net()
    assert descend(other, optimizer) == descend(alone, lt.make_optimizer(mixed(alone)))


def test_a_closure_is_called_once_and_a_new_group_is_stepped_by_its_kind() -> None:
    model = net()
    optimizer = lt.make_optimizer(mixed(model))
    extra = nn.Parameter(torch.ones(()))
    optimizer.add_param_group({"params": [extra], "lr": 0.5, "optimizer": "momentum"})
    calls = []

    def closure() -> Any:
        calls.append(torch.is_grad_enabled())
        loss = extra * 1.0
        loss.backward()
        return loss

    with pytest.warns(UserWarning, match="a, b, c and 1 more had no gradient"):
        assert optimizer.step(closure) == 1.0
    assert calls == [True] and extra.item() == 0.5
    with pytest.raises(ValueError, match="optimizer is 'rmsprop'"):
        optimizer.add_param_group({"params": [nn.Parameter(torch.ones(1))], "optimizer": "rmsprop"})
    assert len(optimizer.param_groups) == 3


@pytest.mark.parametrize(
    ("group", "options", "message"),
    [
        ({}, {}, "names no optimizer"),
        ({"optimizer": "lamb"}, {}, "names the optimizer 'lamb'.*adamw"),
        ({"optimizer": "sgd"}, {"betas": (0.9, 0.9)}, "'betas' is taken by none of sgd"),
        ({"optimizer": "sgd"}, {"lr": 5.0}, "'lr' is said by every group.*parameterize"),
    ],
)
def test_what_does_not_fit_is_named(group: Any, options: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        lt.make_optimizer(
            [{"params": [nn.Parameter(torch.ones(1))], "lr": 1.0, **group}], **options
        )


@pytest.mark.parametrize(
    ("groups", "message"),
    [([], "there are no groups"), (nn.Linear(1, 1).parameters(), "a group is a Parameter")],
)
def test_what_are_no_groups_is_told(groups: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        lt.make_optimizer(groups)


def test_rates_may_be_tensors_where_torch_takes_them() -> None:
    one, other = net(), net()
    losses = []
    for model, rate in ((one, 1e-2), (other, torch.tensor(1e-2))):
        groups = lt.parameterize(
            model, "mup", base=nn.Sequential(nn.Linear(4, 3), nn.Tanh(), nn.Linear(3, 1)),
            optimizer="adamw", lr=rate, seed=0,  # type: ignore[arg-type]
        )  # fmt: skip
        optimizer = lt.make_optimizer(groups, fused=True)
        schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: 0.5**step)
        found = []
        for _ in range(3):
            found += descend(model, optimizer, steps=1)
            schedule.step()
        losses.append(found)
    assert losses[1] == pytest.approx(losses[0], rel=1e-5)
    rates = [group["lr"] for group in optimizer.param_groups]
    assert all(isinstance(rate, Tensor) for rate in rates)
    assert len({id(rate) for rate in rates}) == len(rates)


@pytest.mark.parametrize("said", ["nothing", "muon"])
def test_a_group_that_is_refused_is_not_kept(said: str) -> None:
    model = nn.Sequential(nn.Linear(4, 6, bias=False))
    rows = [{"params": list(model.parameters()), "lr": 0.1, "optimizer": "muon", "factor": "kimi"}]
    vector = nn.Parameter(torch.ones(3))
    rows.append({"params": [nn.Parameter(torch.ones(1))], "lr": 0.1, "optimizer": "sgd"})
    optimizer = lt.make_optimizer(rows)
    with pytest.raises(ValueError):
        optimizer.add_param_group({"params": [vector], "lr": 0.1, "optimizer": said})
    assert len(optimizer.param_groups) == 2
    optimizer.add_param_group({"params": [vector], "lr": 0.1, "optimizer": "sgd"})


def _two_kinds(**rates: float) -> list[dict[str, Any]]:
    kinds = {"muon": nn.Parameter(torch.ones(3, 2)), "adamw": nn.Parameter(torch.ones(3))}
    return [
        {"params": [tensor], "optimizer": kind} | ({"lr": rates[kind]} if kind in rates else {})
        for kind, tensor in kinds.items()
    ]


def test_all_ascend_or_none() -> None:
    groups = _two_kinds(muon=0.1, adamw=0.1)
    with pytest.raises(ValueError, match="maximize is not taken by muon"):
        lt.make_optimizer(groups, maximize=True)
    assert lt.make_optimizer(groups, maximize=False).param_groups[1]["maximize"] is False


def test_a_rate_for_all_is_that_of_groups_without_one() -> None:
    optimizer = lt.make_optimizer(_two_kinds(adamw=0.3), lr=0.02)
    assert [group["lr"] for group in optimizer.param_groups] == [0.02, 0.3]
    with pytest.raises(ValueError, match="a group has no lr"):
        lt.make_optimizer(_two_kinds(adamw=0.3))
