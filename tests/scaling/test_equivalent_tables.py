"""Entries of the table that are one parameterization in several forms, or meet at a size."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from lrtransfer.curvature import NTKOperator, eigenvalues
from lrtransfer.scaling.rules import Constants
from lrtransfer.study.plan.catalog import load
from tests.study.models.cases import CLASSES, FIRST, Case, inputs

from .nets import Rules, column, data, rules, scaled_model, scaled_net, train

STEPS = 20
TABLES = ("mup_table3", "mup_table8", "mup_table9")
OPTIMIZERS: list[tuple[str, float, dict[str, Any]]] = [
    ("sgd", 0.02, {}),
    ("sgd", 0.02, {"momentum": 0.9, "weight_decay": 0.1}),
    ("adamw", 0.01, {"epsilon": 0.0, "weight_decay": 0.5}),
    ("adamw", 0.01, {"epsilon": 1e-2, "weight_decay": 0.5}),
    ("rmsprop", 0.01, {"epsilon": 1e-2}),
]
every_optimizer = pytest.mark.parametrize(("optimizer", "rate", "options"), OPTIMIZERS)
MIXER, GPT = FIRST["mlp_mixer"], FIRST["gpt"]


def mlp(name: str, optimizer: str, rate: float, options: dict[str, Any], **net: Any) -> Tensor:
    """Return a residual MLP's outputs over ``STEPS`` updates."""
    model, scaled = scaled_net(name, family=column(optimizer), **net)
    return train(model, scaled, rate, STEPS, name=optimizer, **options)


def other(
    case: Case, table: Rules, optimizer: str, rate: float, options: dict[str, Any], base: Constants
) -> Tensor:
    """Return the outputs of another family's net over ``STEPS`` updates."""
    model = load("models", case.family)(out_features=CLASSES, **case.sizes)
    scaled = scaled_model(model, table, base, width=4, depth=case.branches)
    given = inputs(case)
    shape = model(given).shape
    aims = torch.sin(torch.arange(shape.numel(), dtype=torch.float64)).view(shape)
    return train(model, scaled, rate, STEPS, batch=(given, aims), name=optimizer, **options)


@every_optimizer
def test_tables_3_8_and_9_train_the_same_function(
    optimizer: str, rate: float, options: dict[str, Any]
) -> None:
    base = Constants(0.5, 1.0, 2, 1)
    seen = [mlp(name, optimizer, rate, options, width=8, constants=base) for name in TABLES]
    for outputs in seen[1:]:
        torch.testing.assert_close(outputs, seen[0], rtol=1e-10, atol=1e-10)
    assert (seen[0][-1] - seen[0][0]).abs().max() > 0.05


@pytest.mark.parametrize("case", [MIXER, GPT], ids=["mlp_mixer", "gpt"])
@pytest.mark.parametrize(("optimizer", "rate", "options"), [OPTIMIZERS[1], OPTIMIZERS[3]])
def test_they_do_so_with_norms_biases_and_embeddings(
    case: Case, optimizer: str, rate: float, options: dict[str, Any]
) -> None:
    base = Constants(0.5, 1.0, 2, 1)
    seen = [
        other(case, rules(name, column(optimizer)), optimizer, rate, options, base)
        for name in TABLES
    ]
    for outputs in seen[1:]:
        torch.testing.assert_close(outputs, seen[0], rtol=1e-10, atol=1e-10)
    assert (seen[0][-1] - seen[0][0]).abs().max() > 0.05


@pytest.mark.parametrize(("optimizer", "rate", "options"), OPTIMIZERS[:3])
def test_at_the_base_width_the_three_tables_are_sp(
    optimizer: str, rate: float, options: dict[str, Any]
) -> None:
    base = Constants(0.0, 1.0, 8, 1)
    sp = mlp("sp", optimizer, rate, options, width=8, constants=base)
    for name in TABLES:
        assert torch.equal(mlp(name, optimizer, rate, options, width=8, constants=base), sp)


@pytest.mark.parametrize("gamma0", [1.0, 0.6])
@pytest.mark.parametrize(("optimizer", "rate", "options"), OPTIMIZERS[:2])
def test_mean_field_is_mup_at_base_width_one_under_sgd(
    optimizer: str, rate: float, options: dict[str, Any], gamma0: float
) -> None:
    base = Constants(0.5, gamma0, 1, 1)
    seen = [mlp(name, optimizer, rate, options, constants=base) for name in ("mup", "mean_field")]
    torch.testing.assert_close(seen[0], seen[1], rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("gamma0", [1.0, 0.6])
@pytest.mark.parametrize("optimizer", ["adam", "rmsprop"])
def test_mean_field_is_mup_at_base_width_one_under_adam_without_epsilon(
    optimizer: str, gamma0: float
) -> None:
    base, options = Constants(0.5, gamma0, 1, 1), {"epsilon": 0.0}
    names = ("mup", "mean_field")
    seen = [mlp(name, optimizer, 0.01, options, constants=base) for name in names]
    torch.testing.assert_close(seen[0], seen[1], rtol=1e-12, atol=1e-12)


def test_mean_field_has_no_base_width() -> None:
    one, two = (
        mlp("mean_field", "adam", 0.01, {}, constants=Constants(0.5, 1.0, n0, 1)) for n0 in (1, 4)
    )
    assert torch.equal(one, two)


@pytest.mark.parametrize("alpha", [0.5, 1.0])
@pytest.mark.parametrize(("optimizer", "rate", "options"), OPTIMIZERS[2:])
def test_complete_p_at_the_base_is_sp_at_the_base(
    optimizer: str, rate: float, options: dict[str, Any], alpha: float
) -> None:
    base = Constants(alpha, 1.0, 8, 2)
    complete, sp = (
        mlp(name, optimizer, rate, options, width=8, depth=2, constants=base)
        for name in ("complete_p", "sp")
    )
    assert torch.equal(complete, sp)


def test_in_a_transformer_complete_p_at_the_base_is_sp_but_for_the_logits() -> None:
    base, options = Constants(1.0, 1.0, 4, 4), {"weight_decay": 0.5}
    sp, complete = rules("sp", "adam"), rules("complete_p", "adam")
    meant = sp | {"attention_logits": complete["attention_logits"]}
    seen = [other(GPT, t, "adamw", 0.01, options, base) for t in (complete, meant, sp)]
    assert torch.equal(seen[0], seen[1])
    assert not torch.allclose(seen[0], seen[2])


@pytest.mark.parametrize("name", ["mup", "ntp", "depth_mup", "inverse_depth", "mean_field"])
def test_gamma0_divides_the_outputs_and_leaves_the_kernel_that_trains_them(name: str) -> None:
    """η₀γ² against (1/γ)²: Θ = (1/n)JDJᵀ, and so the first step's change, knows no γ₀."""
    given, _ = data()
    seen = []
    for gamma0 in (1.0, 0.25):
        model, scaled = scaled_net(name, constants=Constants(0.5, gamma0, 1, 1))
        rates = {tensor: numbers.learning_rate for tensor, numbers in scaled.items()}
        kernel = eigenvalues(NTKOperator(model, given, scale=rates), 3, tolerance=1e-10)
        seen.append((model(given).detach() * gamma0, kernel.values))
    torch.testing.assert_close(seen[0], seen[1], rtol=1e-8, atol=1e-12)


def test_depth_mup_is_mup_with_branch_exponent_a_half_under_sgd() -> None:
    base, options = Constants(0.5, 1.0, 2, 1), {"momentum": 0.9, "weight_decay": 0.1}
    one, two = (
        mlp(name, "sgd", 0.02, options, depth=4, constants=base) for name in ("mup", "depth_mup")
    )
    assert torch.equal(one, two)


def test_the_branch_exponent_acts_on_entries_that_take_one_alone() -> None:
    takers = {"mup": True, "sp": True, "depth_mup": False, "inverse_depth": False}
    for name, takes in takers.items():
        one, two = (
            mlp(name, "sgd", 0.01, {}, depth=4, constants=Constants(alpha)) for alpha in (0.5, 1.0)
        )
        assert torch.equal(one, two) != takes, name
