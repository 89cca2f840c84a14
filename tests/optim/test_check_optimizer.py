"""An optimizer that moves nothing is noticed, and named."""

from __future__ import annotations

import pickle
import warnings
from typing import Any

import pytest
import torch
from torch import nn

import lrtransfer as lt


def net() -> nn.Module:
    return nn.Sequential(nn.Linear(2, 3), nn.Linear(3, 1))


def groups_of(model: nn.Module, **numbers: Any) -> list[dict[str, Any]]:
    return [
        {"params": [p], "names": [n], "lr": 0.1, "optimizer": "sgd", **numbers}
        for n, p in model.named_parameters()
    ]


def step(model: nn.Module, optimizer: torch.optim.Optimizer) -> None:
    model(torch.ones(4, 2)).sum().backward()
    optimizer.step()


def test_an_optimizer_of_other_tensors_is_refused_by_name() -> None:
    model, other = net(), net()
    optimizer = torch.optim.SGD(groups_of(other))
    with pytest.raises(lt.StaleOptimizerError, match=r"0\.weight, 0\.bias, 1\.weight and 1 more"):
        lt.check_optimizer(optimizer, model)
    with pytest.raises(lt.StaleOptimizerError, match="rebind"):
        lt.make_optimizer(groups_of(other), model=model)


def test_tensors_replaced_after_the_check_are_noticed_at_the_first_step() -> None:
    model = net()
    optimizer = torch.optim.SGD(groups_of(model))
    lt.check_optimizer(optimizer, model)
    model[1].weight = nn.Parameter(torch.zeros(1, 3))
    with pytest.raises(lt.StaleOptimizerError, match=r"the model does not: 1\.weight\."):
        step(model, optimizer)


def test_without_a_model_tensors_without_any_gradient_are_noticed_at_the_first_step() -> None:
    model, other = net(), net()
    optimizer = lt.make_optimizer(groups_of(other))
    with pytest.raises(lt.StaleOptimizerError, match=r"no tensor of the optimizer has a gradient"):
        step(model, optimizer)


def test_a_few_without_a_gradient_are_warned_of_once() -> None:
    model = net()
    optimizer = lt.make_optimizer(groups_of(model))
    model[0].bias.requires_grad_(False)
    model[1].bias = nn.Parameter(torch.zeros(1))
    with pytest.warns(UserWarning, match=r"^1\.bias had no gradient"):
        step(model, optimizer)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        step(model, optimizer)


def test_a_sound_optimizer_says_nothing_also_under_a_tuner_or_a_closure() -> None:
    model = net()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        step(model, lt.make_optimizer(groups_of(model), model=model))
        optimizer = torch.optim.LBFGS(model.parameters())
        lt.check_optimizer(optimizer, model)

        def closure() -> torch.Tensor:
            optimizer.zero_grad()
            loss = model(torch.ones(4, 2)).square().mean()
            loss.backward()
            return loss

        optimizer.step(closure)
        tuner = lt.CDAT(torch.optim.SGD(model.parameters(), lr=1.0))
        lt.check_optimizer(tuner, model)
        tuner.step(lambda: model(torch.ones(4, 2)).square().mean())


@pytest.mark.parametrize("wrap", [lt.CDAT, lt.Hyperball])
def test_a_step_on_stand_ins_is_not_taken_for_the_first(wrap: Any) -> None:
    model = nn.Linear(2, 1, bias=False)
    optimizer = lt.make_optimizer(groups_of(model), model=model)

    def loss() -> torch.Tensor:
        return model(torch.ones(4, 2)).square().mean()

    loss().backward()
    before = model.weight.detach().clone()
    wrap(optimizer).step(loss)
    assert not torch.equal(model.weight, before)
    model.weight = nn.Parameter(before)
    with pytest.raises(lt.StaleOptimizerError, match=r"the model does not: weight\."):
        optimizer.step()  # its own first step is checked as ever


def test_a_checked_tuner_goes_through_pickle_with_its_model() -> None:
    model = net()
    tuner = lt.CDAT(torch.optim.SGD(model.parameters(), lr=1.0))
    lt.check_optimizer(tuner, model)
    again, stepped = pickle.loads(pickle.dumps((model, tuner)))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        stepped.step(lambda: again(torch.ones(4, 2)).square().mean())


def test_rates_that_a_scheduler_overwrote_are_warned_of() -> None:
    model = net()
    groups = groups_of(model, relative_rate=1.0, role="input")
    groups[0] |= {"relative_rate": 0.25, "role": "hidden", "lr": 0.025}
    optimizer = lt.make_optimizer(groups)
    torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=0.1, total_steps=9, cycle_momentum=False)
    with pytest.warns(UserWarning, match=r"input at 0\.004.*0\.016 × relative_rate.*check_sched"):
        step(model, optimizer)


def test_other_hooks_go_on_beside_the_check() -> None:
    model = net()
    optimizer = lt.make_optimizer(groups_of(model), model=model)
    seen = []
    optimizer.register_step_post_hook(lambda *args: seen.append(len(args)))
    step(model, optimizer)
    step(model, optimizer)
    assert seen == [3, 3]
