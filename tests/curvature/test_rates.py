"""Relative learning rates from parameter groups."""

from typing import Any

import pytest
import torch
from torch import nn

from lrtransfer.curvature import dense, relative_rates, sharpness
from lrtransfer.curvature.hessian import HessianOperator
from lrtransfer.curvature.rates import diagonal

from .cases import TiedNet, squared_loss


@pytest.fixture
def model() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(4, 5), nn.Tanh(), nn.Linear(5, 3)).double()


@pytest.fixture
def batch() -> tuple[torch.Tensor, torch.Tensor]:
    return torch.randn(10, 4, dtype=torch.float64), torch.randn(10, 3, dtype=torch.float64)


def unequal(model: nn.Module) -> list[dict[str, Any]]:
    return [
        {"params": list(model[0].parameters()), "lr": 0.3},
        {"params": list(model[2].parameters()), "lr": 0.1},
    ]


def test_rates_are_over_the_largest_or_the_given_one(model: nn.Module) -> None:
    rates = relative_rates(model, unequal(model))
    assert rates["0.weight"] == rates["0.bias"] == 1.0
    assert rates["2.weight"] == rates["2.bias"] == pytest.approx(1 / 3)
    assert relative_rates(model, unequal(model), lr=0.1)["0.bias"] == pytest.approx(3)


@pytest.mark.parametrize("named", [False, True])
def test_torch_optimizers_groups_are_read(model: nn.Module, named: bool) -> None:
    params = model.named_parameters() if named else model.parameters()
    optimizer = torch.optim.SGD([{"params": list(params)}], lr=0.05)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda _: 0.5)
    assert schedule.get_last_lr() == [0.025]
    assert set(relative_rates(model, optimizer.param_groups).values()) == {1.0}
    given = relative_rates(model, optimizer.param_groups, lr=0.05)
    assert set(given.values()) == {0.5}


def test_named_pairs_and_a_lone_tensor_are_parameters_too(model: nn.Module) -> None:
    pairs = list(model.named_parameters())
    groups = [{"params": pairs[:3], "lr": 1.0}, {"params": pairs[3][1], "lr": 0.5}]
    assert relative_rates(model, groups)["2.bias"] == 0.5


def test_tied_and_frozen_parameters() -> None:
    tied = TiedNet()
    tied.encode.bias.requires_grad_(False)
    rates = relative_rates(tied, [{"params": tied.parameters(), "lr": 0.1}])
    assert rates == {"encode.weight": 1.0}


def test_sharpness_of_groups_is_that_of_the_scaled_dense_hessian(
    model: nn.Module, batch: tuple[torch.Tensor, torch.Tensor]
) -> None:
    found = sharpness(model, squared_loss, batch, groups=unequal(model), lr=0.1, tolerance=1e-9)
    matrix = dense(HessianOperator(model, squared_loss, batch))
    root = torch.cat([torch.full((25,), 3.0), torch.ones(18)]).double().sqrt()
    expected = torch.linalg.eigvalsh(root[:, None] * matrix * root)[-1].item()
    assert found.value == pytest.approx(expected, abs=1e-9)


def test_equivalent_forms_of_one_network_have_the_same_edge(
    batch: tuple[torch.Tensor, torch.Tensor],
) -> None:
    """abc-symmetry: multiplier c, weights over c and rate over c² are the same training."""
    c = 7.0
    torch.manual_seed(1)
    plain = nn.Linear(4, 3).double()

    class Multiplied(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner = nn.Linear(4, 3).double()

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return torch.tanh(c * self.inner(x))

    class Plain(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner = plain

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return torch.tanh(self.inner(x))

    one, other = Plain(), Multiplied()
    with torch.no_grad():
        for p, q in zip(one.parameters(), other.parameters(), strict=True):
            q.copy_(p / c)
    groups = [{"params": other.parameters(), "lr": 0.2 / c**2}]
    value = sharpness(one, squared_loss, batch, tolerance=1e-9).value
    assert sharpness(
        other, squared_loss, batch, groups=groups, lr=0.2, tolerance=1e-9
    ).value == pytest.approx(value, rel=1e-9)


def test_a_still_group_has_no_curvature(
    model: nn.Module, batch: tuple[torch.Tensor, torch.Tensor]
) -> None:
    groups = unequal(model)
    groups[1]["lr"] = 0.0
    matrix = dense(HessianOperator(model, squared_loss, batch, scale=relative_rates(model, groups)))
    assert torch.count_nonzero(matrix[25:]) == 0
    assert torch.count_nonzero(matrix[:25]) > 0


def test_groups_that_do_not_fit_raise(model: nn.Module) -> None:
    first, last = unequal(model)
    cases: list[tuple[Any, str]] = [
        ([first], r"groups lack \['2.weight', '2.bias'\]"),
        ([first, last, last], "'2.weight' twice"),
        ([first, last, {"params": [nn.Parameter(torch.ones(2))], "lr": 1}], "no parameter of"),
        ([first, {"params": last["params"]}], "must have 'params' and 'lr'"),
        ([first, last | {"lr": -1.0}], "not negative"),
        ([first, last | {"lr": float("nan")}], "finite"),
        ([first | {"lr": 0}, last | {"lr": 0}], "must be positive"),
        (first, "list of dicts"),
        (list(model.parameters()), "list of dicts"),
    ]
    for groups, message in cases:
        with pytest.raises(ValueError, match=message):
            relative_rates(model, groups)
    with pytest.raises(ValueError, match="lr is 0"):
        relative_rates(model, [first, last], lr=0.0)


def test_scale_and_groups_exclude_each_other(model: nn.Module) -> None:
    with pytest.raises(ValueError, match="not both"):
        diagonal(model, {}, unequal(model), None)
    with pytest.raises(ValueError, match="pass groups too"):
        diagonal(model, None, None, 0.1)
