"""The shipped table: complete, and its exponents against the papers', written out by hand."""

from __future__ import annotations

import pytest

from lrtransfer.scaling.rules import Constants, Scaled
from lrtransfer.scaling.symmetry import Family, moved
from lrtransfer.study.plan.parameterizations import builtin

from .entries import (
    ALL_ROLES,
    FAMILIES,
    FANS,
    HEAD,
    INPUTS,
    INSIDE,
    TENSORS,
    VECTORS,
    Size,
    assert_has,
    columns,
    every_size,
    numbers,
)


def test_every_entry_has_the_roles_of_every_model_in_every_family_of_optimizers() -> None:
    for name, family in columns():
        assert set(builtin()[name].families[family]) == ALL_ROLES, (name, family)


def test_the_entries_are_those_documented() -> None:
    both = {"sp", "ntp", "mup", "depth_mup", "inverse_depth", "mean_field"}
    both |= {f"mup_table{number}" for number in (3, 8, 9)}
    everett = {f"everett_{form}" for form in ("sp", "ntk", "mup", "mean_field")}
    everett |= {f"{name}_no_alignment" for name in everett}
    adam_alone = {"complete_p", "u_mup"} | everett
    expected = {name: {"sgd", "adam"} for name in both} | {name: {"adam"} for name in adam_alone}
    expected |= {"complete_d_p": {"adam"}, "hyper_p": {"fixed_norm"}}
    for name in ("sp", "mup", "depth_mup", "inverse_depth", "complete_p"):
        expected[name] |= {"muon", "shampoo", "soap"}
    for name in ("sp", "mup"):
        expected[name] |= {"fixed_norm"}
    assert {name: set(entry.families) for name, entry in builtin().items()} == expected


def test_each_entry_says_what_it_is_and_where_it_is_from() -> None:
    for name, entry in builtin().items():
        assert len(entry.description) > 20, name
        assert "(20" in entry.source or "App." in entry.source, name


@every_size
def test_biases_start_at_zero_gains_at_one_and_nothing_else_off_zero(size: Size) -> None:
    for name, family in columns():
        for role in TENSORS:
            found = numbers(name, family, role, size)
            assert found.mean == (1.0 if role == "norm_gain" else 0.0)
            at_zero = {"norm_gain", "bias", "scalar_bias"}
            at_zero |= {"output"} if name == "hyper_p" else set()  # Ren et al. (2026)
            assert (found.init == 0) == (role in at_zero)


@every_size
def test_logits_are_over_d_but_for_sp_and_ntp(size: Size) -> None:
    """The model divides by √d already."""
    for name, family in columns():
        found = numbers(name, family, "attention_logits", size)
        assert_has(found, multiplier=1.0 if name in {"sp", "ntp"} else HEAD**-0.5)


@every_size
def test_branches_shrink_as_each_entry_says(size: Size) -> None:
    own = {"depth_mup": 0.5, "inverse_depth": 1.0, "u_mup": 0.5, "hyper_p": 0.5}
    _, depth, constants = size
    for name, family in columns():
        alpha = own.get(name, constants.branch_exponent)
        found = numbers(name, family, "branch", size)
        assert_has(found, multiplier=(depth / constants.base_depth) ** -alpha)


def test_depth_counts_inside_branches_alone() -> None:
    for name, family in columns():
        for role in ALL_ROLES - {"branch"}:
            shallow, deep = (
                numbers(name, family, role, (64, depth, Constants(0.7))) for depth in (3, 48)
            )
            assert shallow == deep, (name, family, role)


@every_size
def test_tensors_without_width_do_not_see_it(size: Size) -> None:
    _, depth, constants = size
    for name, family in columns():
        for role in ("scalar", "scalar_bias"):
            narrow, wide = (
                numbers(name, family, role, (width, depth, constants), in_branch=True)
                for width in (64, 1024)
            )
            assert narrow == wide, (name, family, role)


@every_size
def test_sp_has_one_learning_rate_and_its_fan_in_in_the_weights(size: Size) -> None:
    for family in FAMILIES:
        for role in TENSORS:
            found = numbers("sp", family, role, size, in_branch=True)
            plain = Scaled(found.init, 1.0, 1.0, mean=found.mean)
            assert found == plain, role
            if role in {"input", "hidden", "output", "scalar"}:
                assert found.init == pytest.approx(FANS[role](size[0])[0] ** -0.5)
        for role in ("embedding", "positional"):
            assert numbers("sp", family, role, size).init == 1.0


@pytest.mark.parametrize(("name", "exponent"), [("ntp", 0.0), ("mup", 0.5)])
@every_size
def test_gamma_of_ntp_and_mup_under_sgd(name: str, exponent: float, size: Size) -> None:
    """Noci et al. (2024), §2-3: one learning rate η₀γ², readout 1/(γ√N), weights N(0,1)."""
    width, _, constants = size
    gamma = constants.gamma0 * (width / constants.base_width) ** exponent
    hand = {"input": INPUTS**-0.5, "hidden": width**-0.5, "output": 1 / (gamma * width**0.5)}
    for role, multiplier in hand.items():
        found = numbers(name, "sgd", role, size, in_branch=role == "hidden")
        assert_has(found, init=1.0, multiplier=multiplier, learning_rate=gamma**2)
    for role in VECTORS:
        assert_has(numbers(name, "sgd", role, size), multiplier=1.0, learning_rate=gamma**2)
    rate = constants.gamma0**2
    assert_has(numbers(name, "sgd", "scalar", size), multiplier=7**-0.5, learning_rate=rate)
    assert_has(numbers(name, "sgd", "scalar_bias", size), multiplier=1.0, learning_rate=rate)


@every_size
def test_ntp_keeps_its_learning_rate_under_adam(size: Size) -> None:
    width, _, constants = size
    multipliers = {
        "input": INPUTS**-0.5,
        "hidden": width**-0.5,
        "scalar": 7**-0.5,
        "output": 1 / (constants.gamma0 * width**0.5),
    }
    for role in TENSORS:
        found = numbers("ntp", "adam", role, size, in_branch=True)
        init = 0.0 if role in {"norm_gain", "bias", "scalar_bias"} else 1.0
        plain = Scaled(init, multipliers.get(role, 1.0), 1.0, mean=found.mean)
        assert_has(found, **vars(plain))


GENERAL = [("depth_mup", 0.5), ("inverse_depth", 1.0)]


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize(("name", "alpha"), GENERAL)
@pytest.mark.parametrize(("width", "depth", "gamma0"), [(64, 3, 1.0), (1024, 48, 0.6)])
def test_depth_entries_are_the_general_table_of_the_appendix(
    family: Family, name: str, alpha: float, width: int, depth: int, gamma0: float
) -> None:
    """Noci et al. (2024), Table 1 and App. K: one rate, with the first and last layer rescaled.

    The general table's form has σ ≠ 1 outside the branches; it is moved to σ = 1 here.
    """
    if family == "sgd":
        rate, sigma = gamma0**2 * width * depth ** (2 * alpha - 1), depth ** (alpha - 0.5)
    else:
        rate = width**-0.5 * depth ** (alpha - 1)
        sigma = rate
    general = {
        "hidden": Scaled(1.0, width**-0.5, rate),
        "input": Scaled(sigma, INPUTS**-0.5 / sigma, rate),
        "output": Scaled(sigma, 1 / (gamma0 * width * sigma), rate),
        "embedding": Scaled(sigma, 1 / sigma, rate),
        "positional": Scaled(sigma, 1 / sigma, rate),
    }
    size = (width, depth, Constants(0.0, gamma0, 1, 1))
    for role, form in general.items():
        hand = moved(form, form.init, family)
        found = numbers(name, family, role, size, in_branch=role == "hidden")
        wanted = {q: vars(hand)[q] for q in ("init", "multiplier", "learning_rate")}
        assert_has(found, **wanted)


@pytest.mark.parametrize(("name", "alpha"), GENERAL)
@every_size
def test_vectors_in_branches_follow_the_rate_of_their_family(
    name: str, alpha: float, size: Size
) -> None:
    """SGD's rate ∝ L^(2α−1) and Adam's ∝ L^(α−1) inside branches, of whatever width exponent."""
    width, depth, constants = size
    m, l_ = width / constants.base_width, depth / constants.base_depth
    for role in ("bias", "norm_gain", "scalar", "scalar_bias"):
        width_rate = constants.gamma0**2 * (m if role in VECTORS else 1.0)
        inside = numbers(name, "sgd", role, size, in_branch=True)
        assert_has(inside, learning_rate=width_rate * l_ ** (2 * alpha - 1))
        assert_has(numbers(name, "sgd", role, size), learning_rate=width_rate)
        inside = numbers(name, "adam", role, size, in_branch=True)
        assert_has(inside, learning_rate=l_ ** (alpha - 1))
        assert_has(numbers(name, "adam", role, size), learning_rate=1.0)
        for family in FAMILIES:
            multiplier = 7**-0.5 if role == "scalar" else 1.0
            assert_has(numbers(name, family, role, size, in_branch=True), multiplier=multiplier)


@every_size
def test_mup_under_adam_is_the_general_table_without_depth(size: Size) -> None:
    width, _, constants = size
    m = width / constants.base_width
    hidden = numbers("mup", "adam", "hidden", size, in_branch=True)
    assert_has(hidden, init=1.0, multiplier=width**-0.5, learning_rate=m**-0.5)
    multiplier = 1 / (constants.gamma0 * (m * width) ** 0.5)
    hand = {"input": INPUTS**-0.5, "output": multiplier, "scalar": 7**-0.5}
    for role in TENSORS - {"hidden"}:
        found = numbers("mup", "adam", role, size, in_branch=role in INSIDE)
        assert_has(found, multiplier=hand.get(role, 1.0), learning_rate=1.0)


@pytest.mark.parametrize("name", ["mup", "depth_mup", "inverse_depth", "complete_p"])
@every_size
def test_epsilon_follows_the_size_of_the_gradient(name: str, size: Size) -> None:
    """Entries of the gradient, in the entry's form.

    A stream of entries of size one feeds a readout of multiplier 1/(γ₀ m·const): what comes back
    to an entry of the stream is ∝ 1/(γ₀m), of which a branch passes on its own multiplier, and a
    hidden matrix its m^-½ where the multiplier stays outside the weight. What has no width is
    summed over it.
    """
    width, depth, constants = size
    m, l_ = width / constants.base_width, depth / constants.base_depth
    gamma0 = 1.0 if name == "complete_p" else constants.gamma0
    alpha = dict(GENERAL).get(name, constants.branch_exponent)
    back, branch = 1 / (gamma0 * m), l_**-alpha
    outside = 1.0 if name == "complete_p" else m**-0.5
    inside = {
        "hidden": back * outside * branch,
        "bias": back * branch,
        "norm_gain": back * branch,
        "scalar": branch / gamma0,
        "scalar_bias": branch / gamma0,
    }
    for role, epsilon in inside.items():
        assert_has(numbers(name, "adam", role, size, in_branch=True), epsilon=epsilon)
    for role in ("input", "output", "embedding", "positional"):
        assert_has(numbers(name, "adam", role, size), epsilon=back)


@every_size
def test_sgd_s_decay_in_a_step_depends_on_no_size(size: Size) -> None:
    for name, family in columns():
        if family == "sgd" and name != "ntp":
            for role in TENSORS:
                found = numbers(name, "sgd", role, size, in_branch=True)
                assert found.learning_rate * found.weight_decay == pytest.approx(1.0), (name, role)


@every_size
def test_adam_s_decay_in_a_step_falls_with_width_in_hidden_layers_alone(size: Size) -> None:
    """The decay λ of μP's hidden layers is that of every width (Yang et al. 2022): ηλ/m a step."""
    width, depth, constants = size
    m, l_ = width / constants.base_width, depth / constants.base_depth
    depths = {"mup": 1.0, "depth_mup": l_**-0.5, "inverse_depth": 1.0}
    depths |= {f"mup_table{number}": 1.0 for number in (3, 8, 9)}
    for name, rate in depths.items():
        for role in TENSORS:
            found = numbers(name, "adam", role, size, in_branch=role in INSIDE)
            expected = (rate if role in INSIDE else 1.0) / (m if role == "hidden" else 1.0)
            product = found.learning_rate * found.weight_decay
            assert product == pytest.approx(expected), (name, role)
