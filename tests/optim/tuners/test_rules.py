"""The other rules against their formulas, and the registry."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from lrtransfer.curvature import sharpness
from lrtransfer.optim.tuners.hypergradient import Hypergradient
from lrtransfer.optim.tuners.parabola_fit import ParabolaFit
from lrtransfer.optim.tuners.polyak import Polyak
from lrtransfer.optim.tuners.sharpness_rule import SharpnessRule
from lrtransfer.study.plan import catalog

from .problems import Quadratic, adam, adamw, batch, flat, loss_of, momentum, network, sgd


@pytest.mark.parametrize("name", catalog.names("optim/tuners"))
def test_every_tuner_trains_a_network(name: str) -> None:
    model, data = network(), batch()
    tuner = catalog.load("optim/tuners", name)(sgd(model.parameters()))
    losses = [tuner.step(loss_of(model, data)).item() for _ in range(15)]
    assert min(losses) < losses[0]
    assert tuner.steps == 15


def test_an_unknown_tuner_is_named() -> None:
    with pytest.raises(LookupError, match="no_such"):
        catalog.load("optim/tuners", "no_such")(sgd(network().parameters()))


@pytest.mark.parametrize("base", [sgd, momentum, adamw])
def test_a_constant_rate_is_the_base_alone(base: Any) -> None:
    alone, tuned, data = network(), network(), batch()
    plain = base(alone.parameters())
    for group in plain.param_groups:
        group["lr"] = 0.05
    tuner = catalog.load("optim/tuners", "constant")(base(tuned.parameters()), learning_rate=0.05)
    for _ in range(10):
        plain.zero_grad()
        loss_of(alone, data)().backward()
        plain.step()
        tuner.step(loss_of(tuned, data))
    torch.testing.assert_close(flat(tuned), flat(alone), rtol=1e-12, atol=1e-14)


@settings(max_examples=20, deadline=None)
@given(st.lists(st.floats(0.1, 50.0), min_size=3, max_size=6), st.integers(0, 1000))
def test_polyak_on_a_quadratic_lies_between_half_the_inverse_eigenvalues(
    spectrum: list[float], seed: int
) -> None:
    problem = Quadratic(spectrum, seed)
    tuner = Polyak(sgd(problem.parameters), max_learning_rate=1e6)
    tuner.step(problem.loss)
    assert tuner.learning_rate is not None
    assert 0.5 / max(spectrum) * (1 - 1e-9) <= tuner.learning_rate
    assert tuner.learning_rate <= 0.5 / min(spectrum) * (1 + 1e-9)


def test_polyak_is_capped_and_stays_below_its_minimum() -> None:
    problem = Quadratic([1e-3, 1e-3, 1e-3])
    tuner = Polyak(sgd(problem.parameters), max_learning_rate=7.0)
    tuner.step(problem.loss)
    assert tuner.learning_rate == 7.0
    below = Polyak(sgd(problem.parameters), minimum=10.0)
    before = problem.point
    below.step(problem.loss)
    assert below.learning_rate == 0.0
    assert torch.equal(problem.point, before)


def test_the_hypergradient_follows_the_cosine_of_the_next_gradient_and_the_update() -> None:
    problem = Quadratic([1.0, 4.0, 9.0])
    tuner = Hypergradient(momentum(problem.parameters), learning_rate=0.05, beta=0.3)
    rate, velocity, last = 0.05, torch.zeros(3, dtype=torch.float64), None
    w = problem.point
    for _ in range(6):
        g = problem.hessian @ w
        if last is not None:
            rate *= 1 - 0.3 * (g @ last / (g.norm() * last.norm())).item()
        velocity = 0.9 * velocity + g
        last = -velocity
        w = w + rate * last
        tuner.step(problem.loss)
        assert tuner.learning_rate == pytest.approx(rate, rel=1e-12)
        torch.testing.assert_close(problem.point, w, rtol=1e-12, atol=1e-13)


def test_the_parabola_s_minimum_is_found_without_derivatives_of_the_slope() -> None:
    problem = Quadratic([2.0, 3.0, 4.0])
    tuner = ParabolaFit(sgd(problem.parameters), learning_rate=0.3, max_change=100.0)
    g = problem.gradient()
    tuner.step(problem.loss)
    assert tuner.learning_rate == pytest.approx(float(g @ g / (g @ problem.hessian @ g)))


def test_the_parabola_s_rate_changes_by_a_bounded_factor() -> None:
    problem = Quadratic([2.0, 3.0, 4.0])
    tuner = ParabolaFit(sgd(problem.parameters), learning_rate=1e-3, max_change=2.0)
    rates = []
    for _ in range(3):
        tuner.step(problem.loss)
        rates.append(tuner.learning_rate)
    assert rates == pytest.approx([0.002, 0.004, 0.008])


def test_a_parabola_that_opens_downwards_keeps_the_rate_and_one_that_bursts_lowers_it() -> None:
    problem = Quadratic([-1.0, -1.0, -1.0])
    tuner = ParabolaFit(sgd(problem.parameters), learning_rate=0.01)
    tuner.step(problem.loss)
    assert tuner.learning_rate == 0.01
    weight = nn.Parameter(torch.tensor([1.0], dtype=torch.float64))
    wall = ParabolaFit(sgd([weight]), learning_rate=1.0)
    wall.step(lambda: (8 * weight - weight.log()).sum())
    assert wall.learning_rate == 0.5


def test_the_sharpness_rule_is_sigma_over_the_largest_eigenvalue() -> None:
    model, data = network(), batch()
    tuner = SharpnessRule(sgd(model.parameters()), sigma=1.5, tolerance=1e-8)
    for _ in range(3):
        top = sharpness(model, nn.functional.cross_entropy, data, tolerance=1e-8).value
        tuner.step(loss_of(model, data))
        assert tuner.sharpness == pytest.approx(top, rel=1e-8)
        assert tuner.learning_rate == pytest.approx(1.5 / top, rel=1e-8)


def test_the_sharpness_of_unequal_rates_is_that_of_the_scaled_hessian() -> None:
    model, data = network(), batch()
    names = [name for name, _ in model.named_parameters()]
    scale = dict(zip(names, (0.3, 1.0, 2.0, 5.0), strict=True))
    groups = [{"params": [p], "lr": scale[name]} for name, p in model.named_parameters()]
    tuner = SharpnessRule(torch.optim.SGD(groups), tolerance=1e-8)
    top = sharpness(model, nn.functional.cross_entropy, data, scale=scale, tolerance=1e-8).value
    tuner.step(loss_of(model, data))
    assert tuner.sharpness == pytest.approx(top, rel=1e-8)


def test_the_sharpness_under_adam_is_preconditioned() -> None:
    problem = Quadratic([1.0, 4.0, 9.0])
    tuner = SharpnessRule(adam(problem.parameters), tolerance=1e-10)
    for _ in range(3):
        before = problem.gradient()
        tuner.step(problem.loss)
        moments = [tuner.state[p]["exp_avg_sq"] for p in problem.parameters]
        root = (torch.cat(moments) / (1 - 0.999**tuner.steps)).sqrt().add(1e-8).rsqrt()
        scaled = root[:, None] * problem.hessian * root
        assert tuner.sharpness == pytest.approx(torch.linalg.eigvalsh(scaled)[-1].item())
        assert before.norm() > 0


def test_the_sharpness_rule_starts_from_the_last_eigenvector() -> None:
    model, data = network(), batch()
    tuner = SharpnessRule(sgd(model.parameters()), sigma=1e-6)
    tuner.step(loss_of(model, data))
    cold = tuner.products
    tuner.step(loss_of(model, data))
    assert tuner.products < cold


def test_without_positive_curvature_there_is_no_edge() -> None:
    problem = Quadratic([-1.0, -2.0, -3.0])
    with pytest.raises(RuntimeError, match="give max_learning_rate"):
        SharpnessRule(sgd(problem.parameters)).step(problem.loss)
    capped = SharpnessRule(sgd(problem.parameters), max_learning_rate=0.1)
    capped.step(problem.loss)
    assert capped.learning_rate == 0.1


def test_the_sharpness_rule_refuses_a_base_whose_preconditioner_is_unknown() -> None:
    with pytest.raises(ValueError, match="base is Adagrad, whose preconditioner is unknown"):
        SharpnessRule(torch.optim.Adagrad(network().parameters(), lr=1.0))


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("constant", {"learning_rate": -1.0}, "learning_rate is -1"),
        ("polyak", {"max_learning_rate": 0.0}, "max_learning_rate is 0"),
        ("polyak", {"minimum": float("nan")}, "minimum is nan"),
        ("hypergradient", {"learning_rate": 0.0}, "learning_rate is 0"),
        ("hypergradient", {"beta": 2.0}, "beta is 2"),
        ("parabola_fit", {"sigma": 0.0}, "sigma is 0"),
        ("parabola_fit", {"learning_rate": 0.0}, "learning_rate is 0"),
        ("parabola_fit", {"max_change": 1.0}, "max_change is 1"),
        ("sharpness_rule", {"sigma": 0.0}, "sigma is 0"),
        ("sharpness_rule", {"tolerance": 1.0}, "tolerance is 1"),
        ("sharpness_rule", {"max_learning_rate": -1.0}, "max_learning_rate is -1"),
    ],
)
def test_options_out_of_range_are_named(name: str, options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        catalog.load("optim/tuners", name)(sgd(network().parameters()), **options)
