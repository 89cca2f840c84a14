"""The table as the library reads it: the same as a study's, and strict about a user's own."""

from __future__ import annotations

from typing import Any

import pytest

from lrtransfer.scaling import table
from lrtransfer.scaling.rules import Constants, Shape, scale
from lrtransfer.study.plan.parameterizations import builtin

SHAPE = Shape(fan_in=6, width=32, depth=12, fan_out=10, in_branch=True)
CONSTANTS = Constants(0.7, 1.3, 8, 3)


@pytest.mark.parametrize("name", sorted(builtin()))
def test_library_and_study_read_the_same_numbers(name: str) -> None:
    for family, roles in builtin()[name].families.items():
        found = table.rules(name, family)
        assert found.keys() - {"scalar_gain"} == roles.keys()
        for role, rule in roles.items():
            studied = scale(rule.model_dump(exclude_defaults=True), SHAPE, CONSTANTS)
            assert scale(found[role], SHAPE, CONSTANTS) == studied


def test_names_are_those_of_the_file() -> None:
    assert table.names() == sorted(builtin())


def test_a_scalar_gain_starts_as_a_gain_and_moves_as_a_scalar_bias() -> None:
    rules = table.rules("mup", "sgd")
    gain = scale(rules["scalar_gain"], SHAPE, CONSTANTS)
    bias = scale(rules["scalar_bias"], SHAPE, CONSTANTS)
    assert (gain.mean, gain.init) == (1.0, 0.0)
    assert (gain.learning_rate, gain.weight_decay) == (bias.learning_rate, bias.weight_decay)


def own(rule: Any) -> dict[str, Any]:
    return {"families": {"sgd": {"hidden": rule}}}


def test_a_user_s_own_entry_is_read_in_the_form_of_the_file() -> None:
    rule = {
        "mean": 1,
        "init": {"factor": 2, "fan_in": -1},
        "learning_rate": {"depth": {"constant": 1, "alpha": -2}},
    }
    found = scale(table.rules(own(rule), "sgd")["hidden"], SHAPE, CONSTANTS)
    assert (found.mean, found.init) == (1.0, 2 / 6)
    assert found.learning_rate == pytest.approx(4.0 ** (1 - 2 * 0.7))


@pytest.mark.parametrize(
    ("parameterization", "message"),
    [
        ("muP", r"parameterization is 'muP'\. Give one of .*mup"),
        ({}, r"has no families"),
        ({"families": {"adam": {}}}, r"no rules for the family 'sgd', only for 'adam'"),
        ("complete_p", r"complete_p has no rules for the family 'sgd'"),
        (own(3), r"role 'hidden' is 3"),
        (own({"lr": {}}), r"role 'hidden' has lr\. Its keys are .*learning_rate"),
        (own({"mean": "1"}), r"mean of role 'hidden' is '1'\. Give a number"),
        (own({"init": -0.5}), r"init of role 'hidden' is -0\.5\. Give a mapping"),
        (own({"init": {"fanin": 1}}), r"init of role 'hidden' has fanin"),
        (own({"init": {"width": True}}), r"width in init of role 'hidden' is True"),
        (own({"init": {"width": {"alfa": 1}}}), r"width in init of role 'hidden' has alfa"),
    ],
)
def test_a_wrong_entry_is_refused_by_place(parameterization: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        table.rules(parameterization, "sgd")


def test_a_quantity_is_one_only_without_factor_and_exponents() -> None:
    assert table.is_one({}, 0.5)
    assert table.is_one({"depth": {"alpha": -1.0}}, 0.0)
    assert not table.is_one({"depth": {"alpha": -1.0}}, 0.5)
    assert not table.is_one({"factor": 2.0}, 0.0)
