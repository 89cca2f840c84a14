"""What a step costs, by counting operations, and the direction it leaves to look at."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from lrtransfer.study.plan import catalog

from .problems import Quadratic, sgd


@pytest.mark.parametrize(
    ("name", "options", "price"),
    [
        ("constant", {"learning_rate": 0.1}, 1.0),
        ("polyak", {}, 1.0),
        ("hypergradient", {}, 1.0),
        ("cdat", {}, 3.0),
        ("cdat", {"curvature": "finite_difference"}, 1 + 2 / 3),
        ("greedy", {}, 3.0),
        ("parabola_fit", {}, 1 + 2 / 3),
    ],
)
def test_a_step_is_priced_in_gradients(name: str, options: dict[str, Any], price: float) -> None:
    problem = Quadratic([1.0, 2.0, 3.0, 4.0])
    tuner = catalog.load("optim/tuners", name)(sgd(problem.parameters), **options)
    assert tuner.gradient_evaluations == 0
    for _ in range(3):
        tuner.step(problem.loss)
    assert tuner.gradient_evaluations == pytest.approx(3 * price)


def test_line_search_pays_for_its_trials_and_the_sharpness_rule_for_its_products() -> None:
    problem = Quadratic([1.0, 2.0, 3.0, 4.0])
    search = catalog.load("optim/tuners", "line_search")(sgd(problem.parameters))
    search.step(problem.loss)
    assert search.gradient_evaluations == pytest.approx(1 + search.memory["trials"] / 3)
    rule = catalog.load("optim/tuners", "sharpness_rule")(sgd(problem.parameters))
    rule.step(problem.loss)
    assert rule.gradient_evaluations == pytest.approx(1 + 2 * rule.memory["products"])


def test_a_measurement_every_k_steps_costs_less() -> None:
    problem = Quadratic([1.0, 2.0, 3.0, 4.0])
    tuner = catalog.load("optim/tuners", "cdat")(sgd(problem.parameters), every=3)
    for _ in range(3):
        tuner.step(problem.loss)
    assert tuner.gradient_evaluations == pytest.approx(3.0 + 2.0)


def test_the_price_is_part_of_the_state() -> None:
    problem = Quadratic([1.0, 2.0, 3.0, 4.0])
    tuner, other = (catalog.load("optim/tuners", "cdat")(sgd(problem.parameters)) for _ in range(2))
    tuner.step(problem.loss)
    other.load_state_dict(tuner.state_dict())
    assert other.gradient_evaluations == 3.0


def test_the_last_update_is_what_moved_the_weights() -> None:
    problem = Quadratic([1.0, 2.0, 3.0, 4.0])
    tuner = catalog.load("optim/tuners", "cdat")(sgd(problem.parameters))
    before = problem.point
    tuner.step(problem.loss)
    assert tuner.last_update is not None
    assert tuner.learning_rate is not None
    moved = tuner.learning_rate * torch.cat(tuner.last_update)
    assert torch.allclose(problem.point - before, moved, rtol=1e-12)


@pytest.mark.parametrize("name", catalog.names("optim/tuners"))
def test_every_tuner_says_what_a_step_costs_about(name: str) -> None:
    assert catalog.constant("optim/tuners", name, "PRICE") >= 1.0
