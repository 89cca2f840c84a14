"""Entries of the shipped table against their papers' tables, written out by hand."""

from __future__ import annotations

import math
from typing import Any

import pytest

from lrtransfer.scaling.rules import Constants, Scaled
from lrtransfer.scaling.symmetry import Family, moved

from .entries import FAMILIES, FANS, INPUTS, INSIDE, TENSORS, Size, assert_has, every_size, numbers


@every_size
def test_the_three_tables_of_tensor_programs_v(size: Size) -> None:
    """Yang et al. (2022), Tables 3, 8, 9: (σ, multiplier, SGD's rate, Adam's rate), m = N/N₀."""
    width, _, constants = size
    m, root = width / constants.base_width, width**-0.5
    first, base = INPUTS**-0.5, constants.base_width**-0.5
    hidden, scalar, scalar_bias = (root, 1, 1, 1 / m), (7**-0.5, 1, 1, 1), (0, 1, 1, 1)
    plain: dict[str, Any] = {"hidden": hidden, "scalar": scalar, "scalar_bias": scalar_bias}
    plain |= {"norm_gain": (0, 1, m, 1)}
    vectors: dict[str, Any] = {"embedding": (1, 1, m, 1), "positional": (1, 1, m, 1)}
    vectors |= {"bias": (0, 1, m, 1), "input": (first, 1, m, 1)}
    up, down = m**0.5, m**-0.5
    moved_vectors: dict[str, Any] = {"embedding": (down, up, 1, down)}
    moved_vectors |= {"positional": (down, up, 1, down), "bias": (0, up, 1, down)}
    moved_vectors |= {"input": (first * down, up, 1, down)}
    hand: dict[str, dict[str, tuple[float, float, float, float]]] = {
        "mup_table3": plain | vectors | {"output": (root * down, 1, 1 / m, 1 / m)},
        "mup_table8": plain | vectors | {"output": (base, 1 / m, m, 1)},
        "mup_table9": plain | moved_vectors | {"output": (root, down, 1, down)},
    }
    for name, tensors in hand.items():
        assert set(tensors) == TENSORS
        for role, (init, multiplier, *rates) in tensors.items():
            for family, rate in zip(FAMILIES, rates, strict=True):
                found = numbers(name, family, role, size, in_branch=True)
                assert_has(found, init=init, multiplier=multiplier, learning_rate=rate)


@every_size
def test_tables_3_and_9_move_the_epsilon_of_table_8(size: Size) -> None:
    m = size[0] / size[2].base_width
    moves = {
        "mup_table3": {"output": m},
        "mup_table8": {},
        "mup_table9": dict.fromkeys(("input", "embedding", "positional", "bias", "output"), m**0.5),
    }
    for name, own in moves.items():
        for role in TENSORS:
            found = numbers(name, "adam", role, size, in_branch=True)
            assert_has(found, epsilon=own.get(role, 1.0))


@pytest.mark.parametrize("family", FAMILIES)
def test_mup_and_table_8_scale_alike_in_one_form(family: Family) -> None:
    """Up to factors without width, which the base's own numbers hold, they are one entry."""

    def ratios(role: str, width: int) -> dict[str, Any]:
        size = (width, 4, Constants(0.5, 1.0, 32, 4))
        ours, package = (
            numbers(name, family, role, size, in_branch=role == "hidden")
            for name in ("mup", "mup_table8")
        )
        ours = moved(ours, package.multiplier / ours.multiplier, family)
        quantities = ["learning_rate", "weight_decay"] + (["init"] if ours.init else [])
        return {q: vars(ours)[q] / vars(package)[q] for q in quantities}

    for role in TENSORS:
        assert ratios(role, 32) == pytest.approx(ratios(role, 1024)), role


@pytest.mark.parametrize("alpha", [0.5, 1.0])
def test_complete_p_is_table_1_of_its_paper(alpha: float) -> None:
    """Dey et al. (2025), Table 1, with m_N = 8 and m_L = 4."""
    size = (512, 24, Constants(alpha, 1.0, 64, 6))
    m_n, m_l = 8.0, 4.0

    def told(role: str, *, in_branch: bool = False) -> Scaled:
        return numbers("complete_p", "adam", role, size, in_branch=in_branch)

    assert_has(
        told("hidden", in_branch=True),
        init=64**-0.5 * m_n**-0.5,
        multiplier=1.0,
        learning_rate=m_l ** (alpha - 1) / m_n,
        weight_decay=m_n,
        epsilon=m_l**-alpha / m_n,
    )
    for role in ("norm_gain", "bias", "scalar", "scalar_bias"):
        inside = told(role, in_branch=True)
        assert_has(inside, learning_rate=m_l ** (alpha - 1), weight_decay=1.0, multiplier=1.0)
        assert_has(told(role), learning_rate=1.0, weight_decay=1.0)
    for role in ("input", "embedding", "positional"):
        init = INPUTS**-0.5 if role == "input" else 1.0
        assert_has(told(role), init=init, multiplier=1.0, learning_rate=1.0, weight_decay=1.0)
    assert_has(told("scalar"), init=7**-0.5)
    assert_has(told("output"), init=64**-0.5, multiplier=1 / m_n)
    assert_has(told("output"), learning_rate=1.0, weight_decay=1.0)


def test_unit_scaled_mup_is_table_2_of_its_paper() -> None:
    """Blake et al. (2025): weights N(0,1) and a decay λη of every tensor alike."""
    size = (256, 16, Constants(0.0, 1.0, 1, 1))
    # (multiplier, rate outside of branches)
    hand = {
        "input": (INPUTS**-0.5, 1 / 16),
        "embedding": (1.0, 1 / 16),
        "positional": (1.0, 1.0),
        "hidden": (1 / 16, 1 / 16),
        "output": (1 / 256, 1.0),
        "scalar": (7**-0.5, 1.0),
        "bias": (1.0, 1.0),
        "scalar_bias": (1.0, 1.0),
        "norm_gain": (1.0, 1.0),
    }
    assert set(hand) == TENSORS
    for role, (multiplier, rate) in hand.items():
        found = numbers("u_mup", "adam", role, size)
        assert_has(found, multiplier=multiplier, learning_rate=rate, weight_decay=1 / rate)
        assert found.init in {0.0, 1.0}
        inside = numbers("u_mup", "adam", role, size, in_branch=True)
        rate = rate / 4 if role in INSIDE else rate
        assert_has(inside, learning_rate=rate, weight_decay=1 / rate, epsilon=1.0)


@every_size
def test_mean_field_is_mup_with_a_readout_over_n(size: Size) -> None:
    """The rate is SGD's of μP; Adam's has N in the place of N/N₀, and neither decay nor ε."""
    width, _, constants = size
    for role in TENSORS:
        ours, mup = (
            numbers(name, "sgd", role, size, in_branch=True) for name in ("mean_field", "mup")
        )
        assert_has(ours, init=mup.init, learning_rate=mup.learning_rate)
        multiplier = 1 / (constants.gamma0 * width) if role == "output" else mup.multiplier
        for family in FAMILIES:
            assert_has(numbers("mean_field", family, role, size), multiplier=multiplier)
        found = numbers("mean_field", "adam", role, size, in_branch=True)
        rate = width**-0.5 if role == "hidden" else 1.0
        assert_has(found, init=mup.init, learning_rate=rate, weight_decay=1.0, epsilon=1.0)


Exponents = dict[str, dict[str, tuple[float, float]]]


EVERETT: Exponents = {  # c of a learning rate ∝ N^-c under (full, no) alignment
    "sp": {"embedding": (0, 0), "hidden": (1, 0.5), "output": (1, 0.5)},
    "ntk": {"embedding": (0, 0), "hidden": (0.5, 0), "output": (0.5, 0)},
    "mup": {"embedding": (0.5, 0.5), "hidden": (1, 0.5), "output": (0.5, 0)},
    "mean_field": {"embedding": (0, 0), "hidden": (0.5, 0), "output": (0, -0.5)},
}


EVERETT_FORM: Exponents = {  # exponents of N in (σ, multiplier)
    "sp": {"embedding": (0, 0), "hidden": (-0.5, 0), "output": (-0.5, 0)},
    "ntk": {"embedding": (0, 0), "hidden": (0, -0.5), "output": (0, -0.5)},
    "mup": {"embedding": (-0.5, 0.5), "hidden": (-0.5, 0), "output": (-0.5, -0.5)},
    "mean_field": {"embedding": (0, 0), "hidden": (0, -0.5), "output": (0, -1)},
}


@pytest.mark.parametrize("form", list(EVERETT))
@pytest.mark.parametrize("alignment", ["full", "no"])
def test_per_layer_rates_of_everett_and_others(form: str, alignment: str) -> None:
    """Everett et al. (2024): exponents of N, from the ratio of widths 64 and 1024."""
    name = f"everett_{form}" + ("_no_alignment" if alignment == "no" else "")

    def exponents(role: str) -> dict[str, float]:
        narrow, wide = (
            vars(numbers(name, "adam", role, (width, 4, Constants(0.5)), in_branch=True))
            for width in (64, 1024)
        )
        return {q: math.log(wide[q] / narrow[q], 16) for q in narrow if narrow[q]}

    like = {"input": "embedding", "positional": "embedding"}
    for role in TENSORS:
        known = like.get(role, role)
        rates = EVERETT[form].get(known, (0, 0))
        init, multiplier = EVERETT_FORM[form].get(known, (0, 0))
        expected = {"learning_rate": -rates[alignment == "no"], "multiplier": multiplier}
        expected |= {"init": init, "weight_decay": 0.0, "epsilon": 0.0, "mean": 0.0}
        for quantity, found in exponents(role).items():
            assert found == pytest.approx(expected[quantity], abs=1e-12), (role, quantity)


@pytest.mark.parametrize("form", list(EVERETT))
def test_everett_s_entries_have_unit_streams_at_every_width(form: str) -> None:
    """σ × multiplier, which is all that a forward pass sees, is 1/√fan_in or of the readout."""
    for alignment in ("", "_no_alignment"):
        for role in ("input", "embedding", "positional", "hidden", "scalar", "output"):
            found = numbers(f"everett_{form}{alignment}", "adam", role, (256, 4, Constants()))
            fan_in = FANS[role](256)[0] if role in FANS else 1
            readout = {"mup": 1 / 256, "mean_field": 1 / 256}.get(form, 1 / 16)
            expected = readout if role == "output" else fan_in**-0.5
            assert found.init * found.multiplier == pytest.approx(expected), role
