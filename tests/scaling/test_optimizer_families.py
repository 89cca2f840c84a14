"""Rates of the families against the one formula: LR × = (out/in)^(1−E) L^(2α(1−E)−1)."""

from __future__ import annotations

from dataclasses import replace

import pytest

from lrtransfer.scaling import table
from lrtransfer.scaling.rules import Constants, Shape, scale
from lrtransfer.scaling.symmetry import Family, absorbed, family_of

SHAPES = [(64, 64), (256, 64), (64, 256), (512, 512)]
# Exponent of the branches under each, and families by E (2512.05620 has α = 1).
DEPTHS = {"depth_mup": 0.5, "inverse_depth": 1.0, "complete_p": 1.0}
ELEVATION = {"sgd": 0.0, "shampoo": 0.5, "soap": 0.5, "muon": 0.5}


def formula(fans: tuple[int, int], depth: float, elevation: float, alpha: float) -> float:
    fan_in, fan_out = fans
    return (fan_out / fan_in) ** (1 - elevation) * depth ** (2 * alpha * (1 - elevation) - 1)


def rate(name: str, family: str, fans: tuple[int, int], width: int, depth: int) -> float:
    """Return the rate of a hidden matrix in a branch, in the form without multipliers."""
    constants = Constants(DEPTHS[name], 1.0, 64, 2)
    shape = Shape(fans[0], width, depth, fans[1], in_branch=True)
    scaled = scale(table.rules(name, family)["hidden"], shape, constants)
    own = absorbed(scaled, "sgd" if family == "sgd" else "adam").learning_rate
    # Muon's own factor is no rule of the table.
    return own * (fans[1] / fans[0]) ** 0.5 if family == "muon" else own


@pytest.mark.parametrize("name", DEPTHS)
@pytest.mark.parametrize("family", ELEVATION)
def test_hidden_rates_follow_the_formula(name: str, family: str) -> None:
    if name == "complete_p" and family == "sgd":
        pytest.skip("CompleteP is of AdamW alone")
    e, alpha = ELEVATION[family], DEPTHS[name]
    base = rate(name, family, (64, 64), 64, 2)
    for width, depth in ((64, 2), (256, 2), (64, 8), (512, 4)):
        fans = (width, width)
        grown = rate(name, family, fans, width, depth) / base
        expected = formula(fans, depth / 2, e, alpha)
        assert grown == pytest.approx(expected), (width, depth)


@pytest.mark.parametrize("family", ["shampoo", "soap", "muon"])
def test_every_aspect_ratio_has_its_spectral_rate(family: str) -> None:
    for fan_in, fan_out in SHAPES:
        found = rate("inverse_depth", family, (fan_in, fan_out), 256, 2)
        assert found == pytest.approx((fan_out / fan_in) ** 0.5)


def test_the_worked_row_of_complete_p() -> None:
    # m_n = 4, m_L = 8: branch, rate and ε of hidden matrices, rate of vectors, λ.
    for alpha, hidden, vector, epsilon in (
        (0.5, 0.08839, 0.3536, 0.08839),
        (1.0, 0.25, 1.0, 0.03125),
    ):
        constants = Constants(alpha, 1.0, 64, 2)
        rules = table.rules("complete_p", "adam")
        shape = Shape(256, 256, 16, 256, in_branch=True)
        found = scale(rules["hidden"], shape, constants)
        assert found.learning_rate == pytest.approx(hidden, rel=1e-4)
        assert found.epsilon == pytest.approx(epsilon, rel=1e-4)
        assert found.weight_decay == 4.0
        bias = scale(rules["bias"], Shape(1, 256, 16, in_branch=True), constants)
        assert bias.learning_rate == pytest.approx(vector, rel=2e-4)
        gain = scale(rules["scalar_gain"], Shape(1, 256, 16, in_branch=True), constants)
        assert gain.epsilon == pytest.approx(8.0**-alpha)  # of a norm of queries: no width
        branch = scale(rules["branch"], Shape(256, 256, 16), constants)
        assert branch.multiplier == pytest.approx(8.0**-alpha)


def test_complete_d_p_s_table_of_roles() -> None:
    # m_n = 4, m_L = 8: rate, ε and λ of each role, in the readout's form with a multiplier.
    rules, alpha = table.rules("complete_d_p", "adam"), 0.5
    vector = (8.0 ** (alpha - 1), 8.0**-alpha / 4, 0.0)
    expected = {
        "embedding": (1.0, 1 / 4, 1.0),
        "hidden": (8.0 ** (alpha - 1) / 4, 8.0**-alpha / 4, 4.0),
        "bias": vector,
        "norm_gain": vector,
        "scalar_gain": (8.0 ** (alpha - 1), 8.0**-alpha, 0.0),  # of queries and keys: no width
        "output": (1.0, 1 / 4, 1.0),
    }
    for role, numbers in expected.items():
        inside = role not in ("embedding", "output")
        shape = Shape(256, 256, 16, 256, in_branch=inside)
        found = scale(rules[role], shape, Constants(alpha, 1.0, 64, 2))
        own = (found.learning_rate, found.epsilon, found.weight_decay)
        assert own == pytest.approx(numbers), role
    final = scale(rules["norm_gain"], Shape(1, 256, 16), Constants(alpha, 1.0, 64, 2))
    assert (final.learning_rate, final.epsilon, final.weight_decay) == (1.0, 0.25, 0.0)


def test_the_rate_of_hyper_p_knows_no_width_and_falls_with_depth() -> None:
    hidden = table.rules("hyper_p", "fixed_norm")["hidden"]
    for width, depth, expected in ((64, 2, 1.0), (512, 2, 1.0), (64, 8, 0.5)):
        shape = Shape(width, width, depth, width, in_branch=True)
        found = scale(hidden, shape, Constants(0.5, 1.0, 64, 2))
        assert found.learning_rate == pytest.approx(expected)
        assert found.weight_decay == 0.0


def test_a_branch_s_multiplier_in_a_matrix_of_fixed_norm_leaves_its_rate() -> None:
    # m·W of norm m·R moves by ηmR, as W times m did: no factor on the rate, unlike Adam's.
    scaled = scale({"init": {}}, Shape(8, 8, 1), Constants())
    rates: dict[Family, float] = {"norm": 1.0, "adam": 0.25, "sgd": 0.0625}
    for family, expected in rates.items():
        own = absorbed(replace(scaled, multiplier=0.25), family)
        assert (own.init, own.learning_rate) == (0.25, expected)
    assert family_of("fixed_norm", "hidden") == "norm"
    assert family_of("fixed_norm", "embedding") == family_of("muon", "hidden") == "adam"
