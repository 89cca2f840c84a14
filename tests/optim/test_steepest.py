"""Steepest descent in two norms against its definition, and its edge."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from lrtransfer.optim.steepest import steepest


def parameters() -> tuple[nn.Parameter, nn.Parameter, list[dict[str, Any]]]:
    random = torch.Generator().manual_seed(0)
    one = nn.Parameter(torch.randn(3, 4, generator=random, dtype=torch.float64))
    other = nn.Parameter(torch.randn(2, 3, generator=random, dtype=torch.float64))
    one.grad = torch.randn(3, 4, generator=random, dtype=torch.float64)
    other.grad = torch.randn(2, 3, generator=random, dtype=torch.float64)
    groups = [
        {"params": [one], "lr": 0.1, "relative_rate": 1.0},
        {"params": [other], "lr": 0.05, "relative_rate": 0.5},
    ]
    return one, other, groups


def polar(gradient: Tensor) -> Tensor:
    u, _, vh = torch.linalg.svd(gradient, full_matrices=False)
    return u @ vh


@pytest.mark.parametrize("normalised", [False, True])
def test_steps_are_the_signs_times_the_sum_of_all_entries(*, normalised: bool) -> None:
    one, other, groups = parameters()
    first, second, g, h = one.detach().clone(), other.detach().clone(), one.grad, other.grad
    assert g is not None and h is not None
    steepest(groups, norm="linf", normalised=normalised).step()
    dual = 1.0 if normalised else float(g.abs().sum() + 0.5 * h.abs().sum())
    torch.testing.assert_close(one.detach(), first - 0.1 * dual * g.sign())
    torch.testing.assert_close(other.detach(), second - 0.05 * dual * h.sign())


def test_steps_are_polar_factors_times_the_sum_of_all_singular_values() -> None:
    one, other, groups = parameters()
    first, second, g, h = one.detach().clone(), other.detach().clone(), one.grad, other.grad
    assert g is not None and h is not None
    steepest(groups, norm="spectral").step()
    dual = float(torch.linalg.svdvals(g).sum() + 0.5 * torch.linalg.svdvals(h).sum())
    torch.testing.assert_close(one.detach(), first - 0.1 * dual * polar(g))
    torch.testing.assert_close(other.detach(), second - 0.05 * dual * polar(h))


def test_tensors_of_one_named_group_step_as_in_groups_of_their_own() -> None:
    one, other, groups = parameters()
    third, fourth, apart = parameters()
    apart = [{"params": [third, fourth], "lr": 0.1, "relative_rate": 1.0, "name": "first"}]
    groups = [{"params": [p], "lr": 0.1, "relative_rate": 1.0} for p in (one, other)]
    for each in (groups, apart):
        steepest(each, norm="spectral").step()
    torch.testing.assert_close([third, fourth], [one, other], rtol=0, atol=0)


def test_a_vector_has_no_spectral_step_and_a_missing_gradient_is_zero() -> None:
    model = nn.Linear(2, 2)
    with pytest.raises(ValueError, match="'tensor 1' of shape"):
        steepest([{"params": list(model.parameters()), "lr": 0.1}], norm="spectral")
    optimizer = steepest([{"params": list(model.parameters()), "lr": 0.1}])
    weight, bias = model.weight.detach().clone(), model.bias.detach().clone()

    def closure() -> Tensor:
        optimizer.zero_grad()
        loss = model.bias.square().sum()
        loss.backward()  # type: ignore[no-untyped-call]
        return loss

    optimizer.step(closure)
    assert torch.equal(model.weight.detach(), weight)
    assert not torch.equal(model.bias.detach(), bias)


def test_what_a_gradient_of_rank_one_leaves_open_does_not_move() -> None:
    w = nn.Parameter(torch.zeros(4, 3, dtype=torch.float64))
    left, right = torch.arange(4.0).double(), torch.tensor([1.0, 2, 2]).double()
    w.grad = torch.outer(left, right)
    steepest([{"params": [w], "lr": 1.0}], norm="spectral", normalised=True).step()
    torch.testing.assert_close(w.detach(), -w.grad / (left.norm() * right.norm()))
