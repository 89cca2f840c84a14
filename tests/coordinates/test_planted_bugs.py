"""Networks that break their rule in one place fail the rule's prediction, and there."""

from __future__ import annotations

from typing import Any

import pytest

from lrtransfer.coordinates.growth import Judged, judge
from lrtransfer.coordinates.measurement import measure
from lrtransfer.coordinates.prediction import predict
from lrtransfer.coordinates.problem import Sizes, problem

from .tables import changed, rules

MLP = Sizes((64, 128, 256), samples=8)
GPT = Sizes((32, 64, 128), samples=2, depth=2, options={"block_size": 8})


def failures(
    model: str, sizes: Sizes, right: dict[str, Any], built: dict[str, Any], optimizer: str
) -> dict[tuple[str, str], Judged]:
    """Return what fails where networks are ``built`` by rules other than the ``right`` ones."""
    posed = problem(model, sizes)
    expected = predict(posed, right, "sgd" if optimizer == "sgd" else "adam")
    found = judge(measure(posed, built, optimizer), expected, posed.widths)
    return {(j.coordinates.module, j.coordinates.quantity): j for j in found if not j.as_predicted}


@pytest.mark.parametrize("optimizer", ["sgd", "adamw"])
def test_without_a_bug_nothing_fails(optimizer: str) -> None:
    right = rules("mup", "sgd" if optimizer == "sgd" else "adam")
    assert not failures("residual_mlp", MLP, right, right, optimizer)
    assert not failures("gpt", GPT, right, right, optimizer)


@pytest.mark.parametrize(
    ("role", "module"), [("input", "embed"), ("hidden", "branches.1.1"), ("output", "readout")]
)
def test_a_learning_rate_left_unscaled_is_found_at_its_tensor(role: str, module: str) -> None:
    right = rules("mup", "sgd")
    found = failures("residual_mlp", MLP, right, changed(right, role, "learning_rate"), "sgd")
    assert (module, "own") in found
    assert found[module, "own"].measured.value < -0.7
    others = {"embed", "branches.0.1", "branches.1.1", "branches.2.1", "readout"} - {module}
    still_right = others if role != "hidden" else others - {"branches.0.1", "branches.2.1"}
    assert not {name for name, quantity in found if quantity == "own"} & still_right


def test_adam_with_the_rate_of_sgd_grows() -> None:
    right = rules("mup", "adam")
    wrong = changed(right, "hidden", "learning_rate", width=0.5)
    found = failures("residual_mlp", MLP, right, wrong, "adamw")
    assert not found["branches.0.1", "own"].stable
    assert not found["branches.0.1", "change"].stable


def test_a_missing_multiplier_is_found_at_its_tensor() -> None:
    right = rules("mup", "adam")
    wrong = changed(right, "output", "multiplier", fan_in=-0.5)
    found = failures("residual_mlp", MLP, right, wrong, "adamw")
    assert found["readout", "start"].measured.value == pytest.approx(0, abs=0.2)
    assert found["readout", "own"].measured.value == pytest.approx(0.5, abs=0.2)
    assert {name for name, _ in found} == {"readout"}


@pytest.mark.parametrize("optimizer", ["sgd", "adamw"])
def test_attention_over_the_root_of_a_growing_head_is_found_at_the_logits(optimizer: str) -> None:
    right = rules("mup", "sgd" if optimizer == "sgd" else "adam")
    found = failures("gpt", GPT, right, changed(right, "attention_logits", "multiplier"), optimizer)
    assert found["branches.0.1.logits", "start"].measured.value == pytest.approx(0, abs=0.2)
