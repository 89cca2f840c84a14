"""Exponents evaluated for a tensor; NTP, μP and SP against Noci et al. (2024), §2-3, by hand."""

from __future__ import annotations

import pytest

from lrtransfer.scaling.rules import QUANTITIES, Constants, Scaled, Shape, scale
from lrtransfer.study.plan.exponents import ParameterizationSpec

from .nets import rules

INPUTS = 48  # D

CASES = [
    (64, 3, Constants(0.5, 1.0, 1, 1)),
    (1024, 12, Constants(0.5, 1.0, 1, 1)),
    (64, 3, Constants(1.0, 0.3, 1, 1)),
    (256, 6, Constants(0.0, 2.0, 32, 1)),
    (256, 6, Constants(0.5, 0.5, 64, 3)),
]


def numbers(name: str, role: str, width: int, depth: int, constants: Constants) -> Scaled:
    fan_in = INPUTS if role == "input" else width
    return scale(rules(name)[role], Shape(fan_in, width, depth), constants)


@pytest.mark.parametrize(("width", "depth", "constants"), CASES)
def test_mup_is_gamma_growing_with_the_root_of_the_width(
    width: int, depth: int, constants: Constants
) -> None:
    gamma = constants.gamma0 * (width / constants.base_width) ** 0.5
    expected = {
        "input": Scaled(1.0, INPUTS**-0.5, gamma**2),
        "hidden": Scaled(1.0, width**-0.5, gamma**2),
        "output": Scaled(1.0, 1 / (gamma * width**0.5), gamma**2),
    }
    check("mup", expected, width, depth, constants)


@pytest.mark.parametrize(("width", "depth", "constants"), CASES)
def test_ntp_is_gamma_without_width(width: int, depth: int, constants: Constants) -> None:
    gamma = constants.gamma0
    expected = {
        "input": Scaled(1.0, INPUTS**-0.5, gamma**2),
        "hidden": Scaled(1.0, width**-0.5, gamma**2),
        "output": Scaled(1.0, 1 / (gamma * width**0.5), gamma**2),
    }
    check("ntp", expected, width, depth, constants)


@pytest.mark.parametrize(("width", "depth", "constants"), CASES)
def test_sp_puts_the_fan_in_into_the_weights_and_nothing_else(
    width: int, depth: int, constants: Constants
) -> None:
    expected = {
        "input": Scaled(INPUTS**-0.5, 1.0, 1.0),
        "hidden": Scaled(width**-0.5, 1.0, 1.0),
        "output": Scaled(width**-0.5, 1.0, 1.0),
    }
    check("sp", expected, width, depth, constants)


def check(
    name: str, expected: dict[str, Scaled], width: int, depth: int, constants: Constants
) -> None:
    branch = (depth / constants.base_depth) ** -constants.branch_exponent
    for role, hand in (expected | {"branch": Scaled(1.0, branch, 1.0)}).items():
        found = numbers(name, role, width, depth, constants)
        assert found.init == pytest.approx(hand.init, rel=1e-14)
        assert found.multiplier == pytest.approx(hand.multiplier, rel=1e-14)
        assert found.learning_rate == pytest.approx(hand.learning_rate, rel=1e-14)


def test_an_empty_rule_scales_nothing() -> None:
    assert scale({}, Shape(7, 5, 3), Constants(0.5, 2.0, 2, 2)) == Scaled(1.0, 1.0, 1.0)


def test_exponents_of_the_users_table_count_as_written() -> None:
    spec = ParameterizationSpec.model_validate(
        {
            "description": "my own",
            "source": "me",
            "families": {
                "sgd": {
                    "input": {
                        "init": {"factor": 3.0, "fan_in": -1},
                        "multiplier": {"width": 0.5, "depth": {"constant": 1, "alpha": -2}},
                        "learning_rate": {"gamma0": {"constant": 2.0}},
                    }
                }
            },
        }
    )
    rule = spec.families["sgd"]["input"].model_dump(exclude_defaults=True)
    found = scale(rule, Shape(fan_in=6, width=16, depth=8), Constants(0.25, 3.0, 4, 2))
    assert found == Scaled(init=0.5, multiplier=2.0 * 4.0**0.5, learning_rate=9.0)


def test_every_quantity_has_every_base() -> None:
    """Sizes are powers of two, so that each exponent shows in the logarithm."""
    shape = Shape(fan_in=2, width=4 * 16, depth=8 * 256, fan_out=2**32, in_branch=True)
    constants = Constants(branch_exponent=0.5, gamma0=2.0**64, base_width=4, base_depth=8)
    logs = {"fan_in": 1, "width": 4, "depth": 8, "branch_depth": 8, "fan_out": 32, "gamma0": 64}
    for quantity in QUANTITIES:
        for base, log in logs.items():
            rule = {quantity: {base: {"constant": 1.0, "alpha": 1.0}}}
            expected = vars(Scaled(1.0, 1.0, 1.0)) | {quantity: 2.0 ** (1.5 * log)}
            assert vars(scale(rule, shape, constants)) == expected, (quantity, base)
        assert vars(scale({quantity: {"factor": 3.0}}, shape, constants))[quantity] == 3.0
    assert scale({"mean": 1.0}, shape, constants) == Scaled(1.0, 1.0, 1.0, mean=1.0)


def test_branch_depth_counts_inside_branches_alone() -> None:
    rule = {"learning_rate": {"branch_depth": {"constant": -0.5}}}
    rates = [
        scale(rule, Shape(4, 4, depth=16, in_branch=inside), Constants()).learning_rate
        for inside in (True, False)
    ]
    assert rates == [0.25, 1.0]
