"""Probes of a loss so saturated that its curvature is less than the rounding of its products."""

from __future__ import annotations

import math

import pytest
import torch

from lrtransfer.curvature import AsymmetricProductsError
from lrtransfer.optim.tuners.sharpness_rule import SharpnessRule
from lrtransfer.study.plan.catalog import load
from lrtransfer.study.probes import Measurement, Probe

TARGETS = torch.arange(10).repeat(20)
_random = torch.Generator().manual_seed(0)
INPUTS = torch.nn.functional.one_hot(TARGETS, 10).float() + 0.1 * torch.randn(
    200, 10, generator=_random
)
START = 0.3 * torch.randn(10, 10, generator=_random)
MODERATE, SATURATED = 8.0, 60.0  # how far apart logits are


def scaled(model: torch.nn.Linear, scale: float) -> None:
    with torch.no_grad():
        model.weight.copy_(scale * torch.eye(10) + START)


def measured(probe: Probe, scale: float) -> dict[str, float]:
    model = torch.nn.Linear(10, 10, bias=False)
    scaled(model, scale)
    group = {"params": [model.weight], "name": "weight"}
    at = Measurement(
        model=model,
        loss=torch.nn.functional.cross_entropy,
        inputs=INPUTS,
        targets=TARGETS,
        tolerance=1e-2,
        relative_rates={"weight": 1.0},
        optimizer=torch.optim.SGD([group], lr=0.1),
        generator=torch.Generator().manual_seed(0),
    )
    return probe.measure(at)


@pytest.mark.parametrize(("name", "column"), [("edge", "edge_sharpness"), ("sharpness",) * 2])
def test_a_saturated_loss_has_no_number_and_a_wrong_model_is_told_at_once(
    name: str, column: str
) -> None:
    probe = load("probes", name)()
    assert measured(probe, MODERATE)[column] > 1e-4
    assert all(math.isnan(value) for value in measured(probe, SATURATED).values())
    with pytest.raises(AsymmetricProductsError, match="float32's rounding: float64 tells"):
        measured(load("probes", name)(), SATURATED)


def test_the_rule_keeps_its_rate_where_the_sharpness_drowns() -> None:
    model = torch.nn.Linear(10, 10, bias=False)
    rule = SharpnessRule(torch.optim.SGD(model.parameters(), lr=1.0))

    def closure() -> torch.Tensor:
        return torch.nn.functional.cross_entropy(model(INPUTS), TARGETS)

    scaled(model, MODERATE)
    rule.step(closure)
    rate = rule.learning_rate
    scaled(model, SATURATED)
    rule.step(closure)
    assert rule.learning_rate == rate
    fresh = SharpnessRule(torch.optim.SGD(model.parameters(), lr=1.0))
    scaled(model, SATURATED)
    with pytest.raises(AsymmetricProductsError):
        fresh.step(closure)
