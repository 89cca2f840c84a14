"""abc-symmetry: every family trains the same function in every equivalent form."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor

from lrtransfer.scaling.apply import Form
from lrtransfer.scaling.multiplier import Multiply
from lrtransfer.scaling.rules import Constants, Scaled
from lrtransfer.scaling.symmetry import Family, absorbed, moved
from lrtransfer.study.plan.catalog import load
from lrtransfer.study.plan.parameterizations import builtin
from tests.study.models.cases import CLASSES, FIRST, Case, inputs

from .nets import column, rules, scaled_model, train

STEPS = 20
FAMILIES: tuple[Family, Family] = ("sgd", "adam")
CONSTANTS = Constants(branch_exponent=0.5, gamma0=0.8, base_width=2, base_depth=1)
Optimizer = tuple[str, dict[str, Any]]
# ε is large enough beside the gradients that a form that forgets it is off by far more than 1e-10.
OPTIMIZERS: dict[str, Optimizer] = {
    "sgd": ("sgd", {}),
    "sgd-momentum": ("sgd", {"momentum": 0.9}),
    "sgd-nesterov-decay": ("sgd", {"momentum": 0.8, "nesterov": True, "weight_decay": 0.1}),
    "adam": ("adam", {"epsilon": 1e-3}),
    "adamw": ("adamw", {"epsilon": 1e-3, "weight_decay": 0.5, "beta1": 0.8}),
    "rmsprop": ("rmsprop", {"epsilon": 1e-3}),
    "rmsprop-momentum": ("rmsprop", {"epsilon": 1e-3, "momentum": 0.5, "beta2": 0.9}),
    "adam-no-epsilon": ("adam", {"epsilon": 0.0}),
    "adamw-no-epsilon": ("adamw", {"epsilon": 0.0, "weight_decay": 0.5}),
    "rmsprop-no-epsilon": ("rmsprop", {"epsilon": 0.0}),
}
RATES = {"sgd": 0.005, "adam": 0.005}
# Without ε an entry whose gradient is zero is divided by zero: only families whose tensors all
# matter can go without.
DENSE = ("residual_mlp", "two_layer_linear")


def optimizers(family: Family) -> list[str]:
    """Return the optimizers that follow a column of the table."""
    return [name for name, (of, _) in OPTIMIZERS.items() if column(of) == family]


def pairings() -> list[tuple[str, str, str]]:
    """Return (family of nets, parameterization, optimizer): every entry with three families."""
    found = []
    for family in FAMILIES:
        names = [name for name, entry in builtin().items() if family in entry.families]
        for i, net in enumerate(FIRST):
            choice = [o for o in optimizers(family) if net in DENSE or "no-epsilon" not in o]
            chosen = names[i % 3 :: 3]
            found += [(net, name, choice[(i + j) % len(choice)]) for j, name in enumerate(chosen)]
    every = [(net, "mup", o) for net in DENSE for o in OPTIMIZERS]
    return list(dict.fromkeys(found + every))


def outputs(case: Case, entry: str, optimizer: Optimizer, form: Form | None) -> Tensor:
    """Return the outputs over ``STEPS`` updates of a case's net in one form of its numbers."""
    name, options = optimizer
    sizes = {"out_features": CLASSES} | case.sizes
    model = load("models", case.family)(**sizes)
    width, depth = sizes["width"], max(1, case.branches)
    table = rules(entry, column(name))
    scaled = scaled_model(model, table, CONSTANTS, width=width, depth=depth, form=form)
    tokens = inputs(case)
    shape = model(tokens).shape
    aims = torch.sin(torch.arange(shape.numel(), dtype=torch.float64)).view(shape)
    rate = RATES[column(name)]
    return train(model, scaled, rate, STEPS, batch=(tokens, aims), name=name, **options)


def by_random_factors(family: Family) -> Form:
    """Return a form that moves each tensor by a factor of its own between 1/4 and 4."""
    random = torch.Generator().manual_seed(3)

    def form(scaled: Scaled) -> Scaled:
        exponent = 2 * torch.rand((), generator=random, dtype=torch.float64).item() - 1
        return moved(scaled, 4**exponent, family)

    return form


def test_every_family_and_every_parameterization_is_paired() -> None:
    for family in FAMILIES:
        pairs = [(n, p) for n, p, o in pairings() if o in optimizers(family)]
        assert {p for _, p in pairs} == {n for n, e in builtin().items() if family in e.families}
        assert {n for n, _ in pairs} == set(FIRST)
    assert {o for *_, o in pairings()} == set(OPTIMIZERS)


@pytest.mark.parametrize(("net", "parameterization", "optimizer"), pairings())
def test_equivalent_forms_have_the_same_outputs_at_every_step(
    net: str, parameterization: str, optimizer: str
) -> None:
    family = column(OPTIMIZERS[optimizer][0])

    def absorb(scaled: Scaled) -> Scaled:
        return absorbed(scaled, family)

    case = FIRST[net]
    table = outputs(case, parameterization, OPTIMIZERS[optimizer], None)
    for form in (by_random_factors(family), absorb):
        other = outputs(case, parameterization, OPTIMIZERS[optimizer], form)
        torch.testing.assert_close(other, table, rtol=1e-10, atol=1e-10)
    assert (table[-1] - table[0]).abs().max() > 1e-3
    assert table.abs().max() < 1e3


@pytest.mark.parametrize("optimizer", list(OPTIMIZERS))
def test_a_form_that_forgets_a_number_trains_another_function(optimizer: str) -> None:
    """The comparison above notices each number: it is none that any trajectory would pass."""
    family = column(OPTIMIZERS[optimizer][0])
    case, options = FIRST["residual_mlp"], OPTIMIZERS[optimizer][1]
    table = outputs(case, "mup", OPTIMIZERS[optimizer], None)
    told = ["multiplier", "init", "learning_rate"]
    told += ["weight_decay"] if options.get("weight_decay") else []
    told += ["epsilon"] if options.get("epsilon") else []
    for forgotten in told:
        form = forgetful(forgotten, family)
        other = outputs(case, "mup", OPTIMIZERS[optimizer], form)
        assert (other - table).abs().max() > 1e-6, forgotten


@pytest.mark.parametrize("name", ["adam", "rmsprop"])
def test_decay_that_is_added_to_a_normalised_gradient_would_have_to_grow_with_its_square(
    name: str,
) -> None:
    """A move is for decoupled decay: λW joins a gradient that is c times larger, W being W/c."""
    case, optimizer = FIRST["residual_mlp"], (name, {"epsilon": 1e-3, "weight_decay": 0.5})

    def by_the_square(scaled: Scaled) -> Scaled:
        return replace(moved(scaled, 3.0, "adam"), weight_decay=9.0 * scaled.weight_decay)

    forms = (None, lambda scaled: moved(scaled, 3.0, "adam"), by_the_square)
    table, decoupled, coupled = (outputs(case, "mup", optimizer, form) for form in forms)
    assert (decoupled - table).abs().max() > 1e-4
    torch.testing.assert_close(coupled, table, rtol=1e-10, atol=1e-10)


def forgetful(number: str, family: Family) -> Callable[[Scaled], Scaled]:
    """Return a move by 3 that leaves one number as it was."""

    def form(scaled: Scaled) -> Scaled:
        return Scaled(**{**vars(moved(scaled, 3.0, family)), number: vars(scaled)[number]})

    return form


def test_moving_by_sgd_is_the_symmetry_of_the_paper() -> None:
    start = Scaled(0.5, 2.0, 3.0, weight_decay=0.1, epsilon=7.0, mean=1.0)
    hand = Scaled(0.5 / 4, 8.0, 3.0 / 16, weight_decay=1.6, epsilon=7.0, mean=0.25)
    assert moved(start, 4.0, "sgd") == hand


def test_moving_by_adam_is_the_symmetry_of_the_paper() -> None:
    start = Scaled(0.5, 2.0, 3.0, weight_decay=0.1, epsilon=7.0, mean=1.0)
    hand = Scaled(0.5 / 4, 8.0, 3.0 / 4, weight_decay=0.4, epsilon=28.0, mean=0.25)
    assert moved(start, 4.0, "adam") == hand


@pytest.mark.parametrize("family", FAMILIES)
def test_moves_compose_and_undo_each_other(family: Family) -> None:
    start = Scaled(0.5, 2.0, 3.0, weight_decay=0.1, epsilon=7.0, mean=1.0)
    assert moved(moved(start, 4.0, family), 0.25, family) == start
    assert moved(moved(start, 4.0, family), 2.0, family) == moved(start, 8.0, family)


@pytest.mark.parametrize("family", FAMILIES)
def test_absorbed_needs_no_hook_and_is_the_same_from_every_form(family: Family) -> None:
    start = Scaled(1.0, 0.3, 3.0, mean=1.0)
    one = absorbed(start, family)
    assert one.multiplier == 1.0
    assert (one.init, one.mean) == pytest.approx((0.3, 0.3))
    assert vars(absorbed(moved(start, 7.0, family), family)) == pytest.approx(vars(one))


def test_an_absorbed_net_has_hooks_on_branches_and_logits_alone() -> None:
    case = FIRST["gpt"]
    model = load("models", "gpt")(out_features=CLASSES, **case.sizes)
    table = rules("mup", "adam")
    scaled_model(model, table, CONSTANTS, width=4, depth=4, form=lambda s: absorbed(s, "adam"))
    hooked = {
        name
        for name, module in model.named_modules()
        if any(isinstance(hook, Multiply) for hook in module._forward_hooks.values())
    }
    branches = {f"branches.{i}" for i in range(4)}
    assert hooked == branches | {"branches.0.1.logits", "branches.2.1.logits"}


@pytest.mark.parametrize("factor", [0.0, -2.0, float("nan")])
def test_a_factor_that_is_not_positive_is_refused(factor: float) -> None:
    with pytest.raises(ValueError, match=r"factor is .*Give a positive number"):
        moved(Scaled(1.0, 1.0, 1.0), factor, "sgd")


@pytest.mark.parametrize("multiplier", [0.0, -1.0])
def test_a_multiplier_that_is_not_positive_cannot_be_absorbed(multiplier: float) -> None:
    with pytest.raises(ValueError, match="only a positive one has a form"):
        absorbed(Scaled(1.0, multiplier, 1.0), "adam")
