"""Networks that break their rule in one place fail the rule's prediction, and there."""

from __future__ import annotations

from typing import Any

import pytest

from lrtransfer.coordinates.exponents import predict
from lrtransfer.coordinates.growth import Judged, judge
from lrtransfer.coordinates.sizes import measure
from lrtransfer.scaling.symmetry import Family

from .nets import MLP, Make, Transformer, changed, problem, rules


def failures(
    make_model: Make, right: dict[str, Any], built: dict[str, Any], family: Family
) -> dict[tuple[str, str], Judged]:
    """Return what fails where networks are ``built`` by rules other than the ``right`` ones."""
    posed = problem(make_model, built, family)
    expected = predict(problem(make_model, right, family), family)
    found = judge(measure(posed), posed.widths, expected).coordinates
    return {(j.coordinates.module, j.coordinates.quantity): j for j in found if not j.as_predicted}


@pytest.mark.parametrize("family", ["sgd", "adam"])
@pytest.mark.parametrize("make_model", [MLP, Transformer])
def test_without_a_bug_nothing_fails(make_model: Make, family: Family) -> None:
    right = rules("mup", family)
    assert not failures(make_model, right, right, family)


@pytest.mark.parametrize(
    ("role", "modules"),
    [
        ("input", {"embed"}),
        ("hidden", {"branches.0", "branches.1"}),
        ("output", {"readout"}),
    ],
)
def test_a_learning_rate_left_unscaled_is_found_at_its_tensors(
    role: str, modules: set[str]
) -> None:
    right = rules("mup", "sgd")
    found = failures(MLP, right, changed(right, role, "learning_rate"), "sgd")
    assert {name for name, quantity in found if quantity == "own"} == modules
    for name in modules:
        assert found[name, "own"].measured.value < -0.7


def test_adam_with_the_rate_of_sgd_grows() -> None:
    right = rules("mup", "adam")
    found = failures(MLP, right, changed(right, "hidden", "learning_rate", width=0.5), "adam")
    assert not found["branches.0", "own"].stable
    assert not found["branches.0", "change"].stable


def test_a_missing_multiplier_is_found_at_its_tensor() -> None:
    right = rules("mup", "adam")
    found = failures(MLP, right, changed(right, "output", "multiplier", fan_in=-0.5), "adam")
    assert found["readout", "start"].measured.value == pytest.approx(0, abs=0.2)
    assert found["readout", "own"].measured.value == pytest.approx(0.5, abs=0.2)
    assert {name for name, _ in found} == {"readout"}


@pytest.mark.parametrize("family", ["sgd", "adam"])
def test_attention_over_the_root_of_a_growing_head_is_found_at_the_logits(family: Family) -> None:
    right = rules("mup", family)
    wrong = changed(right, "attention_logits", "multiplier")
    found = failures(Transformer, right, wrong, family)
    assert found["attention.logits", "start"].measured.value == pytest.approx(0, abs=0.2)
